"""The way: from day rows to the allocation of a grid area.

wide() runs per batch of points, on any engine; narrow() once per grid area and day, on small
tables. Between them the points with a gap at the edge of the day are looked up in the days around
it. No narrow table holds the point of a small customer.
"""

from kwartier.pipeline.disclosing import disclosed
from kwartier.pipeline.narrow import Area, Around, Result, narrow
from kwartier.pipeline.opening import Attackable, HeldBack, Opened, opened
from kwartier.pipeline.packing import add_up, digest_of, from_bytes, pack, to_bytes, unpack
from kwartier.pipeline.wide import Day, Partial, ends_of, measured_of, read_of, wide

__all__ = [
    "Area",
    "Around",
    "Attackable",
    "Day",
    "HeldBack",
    "Opened",
    "Partial",
    "Result",
    "add_up",
    "digest_of",
    "disclosed",
    "ends_of",
    "from_bytes",
    "measured_of",
    "narrow",
    "opened",
    "pack",
    "read_of",
    "to_bytes",
    "unpack",
    "wide",
]
