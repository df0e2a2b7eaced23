"""The grid areas that a settlement needs, and the allocation of each: a run of one's own, or what
another operator sent.

Source: domain §7; decisions §40.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kwartier import codes, documents, periods
from kwartier.adapters.ledger import Run
from kwartier.adapters.ledger.states import ANSWERED, REFUSED
from kwartier.adapters.store import Home
from kwartier.arrays import Int64s
from kwartier.parameters import Parameters
from kwartier.runs.moments import ledger_of, register_of
from kwartier.runs.running import steadily

_RECEIVED = "received"


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
        known = home.pieces_of("register", moment)
        self._register = register_of(home, moment) if known else None

    def needed(self, day: date, held: Parameters) -> list[str]:
        """List the areas of a day: those that the parameter names, or those that are known."""
        if held.settlement_areas:
            return sorted(held.settlement_areas)
        runs = steadily(lambda: self._ledger.runs(first=day, last=day))
        ran = {run.grid_area for run in runs if run.known_at <= self._moment}
        return sorted({*self._registered(day, held), *ran, *self._heard_of(day)})

    def _registered(self, day: date, held: Parameters) -> list[str]:
        if self._register is None:
            return []
        on = self._register.on(day, held)
        return [area for area, d in on.items() if len(d.points.number) + len(d.others.number)]

    def _heard_of(self, day: date) -> set[str]:
        """List the areas that something was received of, of that day or an earlier one."""
        return {
            area
            for manifest in self._home.deliveries(self._moment)
            if manifest["kind"] == _RECEIVED
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
        """Give what another operator sent to the TSO; of each process the latest creation counts.

        A correction is a whole run to everybody, so series of two runs are one that is not whole.
        """
        place = f"{_RECEIVED}/market_day={day.isoformat()}"
        tables = self._home.table_of(place, self._moment)
        if not tables:
            return None
        rows = pa.concat_tables(tables)
        wanted = pc.and_(pc.equal(rows["grid_area"], area), pc.equal(rows["receiver"], tso))
        sums = pc.is_in(rows["process"], pa.array(documents.AGGREGATED))
        rows = rows.filter(pc.and_(wanted, sums)).combine_chunks()
        if not rows.num_rows:
            return None
        of = list(zip(rows["process"].to_pylist(), rows["sender"].to_pylist(), strict=True))
        created = rows["created_at"].to_pylist()
        newest = {one: max(at for at, o in zip(created, of, strict=True) if o == one) for one in of}
        counts = [at == newest[one] for at, one in zip(created, of, strict=True)]
        rows = rows.filter(pa.array(counts)).combine_chunks()
        if len(rows["run"].unique()) > 1:
            return "its documents are of more than one run"
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
