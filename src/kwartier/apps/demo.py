"""The main job, shown: files in, every day allocated, tables and a report out. No network."""

from __future__ import annotations

import shutil
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from kwartier import codes, periods, runs
from kwartier.adapters.store import Home
from kwartier.apps import report, screen
from kwartier.simulation import Simulation, Zonnedael, read_zonnedael, simulate

# Five days around the change to summer time: the Sunday has 92 quarters.
DAYS = periods.between(date(2026, 3, 27), date(2026, 3, 31))
# The part of the meters that can be read before; assumed, about the third that domain §6 tells of.
READABLE_BEFORE = 0.35
BEFORE, NOW = "before", "now"
_WORDS = {codes.OFFTAKE: "offtake", codes.INFEED: "infeed"}
KEY = ("market_day", "position", "grid_area", "brp", "supplier", "direction")
_ONE = 100_000  # a factor is a number of these parts


@dataclass(frozen=True)
class _Allocated:
    """A simulated area and what was allocated of it."""

    simulation: Simulation
    allocation: pa.Table
    coverage: pa.Table
    findings: pa.Table
    balance: pa.Table
    residual: pa.Table


def _morning_after(day: date) -> datetime:
    return datetime.combine(day + timedelta(days=1), time(6), UTC)


def _empty(out: Path, state: str = "") -> tuple[Path, Home]:
    """Make the demo's folders; only what an earlier demo made is removed."""
    files, home = out / f"files{state}", out / f"home{state}"
    for folder in (files, home):
        shutil.rmtree(folder, ignore_errors=True)
    files.mkdir(parents=True)
    return files, Home(home, create=True)


def simulated(out: Path, points: int) -> None:
    """Allocate the same simulated areas before and after more meters could be read.

    Both are held against the true volumes, which are the same.
    """
    before = _allocated(out, points, BEFORE)
    now = _allocated(out, points, NOW)
    _show_groups(now.allocation)
    smart = _of_group(now.allocation, codes.SMART_METER)
    _show_energy(
        smart, now.simulation.truth, "true", "energy per BRP in the smart-meter group, kWh"
    )
    _show_coverage(now.coverage)
    screen.show("balance", now.balance.filter(pc.equal(now.balance["market_day"], DAYS[0])))
    print()
    _show_findings(now.findings)
    states = {BEFORE: before, NOW: now}
    readable = f"{READABLE_BEFORE:.0%} of the meters can be read before, all of them now"
    print(readable)
    _show_closing(states)
    _show_profiled(states)
    report.write(
        out / "report.html",
        title=f"{points:,} simulated points",
        allocation=now.allocation,
        coverage=now.coverage,
        findings=now.findings,
        comparison=now.simulation.truth,
        balance=now.balance,
        residual=now.residual,
        residual_before=before.residual,
        notes=[
            "The grid areas, parties and points do not exist; their shapes and defects are "
            "measured on real data (docs/simulation.md). The true volumes are known, so the error "
            "of what had to be calculated can be shown.",
            f"The same areas were allocated twice: {readable}.",
        ],
    )
    print(f"report: {out / 'report.html'}")


def _allocated(out: Path, points: int, state: str) -> _Allocated:
    """Simulate the areas, take in all that they deliver, and allocate every day."""
    folder, home = _empty(out, "" if state == NOW else f"-{state}")
    readable = 1.0 if state == NOW else READABLE_BEFORE
    with screen.progress(f"Simulating, {state}", "points") as show:
        simulation = simulate(points, DAYS, readable=readable)
        files = simulation.write(folder)
        show(points, points)
    long_before = _morning_after(DAYS[0] - timedelta(days=2))
    runs.take_register(home, [files.register], recorded_at=long_before)
    runs.take_couplings(home, [files.couplings], recorded_at=long_before)
    runs.take_fractions(home, [files.fractions], recorded_at=long_before)
    for day, readings, volumes in zip(DAYS, files.readings, files.volumes, strict=True):
        known = _morning_after(day)
        with screen.progress(f"Taking in {day}", "rows") as show:
            runs.ingest(home, [readings], recorded_at=known, progress=show)
        with screen.progress(f"Volumes of {day}", "rows") as show:
            runs.ingest_volumes(home, [volumes], recorded_at=known, progress=show)
    with screen.progress(f"Allocating, {state}", "blocks") as show:
        made = runs.allocate(home, DAYS, known_at=_morning_after(DAYS[-1]), progress=show)
    counted = Counter(run.state for run in made)
    words = ", ".join(f"{count} {name}" for name, count in sorted(counted.items()))
    print(f"{state}: {len(made)} runs of an area and day: {words}")
    names = ("allocation", "coverage", "findings", "balance", "residual")
    return _Allocated(simulation, *(runs.result(home, name, DAYS) for name in names))


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


def _of_group(rows: pa.Table, group: str) -> pa.Table:
    return rows.filter(pc.equal(rows["group"], group))


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
    screen.draw("coverage", heads, rows, 5)
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


def _show_groups(allocation: pa.Table) -> None:
    keys = ["brp", "group", "direction"]
    summed = allocation.group_by(keys).aggregate([("volume_wh", "sum")]).to_pylist()
    volume = {tuple(row[key] for key in keys): row["volume_wh_sum"] for row in summed}
    there = {(group, direction) for _, group, direction in volume}
    series = [(g, d) for d in codes.DIRECTIONS for g in codes.GROUPS if (g, d) in there]
    rows = [
        [brp, *(screen.kwh(volume.get((brp, *of), 0)) for of in series)]
        for brp in sorted({brp for brp, _, _ in volume})
    ]
    heads = ["BRP", *(f"{group} {_WORDS[direction]}" for group, direction in series)]
    screen.draw("energy per BRP by group, kWh", heads, rows, 1)


def _show_closing(states: dict[str, _Allocated]) -> None:
    """Say how large the residual is, and how far the factor lies from 1."""
    rows = []
    for state, allocated in states.items():
        residual = allocated.residual
        size = pc.abs(residual["residual_wh"])
        grouped = (
            residual.append_column("size", size)
            .group_by("grid_area")
            .aggregate(
                [("size", "sum"), *(("factor", how) for how in ("min", "sum", "max", "count"))]
            )
        )
        for row in grouped.to_pylist():
            mean = row["factor_sum"] / row["factor_count"]
            factors = (row["factor_min"], mean, row["factor_max"])
            words = [f"{factor / _ONE:.5f}" for factor in factors]
            rows.append([row["grid_area"], state, screen.kwh(row["size_sum"]), *words])
    rows.sort(key=lambda row: (row[0], list(states).index(row[1])))
    heads = ["grid area", "state", "residual, without signs", "RCF lowest", "mean", "highest"]
    screen.draw("residual in kWh, and its factor", heads, rows, 2)


def _show_profiled(states: dict[str, _Allocated]) -> None:
    """Hold the profiled energy against the truth, per BRP."""
    settled = ["market_day", "position", "grid_area", "brp", "direction"]
    rows = []
    for state, allocated in states.items():
        truth = _of_group(allocated.simulation.truth_of_group, codes.PROFILE)
        made = _of_group(allocated.allocation, codes.PROFILE)
        quarters = (
            _beside(made, truth.drop_columns("group"))
            .group_by(settled)
            .aggregate([("volume_wh", "sum"), ("volume_wh_sum", "sum")])
        )
        off = pc.subtract(quarters["volume_wh_sum_sum"], quarters["volume_wh_sum"])
        quarters = quarters.append_column("off", off).append_column("size", pc.abs(off))
        sums = [(name, "sum") for name in ("volume_wh_sum", "off", "size")]
        for keys in (["brp", "direction"], ["direction"]):
            for row in quarters.group_by(keys).aggregate(sums).to_pylist():
                true, error, size = (row[f"{name}_sum"] for name, _ in sums)
                words = [row.get("brp", "all"), _WORDS[row["direction"]], state]
                numbers = [screen.kwh(wh) for wh in (true, error, size)]
                shares = [f"{100 * error / true:+.2f}", f"{100 * size / true:.2f}"] if true else []
                rows.append([*words, *numbers, *(shares or ["–", "–"])])
    ways = list(_WORDS.values())
    rows.sort(key=lambda row: (ways.index(row[1]), row[0], list(states).index(row[2])))
    heads = ["BRP", "direction", "state", "true", "error", "by quarter", "error %", "by quarter %"]
    screen.draw("profiled energy against the truth, kWh", heads, rows, 3)
    print("by quarter: the errors of each BRP, area and quarter-hour, without their signs\n")


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
