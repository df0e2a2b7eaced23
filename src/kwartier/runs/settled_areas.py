"""The grid areas that a settlement needs, and the allocation of each: a run of one's own, or what
another operator sent.

Source: domain §7; decisions §40.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kwartier import codes, documents, periods
from kwartier.adapters.ledger import Run
from kwartier.adapters.ledger.states import ANSWERED, REFUSED
from kwartier.adapters.store import Home, registers
from kwartier.arrays import Int64s
from kwartier.parameters import Parameters
from kwartier.runs import inbox
from kwartier.runs.moments import ledger_of, register_of
from kwartier.runs.running import steadily

# What an area is settled of; other documents tell the same in another way.
_OF_A_RUN = (*documents.AGGREGATED, documents.FACTORS)


@dataclass(frozen=True)
class Volumes:
    """The allocation of an area and day, and what it was taken from: a word, and an id.

    `volumes` has brp, position, direction and volume_wh; `unassigned` is the restantvolume
    (periods) [Wh], 0 where another operator's documents do not tell it.
    """

    volumes: pa.Table
    unassigned: Int64s
    inputs: list[tuple[str, str]]


class Areas:
    """The grid areas of a home and their allocations, as known at a moment [s UTC]."""

    def __init__(self, home: Home, moment: int) -> None:
        self._home, self._moment = home, moment
        self._ledger = ledger_of(home)
        areas = registers.areas(home, moment)
        self._registers = {area: register_of(home, area, moment) for area in areas}

    def needed(self, day: date, held: Parameters) -> list[str]:
        """List the areas of a day: those that the parameter names, or those that are known."""
        if held.settlement_areas:
            return sorted(held.settlement_areas)
        runs = steadily(lambda: self._ledger.runs(first=day, last=day))
        ran = {run.grid_area for run in runs if run.known_at <= self._moment}
        return sorted({*self._registered(day), *ran, *self._heard_of(day)})

    def _registered(self, day: date) -> list[str]:
        return [area for area, register in self._registers.items() if register.has(day)]

    def _heard_of(self, day: date) -> set[str]:
        """List the areas that something was received of, of that day or an earlier one."""
        return {
            area
            for manifest in self._home.deliveries(self._moment)
            if manifest["kind"] == inbox.RECEIVED
            and manifest["files"]
            and date.fromisoformat(manifest["market_day"]) <= day
            for _, area in manifest["runs"]
        }

    def volumes(self, day: date, area: str, tso: str) -> Volumes | str:
        """Give the allocation of an area, or why there is none; a run of one's own goes first."""
        run = self._run(day, area)
        if isinstance(run, Run):
            return self._of_run(run)
        received = self._received(day, area, tso)
        return run if received is None else received

    def _refused(self, day: date, area: str) -> str | None:
        """Name a document of the newest run of an area that was refused; None: there is none."""
        told = [
            one
            for one in self._home.deliveries(self._moment)
            if one["kind"] == inbox.RECEIVED
            and one["market_day"] == day.isoformat()
            and one["process"] in _OF_A_RUN
            and area in [of for _, of in one["runs"]]
        ]
        newest = max((one["created_at"] for one in told if one["files"]), default=0)
        late = [one for one in told if not one["files"] and one["created_at"] >= newest]
        return late[0]["inputs"][0]["name"] if late else None

    def _run(self, day: date, area: str) -> Run | str:
        """Give the run of an area that counts, or why there is none.

        The published one that was created last counts; where none was published, the trial.
        """
        every = steadily(lambda: self._ledger.runs(first=day, last=day, grid_area=area))
        made = [run for run in every if run.known_at <= self._moment]
        answered = [run for run in made if run.state in ANSWERED]
        published = [run for run in answered if run.publication is not None]
        chosen = (published or answered)[-1:]
        if chosen:
            same = chosen[0].same_as
            return chosen[0] if same is None else steadily(lambda: self._ledger.get(same))
        refused = [run for run in made if run.state == REFUSED]
        return f"its run was refused: {refused[-1].reason}" if refused else "it has no run"

    def _of_run(self, run: Run) -> Volumes:
        read = self._home.table_of_run
        balance = read(run.market_day, run.grid_area, run.run, "balance")
        mine = balance.filter(pc.equal(balance["line"], codes.UNASSIGNED))
        rest = np.zeros(periods.count(run.market_day), np.int64)
        np.add.at(rest, mine["position"].to_numpy() - 1, mine["volume_wh"].to_numpy())
        allocation = read(run.market_day, run.grid_area, run.run, "allocation")
        return Volumes(allocation, rest, [(f"run/{run.grid_area}", run.run)])

    def _received(self, day: date, area: str, tso: str) -> Volumes | str | None:
        """Give what another operator sent to the TSO of the run that counts; or why it does not.

        The factors (N151) order the runs, and are sent last: before they came, the run they are of
        may not be whole, and what is missing is not nothing.
        """
        known_at = datetime.fromtimestamp(self._moment, UTC)
        rows = inbox.received(self._home, day, known_at=known_at)
        wanted = pc.and_(pc.equal(rows["grid_area"], area), pc.equal(rows["receiver"], tso))
        rows = rows.filter(wanted)
        of_sums = pc.is_in(rows["process"], pa.array(documents.AGGREGATED))
        factors = rows.filter(pc.equal(rows["process"], documents.FACTORS))
        rows = rows.filter(of_sums).combine_chunks()
        if not rows.num_rows and not factors.num_rows:
            return None
        refused = self._refused(day, area)
        if refused:
            return f"document {refused} of it was refused, and no newer run came"
        runs = factors["run"].unique().to_pylist()
        if len(runs) != 1:
            return "its factors (N151) did not come, so that its run may not be whole"
        if not rows.num_rows or rows["run"].unique().to_pylist() != runs:
            return "its documents are not all of the run of its factors (N151)"
        n = periods.count(day)
        lengths = pc.list_value_length(rows["quantity"])
        if pc.any(pc.not_equal(lengths, n)).as_py():
            return "a series has not the periods of the day"
        parent = pc.list_parent_indices(rows["quantity"].combine_chunks())
        volumes = pa.table(
            {
                "brp": rows["brp"].combine_chunks().take(parent),
                "position": pa.array(np.tile(np.arange(1, n + 1, dtype=np.int32), len(rows))),
                "direction": rows["direction"].combine_chunks().take(parent),
                "volume_wh": rows["quantity"].combine_chunks().flatten(),
            }
        )
        names = sorted(set(rows["document"].to_pylist()))
        return Volumes(volumes, np.zeros(n, np.int64), [(f"received/{area}", one) for one in names])
