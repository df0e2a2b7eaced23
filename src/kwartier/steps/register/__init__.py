"""The register of accounting points, as at a market day and as known at a moment → its points.

Rows of the register have two time axes: the days on which they hold and the moment at which they
became known.
"""

from kwartier.steps.register.areas import by_area, moved
from kwartier.steps.register.points import OnDay, Register
from kwartier.steps.register.rows import (
    ANNUAL,
    Connection,
    Part,
    Party,
    combined,
    numbered,
    part_of,
)
from kwartier.steps.register.together import Lot

__all__ = [
    "ANNUAL",
    "Connection",
    "Lot",
    "OnDay",
    "Part",
    "Party",
    "Register",
    "by_area",
    "combined",
    "moved",
    "numbered",
    "part_of",
]
