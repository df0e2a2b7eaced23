"""The way and the oracle agree on whole grid areas, whatever the row groups, order and threads.

Home, deliveries and runs are the real ones; the oracle imports nothing of kwartier. Standard
fractions that were loaded are held against the market's numbers in tests/test_oracle_area.py.
"""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import yaml
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from kwartier import (
    Home,
    allocate,
    ingest,
    ingest_volumes,
    result,
    tables,
    take_couplings,
    take_fractions,
    take_parameters,
    take_register,
)
from kwartier.adapters.store import day_rows
from tests import areas, oracle, oracle_area
from tests.test_against_oracle import JUDGED, readings_table, real_parameters, register_table

# Rules of the area, which the oracle judges beside those of readings.
OF_AREA = {
    "area_not_closed",
    "residual_factor_out_of_band",
    "energy_unassigned",
    "fell_back_to_profile",
    "annual_volume_absurd",
    "loss_point_twice",
    "no_annual_volume",
}
FINDING = "rule accounting_point register first_period last_period observed limit".split()
SERIES = "grid_area brp supplier group profile_category consumption_type direction origin".split()
COVER = "grid_area brp supplier group direction origin method status".split()
RESIDUAL = "residual_wh assumed_offtake_wh assumed_infeed_wh factor unassigned_wh".split()

VOLUMES = pa.schema(
    [
        ("accounting_point", pa.int64()),
        ("direction", pa.string()),
        ("period_start", pa.timestamp("s", "UTC")),
        ("volume_wh", pa.int64()),
        ("origin", pa.string()),
        ("validation_status", pa.string()),
        ("method", pa.string()),
    ]
)
COUPLINGS = pa.schema(
    [
        ("coupling", pa.int64()),
        ("grid_area", pa.string()),
        ("other_grid_area", pa.string()),
        ("valid_from", pa.date32()),
        ("valid_to", pa.date32()),
        ("recorded_at", pa.timestamp("s", "UTC")),
    ]
)
# What a world draws of the market's parameters; a home says so in a file of its own.
CATEGORIES = "E1A E1B E1C E2A E2B E3A E3B E3C E3D E4A".split()
DRAWN = ("min_points_for_shape", "residual_assigned_to", "reference_areas")


# ---- a home with all that a world delivered -----------------------------------------------------
def profile_file(fractions: dict, path: Path) -> Path:
    """Write dimensioned profiles as a file, one row for each profile and period."""
    lines = ["profile,period_start,fraction"]
    for (profile, _, _, day), (counts, _) in fractions.items():
        for start, count in zip(oracle.market_day(day), counts, strict=True):
            lines.append(f"{profile},{start:%Y-%m-%dT%H:%M:%SZ},0.{count:08d}")
    path.write_text("\n".join(lines) + "\n", "utf-8")
    return path


def keep_standard(home: Home, fractions: dict, at: Any) -> None:
    """Keep standard fractions as their door does; its files of whole years are tested apart."""
    rows = [
        {
            "profile": profile,
            "consumption_type": type_,
            "direction": direction,
            "market_day": day,
            "fraction": counts,
            "by_tariff": by_tariff,
        }
        for (profile, type_, direction, day), (counts, by_tariff) in fractions.items()
    ]
    table = pa.Table.from_pylist(rows, schema=tables.STANDARD_FRACTIONS.schema)
    known = pa.array([at] * len(rows), tables.MOMENT)
    moment = int(at.timestamp())
    with home.writing():
        place = f"fractions/standard-{moment}.parquet"
        entry = home.add(table.append_column("recorded_at", known), place)
        home.deliver("fractions", moment, id=f"{moment}", inputs=[], files=[entry])


def kept_home(folder: Path, world: areas.World, order: random.Random) -> Home:
    home = Home(folder / "home", create=True)
    own = {name: {"values": {date(1900, 1, 1): world.parameters[name]}} for name in DRAWN}
    path = folder / "own.yaml"
    path.write_text(yaml.safe_dump(own), "utf-8")
    first = min(row["recorded_at"] for row in world.register_rows)
    take_parameters(home, path, recorded_at=first)
    take_register(home, [register_table(world.register_rows)], recorded_at=first)
    if world.couplings:
        rows = pa.Table.from_pylist(world.couplings, schema=COUPLINGS)
        take_couplings(home, [rows], recorded_at=first)

    def readings(rows: list, at: Any) -> None:
        ingest(home, [readings_table(rows, order)], recorded_at=at)

    def volumes(rows: list, at: Any) -> None:
        shuffled = order.sample(rows, len(rows))
        ingest_volumes(home, [pa.Table.from_pylist(shuffled, schema=VOLUMES)], recorded_at=at)

    def fractions(rows: dict, at: Any) -> None:
        of_categories = {key: value for key, value in rows.items() if key[0] in CATEGORIES}
        if of_categories:
            keep_standard(home, of_categories, at)
        own = {key: value for key, value in rows.items() if key[0] not in CATEGORIES}
        if own:
            file = profile_file(own, folder / f"profiles-{at:%Y%m%d%H}.csv")
            take_fractions(home, [file], recorded_at=at)

    takes = [(at, readings, rows) for at, rows in world.deliveries]
    takes += [(at, volumes, rows) for at, rows in world.volumes]
    takes += [(at, fractions, rows) for at, rows in world.fractions]
    for at, take, rows in sorted(takes, key=lambda delivery: delivery[0]):
        if rows:
            take(rows, at)
    return home


# ---- the first difference, in words -------------------------------------------------------------
def same(what: str, found: dict, expected: dict) -> None:
    """Fail with the first key, and where both have lists the first period, that differs."""
    for key in sorted(expected.keys() | found.keys(), key=str):
        assert key in found, f"{what}: {key} is not there; expected {expected[key]}"
        assert key in expected, f"{what}: {key} should not be there; found {found[key]}"
        here, there = found[key], expected[key]
        if not isinstance(there, list):
            assert here == there, f"{what}: {key}: found {here}, expected {there}"
            continue
        assert len(here) == len(there), f"{what}: {key}: {len(here)} periods, not {len(there)}"
        apart = [t for t in range(len(there)) if here[t] != there[t]]
        assert not apart, (
            f"{what}: {key}: period {apart[0] + 1}: found {here[apart[0]]}, "
            f"expected {there[apart[0]]}; {len(apart)} of {len(there)} periods differ"
        )


def same_findings(what: str, found: Counter, expected: Counter) -> None:
    extra = sorted((found - expected).elements(), key=str)
    lacking = sorted((expected - found).elements(), key=str)
    apart = f"{what}: {len(extra)} should not be there {extra[:5]}, {len(lacking)} are not there "
    assert (extra, lacking) == ([], []), apart + str(lacking[:5])


def series_of(rows: Iterable[dict], key: list[str], column: str | list[str]) -> dict:
    """Give {key: values by period}; each series must have every period of the day once."""
    found: dict[tuple, dict[int, Any]] = defaultdict(dict)
    for row in rows:
        # Empty and null are the same: not of this group.
        at = found[tuple(row[name] or None for name in key)]
        assert row["position"] not in at, f"period {row['position']} twice in {row}"
        names = [column] if isinstance(column, str) else column
        values = tuple(row[name] for name in names)
        at[row["position"]] = values[0] if isinstance(column, str) else values
    for at in found.values():
        assert sorted(at) == [*range(1, len(at) + 1)]
    return {at: [values[t] for t in sorted(values)] for at, values in found.items()}


def findings_of(rows: Iterable[dict], rules: set[str]) -> Counter:
    return Counter(tuple(row[name] for name in FINDING) for row in rows if row["rule"] in rules)


# ---- one area -----------------------------------------------------------------------------------
def compare_refused(what: str, tables: dict[str, list], refusal: oracle_area.Refusal) -> None:
    expected = Counter(
        ("missing_volumes", point, direction, first, last, missing, 0)
        for point, direction, first, last, missing in refusal.missing
    )
    found = findings_of(tables["findings"], {"missing_volumes"})
    same_findings(f"{what} missing_volumes", found, expected)
    points = {r["accounting_point"] for r in tables["findings"] if r["rule"] == "missing_profile"}
    assert points == {point for point, _ in refusal.profiles}, f"{what} missing_profile"
    for name in ("allocation", "balance", "residual"):
        assert tables[name] == [], f"{what}: {name} of a refused area"


def compare_area(
    what: str, tables: dict[str, list], area: oracle_area.Area, by_profile: set[int]
) -> None:
    found = findings_of(tables["findings"], JUDGED | OF_AREA)
    for finding in list(found):
        # Smart meters that were estimated with it are tested one by one.
        if finding[0] == "no_annual_volume" and finding[1] not in by_profile:
            del found[finding]
    judged = Counter({f: n for f, n in area.findings.items() if f[0] in JUDGED | OF_AREA})
    same_findings(f"{what} findings", found, judged)
    allocation = tables["allocation"]
    assert not any(row["withdrawn"] for row in allocation), f"{what}: a trial withdraws nothing"
    kinds = {(*key[4:6], key[6]) for key in area.series if key[3] == "PRF"}
    fractions = {
        key: [*zip(*at, strict=True)]
        for key, at in series_of(
            tables["fractions"],
            ["profile_category", "consumption_type", "direction"],
            ["fraction", "status"],
        ).items()
    }
    needed = {kind for kind in kinds if kind[1:] != ("AZI", "E18")}
    assert needed <= fractions.keys(), f"{what} fractions: {needed - fractions.keys()} not there"
    for kind, (counts, statuses) in fractions.items():
        expected_counts, status = area.fractions[kind]
        assert {*statuses} == {status}, f"{what} fractions {kind}: {statuses[0]}, not {status}"
        same(f"{what} fractions", {kind: list(counts)}, {kind: expected_counts})
    same(f"{what} volume_wh", series_of(allocation, SERIES, "volume_wh"), area.series)
    same(f"{what} points", series_of(allocation, SERIES, "points"), area.points)
    residual = series_of(tables["residual"], ["grid_area"], RESIDUAL)
    name = f"{what} residual ({', '.join(RESIDUAL)})"
    same(name, dict(enumerate(residual.values())), {0: area.residual} if area.residual else {})
    balance = series_of(tables["balance"], ["line", "direction"], "volume_wh")
    # A line that is not there and one of zeros are the same energy.
    same(
        f"{what} balance",
        {line: wh for line, wh in balance.items() if any(wh)},
        {line: wh for line, wh in area.balance.items() if any(wh)},
    )
    assert bool(balance) == bool(area.balance), f"{what} balance"
    coverage = {
        tuple(row[name] or None for name in COVER): (
            row["points"],
            row["periods"],
            row["volume_wh"],
        )
        for row in tables["coverage"]
        if row["points"]
    }
    same(f"{what} coverage", coverage, {key: of for key, of in area.coverage.items() if of[0]})
    compare_individual(what, tables["individual"], area)


def compare_individual(what: str, rows: list[dict], area: oracle_area.Area) -> None:
    """The points that are exchanged one by one add up to the series of their parties."""
    sums: dict[tuple, list[int]] = {}
    for row in rows:
        party = (row["grid_area"], row["brp"], row["supplier"], row["group"])
        for t, (wh, origin) in enumerate(zip(row["volume_wh"], row["origin"], strict=True)):
            assert (wh is None) == (origin is None), f"{what} individual: volume and origin"
            key = (*party, None, None, row["direction"], origin)
            if wh is not None:
                sums.setdefault(key, [0] * area.n)[t] += wh
    alone = {key: wh for key, wh in area.series.items() if key[3] not in ("SMA", "PRF") and any(wh)}
    same(f"{what} individual", {key: wh for key, wh in sums.items() if any(wh)}, alone)


def compare(world: areas.World, folder: Path, rows: int, threads: int, seed: int) -> None:
    world = world.but(parameters=real_parameters(world))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(day_rows, "ROW_GROUP", rows)
        patch.setattr(day_rows, "STRETCHES", 1 + seed % 5)
        patch.setattr(day_rows, "BLOCKS", 1)
        home = kept_home(folder, world, random.Random(seed))
        made = allocate(home, world.days, known_at=world.known_at, threads=threads)
    book = world.book()
    states = {(run.market_day, run.grid_area): run for run in made}
    for day in world.days:
        names = ("findings", "allocation", "balance", "residual", "fractions", "coverage")
        names += ("individual",)
        # Of a day of which every area was refused there is nothing but findings.
        some = any(run.state != "refused" for (of, _), run in states.items() if of == day)
        day_tables = {
            name: result(home, name, [day]).to_pylist() if some or name == "findings" else []
            for name in names
        }
        for grid_area in sorted(book.areas(day)):
            expected = book.allocate_area(day, grid_area)
            what = f"{day} {grid_area}"
            assert (day, grid_area) in states, f"{what}: no run"
            run = states[day, grid_area]
            tables = {
                name: [row for row in table if row["grid_area"] == grid_area]
                for name, table in day_tables.items()
            }
            if isinstance(expected, oracle_area.Refusal):
                assert run.state == "refused", f"{what}: {run.state}; expected {expected}"
                compare_refused(what, tables, expected)
            else:
                assert run.state == "complete", f"{what}: {run.state}: {run.reason}"
                by_profile = {
                    row["accounting_point"]
                    for row in book.rows_of(day, grid_area)
                    if book.group(row, day) in ("PRF", "DIM")
                }
                compare_area(what, tables, expected, by_profile)


# No shrinking: a world comes of its seed, so a smaller seed is no simpler world.
@settings(
    max_examples=40,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@given(
    world=areas.worlds(),
    rows=st.sampled_from([1, 7, 16_384]),
    threads=st.integers(1, 3),
    seed=st.integers(0, 1000),
)
def test_every_random_area_gives_what_the_oracle_says(world, rows, threads, seed, tmp_path_factory):
    compare(world, tmp_path_factory.mktemp("areas"), rows, threads, seed)
