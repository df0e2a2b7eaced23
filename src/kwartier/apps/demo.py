"""The main job, shown: files in, every day allocated, a table and a report out. No network."""

from __future__ import annotations

import shutil
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from kwartier import codes, periods, runs
from kwartier.adapters.store import Home
from kwartier.apps import report, screen
from kwartier.simulation import Zonnedael, read_zonnedael, simulate

# Five days around the change to summer time: the Sunday has 92 quarters.
DAYS = periods.between(date(2026, 3, 27), date(2026, 3, 31))
_WORDS = {codes.OFFTAKE: "offtake", codes.INFEED: "infeed"}
KEY = ("market_day", "position", "grid_area", "brp", "supplier", "direction")


def _morning_after(day: date) -> datetime:
    return datetime.combine(day + timedelta(days=1), time(6), UTC)


def _empty(out: Path) -> tuple[Path, Home]:
    """Make the demo's folders; only what an earlier demo made is removed."""
    for name in ("files", "home"):
        shutil.rmtree(out / name, ignore_errors=True)
    (out / "files").mkdir(parents=True)
    return out / "files", Home(out / "home", create=True)


def simulated(out: Path, points: int) -> None:
    """Allocate a simulated grid area and hold the result against its true volumes."""
    folder, home = _empty(out)
    with screen.progress("Simulating", "points") as show:
        simulation = simulate(points, DAYS)
        register, *readings = simulation.write(folder)
        show(points, points)
    runs.take_register(home, [register], recorded_at=_morning_after(DAYS[0] - timedelta(days=2)))
    for day, file in zip(DAYS, readings, strict=True):
        with screen.progress(f"Taking in {day}", "rows") as show:
            runs.ingest(home, [file], recorded_at=_morning_after(day), progress=show)
    with screen.progress("Allocating", "blocks") as show:
        runs.allocate(home, DAYS, known_at=_morning_after(DAYS[-1]), progress=show)

    allocation, coverage, findings = _results(home, DAYS)
    truth = simulation.truth
    _show_energy(allocation, truth, "true", "energy per BRP, kWh")
    _show_coverage(coverage)
    _show_findings(findings)
    report.write(
        out / "report.html",
        title=f"{points:,} simulated points",
        allocation=allocation,
        coverage=coverage,
        findings=findings,
        comparison=truth,
        notes=[
            "The grid areas, parties and points do not exist; their shapes and defects are "
            "measured on real data (docs/simulation.md). The true volumes are known, so the error "
            "of what had to be calculated can be shown."
        ],
    )
    print(f"report: {out / 'report.html'}")


def of_zonnedael(out: Path, source: Path) -> None:
    """Allocate the real households of 2013 and hold the result against the source's sums."""
    folder, home = _empty(out)
    with screen.progress("Reading the households", "files") as show:
        households = read_zonnedael(source)
        register, *readings = households.write(folder)
        show(len(readings), len(readings))
    days = households.days
    runs.take_register(home, [register], recorded_at=_morning_after(days[0] - timedelta(days=2)))
    for month, file in enumerate(readings, start=1):
        last = date(2013 + month // 12, month % 12 + 1, 1) - timedelta(days=1)
        with screen.progress(f"Taking in {last:%B}", "rows") as show:
            runs.ingest(home, [file], recorded_at=_morning_after(last), progress=show)
    with screen.progress("Allocating", "blocks") as show:
        runs.allocate(home, days, known_at=_morning_after(days[-1]), progress=show)

    allocation, coverage, findings = _results(home, days)
    sums = households.source_sums
    known = sums.filter(pc.invert(sums["missing"])).drop_columns(["missing"])
    _show_energy(
        allocation, known, "source", "energy per BRP, kWh; source: where no reading is missing"
    )
    _show_coverage(coverage)
    _show_findings(findings)
    _show_against_source(allocation, households)
    report.write(
        out / "report.html",
        title="75 real households, the whole of 2013",
        allocation=allocation,
        coverage=coverage,
        findings=findings,
        comparison=known,
        comparison_name="source",
        notes=[
            "Zonnedael: 75 Dutch households, published as open data by Liander; the panels on 24 "
            "of the roofs are reckoned from the year's irradiance. The source is the sum of the "
            "households' own quarter-hours wherever none is missing."
        ],
    )
    print(f"report: {out / 'report.html'}")


def _results(home: Home, days: list[date]) -> tuple[pa.Table, pa.Table, pa.Table]:
    names = ("allocation", "coverage", "findings")
    allocation, coverage, findings = (runs.result(home, name, days) for name in names)
    return allocation, coverage, findings


def _beside(allocation: pa.Table, other: pa.Table) -> pa.Table:
    """Put the allocated volume of each quarter and series beside the other table's."""
    made = allocation.group_by(list(KEY)).aggregate([("volume_wh", "sum")])
    return other.join(made, list(KEY), join_type="inner")


def _show_energy(allocation: pa.Table, other: pa.Table, name: str, title: str) -> None:
    keys = ["brp", "direction", "origin"]
    origins = allocation.group_by(keys).aggregate([("volume_wh", "sum")])
    volume = {tuple(r[key] for key in keys): r["volume_wh_sum"] for r in origins.to_pylist()}
    compared = (
        _beside(allocation, other)
        .group_by(["brp", "direction"])
        .aggregate([("volume_wh_sum", "sum"), ("volume_wh", "sum")])
        .sort_by([("brp", "ascending"), ("direction", "ascending")])
    )
    rows = []
    for row in compared.to_pylist():
        brp, direction = row["brp"], row["direction"]
        known, error = row["volume_wh_sum"], row["volume_wh_sum_sum"] - row["volume_wh_sum"]
        parts = [volume[brp, direction, origin] for origin in codes.ORIGINS]
        whole = [f"{(wh + 500) // 1000:,}" for wh in (*parts, known)]
        share = f"{100 * error / known:+.3f}" if known else "–"
        rows.append([brp, _WORDS[direction], *whole, screen.kwh(error), share])
    heads = ["BRP", "direction", "measured", "calculated", name, "error", "error %"]
    screen.draw(title, heads, rows, 2)


def _show_coverage(coverage: pa.Table) -> None:
    keys = ["group", "direction", "origin", "method", "status"]
    summed = coverage.group_by(keys).aggregate([("points", "sum"), ("volume_wh", "sum")])
    rows = []
    for row in summed.sort_by([(key, "ascending") for key in keys]).to_pylist():
        words = [row["group"], _WORDS[row["direction"]]]
        words += [row[key] or "" for key in keys[2:]]
        rows.append([*words, f"{row['points_sum']:,}", screen.kwh(row["volume_wh_sum"])])
    heads = ["group", "direction", *keys[2:], "points × days", "kWh"]
    screen.draw("coverage; PRF (by profile) is counted, but not allocated yet", heads, rows, 5)
    print(screen.LEGEND["coverage"] + "\n")


def _show_findings(findings: pa.Table) -> None:
    counted = findings.group_by(["severity", "rule"]).aggregate(
        [("rows", "count"), ("rows", "sum")]
    )
    rows = [
        [row["severity"], row["rule"], f"{row['rows_count']:,}", f"{row['rows_sum']:,}"]
        for row in counted.sort_by([("severity", "ascending"), ("rule", "ascending")]).to_pylist()
    ]
    screen.draw("findings", ["severity", "rule", "findings", "rows not kept"], rows, 2)


def _show_against_source(allocation: pa.Table, households: Zonnedael) -> None:
    """Say where the sums are the source's, and what was estimated where readings are missing."""
    sums = households.source_sums
    both = _beside(allocation, sums)
    missing = both["missing"]
    known = both.filter(pc.invert(missing))
    equal = pc.sum(pc.equal(known["volume_wh"], known["volume_wh_sum"])).as_py()
    print(f"{equal:,} of {len(known):,} sums without a missing reading equal the source's exactly")
    made = both.filter(missing).group_by("direction")
    sums_of = made.aggregate([("volume_wh_sum", "sum"), ("volume_wh", "sum")]).to_pylist()
    estimated = {
        row["direction"]: row["volume_wh_sum_sum"] - row["volume_wh_sum"] for row in sums_of
    }
    holes = households.holes.group_by("direction")
    expected = holes.aggregate([("missing_periods", "sum"), ("expected_wh", "sum")])
    rows = []
    for row in expected.sort_by("direction").to_pylist():
        made_wh, year_wh = estimated[row["direction"]], row["expected_wh_sum"]
        words = [_WORDS[row["direction"]], f"{row['missing_periods_sum']:,}"]
        share = f"{100 * (made_wh - year_wh) / year_wh:+.3f}" if year_wh else "–"
        rows.append([*words, screen.kwh(made_wh), screen.kwh(year_wh), share])
    heads = ["direction", "quarters", "estimated", "rest of the year says", "difference %"]
    screen.draw("where readings are missing, kWh", heads, rows, 1)
