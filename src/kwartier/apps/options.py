"""What commands share: the program, its options, and how it tells what went wrong."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import date, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from kwartier.engines.spark import Cluster
    from kwartier.runs import Progress

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
    COVERAGE = "coverage"
    FINDINGS = "findings"
    BALANCE = "balance"
    RESIDUAL = "residual"
    FRACTIONS = "fractions"
    INDIVIDUAL = "individual"
    DIFFERENCES = "differences"
    RECEIVED = "received"


class Clock(StrEnum):
    """What local times without UTC offset mean."""

    AMSTERDAM = "Europe/Amsterdam"
    UTC = "UTC"


class Engine(StrEnum):
    """Where blocks of readings are summed."""

    EMBEDDED = "embedded"
    SPARK = "spark"


def parse_day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"expected a day as 2026-03-29, not {text!r}") from None


def parse_moment(text: str) -> datetime:
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
StorageOption = Annotated[
    str | None,
    typer.Option(
        help="Where a home that is made now keeps its tables, as s3://bucket/path; in it when not "
        "given. Who may reach it is said in the environment.",
        metavar="URI",
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
DayOption = Annotated[
    date, typer.Option("--day", parser=parse_day, help="Market day, as 2026-03-29.", metavar="DAY")
]
MaybeDayOption = Annotated[
    date | None,
    typer.Option("--day", parser=parse_day, help="Market day, as 2026-03-29.", metavar="DAY"),
]
ToOption = Annotated[
    date | None,
    typer.Option("--to", parser=parse_day, help="Last market day; default --day.", metavar="DAY"),
]
AreaOption = Annotated[
    str | None, typer.Option("--area", help="Only this grid area.", metavar="EAN")
]
RunOption = Annotated[
    str | None,
    typer.Option("--run", help="Of this run, by the beginning of its id.", metavar="ID"),
]
ThreadsOption = Annotated[
    int | None, typer.Option("--threads", min=1, help="Side by side; default all cores.")
]
AfreshOption = Annotated[
    bool, typer.Option("--afresh", help="Compute also what is kept of earlier runs.")
]
EngineOption = Annotated[
    Engine,
    typer.Option(help="Where readings are summed: in this process, or on a cluster."),
]
MasterOption = Annotated[
    str | None,
    typer.Option(
        help="With --engine spark: the master of Apache Spark, as spark://host:7077.",
        metavar="URL",
    ),
]
RemoteOption = Annotated[
    str | None,
    typer.Option(
        help="With --engine spark: the server of Spark Connect or Sail, as sc://host:15002; a "
        "token belongs in the variable SPARK_REMOTE instead.",
        metavar="URL",
    ),
]
RecordedOption = Annotated[
    datetime | None,
    typer.Option(
        "--recorded-at",
        parser=parse_moment,
        help="When this became known, as 2026-03-30T06:00:00Z; default now.",
        metavar="MOMENT",
    ),
]
TableArgument = Annotated[
    Table,
    typer.Argument(metavar="TABLE", help="What to show."),
]
Files = Annotated[
    list[str],
    typer.Argument(metavar="FILE…", help="CSV or Parquet files; also as s3://bucket/path."),
]


@contextmanager
def told() -> Iterator[None]:
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
    from kwartier.adapters.ledger import LedgerError
    from kwartier.adapters.store import HomeError
    from kwartier.adapters.transport.addresses import CertificateError
    from kwartier.engines.spark import ClusterError
    from kwartier.parameters import ParameterError
    from kwartier.simulation.zonnedael import ZonnedaelError

    if isinstance(error, FileRefused):
        from kwartier.apps import screen

        for line in screen.problems(error.problems, error.count):
            print(line, file=sys.stderr)
        print("Refused as a whole; nothing was kept.", file=sys.stderr)
        return REFUSED
    told = HomeError | ClusterError | LedgerError | ParameterError | ZonnedaelError
    if isinstance(error, told | CertificateError):
        print(f"kwartier: {error}", file=sys.stderr)
        return CANNOT
    if isinstance(error, OSError):
        print(f"kwartier: {error.filename or 'disk'}: {error.strerror}", file=sys.stderr)
        return CANNOT
    return None


def progress(what: str, unit: str) -> AbstractContextManager[Progress]:
    from kwartier.apps import screen

    return screen.progress(what, unit)


@contextmanager
def cluster_of(
    engine: Engine, master: str | None, remote: str | None, threads: int | None
) -> Iterator[Cluster | None]:
    """Open the cluster that was asked for; None is this process."""
    if engine is Engine.EMBEDDED:
        if master is not None or remote is not None:
            raise typer.BadParameter("--master and --remote go with --engine spark")
        yield None
        return
    if threads is not None:
        raise typer.BadParameter("--threads goes with --engine embedded; a cluster has its own")
    if master is not None and remote is not None:
        raise typer.BadParameter("give either --master or --remote")
    if master is None and remote is None and "SPARK_REMOTE" not in os.environ:
        raise typer.BadParameter("--engine spark needs --master or --remote")
    if remote is not None and "token=" in remote:
        raise typer.BadParameter("a token is seen by others here; set SPARK_REMOTE instead")
    from kwartier.engines import spark

    with spark.connected(master=master, remote=remote) as cluster:
        yield cluster


def days_between(day: date, to: date | None) -> list[date]:
    from kwartier import periods

    if to is not None and to < day:
        raise typer.BadParameter("--to lies before --day")
    return periods.between(day, to or day)
