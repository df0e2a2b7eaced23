"""Runs for people: which there are, in which state, and what they changed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from kwartier import codes
from kwartier.apps import screen

if TYPE_CHECKING:
    from kwartier.adapters.ledger import Event, Run

SHORT = 8  # characters of a run's id that are shown
STATES = (
    "running: somebody is at it; complete: its tables are there; unchanged: the same as an\n"
    "earlier run, which counts again; refused: the area cannot be closed; failed: an error;\n"
    "missed: a later kind was due too. Changes are against the run before; a first run has none."
)
_DIRECTIONS = {codes.OFFTAKE: "offtake", codes.INFEED: "infeed"}


def moment(seconds: int | None) -> str:
    """Write a moment."""
    if seconds is None:
        return ""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def told(run: Run) -> str:
    """Tell in a line what became of a run."""
    text = f"{run.market_day}  {run.grid_area}  {run.kind:<10}  run {run.run}  {run.state}"
    if run.publication is not None:
        text += f", published as number {run.publication}"
    return f"{text}: {run.reason}" if run.reason else text


def told_alike(made: Sequence[Run]) -> Iterator[str]:
    """Tell of runs that ended without an allocation; those of an area with one reason together."""
    alike: dict[tuple[str, str, str, str | None], list[Run]] = {}
    for run in made:
        alike.setdefault((run.grid_area, run.kind, run.state, run.reason), []).append(run)
    for same in alike.values():
        yield told(same[0])
        if len(same) > 1:
            days = sorted(run.market_day for run in same)
            yield f"  the same of {len(same) - 1:,} more days, until {days[-1]}"


def plain(run: Run, changes: pa.Table | None) -> dict[str, Any]:
    """Give a run for programs, with what it changed."""
    row: dict[str, Any] = {**vars(run), "market_day": run.market_day.isoformat()}
    if changes is not None:
        row["differences"] = changes.drop_columns(["market_day", "grid_area"]).to_pylist()
    return row


def _changed(changes: pa.Table | None) -> list[str]:
    if changes is None:
        return ["", "", "", ""]
    parties = {(row["brp"], row["supplier"]) for row in changes.to_pylist()}
    withdrawn = pc.sum(changes["withdrawn"].cast(pa.int64())).as_py() or 0
    return [
        f"{len(parties):,}",
        screen.kwh(pc.sum(changes["changed_wh"]).as_py() or 0),
        f"{pc.sum(changes['quarters']).as_py() or 0:,}",
        f"{withdrawn:,}",
    ]


def show_runs(made: Sequence[tuple[Run, pa.Table | None]]) -> None:
    """Show runs, the oldest first, each with what it changed against the run before it."""
    rows = [
        [
            *(str(run.market_day), run.grid_area, run.kind, run.state, run.run[:SHORT]),
            moment(run.known_at)[:16],
            f"{run.publication}" if run.publication is not None else "",
            *_changed(changes),
        ]
        for run, changes in made
    ]
    heads = ["market day", "grid area", "kind", "state", "run", "known at (UTC)"]
    heads += ["published", "parties", "kWh", "quarters", "withdrawn"]
    screen.draw("runs", heads, rows, 6)
    for run, _ in made:
        if run.reason:
            print(f"{run.run[:SHORT]}: {run.reason}")
    print(STATES)


def show_run(
    run: Run,
    events: Sequence[Event],
    inputs: Sequence[tuple[str, str]],
    changes: pa.Table | None,
) -> None:
    """Show one run: what happened to it, what it was made of, and what it changed per party."""
    print(told(run))
    print(f"as known at {moment(run.known_at)}, kwartier {run.version or '–'}")
    if run.blocks is not None:
        kept = run.blocks - (run.blocks_computed or 0)
        print(f"{run.blocks:,} blocks of readings, {kept:,} of them kept from an earlier run")
    rows = [[moment(one.at), one.event, one.note or ""] for one in events]
    screen.draw("events", ["at", "event", "note"], rows, 3)
    if inputs:
        screen.draw("inputs", ["file", "SHA-256"], [list(one) for one in inputs], 2)
    if changes is None:
        return
    if changes.num_rows:
        show_differences(changes, run.previous)
    else:
        print("nothing changed against the run before it")


def show_differences(changes: pa.Table, previous: str | None) -> None:
    """Show what a run changed against the run before it, per party, group and direction."""
    rows = [
        [
            *(row["brp"], row["supplier"], row["group"], _DIRECTIONS[row["direction"]]),
            *(screen.kwh(row[name]) for name in ("before_wh", "after_wh", "changed_wh")),
            f"{row['quarters']:,}",
            "withdrawn" if row["withdrawn"] else "",
        ]
        for row in changes.to_pylist()
    ]
    heads = ["BRP", "supplier", "group", "direction", "before", "after", "changed", "quarters", ""]
    against = f" against run {previous[:SHORT]}" if previous else ""
    screen.draw(f"differences{against}, kWh", heads, rows, 4)
