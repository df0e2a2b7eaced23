"""What the home's own register says of parties: in which groups each has points.

Source: domain §8 (761); decisions §38.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

from kwartier import codes
from kwartier.adapters.store import Home, registers
from kwartier.arrays import PROFILED
from kwartier.documents import Document
from kwartier.parameters import Parameters
from kwartier.runs.moments import register_of

_Groups = Mapping[str, Mapping[str, set[str]]]


class OwnPoints:
    """The groups of parties by grid area and day; each register is asked once for a day."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._of: tuple[date, list[str]] | None = None
        self._groups: _Groups = {}

    def active(
        self, document: Document, held: Parameters, at: int
    ) -> dict[tuple[str, str], set[str]] | None:
        """Give the groups in which each party of a document has points, per grid area and party.

        Of an area that the register does not know, nothing can be told: there each party has all.

        Returns
        -------
        groups : None where the home has no register.
        """
        taken = [one["id"] for one in self._home.deliveries(at) if one["kind"] == "register"]
        if not taken:
            return None
        if self._of != (document.market_day, taken):
            self._groups = _groups(self._home, document.market_day, held, at)
            self._of = (document.market_day, taken)
        told = {(series.grid_area, series.brp) for series in document.series}
        return {
            (area, brp): self._groups[area].get(brp, set())
            if area in self._groups
            else set(codes.GROUPS)
            for area, brp in told
        }


def _groups(home: Home, day: date, held: Parameters, at: int) -> _Groups:
    groups: dict[str, dict[str, set[str]]] = {}
    for area in registers.areas(home, at):
        on = register_of(home, area, at).on(day, held)
        profiled = (on.points.state == PROFILED).tolist()
        some = set(zip(on.others.brp, on.others.group, strict=True))
        for cell, by_profile in set(zip(on.points.cell.tolist(), profiled, strict=True)):
            brp = on.points.cells[cell].brp
            # A smart meter that could not be read for long is allocated by profile too.
            some |= {(brp, codes.PROFILE)} | (set() if by_profile else {(brp, codes.SMART_METER)})
        for brp, group in some:
            groups.setdefault(area, {}).setdefault(brp, set()).add(group)
    return groups
