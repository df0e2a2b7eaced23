"""A run: read, take the way, write, mark complete last. Owns the clock and the versions.

What is taken in exists as a whole or not at all; a run's results exist when its manifest does.
"""

from kwartier.runs.allocating import Run, allocate, result
from kwartier.runs.deliveries import Intake
from kwartier.runs.intake import ingest
from kwartier.runs.moments import Progress
from kwartier.runs.taking import take_couplings, take_fractions, take_parameters, take_register
from kwartier.runs.volume_intake import ingest_volumes

__all__ = [
    "Intake",
    "Progress",
    "Run",
    "allocate",
    "ingest",
    "ingest_volumes",
    "result",
    "take_couplings",
    "take_fractions",
    "take_parameters",
    "take_register",
]
