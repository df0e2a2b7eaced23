"""Real home meters with real defects: the chain keeps what a person would keep.

The exports are hourly or by the minute. An hourly export goes into day rows with three of four
quarters unread, so that an hour has four times the limit of a quarter. What is read of the real
data is looked up in the files; none of it is part of the project.
"""

from __future__ import annotations

import csv
import gzip
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from kwartier import kernels
from kwartier.arrays import NOT_READ
from tests.market import LIMIT, ONE_DAY, OTHER, POINT, Market, Outcome, moments, point, read

QUARTER = timedelta(minutes=15)
HOURLY = "p1mon_hourly_registers_kwh_2021_2024.csv.gz"
BY_MINUTE = "p1mon_1min_registers_kwh_2024.csv.gz"
TOON = "toon_hourly_registers_wh_2018_2023.csv.gz"
P1MON = {
    "1.8.1": "VERBR_KWH_181",
    "1.8.2": "VERBR_KWH_182",
    "2.8.1": "GELVR_KWH_281",
    "2.8.2": "GELVR_KWH_282",
}
OF_TOON = {"1.8.1": "import_t1_low_wh", "1.8.2": "import_t2_normal_wh"}
Readings = dict[datetime, dict[str, int]]


@lru_cache(maxsize=3)
def export(path: Path) -> Readings:
    """Read an export: by moment, the readings of its registers [Wh]."""
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return dict(_toon(csv.DictReader(file)) if "unix" in _head(path) else _p1mon(file))


def _head(path: Path) -> str:
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return file.readline()


def _p1mon(file: Any) -> Iterator[tuple[datetime, dict[str, int]]]:
    clock = ZoneInfo("Europe/Amsterdam")
    for row in csv.DictReader(file):
        shown = datetime.fromisoformat(row["TIMESTAMP"]).replace(tzinfo=clock)
        # In whole Wh: the exports have three decimals.
        yield shown.astimezone(UTC), {k: round(float(row[c]) * 1000) for k, c in P1MON.items()}


def _toon(rows: Any) -> Iterator[tuple[datetime, dict[str, int]]]:
    for row in rows:
        given = {obis: row[name] for obis, name in OF_TOON.items() if row[name]}
        yield (
            datetime.fromtimestamp(int(row["unix"]), UTC),
            {obis: int(float(wh)) for obis, wh in given.items()},
        )


def local(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo("Europe/Amsterdam")).astimezone(UTC)


def rows_of(readings: Readings, first: date, last: date) -> list[dict[str, Any]]:
    """Give the readings of some days that lie on the quarter, as rows."""
    opens, closes = moments(first)[0], moments(last)[-1]
    return [
        {
            "accounting_point": POINT,
            "register": obis,
            "read_at": moment,
            "reading_wh": reading,
            "meter": None,
            "status": 0,
        }
        for moment, registers in readings.items()
        if opens <= moment <= closes and not (moment - opens) % QUARTER
        for obis, reading in registers.items()
    ]


def taken(folder: Path, rows: list[dict[str, Any]], first: date, last: date) -> Market:
    market = Market(folder)
    market.register(
        point(valid_from=date(2018, 1, 1), consent=True, consumption_type="AMI"),
        point(OTHER, valid_from=date(2018, 1, 1), consent=True),
        recorded_at=datetime(2018, 1, 1, tzinfo=UTC),
    )
    market.deliver(rows, recorded_at=moments(last)[-1] + ONE_DAY)
    return market


def judged(readings: Readings, obis: str, first: date, hours: int) -> tuple[Any, Any]:
    """Give an hourly series and which of it the chain keeps, an hour being one position."""
    opens = moments(first)[0]
    at = [opens + timedelta(hours=k) for k in range(hours)]
    series = np.array(
        [[readings[m][obis] if m in readings and obis in readings[m] else NOT_READ for m in at]],
        np.int64,
    )
    return series[0], kept_of(series, 4 * LIMIT)


def kept_of(series: Any, limit: int) -> Any:
    """Tell which readings of a series are in its longest chain."""
    chain = series.copy()
    kernels.keep_longest_chains(chain, np.array([limit]))
    return chain[0] != NOT_READ


ROGUE = [
    ("2022-11-04T15:00", ("1.8.1", "1.8.2", "2.8.1", "2.8.2")),
    ("2023-08-12T10:00", ("2.8.1",)),
    ("2024-02-24T23:00", ("1.8.1", "2.8.1")),
]


@pytest.mark.parametrize(("shown", "wrong"), ROGUE)
def test_of_a_rogue_row_the_wrong_readings_are_rejected_and_nothing_around_them(
    shared: Path, shown: str, wrong: tuple[str, ...]
) -> None:
    readings = export(shared / "data" / "home_exports" / HOURLY)
    rogue = local(shown)
    first = (rogue - timedelta(days=2)).date()
    hour = int((rogue - moments(first)[0]) / timedelta(hours=1))
    for obis in P1MON:
        series, kept = judged(readings, obis, first, 96)
        rejected = np.flatnonzero((series != NOT_READ) & ~kept).tolist()
        assert rejected == ([hour] if obis in wrong else []), obis


def test_the_whole_export_of_three_years_loses_its_rogue_readings_only(shared: Path) -> None:
    # In 24,822 rows three are wrong; four weeks at a time, with an hour in common.
    readings = export(shared / "data" / "home_exports" / HOURLY)
    rejected = set()
    for first in (min(readings).date() + timedelta(days=28 * k) for k in range(40)):
        for obis in P1MON:
            series, kept = judged(readings, obis, first, 28 * 24 + 3)
            at = np.flatnonzero((series != NOT_READ) & ~kept).tolist()
            rejected |= {(moments(first)[0] + timedelta(hours=h), obis) for h in at}
    assert rejected == {(local(shown), obis) for shown, wrong in ROGUE for obis in wrong}


def test_the_quarters_around_the_rogue_row_close_on_the_register_difference(
    shared: Path, tmp_path: Path
) -> None:
    readings = export(shared / "data" / "home_exports" / HOURLY)
    day = date(2022, 11, 4)
    made = run_of(tmp_path, readings, day, day)
    opens, closes = (readings[moment] for moment in (moments(day)[0], moments(day)[-1]))
    for direction, tariffs in (("E17", ("1.8.1", "1.8.2")), ("E18", ("2.8.1", "2.8.2"))):
        total = sum(made.calculated(direction))
        assert total == sum(closes[obis] - opens[obis] for obis in tariffs)
        assert set(made.methods(direction)) == {"CMR"}
    rogue = int((local("2022-11-04T15:00") - moments(day)[0]) / QUARTER)
    found = [(row["register"], row["first_period"]) for row in made.found("above_physical_limit")]
    # The infeed's tariff 2.8.1 rose by 55 kWh and the others by more: all above the limit.
    assert found == [(obis, rogue) for obis in P1MON]
    assert made.found("reading_falls") == []


def closed_over(made: Outcome, rows: list[dict[str, Any]], obis: tuple[str, ...]) -> bool:
    """Tell whether the days sum to what their registers counted from first to last reading."""
    series = {
        name: sorted((r["read_at"], r["reading_wh"]) for r in rows if r["register"] == name)
        for name in obis
    }
    counted = sum(readings[-1][1] - readings[0][1] for readings in series.values())
    direction = "E17" if obis[0].startswith("1") else "E18"
    return sum(made.measured(direction)) + sum(made.calculated(direction)) == counted


GAPS = [
    # 4 hours within a day twice, 27 hours, and 73 hours over three midnights
    (HOURLY, date(2021, 12, 29), date(2021, 12, 31)),
    (HOURLY, date(2023, 8, 11), date(2023, 8, 14)),
    (HOURLY, date(2021, 8, 22), date(2021, 8, 27)),
    # 11 hours 9 minutes, by the minute, with the rogue row beside it
    (BY_MINUTE, date(2024, 2, 24), date(2024, 2, 26)),
]


def run_of(folder: Path, readings: Readings, first: date, last: date) -> Outcome:
    """Allocate some days; a meter that counts nothing beside it, so that no day is without any."""
    days = [first + k * ONE_DAY for k in range((last - first).days + 1)]
    rows = rows_of(readings, first, last)
    beside = [row for day in days for row in read([0] * len(moments(day)), OTHER, day=day)]
    once = {
        (row["accounting_point"], row["register"], row["read_at"]): row for row in rows + beside
    }
    return taken(folder, list(once.values()), first, last).run(*days)


@pytest.mark.parametrize(("name", "first", "last"), GAPS, ids=lambda value: str(value)[:10])
def test_a_real_gap_closes_on_the_register_difference(
    shared: Path, tmp_path: Path, name: str, first: date, last: date
) -> None:
    readings = export(shared / "data" / "home_exports" / name)
    made = run_of(tmp_path, readings, first, last)
    rows = rows_of(readings, first, last)
    for direction, obis in (("E17", ("1.8.1", "1.8.2")), ("E18", ("2.8.1", "2.8.2"))):
        assert set(made.methods(direction)) == {"CMR"}
        assert closed_over(made, rows, obis)


def test_a_real_gap_longer_than_the_meter_s_memory_is_not_closed(
    shared: Path, tmp_path: Path
) -> None:
    # 264 hours are 1056 quarters: more than the 960 that a meter keeps.
    readings = export(shared / "data" / "home_exports" / HOURLY)
    made = run_of(tmp_path, readings, date(2021, 5, 29), date(2021, 6, 9))
    assert made.methods("E17")["GMR"][1] == made.methods("E18")["GMR"][1] == 264 * 4


def test_the_minutes_between_the_quarters_do_not_hide_the_rogue_minute(shared: Path) -> None:
    # 23:17 carries the reading of the next day; by the minute it is off the quarter, and the chain
    # over the minutes rejects it alone.
    readings = export(shared / "data" / "home_exports" / BY_MINUTE)
    rogue = local("2024-02-24T23:17")
    at = [rogue + timedelta(minutes=k) for k in range(-60, 40)]
    for obis, wrong in (("1.8.1", [60]), ("1.8.2", []), ("2.8.1", [60]), ("2.8.2", [])):
        series = np.array([[readings[m][obis] if m in readings else NOT_READ for m in at]])
        kept = kept_of(series, LIMIT // 15)
        assert np.flatnonzero((series[0] != NOT_READ) & ~kept).tolist() == wrong


def test_a_catch_up_after_an_outage_is_rejected_as_a_whole_part(
    shared: Path, tmp_path: Path
) -> None:
    # The registers stand still and then rise by 114 and 123 kWh in an hour: no 3x25 does that.
    readings = export(shared / "data" / "home_exports" / TOON)
    day = date(2018, 5, 31)
    step = datetime(2018, 5, 31, 20, tzinfo=UTC)
    hour = int((step - moments(day)[0]) / timedelta(hours=1))
    for obis in OF_TOON:
        series, kept = judged(readings, obis, day, 25)
        assert series[hour] - series[hour - 1] > 5 * 4 * LIMIT
        rejected = np.flatnonzero((series != NOT_READ) & ~kept)
        # One part, with the step at its edge; what is kept on both sides is as it was read.
        assert rejected.size
        assert np.diff(rejected).tolist() == [1] * (len(rejected) - 1)
        assert hour in (rejected[0], rejected[-1] + 1)
    rows = rows_of(readings, day - ONE_DAY, day + ONE_DAY)
    made = taken(tmp_path, rows, day - ONE_DAY, day + ONE_DAY).run(day)
    assert max(made.measured() + made.calculated()) <= LIMIT
    assert {row["rule"] for row in made.findings} >= {"above_physical_limit"}
