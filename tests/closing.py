"""What tests of runs share: a small area that closes, a clock, and what lies in a run."""

from __future__ import annotations

import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pytest

from kwartier import runs
from kwartier.adapters.ledger import Run
from kwartier.runs import moments
from tests.conftest import ROOT
from tests.market import (
    COUPLING,
    DAY,
    ONE_DAY,
    OTHER,
    OTHER_BRP,
    OTHER_SUPPLIER,
    POINT,
    TELEMETRY,
    Market,
    but,
    coupling,
    ean,
    flat,
    point,
    read,
    volumes,
)

PROFILED = ean(20)
NET, METERED = 100_000, 20_000  # what came from the national grid, and to telemetry [Wh]
Clock = Callable[[datetime], datetime]


def hour(day: date, of_day: int) -> datetime:
    """Give a moment of a day."""
    return datetime(day.year, day.month, day.day, of_day, tzinfo=UTC)


def clock_of(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Give what sets the clock."""

    def clock(moment: datetime) -> datetime:
        monkeypatch.setattr(moments, "time", SimpleNamespace(time=moment.timestamp))
        return moment

    clock(hour(DAY + ONE_DAY, 13))
    return clock


def registered(market: Market) -> None:
    """Take in two smart meters of two parties, a profiled point, telemetry and a coupling."""
    theirs = {"brp": OTHER_BRP, "supplier": OTHER_SUPPLIER}
    market.register(
        point(POINT),
        point(OTHER, **theirs),
        point(PROFILED, remote_reading="off", annual_offtake_normal_wh=3_650_000),
        point(TELEMETRY, group="TMT", **theirs),
    )
    market.couplings(coupling())


def exchanged(market: Market, day: date = DAY, at: datetime | None = None) -> None:
    """Take in what came over the coupling and what telemetry measured."""
    series = (volumes(COUPLING, NET, "E18", day), volumes(COUPLING, 0, "E17", day))
    at = at or hour(day + ONE_DAY, 6)
    market.volumes(*series, volumes(TELEMETRY, METERED, day=day), recorded_at=at)


def measured(
    market: Market, day: date = DAY, at: datetime | None = None, number: int = POINT, wh: int = 100
) -> None:
    """Take in the readings of a point, but that of the first midnight, which is of two days."""
    rows = read(but(flat(day, wh), {0: None}), number, day=day)
    market.deliver(rows, recorded_at=at or hour(day + ONE_DAY, 6))


def closing(folder: Path, *days: date) -> Market:
    """Make a home with an area that closes, and the data of days, DAY when none is said."""
    market = Market(folder)
    registered(market)
    for day in days or (DAY,):
        exchanged(market, day)
        measured(market, day)
    return market


def due(market: Market, at: datetime, **options: Any) -> list[Run]:
    """Make what is due at a moment."""
    return runs.run_due(market.home, at=at, threads=1, **options)


def tables_of(market: Market, run: Run) -> dict[str, bytes]:
    """Give the bytes of every table of a run, by name."""
    folder = market.home.run_folder(run.market_day, run.grid_area, run.run)
    return {path.stem: path.read_bytes() for path in sorted(folder.iterdir())}


def parties(allocation: pa.Table) -> dict[tuple[str, ...], list[int]]:
    """Sum an allocation per BRP, supplier, group and direction: Wh by period."""
    sums: dict[tuple[str, ...], dict[int, int]] = defaultdict(lambda: defaultdict(int))
    for row in allocation.to_pylist():
        key = tuple(str(row[name]) for name in ("brp", "supplier", "group", "direction"))
        sums[key][row["position"]] += row["volume_wh"]
    return {key: [wh[at] for at in sorted(wh)] for key, wh in sums.items()}


def published(market: Market) -> list[tuple[date, int, str]]:
    """List what was published: market day, number and run."""
    made = runs.ledger_of(market.home).runs()
    found = [(r.market_day, r.publication, r.run) for r in made if r.publication is not None]
    return sorted(found)


def left_over(market: Market) -> list[str]:
    """List what no run and no worker needs any more."""
    root = market.home.root
    known = {run.run for run in runs.ledger_of(market.home).runs()}
    found = [p for p in root.rglob("*") if "unfinished" in p.name or p.parent.name == "workers"]
    found += list(root.glob("kept/*/*/*-*"))
    found += [p for p in root.glob("results/*/*/*") if p.name.removeprefix("run=") not in known]
    return sorted(str(path.relative_to(root)) for path in found)


def process(code: str, *arguments: str) -> subprocess.Popen[str]:
    """Do something in a process of its own, which begins with what tests need."""
    head = (
        "import sys, time\nfrom datetime import date, datetime\nfrom kwartier import Home, runs\n"
    )
    return subprocess.Popen(
        [sys.executable, "-c", head + code, *arguments],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


LATER = timedelta(hours=1)
