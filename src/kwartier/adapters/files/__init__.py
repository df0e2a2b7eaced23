"""The file doors: registers, readings, volumes, fractions, programmes, prices; CSV and Parquet.

A broken file is refused as a whole with every problem named; a doubtful row is marked and given on.
The forms of the files stand in docs/doors.md.
"""

from kwartier.adapters.files.columns import FileRefused, Problem
from kwartier.adapters.files.couplings import read_couplings
from kwartier.adapters.files.fractions import read_fractions
from kwartier.adapters.files.prices import read_prices
from kwartier.adapters.files.programmes import read_programmes
from kwartier.adapters.files.readings import (
    DAY_BATCH,
    DOOR_RULES,
    READING_BATCH,
    read_readings,
)
from kwartier.adapters.files.register import read_register
from kwartier.adapters.files.sources import UNPACKED_BYTES
from kwartier.adapters.files.stages import ahead
from kwartier.adapters.files.volumes import VOLUME_BATCH, read_volumes

__all__ = [
    "DAY_BATCH",
    "DOOR_RULES",
    "READING_BATCH",
    "UNPACKED_BYTES",
    "VOLUME_BATCH",
    "FileRefused",
    "Problem",
    "ahead",
    "read_couplings",
    "read_fractions",
    "read_prices",
    "read_programmes",
    "read_readings",
    "read_register",
    "read_volumes",
]
