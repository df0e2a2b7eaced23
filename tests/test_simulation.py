"""The simulated grid area is what it says: the same by seed, possible, and true to the data."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from kwartier import codes, parameters, periods
from kwartier.simulation import many, read_zonnedael, simulate
from kwartier.simulation.figures import day_shape, figures
from kwartier.simulation.grid import lighting_fractions
from kwartier.simulation.points import point_numbers
from kwartier.simulation.zonnedael import LOAD_FILE, SUN_FILE, Zonnedael, ZonnedaelError

DAYS = [date(2026, 3, 28), date(2026, 3, 29), date(2026, 3, 30), date(2026, 10, 25)]
SPRING, AUTUMN = DAYS[1], DAYS[3]
BALANCE_KEYS = ["grid_area", "line", "direction"]
KINDS = set(figures()["defects"]["weight"])


@pytest.fixture(scope="module")
def clean():
    return simulate(400, DAYS, seed=7, defect_share=0.0)


@pytest.fixture(scope="module")
def spoilt():
    return simulate(600, DAYS, seed=7, defect_share=0.03)


@pytest.fixture(scope="module")
def households(shared: Path) -> Zonnedael:
    return read_zonnedael(shared / "data" / "zonnedael")


def registers(table: pa.Table, count: int) -> dict[tuple[str, str], np.ndarray]:
    """Give the readings of each point and register in order of time."""
    table = table.sort_by(
        [("accounting_point", "ascending"), ("register", "ascending"), ("read_at", "ascending")]
    )
    values = table["reading_wh"].to_numpy().reshape(-1, count + 1)
    points = table["accounting_point"].to_pylist()[:: count + 1]
    obis = table["register"].to_pylist()[:: count + 1]
    return dict(zip(zip(points, obis, strict=True), values, strict=True))


def test_the_same_seed_gives_the_same_bytes():
    one, two, other = (simulate(300, DAYS, seed=s) for s in (3, 3, 4))
    assert one.register.equals(two.register)
    assert one.truth.equals(two.truth)
    assert one.defects.equals(two.defects)
    assert one.couplings.equals(two.couplings)
    assert all(one.readings(day).equals(two.readings(day)) for day in DAYS)
    assert all(one.volumes(day).equals(two.volumes(day)) for day in DAYS)
    assert not one.truth.equals(other.truth)


def test_a_day_is_the_same_whatever_is_asked_with_it(clean):
    alone = simulate(400, [SPRING], seed=7, defect_share=0.0)
    assert np.array_equal(alone.true_volumes(SPRING), clean.true_volumes(SPRING))
    assert alone.volumes(SPRING).equals(clean.volumes(SPRING))


def test_identifiers_have_check_digits_and_are_no_real_area(clean):
    for column, digits in (
        ("accounting_point", 18),
        ("grid_area", 18),
        ("brp", 13),
        ("supplier", 13),
    ):
        texts = clean.register[column].unique().to_pylist()
        assert all(len(text) == digits for text in texts)
        assert codes.check_digits_hold(np.array(texts, np.int64), digits).all()
    assert pc.all(pc.starts_with(clean.register["grid_area"], "871699")).as_py()
    assert codes.check_digits_hold(point_numbers(0, 50_000), 18).all()


def test_parties_of_the_area(clean):
    parties = clean.register.group_by(["grid_area", "supplier", "brp"]).aggregate([])
    assert len(parties["grid_area"].unique()) == 2
    assert len(parties["brp"].unique()) == 4
    assert len(parties["supplier"].unique()) == 7
    brps = parties.group_by("supplier").aggregate([("brp", "count_distinct")])
    assert sorted(brps["brp_count_distinct"].to_pylist()) == [1, 1, 1, 1, 1, 1, 2]


@pytest.mark.parametrize(("day", "count"), [(SPRING, 92), (AUTUMN, 100), (DAYS[0], 96)])
def test_a_delivery_holds_both_midnights(clean, day, count):
    table = clean.readings(day)
    moments = np.unique(table["read_at"].cast(pa.int64()).to_numpy())
    assert np.array_equal(moments[:-1], periods.starts(day))
    assert len(moments) == count + 1
    assert len(table) % (count + 1) == 0
    assert pc.max(clean.truth.filter(pc.field("market_day") == day)["position"]).as_py() == count


def test_registers_rise_and_run_on_over_midnight(clean):
    before, after = (registers(clean.readings(day), periods.count(day)) for day in DAYS[:2])
    for key, values in before.items():
        assert (np.diff(values) >= 0).all()
        assert values[-1] == after[key][0]


def test_totals_are_the_sum_of_their_tariffs(clean):
    shown = registers(clean.readings(DAYS[0]), 96)
    both = [p for p, obis in shown if obis == "1.8.0" and (p, "1.8.1") in shown]
    assert both
    for point in both:
        assert (shown[point, "1.8.0"] == shown[point, "1.8.1"] + shown[point, "1.8.2"]).all()


def test_truth_is_the_sum_of_the_register_differences(clean):
    """PURPOSE: what a faultless reading system would sum is the truth, to the Wh."""
    for day in DAYS:
        count = periods.count(day)
        unread = clean.register.filter(pc.field("technically_readable") != "true")
        delivered = registers(clean.readings(day), count)
        total = {"E17": np.zeros(count, np.int64), "E18": np.zeros(count, np.int64)}
        for (point, obis), values in delivered.items():
            if obis.endswith("0") or (point, obis[:-1] + "0") not in delivered:
                total["E17" if obis[0] == "1" else "E18"] += np.diff(values)
        volume = clean.true_volumes(day)
        names = [codes.ean(int(n)) for n in point_numbers(0, volume.shape[1])]
        dark = np.isin(names, unread["accounting_point"].to_pylist())
        refused = clean.register.filter(
            (pc.field("remote_reading") == "off")
            | ~pc.field("remotely_readable")
            | (pc.field("market_segment") == "GVB")
        )["accounting_point"].to_pylist()
        dark &= ~np.isin(names, refused)
        today = clean.truth.filter(pc.field("market_day") == day)
        for place, direction in enumerate(codes.DIRECTIONS):
            rows = today.filter(pc.field("direction") == direction)
            truth = np.zeros(count, np.int64)
            np.add.at(truth, rows["position"].to_numpy() - 1, rows["volume_wh"].to_numpy())
            assert np.array_equal(truth, total[direction] + volume[place, dark].sum(axis=0))


def test_volumes_stay_within_the_capacity(clean):
    tokens = clean.register.filter(
        pc.is_null(pc.field("valid_to")) & (pc.field("group") == codes.SMART_METER)
    )
    tokens = tokens.sort_by("accounting_point")["capacity"].to_pylist()
    limit = np.array([230 * p * a // 4 for p, a in map(codes.CAPACITIES.get, tokens)])
    for day in DAYS:
        volume = clean.true_volumes(day)
        assert volume.min() >= 0
        assert (volume <= limit[None, :, None]).all()


def test_every_kind_of_defect_is_there_and_none_without_share(clean, spoilt):
    assert set(spoilt.defects["kind"].to_pylist()) == KINDS
    assert len(clean.defects) == 0
    assert clean.readings(SPRING)["status"].null_count == len(clean.readings(SPRING))


def defect(spoilt, kind: str) -> tuple[dict, pa.Table]:
    row = spoilt.defects.filter(pc.field("kind") == kind).to_pylist()[0]
    table = spoilt.readings(row["market_day"])
    return row, table.filter(pc.field("accounting_point") == row["accounting_point"])


def test_a_rogue_spike_rises_and_falls(spoilt):
    row, table = defect(spoilt, "rogue_spike")
    obis = table["register"].to_pylist()[0]
    values = table.filter(pc.field("register") == obis).sort_by("read_at")["reading_wh"].to_numpy()
    spike = np.diff(values)[row["first_position"] - 1 : row["first_position"] + 1]
    assert spike[0] > 900_000
    assert spike[1] < -900_000


def test_a_new_meter_starts_low(spoilt):
    row, table = defect(spoilt, "meter_exchange")
    assert set(table["meter"].to_pylist()) == {"A", "B"}
    new = table.filter(pc.field("meter") == "B")["reading_wh"].to_numpy()
    assert new.min() >= 0
    old = table.filter((pc.field("meter") == "A") & (pc.field("register") == table["register"][0]))
    assert len(old) == row["first_position"] + 1


def test_a_register_rolls_over_to_zero(spoilt):
    row, table = defect(spoilt, "roll_over")
    table = table.filter(pc.field("register") == "1.8.0").sort_by("read_at")
    values = table["reading_wh"].to_numpy()
    assert values[row["first_position"]] == 0
    assert values[: row["first_position"]].min() > 9e8


def test_rows_are_doubled_contradicted_moved_and_strange(spoilt):
    _, twice = defect(spoilt, "duplicate_rows")
    keys = ["accounting_point", "register", "read_at"]
    count = twice.group_by([*keys, "reading_wh"]).aggregate([([], "count_all")])
    assert pc.max(count["count_all"]).as_py() == 2
    _, against = defect(spoilt, "conflicting_rows")
    values = against.group_by(keys).aggregate([("reading_wh", "count_distinct")])
    assert pc.max(values["reading_wh_count_distinct"]).as_py() == 2
    _, moved = defect(spoilt, "off_quarter")
    assert np.any(moved["read_at"].cast(pa.int64()).to_numpy() % periods.SECONDS == 400)
    known = set(spoilt.register["accounting_point"].to_pylist())
    row, strange = defect(spoilt, "unknown_point")
    assert len(strange) > 0
    assert row["accounting_point"] not in known
    _, flagged = defect(spoilt, "status_bits")
    assert pc.max(flagged["status"]).as_py() in (1, 2, 4)


def test_gaps_and_silence_leave_no_rows(spoilt):
    _, silent = defect(spoilt, "never_delivered")
    assert len(silent) == 0
    row, table = defect(spoilt, "gap")
    inside = range(row["first_position"], row["last_position"] + 1)
    begin = periods.day_start(row["market_day"])
    places = (table["read_at"].cast(pa.int64()).to_numpy() - begin) // periods.SECONDS
    assert not set(places.tolist()) & set(inside)


def test_files_hold_what_is_delivered(spoilt, tmp_path):
    files = spoilt.write(tmp_path)
    once = (files.register, files.couplings, files.fractions)
    assert [f.name for f in once] == ["register.csv", "couplings.csv", "fractions.csv"]
    names = ["accounting_point", "coupling", "grid_area", "other_grid_area"]
    types = pyarrow.csv.ConvertOptions(column_types=dict.fromkeys(names, pa.string()))
    daily = [
        (files.readings, spoilt.readings, "readings"),
        (files.volumes, spoilt.volumes, "volumes"),
    ]
    for paths, made, name in daily:
        assert [f.suffix for f in paths] == [".csv", ".csv", ".gz", ".csv"]
        for path, day in zip(paths, spoilt.days, strict=True):
            assert path.name.startswith(f"{name}-{day}")
            table = pyarrow.csv.read_csv(path, convert_options=types)
            assert table.column_names == made(day).column_names
            assert len(table) == len(made(day))
    tables = (spoilt.register, spoilt.couplings, spoilt.fractions)
    for path, table in zip(once, tables, strict=True):
        assert len(pyarrow.csv.read_csv(path, convert_options=types)) == len(table)
    assert "+01:00" in files.readings[1].read_text().splitlines()[1]
    parquet = spoilt.write(tmp_path / "parquet", form="parquet")
    for path, table in (
        (parquet.volumes[2], spoilt.volumes(spoilt.days[2])),
        (parquet.fractions, spoilt.fractions),
    ):
        assert pq.read_table(path).cast(table.schema).equals(table)


# ---- what makes the areas whole ------------------------------------------------------------------
def sums(table: pa.Table, keys: list[str]) -> dict[tuple[object, ...], np.ndarray]:
    """Give the volumes of each key in order of their positions."""
    place = "position" if "position" in table.column_names else "period_start"
    order = [(key, "ascending") for key in [*keys, place]]
    grouped = table.group_by([*keys, place]).aggregate([("volume_wh", "sum")]).sort_by(order)
    found: dict[tuple[object, ...], list[int]] = {}
    for row in grouped.to_pylist():
        found.setdefault(tuple(row[key] for key in keys), []).append(row["volume_wh_sum"])
    return {key: np.array(volume) for key, volume in found.items()}


@pytest.mark.parametrize("day", DAYS)
def test_an_area_closes_in_truth(clean, day):
    """PURPOSE: in every quarter as much comes into an area as goes out of it, losses included."""
    of = sums(clean.true_balance(day), ["grid_area", "direction"])
    assert len(of) == 4
    for area in clean.couplings["grid_area"].unique().to_pylist():
        assert len(of[area, "E17"]) == periods.count(day)
        assert np.array_equal(of[area, "E17"], of[area, "E18"])
    lines = {(line, way) for _, line, way in sums(clean.true_balance(day), BALANCE_KEYS)}
    offtake = {"SMA", "PRF", "TMT", "DIM", "NVL", "NKP"}
    assert {line for line, way in lines if way == "E17"} == offtake
    assert {line for line, way in lines if way == "E18"} == {"SMA", "PRF", "TMT", "NKP"}


@pytest.mark.parametrize("day", [DAYS[0], AUTUMN])
def test_what_is_delivered_leaves_the_profiled_offtake_and_a_little(clean, day):
    """PURPOSE: couplings are exact; only losses and repairs stand between residual and truth."""
    true = sums(clean.true_balance(day), BALANCE_KEYS)
    given = sums(clean.volumes(day), ["accounting_point", "direction"])
    zero = np.zeros(periods.count(day), np.int64)
    group = dict(
        zip(
            clean.register["accounting_point"].to_pylist(),
            zip(
                clean.register["grid_area"].to_pylist(),
                clean.register["group"].to_pylist(),
                strict=True,
            ),
            strict=True,
        )
    )
    for area in clean.couplings["grid_area"].unique().to_pylist():
        into = zero.copy()
        for row in clean.couplings.to_pylist():
            net = given[row["coupling"], "E18"] - given[row["coupling"], "E17"]
            assert (
                np.minimum(given[row["coupling"], "E18"], given[row["coupling"], "E17"]) == 0
            ).all()
            into += net * ((row["grid_area"] == area) * 1 - (row["other_grid_area"] == area) * 1)
        assert np.array_equal(into, true[area, "NKP", "E18"] - true[area, "NKP", "E17"])
        for way in codes.DIRECTIONS:
            told = sum(
                v for (p, d), v in given.items() if d == way and group.get(p) == (area, "TMT")
            )
            off = told - true[area, "TMT", way]
            assert off.sum() == 0  # a repair keeps what the register counted
        told = sum(v for (p, _), v in given.items() if group.get(p) == (area, "NVL"))
        off = (told - true[area, "NVL", "E17"]) / true[area, "NVL", "E17"]
        assert off.any()
        assert np.abs(off).max() < 0.25


def test_losses_are_what_dutch_grids_lose():
    year = [date(2026, month, day) for month in range(1, 13) for day in (6, 17)]
    area = simulate(400, year, seed=7, defect_share=0.0)
    lost = load = 0
    for day in year:
        for (_, line, way), volume in sums(area.true_balance(day), BALANCE_KEYS).items():
            lost += volume.sum() * (line == "NVL")
            load += volume.sum() * (way == "E17" and line not in ("NVL", "NKP"))
    assert 0.035 < lost / load < 0.055


def test_telemetry_says_how_it_was_made(clean):
    table = clean.volumes(SPRING)
    said = {
        tuple(r.values())
        for r in table.select(["origin", "validation_status", "method"]).to_pylist()
    }
    assert said == {("MSR", "VLD", None), ("CLC", "VLD", "CMR"), ("CLC", None, None)}
    keys = ["accounting_point", "direction", "period_start"]
    assert pc.max(table.group_by(keys).aggregate([([], "count_all")])["count_all"]).as_py() == 1
    assert pc.min(table["volume_wh"]).as_py() >= 0
    for point in clean.register.filter(pc.field("group") == "TMT").to_pylist():
        ways = {d for p, d in sums(table, keys[:2]) if p == point["accounting_point"]}
        assert ways == ({"E17", "E18"} if point["consumption_type"] == "AMI" else {"E17"})


def test_areas_have_their_points(clean):
    others = clean.register.filter(pc.field("group") != codes.SMART_METER)
    count = others.group_by(["grid_area", "group"]).aggregate([([], "count_all")])
    of = {(r["grid_area"], r["group"]): r["count_all"] for r in count.to_pylist()}
    areas = sorted({area for area, _ in of})
    assert [of[area, "TMT"] for area in areas] == [3, 2]
    assert all(of[area, "NVL"] == 1 and of[area, "DIM"] >= 1 for area in areas)
    numbers = [*clean.register["accounting_point"].unique().to_pylist()]
    numbers += clean.couplings["coupling"].to_pylist()
    assert len(set(numbers)) == len(numbers)
    assert codes.check_digits_hold(np.array(numbers, np.int64), 18).all()


def test_street_lighting_burns_from_dusk_to_dawn():
    days = periods.between(date(2026, 1, 1), date(2026, 12, 31))
    assert sum(int(lighting_fractions(day).sum()) for day in days) == 10**8
    for day, first, last in ((date(2026, 6, 21), 5, 22.25), (date(2026, 12, 21), 8.5, 16.75)):
        dark = np.flatnonzero(lighting_fractions(day) == 0)
        assert dark[0] / 4 == pytest.approx(first, abs=0.5)
        assert dark[-1] / 4 == pytest.approx(last, abs=0.5)
    assert len(lighting_fractions(SPRING)) == 92


def test_fractions_have_eight_decimals(clean, tmp_path):
    lines = clean.write(tmp_path).fractions.read_text().splitlines()
    assert lines[0] == '"profile","period_start","fraction"'
    assert all(re.fullmatch(r"0\.\d{8}", line.split('"')[-2]) for line in lines[1:])
    assert len(lines) == 1 + sum(periods.count(day) for day in DAYS)


@pytest.mark.parametrize("share", [0.0, 0.35, 0.6])
def test_more_readable_meters_hold_the_fewer(clean, share):
    """PURPOSE: what was true stays as it is; only who is read, and so the group, changes."""
    fewer = simulate(400, DAYS, seed=7, defect_share=0.0, readable=share)
    read, all_read = (
        set(area.readings(SPRING)["accounting_point"].to_pylist()) for area in (fewer, clean)
    )
    assert read <= set(
        simulate(400, DAYS, seed=7, defect_share=0.0, readable=share + 0.2)
        .readings(SPRING)["accounting_point"]
        .to_pylist()
    )
    assert read <= all_read
    assert len(read) == pytest.approx(share * len(all_read), abs=0.08 * len(all_read))
    assert np.array_equal(fewer.true_volumes(SPRING), clean.true_volumes(SPRING))
    assert fewer.volumes(SPRING).equals(clean.volumes(SPRING))
    whole = ["market_day", "grid_area", "brp", "supplier", "direction"]
    before, after = (sums(area.truth_of_group, whole) for area in (fewer, clean))
    assert before.keys() == after.keys()
    assert all(np.array_equal(before[key], after[key]) for key in before)


def test_truth_of_groups_is_by_the_register(clean):
    smart = clean.truth_of_group.filter(pc.field("group") == "SMA").drop_columns("group")
    assert smart.equals(clean.truth)
    lines = sums(clean.true_balance(SPRING), BALANCE_KEYS)
    today = clean.truth_of_group.filter(pc.field("market_day") == SPRING)
    for key, volume in sums(today, ["grid_area", "group", "direction"]).items():
        assert np.array_equal(volume, lines[key])


@pytest.mark.parametrize("direction", ["offtake", "infeed"])
def test_the_shape_of_a_year_sums_to_one(direction):
    days = periods.between(date(2026, 1, 1), date(2026, 12, 31))
    assert sum(day_shape(day, direction).sum() for day in days) == pytest.approx(1.0, abs=2e-3)


def test_shares_of_the_months_are_whole():
    for direction in ("offtake", "infeed"):
        profile = parameters.standard_profile()[direction]
        assert sum(profile["month_share_per_10000"]) == 10_000


@pytest.mark.parametrize("share", [0.0, 0.1])
def test_points_of_a_country_are_the_same_in_any_part_of_it(share):
    place = np.arange(3_000)
    whole = many.day_rows(place, AUTUMN, 1, share)
    parts = [many.day_rows(some, AUTUMN, 1, share) for some in np.split(place, [7, 1_000])]
    for name in many.Day._fields:
        together = np.concatenate([getattr(part, name) for part in parts])
        assert np.array_equal(getattr(whole, name), together)
    assert whole.reading.shape == (6_000, 101)
    assert (np.diff(whole.number) >= 0).all()
    assert np.array_equal((whole.reading == many.UNREAD).any(axis=1), whole.holed)
    assert whole.holed.any() == (share > 0)
    register = pa.concat_tables([many.register_rows(some, 1) for some in np.split(place, [999])])
    assert register.equals(many.register_rows(place, 1))
    assert np.array_equal(register["accounting_point"].to_numpy(), whole.number[::2])


def test_areas_of_a_country_lie_through_each_other_and_hold_every_point_once():
    areas = many.places(20_000, 1)
    assert np.array_equal(np.sort(np.concatenate(areas)), np.arange(20_000))
    assert all(len(area) for area in areas)
    register = many.register_rows(np.arange(20_000), 1)
    named = register["grid_area"].to_numpy(zero_copy_only=False)
    for ean, area in zip(many.GRID_AREAS, areas, strict=True):
        assert set(named[area]) == {codes.ean(ean)}
    assert len(areas[0]) > 50 * len(areas[-1])
    assert len(pc.unique(register["brp"])) == 50


def test_figures_are_those_of_the_data(shared: Path):
    table = pyarrow.csv.read_csv(shared / "data" / "zonnedael" / LOAD_FILE)
    wh = np.stack([c.cast(pa.float64()).to_numpy() for c in table.columns[1:]], axis=1)
    year = wh[:, ~np.isnan(wh).any(axis=0)].sum(axis=0)
    use = figures()["annual_load"]
    assert np.median(year) == pytest.approx(use["median_wh"], rel=0.01)
    assert np.log(year).std() == pytest.approx(use["log_sd"], abs=0.01)
    mean = np.nanmean(wh, axis=1).reshape(365, 96).sum(axis=1)
    months = np.array([(date(2013, 1, 1).toordinal() + i) for i in range(365)])
    months = np.array([date.fromordinal(int(m)).month for m in months])
    share = np.array([mean[months == m].sum() for m in range(1, 13)]) / mean.sum() * 10_000
    profile = parameters.standard_profile()
    assert np.allclose(profile["offtake"]["month_share_per_10000"], share, atol=12)
    sun = pyarrow.csv.read_csv(shared / "data" / "zonnedael" / SUN_FILE)[1].to_numpy()
    sun = sun.reshape(365, 96).sum(axis=1)
    share = np.array([sun[months == m].sum() for m in range(1, 13)]) / sun.sum() * 10_000
    assert np.allclose(profile["infeed"]["month_share_per_10000"], share, atol=12)


def test_simulated_households_spread_as_the_measured_ones():
    area = simulate(2_000, [date(2026, 1, 13)], seed=5, defect_share=0.0)
    small = area.register.filter(pc.field("group") == codes.SMART_METER)
    small = small.sort_by("accounting_point")
    keep = pc.and_(
        pc.equal(small["consumption_type"], "AZI"),
        pc.and_(
            pc.equal(pc.utf8_slice_codeunits(small["profile_category"], 0, 2), "E1"),
            pc.equal(small["physical_status"], "in_service"),
        ),
    ).to_numpy(zero_copy_only=False)
    use = area.true_volumes(date(2026, 1, 13))[0, keep].astype(float)
    ratio = use / use.mean(axis=1, keepdims=True)
    ratio /= ratio.mean(axis=0)
    assert np.median(ratio) == pytest.approx(0.72, abs=0.1)
    assert np.quantile(ratio, 0.99) == pytest.approx(5.96, rel=0.25)
    memory = np.mean([np.corrcoef(r[:-1], r[1:])[0, 1] for r in ratio])
    assert memory == pytest.approx(0.6, abs=0.15)


def test_a_folder_without_the_files_is_refused(tmp_path):
    with pytest.raises(ZonnedaelError, match="no such file"):
        read_zonnedael(tmp_path)


def test_the_households_registers_sum_to_the_source(households: Zonnedael, shared: Path):
    """PURPOSE: without panels, a register gains what the source says, to half a Wh."""
    table = pyarrow.csv.read_csv(shared / "data" / "zonnedael" / LOAD_FILE)
    plain = [i for i in range(75) if i % 3 or i >= 72]
    names = households.register["accounting_point"].to_pylist()
    day = date(2013, 6, 15)
    row = (day - date(2013, 1, 1)).days * 96
    readings = households.readings(day)
    for i in plain:
        own = readings.filter(pc.field("accounting_point") == names[i])
        if not len(own):
            continue
        volume = np.diff(own["reading_wh"].to_numpy())
        source = table.columns[i + 1].cast(pa.float64()).to_numpy()[row : row + 96]
        assert np.abs(np.cumsum(volume) - np.cumsum(source)).max() <= 1.0


def test_the_households_clock_and_holes(households: Zonnedael):
    missing = households.source_sums.filter(pc.field("missing"))
    autumn = missing.filter(pc.field("market_day") == date(2013, 10, 27))
    assert set(autumn["position"].to_pylist()) == {13, 14, 15, 16}
    spring = households.source_sums.filter(pc.field("market_day") == date(2013, 3, 31))
    assert pc.max(spring["position"]).as_py() == 92
    assert households.holes["missing_periods"].to_pylist() == [1_252, 3_364, 12_250, 12_250]
    falls = missing.filter(pc.field("market_day") == date(2013, 9, 14))
    assert set(falls["position"].to_pylist()) >= {61, 62}
    assert pc.all(households.register["consent"]).as_py()


def test_the_households_sums_are_their_registers(households: Zonnedael):
    day = date(2013, 7, 1)
    table = households.readings(day)
    for direction, obis in (("E17", "1.8.0"), ("E18", "2.8.0")):
        rows = table.filter(pc.field("register") == obis)
        volume = sum(np.diff(v) for v in registers(rows, 96).values())
        sums = households.source_sums.filter(
            (pc.field("market_day") == day) & (pc.field("direction") == direction)
        )
        source = np.zeros(96, np.int64)
        np.add.at(source, sums["position"].to_numpy() - 1, sums["volume_wh"].to_numpy())
        assert np.array_equal(source, volume)
