"""The command line: ask a run, show a table.

Exit codes: 0 done; 1 it cannot be done, the text says why; 2 the command was written wrong; 3 a
file was refused, every problem is named and nothing of it is kept.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, date, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

import kwartier

if TYPE_CHECKING:
    import pyarrow as pa

    from kwartier.runs import Intake, Progress

CANNOT, REFUSED = 1, 3

app = typer.Typer(
    help="Allocate a day of smart-meter readings: from registers to sums per BRP and supplier.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


class Table(StrEnum):
    """A result table."""

    ALLOCATION = "allocation"
    FINDINGS = "findings"
    COVERAGE = "coverage"


class Clock(StrEnum):
    """What local times without UTC offset mean."""

    AMSTERDAM = "Europe/Amsterdam"
    UTC = "UTC"


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"expected a day as 2026-03-29, not {text!r}") from None


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise typer.BadParameter(f"expected a moment as 2026-03-29T06:00:00Z, not {text!r}")
    return moment


HomeOption = Annotated[
    Path, typer.Option("--home", envvar="KWARTIER_HOME", help="Where everything is kept.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
DayOption = Annotated[
    date, typer.Option("--day", parser=_day, help="Market day, as 2026-03-29.", metavar="DAY")
]
ToOption = Annotated[
    date | None,
    typer.Option("--to", parser=_day, help="Last market day; default --day.", metavar="DAY"),
]
AreaOption = Annotated[
    str | None, typer.Option("--area", help="Only this grid area.", metavar="EAN")
]
RecordedOption = Annotated[
    datetime | None,
    typer.Option(
        "--recorded-at",
        parser=_moment,
        help="When this became known, as 2026-03-30T06:00:00Z; default now.",
        metavar="MOMENT",
    ),
]
TableArgument = Annotated[
    Table, typer.Argument(metavar="TABLE", help="allocation, findings or coverage.")
]
Files = Annotated[list[Path], typer.Argument(metavar="FILE…", help="CSV or Parquet files.")]


@contextmanager
def _told() -> Iterator[None]:
    """Tell what went wrong in words, never as a traceback."""
    try:
        yield
    except (typer.Exit, typer.BadParameter, BrokenPipeError):
        raise
    except Exception as error:
        code = _tell(error)
        if code is None:
            raise
        raise typer.Exit(code) from None


def _tell(error: Exception) -> int | None:
    """Tell of an error that a user can do something about; None for any other."""
    # Loaded here, where one of them was raised, so that a command starts sooner.
    from kwartier.adapters.files import FileRefused
    from kwartier.adapters.store import HomeError
    from kwartier.parameters import ParameterError
    from kwartier.simulation.zonnedael import ZonnedaelError

    if isinstance(error, FileRefused):
        from kwartier.apps import screen

        for line in screen.problems(error.problems, error.count):
            print(line, file=sys.stderr)
        print("Refused as a whole; nothing was kept.", file=sys.stderr)
        return REFUSED
    if isinstance(error, HomeError | ParameterError | ZonnedaelError):
        print(f"kwartier: {error}", file=sys.stderr)
        return CANNOT
    if isinstance(error, OSError):
        print(f"kwartier: {error.filename or 'disk'}: {error.strerror}", file=sys.stderr)
        return CANNOT
    return None


def _progress(what: str, unit: str) -> AbstractContextManager[Progress]:
    from kwartier.apps import screen

    return screen.progress(what, unit)


def _days(day: date, to: date | None) -> list[date]:
    from kwartier import periods

    if to is not None and to < day:
        raise typer.BadParameter("--to lies before --day")
    return periods.between(day, to or day)


# What to do where nothing was kept, by the rule that most rows came under.
_WHAT_TO_DO = {
    "too_old": "A day can be settled until {days} days after it, and these are older. To allocate "
    "the past, say when it was known, with a MOMENT after the last of them (such as "
    "2026-03-30T06:00:00Z):\n"
    "  kwartier register FILE --recorded-at MOMENT\n"
    "  kwartier {command} FILE --recorded-at MOMENT",
    "in_future": "They are later than the moment of taking in: look at their dates and offsets, "
    "and at --recorded-at.",
    "unknown_point": "Take in a register that has their points ('kwartier register FILE'), and "
    "then the same file again.",
    "not_eligible": "The register says that their points may not be read on these days. If that is "
    "wrong, take in a register that says otherwise, and then the same file again.",
    "off_quarter": "Readings and periods stand on the quarter-hour; look at their minutes and "
    "seconds.",
    "not_by_volumes": "Quarter volumes are taken of points of the groups TMT and NVL and of "
    "couplings, on days on which they hold. If the register is wrong, take in one that says so, "
    "and then the same file again.",
    "triple_not_allowed": "Look at their origin, validation status and repair method, and at the "
    "parameter telemetry_triples.",
}
# The command that takes in again what it is told of.
_COMMANDS = {"readings": "ingest", "volumes": "volumes"}


def _tell_intake(
    intake: Intake, as_json: bool, what: str, home: Path, recorded_at: datetime | None
) -> None:
    if as_json:
        print(json.dumps(intake.__dict__, default=list))
        return
    for name in intake.skipped:
        print(f"{name}: taken in before, skipped")
    if intake.skipped and recorded_at is not None:
        print("What was taken in stays known from then on; a later --recorded-at changes nothing.")
    if intake.delivery:
        from kwartier import findings

        print(f"{intake.rows_in:,} {what} in, {intake.rows_kept:,} kept")
        for rule, rows in sorted(intake.found.items()):
            if rows:
                print(f"{rows:>12,} not kept: {rule} ({findings.RULES[rule].meaning})")
    if intake.days:
        print(f"market days {intake.days[0]} to {intake.days[-1]}")
    elif intake.rows_kept and what == "readings":
        print("nothing new: these readings were here already")
    elif intake.rows_in and not intake.rows_kept:
        rule = max(intake.found, key=lambda name: intake.found[name])
        told = _what_to_do(rule, home, recorded_at, _COMMANDS.get(what, what))
        text = f"None of them was kept. {told}"
        print(text.rstrip(), file=sys.stderr)


def _what_to_do(rule: str, home: Path, recorded_at: datetime | None, command: str) -> str:
    from kwartier.runs import moments

    known = recorded_at or datetime.now(UTC)
    at = moments.seconds(known)
    days = moments.parameters_of(kwartier.Home(home), known.date(), at).too_old_days
    return _WHAT_TO_DO.get(rule, "").format(days=days, command=command)


@app.command(epilog="Example: kwartier register points.csv --home my-home")
def register(
    files: Files,
    home: HomeOption = Path("kwartier-home"),
    recorded_at: RecordedOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take in the register of accounting points."""
    with _told():
        from kwartier import runs

        kept = kwartier.Home(home, create=True)
        intake = runs.take_register(kept, files, recorded_at=recorded_at)
        _tell_intake(intake, as_json, "rows", home, recorded_at)


@app.command(epilog="Example: kwartier ingest day.csv.gz late.parquet --home my-home")
def ingest(
    files: Files,
    home: HomeOption = Path("kwartier-home"),
    clock: Annotated[
        Clock | None,
        typer.Option(help="What local times without UTC offset mean; refused when not given."),
    ] = None,
    recorded_at: RecordedOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take in readings, as one delivery."""
    with _told(), _progress("Taking in readings", "rows") as show:
        from kwartier import runs

        intake = runs.ingest(
            kwartier.Home(home),
            files,
            clock=clock.value if clock else None,
            recorded_at=recorded_at,
            progress=show,
        )
    _tell_intake(intake, as_json, "readings", home, recorded_at)


@app.command(epilog="Example: kwartier couplings couplings.csv --home my-home")
def couplings(
    files: Files,
    home: HomeOption = Path("kwartier-home"),
    recorded_at: RecordedOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take in the couplings of grid areas."""
    with _told():
        from kwartier import runs

        kept = kwartier.Home(home, create=True)
        intake = runs.take_couplings(kept, files, recorded_at=recorded_at)
        _tell_intake(intake, as_json, "rows", home, recorded_at)


@app.command(epilog="Example: kwartier fractions profiles-2026.csv lamps.csv --home my-home")
def fractions(
    files: Files,
    home: HomeOption = Path("kwartier-home"),
    by_tariff: Annotated[
        list[str] | None,
        typer.Option(
            help="A column that is of the annual volume of each tariff, where its year is not "
            "whole in the file; may be given again.",
            metavar="COLUMN",
        ),
    ] = None,
    recorded_at: RecordedOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take in fractions: standard profiles of the market, dimensioned profiles."""
    with _told():
        from kwartier import runs

        kept = kwartier.Home(home, create=True)
        intake = runs.take_fractions(
            kept, files, by_tariff=by_tariff or (), recorded_at=recorded_at
        )
        _tell_intake(intake, as_json, "days of profiles", home, recorded_at)


@app.command(epilog="Example: kwartier volumes telemetry.csv.gz couplings.csv --home my-home")
def volumes(
    files: Files,
    home: HomeOption = Path("kwartier-home"),
    recorded_at: RecordedOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take in quarter volumes of telemetry, grid losses and couplings, as one delivery."""
    with _told(), _progress("Taking in volumes", "rows") as show:
        from kwartier import runs

        intake = runs.ingest_volumes(
            kwartier.Home(home), files, recorded_at=recorded_at, progress=show
        )
    _tell_intake(intake, as_json, "volumes", home, recorded_at)


@app.command(epilog="Example: kwartier parameters own.yaml --home my-home")
def parameters(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A YAML file.")],
    home: HomeOption = Path("kwartier-home"),
    recorded_at: RecordedOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take in parameters of the home's own, in place of those it had."""
    with _told():
        from kwartier import runs

        kept = kwartier.Home(home, create=True)
        intake = runs.take_parameters(kept, file, recorded_at=recorded_at)
        _tell_intake(intake, as_json, "parameters", home, recorded_at)


@app.command(epilog="Example: kwartier allocate --day 2026-03-28 --to 2026-03-30 --home my-home")
def allocate(
    day: DayOption,
    to: ToOption = None,
    area: AreaOption = None,
    home: HomeOption = Path("kwartier-home"),
    as_known_at: Annotated[
        datetime | None,
        typer.Option(
            parser=_moment,
            help="Use only what was known at this moment, as 2026-03-30T06:00:00Z; default now.",
            metavar="MOMENT",
        ),
    ] = None,
    threads: Annotated[
        int | None, typer.Option(min=1, help="Side by side; default all cores.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Allocate market days: a run for each day and grid area."""
    days = _days(day, to)
    with _told(), _progress("Allocating", "blocks") as show:
        from kwartier import runs

        made = runs.allocate(
            kwartier.Home(home),
            days,
            grid_area=area,
            known_at=as_known_at,
            threads=threads,
            progress=show,
        )
    if as_json:
        print(json.dumps([run.__dict__ for run in made], default=str))
    else:
        for run in made:
            print(f"{run.market_day}  {run.grid_area}  run {run.run} complete")


def _result(table: Table, home: Path, day: date, to: date | None, area: str | None) -> pa.Table:
    from kwartier import runs

    return runs.result(kwartier.Home(home), table.value, _days(day, to), grid_area=area)


@app.command(epilog="Example: kwartier show coverage --day 2026-03-29 --home my-home")
def show(
    table: TableArgument,
    day: DayOption,
    to: ToOption = None,
    area: AreaOption = None,
    home: HomeOption = Path("kwartier-home"),
    as_json: JsonOption = False,
) -> None:
    """Show a result, summed so that it fits a screen; --json gives every row."""
    with _told():
        rows = _result(table, home, day, to, area)
        from kwartier.apps import screen

        if as_json:
            json.dump(screen.with_eans(rows).to_pylist(), sys.stdout, default=_plain)
            print()
            return
        screen.show(table.value, rows)


def _plain(value: Any) -> str:
    return str(value.isoformat())


@app.command(
    epilog="Example: kwartier export allocation --day 2026-03-29 --out sums.csv --home my-home"
)
def export(
    table: TableArgument,
    day: DayOption,
    out: Annotated[Path, typer.Option(help="FILE.csv or FILE.parquet.", dir_okay=False)],
    to: ToOption = None,
    area: AreaOption = None,
    home: HomeOption = Path("kwartier-home"),
) -> None:
    """Write a result, every row of it, to a CSV or Parquet file."""
    if out.suffix not in (".csv", ".parquet"):
        raise typer.BadParameter("--out: expected FILE.csv or FILE.parquet")
    with _told():
        from kwartier.apps import screen

        rows = _result(table, home, day, to, area)
        screen.export(rows, out)
    print(f"{rows.num_rows:,} rows in {out}")


@app.command(epilog="Example: kwartier demo --points 10000, or kwartier demo --zonnedael FOLDER")
def demo(
    points: Annotated[int, typer.Option(min=100, max=1_000_000, help="Simulated points.")] = 3_000,
    zonnedael: Annotated[
        Path | None,
        typer.Option(help="Folder with the 75 real households of 2013.", metavar="FOLDER"),
    ] = None,
    out: Annotated[Path, typer.Option(help="Where the demo puts what it makes.")] = Path(
        "kwartier-demo"
    ),
) -> None:
    """Run the main job on a simulated grid area, whose true volumes are known."""
    with _told():
        from kwartier.apps import demo as main_job

        if zonnedael is None:
            main_job.simulated(out, points)
        else:
            main_job.of_zonnedael(out, zonnedael)


def _version(asked: bool) -> None:
    if asked:
        print(f"kwartier {kwartier.__version__}")
        raise typer.Exit


@app.callback()
def about(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Say the version.")
    ] = False,
) -> None:
    """Take the options before the command."""


def main() -> None:
    """Run the command line."""
    try:
        app()
    except BrokenPipeError:  # the reader of a pipe had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(CANNOT) from None
