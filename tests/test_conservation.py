"""Over any number of days the allocated energy is what the registers counted, to the Wh.

Every gap lies between two readings, some over midnights, whole days and clock changes; so nothing
may be lost or made, and every point stands in every period of its series exactly once.
"""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from kwartier import Home, allocate, codes, ingest, periods, result, take_register

QUARTER = 900
REGISTERED = datetime(2025, 2, 1, tzinfo=UTC)
GAPS = (1, 3, 20, 100, 150, 280)  # quarters; the longest runs over more than two midnights


def gaps(quarters: int, chance: random.Random) -> set[int]:
    """Draw positions that are not read, never the first or the last."""
    dropped: set[int] = set()
    for _ in range(chance.randint(1, 3)):
        first = chance.randint(1, quarters - 2)
        dropped |= set(range(first, min(quarters - 1, first + chance.choice(GAPS))))
    return dropped


@pytest.mark.parametrize(
    ("first_day", "days", "points"),
    [
        (date(2026, 3, 27), 5, 60),  # 92 periods on the 29th; the day's own shape
        (date(2026, 10, 23), 5, 60),  # 100 periods on the 25th
        (date(2026, 3, 27), 5, 9),  # too few points: the standard profile's shape
        (date(2026, 10, 23), 4, 9),
    ],
)
def test_what_the_registers_counted_is_allocated(
    first_day: date, days: int, points: int, tmp_path: Path
) -> None:
    chance = random.Random(points * days)
    wanted = [first_day + timedelta(days=i) for i in range(days)]
    opens = periods.day_start(first_day)
    closes = periods.day_start(first_day + timedelta(days=days))
    quarters = (closes - opens) // QUARTER
    rows, register, counted = [], [], 0
    for k in range(points):
        ean = codes.ean(codes.with_check_digit(87168712000000001 + k))
        register.append(
            {
                "accounting_point": ean,
                "grid_area": "871687120000052782",
                "brp": "8716871000002",
                "supplier": "8716892000005",
                "valid_from": date(2025, 1, 1),
                "annual_offtake_normal_wh": 3_000_000,
                "consumption_type": "AZI",
            }
        )
        levels = [chance.randint(0, 10**6)]
        for _ in range(quarters):
            levels.append(levels[-1] + chance.choice((0, 1, 7, 50, 300, 900)))
        counted += levels[-1] - levels[0]
        unread = gaps(quarters, chance) if k % 3 == 0 else set()
        rows += [
            {
                "accounting_point": ean,
                "register": "1.8.0",
                "read_at": datetime.fromtimestamp(opens + QUARTER * j, UTC),
                "reading_wh": level,
            }
            for j, level in enumerate(levels)
            if j not in unread
        ]
    home = Home(tmp_path / "home", create=True)
    take_register(home, [pa.Table.from_pylist(register)], recorded_at=REGISTERED)
    taken_in = datetime.fromtimestamp(closes + 3600, UTC)
    ingest(home, [pa.Table.from_pylist(rows)], recorded_at=taken_in)
    allocate(home, wanted, known_at=taken_in)

    allocation = result(home, "allocation", wanted)
    assert pc.sum(allocation["volume_wh"]).as_py() == counted
    assert pc.sum(result(home, "coverage", wanted)["volume_wh"]).as_py() == counted
    offtake = allocation.filter(pc.equal(allocation["direction"], codes.OFFTAKE))
    in_period = offtake.group_by(["market_day", "position"]).aggregate([("points", "sum")])
    assert set(in_period["points_sum"].to_pylist()) == {points}
    methods = result(home, "coverage", wanted)["method"].to_pylist()
    assert codes.FROM_REGISTERS in methods
    assert codes.FROM_ANNUAL not in methods
