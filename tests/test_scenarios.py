"""Situations of the market as folders that a market expert can read and write.

`scenarios/given_<situation>/` holds PURPOSE.md and

- when/register.csv, when/readings.csv (a delivery at noon UTC two days after the last allocated
  day) or when/readings_of_<date>.csv (a delivery at noon UTC of that date), when/parameters.yaml;
- then/totals.csv: every series with its sum of the day; then/allocation.csv: some of its rows;
  then/findings.csv: every finding; then/coverage.csv: every row with points. Any of the four, with
  any of their columns; the days are those that they name;
- then_as_known_on_<date>/: the same, as known at 18:00 UTC of that date.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import pytest

from kwartier import Home, allocate, ingest, result, take_parameters, take_register

SCENARIOS = sorted((Path(__file__).parent / "scenarios").glob("given_*"))
REGISTERED = datetime(2025, 6, 1, 12, tzinfo=UTC)
EVERYTHING_KNOWN = datetime(2027, 1, 1, tzinfo=UTC)
SERIES = ("market_day", "grid_area", "brp", "supplier", "group", "direction", "origin")
Row = dict[str, str]


def at(day: date, hour: int) -> datetime:
    return datetime.combine(day, time(hour), UTC)


def expected(path: Path) -> list[Row] | None:
    if not path.exists():
        return None
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def text(value: Any, name: str) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%dT%H:%M:%SZ")
    return f"{value:018d}" if name == "accounting_point" else str(value)


def texts(rows: Iterable[dict[str, Any]]) -> list[Row]:
    return [{name: text(value, name) for name, value in row.items()} for row in rows]


def totals(allocation: list[dict[str, Any]]) -> list[dict[str, Any]]:
    sums: Counter[tuple[Any, ...]] = Counter()
    for row in allocation:
        sums[tuple(row[name] for name in SERIES)] += row["volume_wh"]
    return [dict(zip(SERIES, key, strict=True)) | {"volume_wh": wh} for key, wh in sums.items()]


def same(rows: list[Row], then: list[Row]) -> None:
    """Hold all rows against all that are expected, by the columns that are given."""
    names = list(then[0]) if then else []
    assert Counter(tuple(row[n] for n in names) for row in rows) == Counter(
        tuple(row[n] for n in names) for row in then
    )


def take_in(scenario: Path, home: Home, last_day: date) -> None:
    when = scenario / "when"
    if (when / "parameters.yaml").exists():
        take_parameters(home, when / "parameters.yaml", recorded_at=REGISTERED)
    take_register(home, [when / "register.csv"], recorded_at=REGISTERED)
    for path in sorted(when.glob("readings*.csv")):
        said = path.stem.removeprefix("readings").removeprefix("_of_")
        recorded = date.fromisoformat(said) if said else last_day + timedelta(days=2)
        ingest(home, [path], recorded_at=at(recorded, 12))


def hold(home: Home, then: Path, threads: int) -> None:
    said = then.name.removeprefix("then").removeprefix("_as_known_on_")
    known_at = at(date.fromisoformat(said), 18) if said else EVERYTHING_KNOWN
    days = days_of(then)
    allocate(home, days, known_at=known_at, threads=threads)
    allocation, coverage, findings = (
        result(home, name, days).to_pylist() for name in ("allocation", "coverage", "findings")
    )
    for row in expected(then / "allocation.csv") or []:
        found = [r for r in texts(allocation) if row.items() <= r.items()]
        assert len(found) == 1, f"allocation.csv: {len(found)} rows like {row}"
    for name, rows in (
        ("totals", totals(allocation)),
        ("coverage", [row for row in coverage if row["points"]]),
        ("findings", findings),
    ):
        given = expected(then / f"{name}.csv")
        if given is not None:
            same(texts(rows), given)


def days_of(then: Path) -> list[date]:
    tables = [expected(path) or [] for path in sorted(then.glob("*.csv"))]
    return sorted({date.fromisoformat(row["market_day"]) for rows in tables for row in rows})


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda path: path.name)
def test_scenario(scenario: Path, threads: int, tmp_path: Path) -> None:
    thens = sorted(scenario.glob("then*"))
    home = Home(tmp_path, create=True)
    take_in(scenario, home, max(day for then in thens for day in days_of(then)))
    for then in thens:
        hold(home, then, threads)


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda path: path.name)
def test_every_scenario_says_its_purpose_and_what_comes_of_it(scenario: Path) -> None:
    purpose = (scenario / "PURPOSE.md").read_text("utf-8").splitlines()
    assert len(purpose) == 2
    names = {path.stem for then in scenario.glob("then*") for path in then.iterdir()}
    assert "totals" in names
    assert names <= {"totals", "allocation", "findings", "coverage"}
    used = {path.name.partition("_of_")[0].removesuffix(".csv") for path in
            (scenario / "when").iterdir()}  # fmt: skip
    assert used <= {"register", "readings", "parameters.yaml"}
