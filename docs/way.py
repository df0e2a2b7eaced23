"""Take one household and 24 neighbours the whole way, and print what becomes of its readings.

The numbers of docs/way.md; a test holds the page against them.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa

import kwartier
from kwartier import codes, periods

DAY, KNOWN = date(2026, 3, 2), datetime(2026, 3, 3, 6, tzinfo=UTC)
POINTS = [codes.ean(codes.with_check_digit(87169900000000100 + n)) for n in range(25)]
# The household is alone with its supplier, so that its numbers can be seen in the sums.
SUPPLIERS = ["8716992000011"] + ["8716992000028"] * 24


def register() -> pa.Table:
    """Make the register: one area, one BRP, 3x25 A, 3,650 kWh a year each."""
    return pa.table(
        {
            "accounting_point": POINTS,
            "grid_area": ["871699000000000011"] * 25,
            "brp": ["8716991000012"] * 25,
            "supplier": SUPPLIERS,
            "valid_from": [date(2026, 1, 1)] * 25,
            "annual_offtake_normal_wh": [3_650_000] * 25,
        }
    )


def readings() -> pa.Table:
    """Make the readings; the household's have one rogue, and four did not come."""
    neighbour = [100] * 40 + [200, 300, 400, 100] + [100] * 52
    household = [120] * 40 + [500] * 4 + [120] * 52
    rows = []
    for point in POINTS:
        volumes = household if point == POINTS[0] else neighbour
        for position in range(97):
            wh = 1_000_000 + sum(volumes[:position])
            if point == POINTS[0] and position in (41, 42, 43, 96):
                continue
            if point == POINTS[0] and position == 20:
                wh += 1_000_000
            rows.append((point, periods.day_start(DAY) + position * periods.SECONDS, wh))
    return pa.table(
        {
            "accounting_point": [point for point, _, _ in rows],
            "register": ["1.8.0"] * len(rows),
            "read_at": pa.array([moment for _, moment, _ in rows], pa.timestamp("s", "UTC")),
            "reading_wh": [wh for _, _, wh in rows],
        }
    )


def main() -> None:
    """Take in, allocate, and print findings, sums of some periods, and coverage."""
    with TemporaryDirectory() as folder:
        home = kwartier.Home(Path(folder))
        kwartier.take_register(home, [register()], recorded_at=KNOWN)
        kwartier.ingest(home, [readings()], recorded_at=KNOWN)
        kwartier.allocate(home, [DAY])
        findings, allocation, coverage = (
            kwartier.result(home, name, [DAY]).to_pylist()
            for name in ("findings", "allocation", "coverage")
        )
    print("rule                  periods  observed  limit")
    for row in findings:
        span = f"{row['first_period']}-{row['last_period']}"
        print(f"{row['rule']:<20} {span:>8} {row['observed']:>9} {row['limit']:>6}")
    print("\nperiod  measured Wh  calculated Wh")
    for position in (19, 20, 21, 22, 40, 41, 42, 43, 44, 45, 95, 96):
        wh = {
            row["origin"]: row["volume_wh"]
            for row in allocation
            if row["supplier"] == SUPPLIERS[0]
            and row["direction"] == "E17"
            and row["position"] == position
        }
        print(f"{position:>6} {wh['MSR']:>12} {wh['CLC']:>14}")
    print("\norigin  method  status  periods     Wh")
    for row in coverage:
        if row["supplier"] == SUPPLIERS[0] and row["direction"] == "E17":
            made = f"{row['method'] or '':<7} {row['status'] or '':<7}"
            print(f"{row['origin']:<7} {made} {row['periods']:>7} {row['volume_wh']:>6}")


if __name__ == "__main__":
    main()
