"""The hot loops that steps share: ndarray in, ndarray out.

Every kernel works on whole rows of a market day. Kernels release the GIL, so that threads can run
them side by side, and are compiled once per machine. All is integer arithmetic: no result depends
on order or threads.
"""

from kwartier.kernels.chains import keep_longest_chains
from kwartier.kernels.compiled import load
from kwartier.kernels.delivery import are_known, lay_strips, to_quarters, to_strips
from kwartier.kernels.first_visit import first_visit
from kwartier.kernels.oddities import both_above, far_from_median, still
from kwartier.kernels.pages import levels_are, put_together
from kwartier.kernels.readings import any_read, hold_together, multiplied, not_read
from kwartier.kernels.register import by_customer, count_held, mark_cells, points_of
from kwartier.kernels.spreading import spread, spread_across, spread_gaps
from kwartier.kernels.volumes import add_volumes, around_gaps, counted, measured_volumes

__all__ = [
    "add_volumes",
    "any_read",
    "are_known",
    "around_gaps",
    "both_above",
    "by_customer",
    "count_held",
    "counted",
    "far_from_median",
    "first_visit",
    "hold_together",
    "keep_longest_chains",
    "lay_strips",
    "levels_are",
    "load",
    "mark_cells",
    "measured_volumes",
    "multiplied",
    "not_read",
    "points_of",
    "put_together",
    "spread",
    "spread_across",
    "spread_gaps",
    "still",
    "to_quarters",
    "to_strips",
]
