"""The way and the oracle agree on every random fleet, whatever the batches, order and threads.

Home, deliveries and runs are the real ones; the oracle imports nothing of kwartier.
"""

from __future__ import annotations

import random
from collections import Counter
from datetime import date, datetime
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from kwartier import Home, allocate, codes, ingest, parameters, result, take_register
from kwartier.adapters.store import day_rows
from kwartier.steps import profiles
from tests import fleets, oracle

# The oracle judges these rules; the others are tested one by one.
JUDGED = {
    "status_invalid",
    "reading_falls",
    "above_physical_limit",
    "total_differs_from_tariffs",
    "missing_readings",
    "unread_point",
    "register_rolled_over",
    "meter_exchanged",
    "two_meters_at_once",
    "broken_bracket",
}
SERIES = ("grid_area", "brp", "supplier", "group", "direction", "origin")
TOKENS = {"remote_reading": {True: "on", False: "off"}}


def real_parameters(fleet: fleets.Fleet) -> dict:
    """Give the oracle the standard profile that kwartier ships."""

    def standard_fraction(day: date, direction: str) -> list[int]:
        held = parameters.load(day)
        index = codes.DIRECTIONS.index(direction)
        return profiles.standard_fraction(day, index, held).tolist()

    return {**fleet.parameters, "standard_fraction": standard_fraction}


def register_table(rows: list[dict]) -> pa.Table:
    def cell(name: str, value: object) -> object:
        return TOKENS.get(name, {}).get(value, value)

    return pa.Table.from_pylist([{k: cell(k, v) for k, v in row.items()} for row in rows])


def readings_table(readings: list[dict], order: random.Random) -> pa.Table:
    shuffled = order.sample(readings, len(readings))
    schema = pa.schema(
        [
            ("accounting_point", pa.int64()),
            ("register", pa.string()),
            ("read_at", pa.timestamp("s", "UTC")),
            ("reading_wh", pa.int64()),
            ("meter", pa.string()),
            ("status", pa.int32()),
        ]
    )
    return pa.Table.from_pylist(shuffled, schema=schema)


def kept_home(folder: Path, fleet: fleets.Fleet, order: random.Random) -> Home:
    home = Home(folder, create=True)
    take_register(home, [register_table(fleet.register_rows)], recorded_at=first_moment(fleet))
    for recorded_at, readings in fleet.deliveries:
        if readings:
            ingest(home, [readings_table(readings, order)], recorded_at=recorded_at)
    return home


def first_moment(fleet: fleets.Fleet) -> datetime:
    return min(recorded_at for recorded_at, _ in fleet.deliveries)


def volumes_of(table: pa.Table, column: str) -> dict[tuple, list[int]]:
    series: dict[tuple, list[int]] = {}
    for row in table.to_pylist():
        if row["group"] != codes.SMART_METER:  # tests/test_against_oracle_area.py compares those
            continue
        series.setdefault(tuple(row[name] for name in SERIES), []).append(row[column])
    return series


def findings_of(table: pa.Table) -> Counter:
    return Counter(
        tuple(
            row[name]
            for name in (
                "rule",
                "accounting_point",
                "register",
                "first_period",
                "last_period",
                "observed",
                "limit",
            )
        )
        for row in table.to_pylist()
        if row["rule"] in JUDGED
    )


def coverage_of(table: pa.Table) -> dict[tuple, tuple[int, int, int]]:
    return {
        (*(row[name] for name in SERIES), row["method"], row["status"]): (
            row["points"],
            row["periods"],
            row["volume_wh"],
        )
        for row in table.to_pylist()
        if row["group"] == codes.SMART_METER and row["points"]
    }


def compare(fleet: fleets.Fleet, folder: Path, rows: int, threads: int, seed: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(day_rows, "ROW_GROUP", rows)
        patch.setattr(day_rows, "STRETCHES", 1 + seed % 5)
        patch.setattr(day_rows, "BLOCKS", 1)
        home = kept_home(folder, fleet, random.Random(seed))
        known_at = max(recorded_at for recorded_at, _ in fleet.deliveries)
        # A day of which nothing at all was kept is refused, and the oracle is not asked about it.
        days = [day for day in fleet.days if day.isoformat() in home.days()]
        if days:
            allocate(home, days, known_at=known_at, threads=threads)
    book = oracle.Book(fleet.register_rows, fleet.deliveries, real_parameters(fleet), known_at)
    for day in days:
        expected = book.allocate(day)
        allocation = result(home, "allocation", [day])
        found = findings_of(result(home, "findings", [day]))
        assert found - expected.findings == Counter()
        assert expected.findings - found == Counter()
        assert volumes_of(allocation, "volume_wh") == expected.volumes
        assert volumes_of(allocation, "points") == expected.points
        assert coverage_of(result(home, "coverage", [day])) == expected.coverage


@settings(
    max_examples=40,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@given(
    fleet=fleets.fleets(),
    rows=st.sampled_from([1, 7, 16_384]),
    threads=st.integers(1, 3),
    seed=st.integers(0, 1000),
)
def test_every_random_fleet_gives_what_the_oracle_says(
    fleet, rows, threads, seed, tmp_path_factory
):
    compare(fleet, tmp_path_factory.mktemp("fleet"), rows, threads, seed)
