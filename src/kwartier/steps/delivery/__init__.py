"""What is delivered → its market day and position, which may not be kept → rows."""

from kwartier.steps.delivery.judging import Doubts
from kwartier.steps.delivery.readings import Built, Placed, Readable, build, merge, place
from kwartier.steps.delivery.volumes import (
    BuiltVolumes,
    Deliverable,
    build_volumes,
    late,
    pack,
    place_volumes,
)

__all__ = [
    "Built",
    "BuiltVolumes",
    "Deliverable",
    "Doubts",
    "Placed",
    "Readable",
    "build",
    "build_volumes",
    "late",
    "merge",
    "pack",
    "place",
    "place_volumes",
]
