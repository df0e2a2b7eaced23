"""Commands that make and show runs by the calendar."""

from __future__ import annotations

import json
import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

import kwartier
from kwartier.apps.options import (
    CANNOT,
    AfreshOption,
    AreaOption,
    DayOption,
    Engine,
    EngineOption,
    HomeOption,
    JsonOption,
    MasterOption,
    MaybeDayOption,
    RemoteOption,
    ThreadsOption,
    ToOption,
    app,
    cluster_of,
    days_between,
    parse_moment,
    progress,
    told,
)

_DONE = ("complete", "unchanged")

if TYPE_CHECKING:
    import pyarrow as pa

    from kwartier.adapters.ledger import Run


@app.command(epilog="Example: kwartier allocate --day 2026-03-28 --to 2026-03-30 --home my-home")
def allocate(
    day: DayOption,
    to: ToOption = None,
    area: AreaOption = None,
    home: HomeOption = Path("kwartier-home"),
    as_known_at: Annotated[
        datetime | None,
        typer.Option(
            parser=parse_moment,
            help="Use only what was known at this moment, as 2026-03-30T06:00:00Z; default now.",
            metavar="MOMENT",
        ),
    ] = None,
    threads: ThreadsOption = None,
    afresh: AfreshOption = False,
    engine: EngineOption = Engine.EMBEDDED,
    master: MasterOption = None,
    remote: RemoteOption = None,
    as_json: JsonOption = False,
) -> None:
    """Allocate market days for yourself: a trial run for each day and grid area, not published."""
    days = days_between(day, to)
    with (
        told(),
        cluster_of(engine, master, remote, threads) as cluster,
        progress("Allocating", "blocks") as show,
    ):
        from kwartier import runs

        made = runs.allocate(
            kwartier.Home(home),
            days,
            grid_area=area,
            known_at=as_known_at,
            threads=threads,
            afresh=afresh,
            cluster=cluster,
            progress=show,
        )
    tell(made, as_json)


@app.command(
    epilog="Example: kwartier run --due --home my-home, or "
    "kwartier run --day 2026-03-29 --home my-home"
)
def run(
    due: Annotated[
        bool, typer.Option("--due", help="Make the runs that the calendar says are due.")
    ] = False,
    day: MaybeDayOption = None,
    to: ToOption = None,
    area: AreaOption = None,
    at: Annotated[
        datetime | None,
        typer.Option(
            parser=parse_moment,
            help="With --due: as if it were this moment, with what was known then; default now.",
            metavar="MOMENT",
        ),
    ] = None,
    home: HomeOption = Path("kwartier-home"),
    threads: ThreadsOption = None,
    afresh: AfreshOption = False,
    engine: EngineOption = Engine.EMBEDDED,
    master: MasterOption = None,
    remote: RemoteOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make runs that are published: what is due, or a correction of market days.

    An area that cannot be closed is refused with the reason, and the others go on.
    """
    if due == (day is not None):
        raise typer.BadParameter("give either --due or --day")
    if at is not None and not due:
        raise typer.BadParameter("--at goes with --due")
    if to is not None and day is None:
        raise typer.BadParameter("--to goes with --day")
    days = [] if day is None else days_between(day, to)
    with (
        told(),
        cluster_of(engine, master, remote, threads) as cluster,
        progress("Running", "blocks") as show,
    ):
        from kwartier import runs

        kept = kwartier.Home(home)
        how: dict[str, Any] = {"threads": threads, "afresh": afresh, "cluster": cluster}
        if day is None:
            made = runs.run_due(kept, at=at, grid_area=area, progress=show, **how)
        else:
            made = runs.correct(kept, days, grid_area=area, progress=show, **how)
    tell(made, as_json)
    if due and not made and not as_json:
        with told():
            print(_next(kwartier.Home(home), at))


def _next(home: kwartier.Home, at: datetime | None) -> str:
    from kwartier import runs
    from kwartier.apps import run_screen

    following = runs.next_due_of(home, runs.seconds(at))
    if following is None:
        return "Nothing is due: no quarter volumes were taken in yet, so no area can be closed."
    when = run_screen.moment(following.due_at)
    return f"Nothing is due. Next: {following.kind} of {following.market_day}, at {when}."


def tell(made: list[Run], as_json: bool) -> None:
    """Tell what became of runs; leave with an error where an area was refused, or a run failed."""
    from kwartier.apps import run_screen

    ended = [run for run in made if run.state not in _DONE]
    if as_json:
        print(json.dumps([run_screen.plain(run, None) for run in made]))
    else:
        for run in made:
            if run.state in _DONE:
                print(run_screen.told(run))
    for line in run_screen.told_alike(ended):
        print(line, file=sys.stderr)
    if ended:
        raise typer.Exit(CANNOT)


@app.command(
    epilog="Example: kwartier runs --day 2026-03-29 --home my-home, or "
    "kwartier runs --run 1f0c9a2e --home my-home"
)
def runs(
    day: MaybeDayOption = None,
    to: ToOption = None,
    area: AreaOption = None,
    run: Annotated[
        str | None,
        typer.Option(help="One run, by the beginning of its id, with all that is known of it."),
    ] = None,
    last: Annotated[int, typer.Option(min=1, help="How many, the last created.")] = 20,
    home: HomeOption = Path("kwartier-home"),
    as_json: JsonOption = False,
) -> None:
    """List runs, their states, and what each changed against the run before it."""
    if to is not None and day is None:
        raise typer.BadParameter("--to goes with --day")
    with told():
        from kwartier import runs as made_runs
        from kwartier.apps import run_screen

        kept = kwartier.Home(home)
        ledger = made_runs.ledger_of(kept)
        if run is not None:
            one = ledger.get(run)
            changes = _changes(kept, one)
            if as_json:
                print(json.dumps(run_screen.plain(one, changes)))
                return
            events, inputs = ledger.events(one), ledger.inputs(one)
            run_screen.show_run(one, events, inputs, changes)
            return
        found = ledger.runs(first=day, last=to or day, grid_area=area)[-last:]
        with_changes = [(one, _changes_as_far_as_known(kept, one)) for one in found]
        if as_json:
            print(json.dumps([run_screen.plain(*pair) for pair in with_changes]))
        elif not found:
            print("No runs; 'kwartier allocate' or 'kwartier run' makes them.")
        else:
            run_screen.show_runs(with_changes)


def _changes(home: kwartier.Home, run: Run) -> pa.Table | None:
    """Give what a complete run changed; None of another one, and of a first one."""
    from kwartier import runs as made_runs

    if run.state != "complete" or made_runs.before(home, run) is None:
        return None
    return made_runs.differences(home, run)


def _changes_as_far_as_known(home: kwartier.Home, run: Run) -> pa.Table | None:
    """Give what a run changed; None too where a table of it is lost, which `--run` tells of."""
    from kwartier.adapters.store import HomeError

    try:
        return _changes(home, run)
    except HomeError:
        return None
