"""Follow the readings of one household of the demo to the sum of its BRP, and print the numbers.

The numbers of docs/the-way.md; a test holds the page against them.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.compute as pc

import kwartier
from kwartier import codes, periods, runs, shares
from kwartier.apps.demo import DAYS
from kwartier.arrays import FRACTION_SCALE
from kwartier.simulation import Simulation

DAY = date(2026, 3, 29)
AREA = "871699000000000028"  # the smaller of the demo's two
# When the first run of the day is due, when the missing readings come, and the run that has them.
D_1, LATE, D_5 = (
    datetime(2026, month, day, hour, tzinfo=UTC)
    for month, day, hour in ((3, 30, 10), (3, 31, 6), (4, 7, 10))
)
FACTOR_SCALE = 10**5
LINES = {
    "SMA": "smart meters",
    "PRF": "by profile",
    "TMT": "telemetry",
    "DIM": "street lighting",
    "NVL": "grid losses",
    "NKP": "couplings",
    "RST": "restantvolume",
}
Rows = list[dict[str, Any]]


def of(rows: Rows, **wanted: object) -> Rows:
    """Pick the rows with these values."""
    return [row for row in rows if all(row[name] == value for name, value in wanted.items())]


def wh(rows: Rows, **wanted: object) -> int:
    """Sum the energy of the rows with these values [Wh]."""
    return sum(row["volume_wh"] for row in of(rows, **wanted))


def draw(heads: str, rows: Sequence[Sequence[object]], words: int) -> None:
    """Print rows under heads; the first columns are words, the others numbers."""
    texts = [[f"{c:,}" if isinstance(c, int) else str(c) for c in row] for row in rows]
    texts.insert(0, heads.split(", "))
    widths = [max(map(len, column)) for column in zip(*texts, strict=True)]
    for row in texts:
        cells = (
            text.ljust(width) if place < words else text.rjust(width)
            for place, (text, width) in enumerate(zip(row, widths, strict=True))
        )
        print("  ".join(cells).rstrip())
    print()


def take_in(home: kwartier.Home, area: Simulation) -> None:
    """Take in what the demo's areas delivered until the morning after the day."""
    days = DAYS[: DAYS.index(DAY) + 1]
    mornings = [datetime(d.year, d.month, d.day, 6, tzinfo=UTC) + timedelta(days=1) for d in days]
    before = mornings[0] - timedelta(days=2)
    kwartier.take_register(home, [area.register], recorded_at=before)
    kwartier.take_couplings(home, [area.couplings], recorded_at=before)
    kwartier.take_fractions(home, [area.fractions], recorded_at=before)
    for day, morning in zip(days, mornings, strict=True):
        kwartier.ingest(home, [area.readings(day)], recorded_at=morning)
        kwartier.ingest_volumes(home, [area.volumes(day)], recorded_at=morning)


def household(area: Simulation, allocation: Rows) -> tuple[dict[str, Any], range]:
    """Find the first household with a gap in which nothing else of its series was calculated.

    So what it got can be read from the sum. The periods: a reading that is missing takes with it
    the period that it ends and the period that it starts.
    """
    register = {row["accounting_point"]: row for row in area.register.to_pylist()}
    gaps = of(area.defects.to_pylist(), kind="gap", market_day=DAY)
    for gap in sorted(gaps, key=lambda gap: str(gap["accounting_point"])):
        point = register[gap["accounting_point"]]
        if point["grid_area"] != AREA:
            continue
        span = range(gap["first_position"], gap["last_position"] + 2)
        made = of(allocation, **series_of(point), origin="CLC")
        if [row["points"] for row in made if row["position"] in span] == [1] * len(span):
            return point, span
    raise SystemExit("no such household")


def readings_of(readings: pa.Table, point: str) -> dict[int, int]:
    """Give what the offtake register of a point showed at each position of the day [Wh]."""
    mine = readings.filter(pc.equal(readings["accounting_point"], point)).to_pylist()
    start = periods.day_start(DAY)
    return {
        (int(row["read_at"].timestamp()) - start) // periods.SECONDS: row["reading_wh"]
        for row in of(mine, register="1.8.0")
    }


def late(point: str, span: range) -> pa.Table:
    """Give the readings that did not come, as the meter had kept them."""
    kept = kwartier.simulate(3_000, DAYS, defect_share=0.0).readings(DAY)
    opens = periods.day_start(DAY)
    moments = [opens + at * periods.SECONDS for at in range(span.start, span.stop - 1)]
    missing = pc.is_in(kept["read_at"], pa.array(moments, kept["read_at"].type))
    return kept.filter(pc.and_(pc.equal(kept["accounting_point"], point), missing))


def main() -> None:
    """Make the first run of the day, then the run with the late readings, and show both."""
    area = kwartier.simulate(3_000, DAYS)
    with TemporaryDirectory() as folder:
        home = kwartier.Home(Path(folder))
        take_in(home, area)
        kwartier.run_due(home, at=D_1, grid_area=AREA)
        first = results(home)
        point, span = household(area, first["allocation"])
        shown = readings_of(area.readings(DAY), point["accounting_point"])
        show_household(first, point, span, shown)
        show_area(first, point, span[len(span) // 2])

        kwartier.ingest(home, [late(point["accounting_point"], span)], recorded_at=LATE)
        kwartier.run_due(home, at=D_5, grid_area=AREA)
        show_runs(home)
        show_changes(first, results(home), point, span)


def results(home: kwartier.Home) -> dict[str, Rows]:
    """Give the tables of the newest run of the day."""
    names = ("allocation", "balance", "residual", "fractions", "differences")
    return {name: kwartier.result(home, name, [DAY], grid_area=AREA).to_pylist() for name in names}


def series_of(point: dict[str, Any]) -> dict[str, str]:
    """Name the series in which the offtake of a household is."""
    return {"brp": point["brp"], "supplier": point["supplier"], "group": "SMA", "direction": "E17"}


def fraction_of(made: dict[str, Rows], point: dict[str, Any], position: int) -> int:
    """Give the fraction of the offtake of points like this one [1e-8]."""
    kind = {name: point[name] for name in ("profile_category", "consumption_type")}
    (row,) = of(made["fractions"], **kind, direction="E17", position=position)
    return int(row["fraction"])


def show_household(
    made: dict[str, Rows], point: dict[str, Any], span: range, shown: dict[int, int]
) -> None:
    """Show the readings around the gap, and the volume of each period."""
    rows: list[list[object]] = []
    for position in range(span.start - 2, span.stop + 2):
        opens = periods.day_start(DAY) + (position - 1) * periods.SECONDS
        since = datetime.fromtimestamp(opens, ZoneInfo("Europe/Amsterdam"))
        volume: list[object] = ["", ""]
        if position in span:
            mine = {**series_of(point), "origin": "CLC", "position": position}
            volume[1] = wh(made["allocation"], **mine)
        else:
            volume[0] = shown[position] - shown[position - 1]
        fraction = f"{fraction_of(made, point, position) / FRACTION_SCALE:.8f}"
        rows.append([position, f"{since:%H:%M}", shown.get(position, "–"), *volume, fraction])
    draw("period, from, reading at its end, measured Wh, calculated Wh, fraction", rows, 2)


def show_area(made: dict[str, Rows], point: dict[str, Any], position: int) -> None:
    """Show a period: the sums of the BRP and supplier, the area's balance, and its factor."""
    at = {"position": position}
    mine = of(made["allocation"], brp=point["brp"], supplier=point["supplier"], **at)
    rows: list[list[object]] = []
    for direction in codes.DIRECTIONS:
        for group in codes.GROUPS:
            for origin in codes.ORIGINS:
                series = of(mine, group=group, direction=direction, origin=origin)
                if any(row["points"] for row in series):
                    points = sum(row["points"] for row in series)
                    rows.append([direction, group, origin, points, wh(series)])
        rows.append([direction, "together", "", "", wh(mine, direction=direction)])
    draw("direction, group, origin, points, Wh", rows, 3)

    balance = of(made["balance"], **at)
    rows = []
    for line, name in LINES.items():
        sides = [of(balance, line=line, direction=way) for way in codes.DIRECTIONS]
        rows.append([line, name, *(wh(side) if side else "" for side in sides)])
    rows.append(["together", "", *(wh(balance, direction=way) for way in codes.DIRECTIONS)])
    draw("line, what, goes out Wh, comes in Wh", rows, 2)

    (left,) = of(made["residual"], **at)
    annual = sum(point[f"annual_offtake_{tariff}_wh"] for tariff in ("normal", "low"))
    assumed = annual * fraction_of(made, point, position)
    rows = [
        ["the area", left["assumed_offtake_wh"], left["residual_wh"]],
        [
            f"one household of {annual:,} Wh a year",
            shares.half_up(assumed, FRACTION_SCALE),
            shares.half_up(assumed * left["factor"], FRACTION_SCALE * FACTOR_SCALE),
        ],
        ["factor RCF", "", f"{left['factor'] / FACTOR_SCALE:.5f}"],
    ]
    draw("profiled offtake, assumed Wh, allocated Wh", rows, 1)


def show_runs(home: kwartier.Home) -> None:
    """Show the runs of the day."""
    ledger = runs.ledger_of(home)
    rows = []
    for run in ledger.runs(first=DAY, last=DAY, grid_area=AREA):
        known = f"{datetime.fromtimestamp(run.known_at, UTC):%Y-%m-%d %H:%MZ}"
        events = " → ".join(event.event for event in ledger.events(run))
        rows.append([run.kind, known, events, run.state, f"{run.publication or ''}"])
    draw("kind, as known at, events, state, published as", rows, 5)


def show_changes(
    before: dict[str, Rows], after: dict[str, Rows], point: dict[str, Any], span: range
) -> None:
    """Show what the second run changed: for the household, and for all parties."""
    rows: list[list[object]] = []
    for position in span:
        at = {**series_of(point), "position": position}
        now = wh(before["allocation"], **at), wh(after["allocation"], **at)
        was = wh(before["allocation"], **at, origin="CLC")
        rows.append([f"{position}", was, was + now[1] - now[0]])
    draw("period, calculated in D+1 Wh, measured in D+5 Wh", rows, 1)

    rows = []
    changes = after["differences"]
    for group, direction in sorted({(row["group"], row["direction"]) for row in changes}):
        some = of(changes, group=group, direction=direction)
        size = sum(row["changed_wh"] for row in some)
        net = sum(row["after_wh"] - row["before_wh"] for row in some)
        rows.append([group, direction, len(some), max(row["quarters"] for row in some), size, net])
    draw("group, direction, parties, quarters of one, moved Wh, more in the day Wh", rows, 2)


if __name__ == "__main__":
    main()
