"""The register of accounting points, as at a market day and as known at a moment → its points.

Rows of the register have two time axes: the days on which they hold and the moment at which they
became known.
"""

from kwartier.steps.register.points import Areas, OnDay, Register
from kwartier.steps.register.rows import COLUMNS, Part, part_of

__all__ = ["COLUMNS", "Areas", "OnDay", "Part", "Register", "part_of"]
