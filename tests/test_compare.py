"""The comparison of three ways: by hand, by conservation, and against what a home gives."""

from __future__ import annotations

import csv
import json
import re
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from typer.testing import CliRunner

import kwartier
from kwartier import codes, runs
from kwartier.apps import compare_files, compare_page
from kwartier.apps.cli import app
from kwartier.simulation import Mix, simulate
from kwartier.simulation.mix import owned
from kwartier.simulation.points import SUPPLIER_SHARE, SUPPLIERS, make_points
from kwartier.simulation.prices import imbalance_prices
from kwartier.studies import comparing, fairness, scene, sources, ways
from kwartier.studies.fairness import Prices, Verdict

DAYS = (date(2026, 4, 18), date(2026, 4, 19))
SMALL = comparing.Market(points=400)


@pytest.fixture(scope="module")
def market() -> scene.Scene:
    """Give a small market of two days after each other."""
    return scene.simulated(400, DAYS, 1, Mix(), unread=0.02, sample=0.3)


@pytest.fixture(scope="module")
def compared() -> comparing.Comparison:
    """Give a comparison on a small market, drawn three times."""
    some = [
        replace(one, shares=(0.1, one.shares[-1]))
        for one in comparing.SWEEPS
        if one.name in ("cars", "refused")
    ]
    return comparing.compare(SMALL, resamples=3, sweeps=some, workers=1)


# --- what errors cost, by hand --------------------------------------------------------------------

# Two rows of BRP a in two areas, one of BRP b; offtake and infeed in four quarters of two days.
NAMES = ["a", "a", "b"]
TRUE = np.array(
    [
        [[100, 100, 100, 100], [0, 0, 0, 0]],
        [[50, 50, 50, 50], [20, 0, 0, 0]],
        [[200, 200, 200, 200], [0, 0, 0, 0]],
    ]
)
# Area 1: 10 Wh more is b's in the first quarter, a's in the second, and 30 Wh a's in the third.
MADE = np.array(
    [
        [[90, 110, 130, 100], [0, 0, 0, 0]],
        [[50, 50, 50, 50], [20, 0, 0, 0]],
        [[210, 190, 170, 200], [0, 0, 0, 0]],
    ]
)
DAY_OF = np.array([1, 1, 2, 2])
# Cents per MWh: one price, two prices, a price below 0, and a shortage that costs less.
PRICES = Prices(np.array([10_000, 5_000, -4_000, 9]), np.array([10_000, 8_000, -4_000, 7]))


def test_a_known_market_is_judged_as_reckoned_by_hand() -> None:
    measured = np.array([[300, 0], [200, 20], [0, 0]])
    a, b = fairness.judge(NAMES, MADE, measured, TRUE, DAY_OF, PRICES).values()
    # a: +10 at 100.00 is credited; -10 at 80.00 is charged; -30 at -40.00 is credited.
    assert a == Verdict(620, 50, 30, 30, 100, 80_000, 100_000 + 120_000)
    # b: -10 at 100.00 charged; +10 at 50.00 credited; +30 at -40.00 charged.
    assert b == Verdict(800, 50, 30, 30, 800, 100_000 + 120_000, 50_000)
    both = fairness.together([a, b])
    assert both.charged - both.credited == 30_000  # what the TSO keeps of the two prices
    assert fairness.euros(b.charged) == Decimal("0.00220000")
    assert fairness.measures(both) == {
        "error": Fraction(100 * 100, 1420),
        "paid": Fraction(300_000, 1420 * 100),
        "corrected": Fraction(100 * 60, 1420),
    }


def test_an_allocation_that_is_true_costs_nobody_anything() -> None:
    measured = TRUE.sum(axis=2)
    for verdict in fairness.judge(NAMES, TRUE, measured, TRUE, DAY_OF, PRICES).values():
        assert verdict == Verdict(verdict.energy_wh)
    assert set(fairness.measures(Verdict()).values()) == {0}


def test_moving_energy_between_parties_costs_the_one_what_the_other_gets_at_one_price() -> None:
    price = np.array([9_317, -512, 0, 203_774])
    error = np.array([[7, -3, 5, -11], [-7, 3, -5, 11]])
    made = fairness.cost(error, Prices(price, price))
    assert sum(made.charged) == sum(made.credited) > 0


def test_sums_of_money_pass_64_bits() -> None:
    huge = np.full((1, 4), -(10**14))
    made = fairness.cost(huge, Prices(*(np.full(4, 10**8),) * 2))
    assert made.charged == [4 * 10**22]


def test_the_interval_is_laid_around_the_result() -> None:
    assert fairness.interval(10.0, [20.0] * 5) == (10.0, 10.0)
    low, high = fairness.interval(10.0, [float(n) for n in range(101)], part=0.5)
    assert (low, high) == (5.0, 15.0)
    assert fairness.interval(0.0, [0.0, 0.0]) == (0.0, 0.0)


# --- the three ways -------------------------------------------------------------------------------


def test_every_way_allocates_the_same_energy_of_the_area_to_the_wh(market: scene.Scene) -> None:
    made = [ways.allocate(market, way).volume for way in ways.WAYS]
    areas = np.array([party.grid_area for party in ways.parties_of(market)])
    for area in market.areas:
        of_area = [volume[areas == area].sum(axis=0) for volume in made]
        nets = [volume[0] - volume[1] for volume in of_area]
        assert np.array_equal(nets[0], nets[1])
        assert np.array_equal(nets[0], nets[2])


def test_nothing_is_measured_by_profile_and_only_the_sample_in_the_interim(
    market: scene.Scene,
) -> None:
    shares = [ways.allocate(market, way).measured.sum() for way in ways.WAYS]
    assert shares[0] == 0 < shares[1] < shares[2] < ways.truth(market).sum()


def _readable(seen: scene.Scene) -> scene.Scene:
    """Let every meter be read, of every connection."""
    register = seen.register
    n = register.num_rows
    for name, value in (
        ("remote_reading", pa.scalar(True)),
        ("remotely_readable", pa.scalar(True)),
        ("technically_readable", pa.scalar("true")),
        ("market_segment", pa.scalar(codes.SMALL)),
    ):
        at = register.column_names.index(name)
        register = register.set_column(at, name, pa.repeat(value, n))
    read = {day: np.ones_like(come) for day, come in seen.read.items()}
    return replace(seen, register=register, read=read)


def test_with_every_meter_read_nobody_is_off(market: scene.Scene) -> None:
    seen = _readable(market)
    assert np.array_equal(ways.allocate(seen, ways.SMART_METERS).volume, ways.truth(seen))


def test_with_one_meter_unread_only_its_party_is_off(market: scene.Scene) -> None:
    seen = _readable(market)
    on = DAYS[-1]
    seen.read[on][7] = False
    error = ways.allocate(seen, ways.SMART_METERS).volume - ways.truth(seen)
    (row,) = np.flatnonzero(error.any(axis=(1, 2)))
    names = seen.register["accounting_point"].to_numpy()
    mine = seen.register.filter(pa.array(names == seen.number[7])).to_pylist()[-1]
    party = ways.parties_of(seen)[int(row)]
    assert party == ways.Party(*(mine[name] for name in ways.Party._fields))
    assert not error[row, :, :96].any()


def test_a_day_unread_between_two_that_were_read_is_off_within_the_day_only() -> None:
    days = [date(2026, 4, 17) + timedelta(days=n) for n in range(3)]
    seen = _readable(scene.simulated(400, days, 1, Mix(), unread=0.0, sample=0.3))
    seen.read[days[1]][7] = False
    error = ways.allocate(seen, ways.SMART_METERS).volume - ways.truth(seen)
    assert error[:, :, 96:192].any()
    assert not error[:, :, :96].any()
    assert not error[:, :, 192:].any()
    # The register was read at both its midnights: the estimate adds up to their difference.
    assert not error.sum(axis=2).any()


def test_a_home_gives_the_same_as_the_study(tmp_path: Path) -> None:
    seen = scene.simulated(400, DAYS, 3, Mix(), unread=0.0, sample=0.3)
    area = simulate(400, DAYS, 3, 0.0, mix=Mix())
    known = datetime(2026, 4, 21, tzinfo=UTC)
    home = kwartier.Home(tmp_path / "home", create=True)
    runs.take_register(home, [area.register], recorded_at=known)
    runs.take_couplings(home, [area.couplings], recorded_at=known)
    runs.take_fractions(home, [area.fractions], recorded_at=known)
    for day in DAYS:
        runs.ingest(home, [area.readings(day)], recorded_at=known)
        runs.ingest_volumes(home, [area.volumes(day)], recorded_at=known)
    runs.allocate(home, DAYS, known_at=known + timedelta(days=1))
    parties = ways.parties_of(seen)
    ours = ways.allocate(seen, ways.SMART_METERS).volume
    theirs = np.zeros_like(ours)
    for row in runs.result(home, "allocation", DAYS).to_pylist():
        if row["group"] in (codes.SMART_METER, codes.PROFILE):
            party = ways.Party(row["grid_area"], row["brp"], row["supplier"])
            at = DAYS.index(row["market_day"]) * 96 + row["position"] - 1
            way = codes.DIRECTIONS.index(row["direction"])
            theirs[parties.index(party), way, at] += row["volume_wh"]
    assert np.array_equal(ours, theirs)


def test_households_are_drawn_by_seed_each_supplier_among_its_own(market: scene.Scene) -> None:
    one, again, other = (scene.drawn_again(market, 1, turn) for turn in (0, 0, 1))
    assert one.register.equals(again.register)
    assert all(np.array_equal(one.volume[day], again.volume[day]) for day in DAYS)
    assert not all(np.array_equal(one.volume[day], other.volume[day]) for day in DAYS)

    def sizes(seen: scene.Scene) -> list[tuple[str, str, int]]:
        small = seen.register.filter(pa.array(np.isin(_numbers(seen), seen.number)))
        first = small.group_by("accounting_point", use_threads=False).aggregate(
            [("grid_area", "first"), ("supplier", "first")]
        )
        of = first.group_by(["grid_area_first", "supplier_first"]).aggregate([([], "count_all")])
        return sorted(tuple(row.values()) for row in of.to_pylist())

    assert sizes(one) == sizes(market)
    # What is drawn closes too.
    ways.allocate(one, ways.SAMPLE)


def _numbers(seen: scene.Scene) -> np.ndarray:
    return np.asarray(seen.register["accounting_point"].to_numpy())


# --- what customers have --------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["cars", "pumps", "dynamic", "panels"])
def test_a_larger_share_has_the_customers_of_the_smaller(name: str) -> None:
    def has(share: float) -> np.ndarray:
        points = make_points(4_000, 1, mix=Mix(**{name: share}))
        of = {"cars": points.car_wh, "pumps": points.pump_wh, "dynamic": points.dynamic}
        return np.asarray(of.get(name, points.panels) > 0)

    few, many = has(0.1), has(0.4)
    assert not (few & ~many).any()
    assert few.mean() == pytest.approx(0.1, abs=0.02)
    assert many.mean() == pytest.approx(0.4, abs=0.02)


def test_refusals_at_one_supplier_are_at_no_other() -> None:
    points = make_points(4_000, 1, mix=Mix(refused=0.05, refused_at=5))
    assert set(points.supplier[points.refused].tolist()) == {5}
    everyone = owned(points.supplier, SUPPLIER_SHARE, 1, Mix(refused=0.5, refused_at=5))
    assert set(everyone.refused[points.supplier == 5].tolist()) == {1.0}
    assert len(SUPPLIERS) == len(SUPPLIER_SHARE)


def test_the_register_knows_the_year_before() -> None:
    points = make_points(4_000, 1, mix=Mix())
    fed_in = points.annual_wh[points.panels][:, 2:].sum(axis=1)
    new = (fed_in == 0).sum() / len(fed_in)
    assert new == pytest.approx(0.2, abs=0.03)


def test_cars_charge_and_contracts_move_but_no_volume_passes_the_capacity() -> None:
    none = Mix(cars=0.0, pumps=0.0, dynamic=0.0)
    day = date(2026, 1, 14)
    takes = {}
    for name, mix in {
        "none": none,
        "cars": replace(none, cars=0.5),
        "pumps": replace(none, pumps=0.5),
        "dynamic": replace(none, dynamic=0.5),
    }.items():
        area = simulate(600, [day], 1, 0.0, mix=mix)
        takes[name] = area.true_volumes(day)[0]
    assert takes["cars"].sum() > 1.2 * takes["none"].sum()
    assert takes["pumps"].sum() > 1.5 * takes["none"].sum()
    evening = slice(68, 84)
    assert takes["dynamic"][:, evening].sum() < 0.95 * takes["none"][:, evening].sum()
    assert takes["dynamic"].sum() == pytest.approx(takes["none"].sum(), rel=0.02)


def test_the_stand_in_has_the_figures_of_the_year_it_stands_for() -> None:
    days = [date(2023, 1, 1) + timedelta(days=n) for n in range(364)]
    made = [np.stack(imbalance_prices(day, 1)) for day in days]
    surplus, shortage = np.concatenate(made, axis=1) / 100
    assert (surplus + shortage).mean() / 2 == pytest.approx(99, abs=15)
    assert (surplus != shortage).mean() == pytest.approx(0.075, abs=0.01)
    assert np.array_equal(made[5], np.stack(imbalance_prices(days[5], 1)))


# --- files ----------------------------------------------------------------------------------------


def test_a_day_is_its_own_or_the_nearest_of_the_same_kind() -> None:
    day = date(2026, 4, 19)  # a Sunday
    year = [date(2023, 1, 1) + timedelta(days=n) for n in range(365)]
    assert sources.alike(day, year, "a file") == date(2023, 4, 16)
    assert sources.alike(day, [*year, day], "a file") == day
    assert sources.alike(date(2013, 12, 31), year, "a file").weekday() == 1
    with pytest.raises(sources.StudyError, match="a whole Sunday within 10 days of 19 April"):
        sources.alike(day, [date(2023, 7, 2)], "a file")
    # A day of 92 quarters is like no other Sunday of its spring.
    with pytest.raises(sources.StudyError):
        sources.alike(date(2026, 3, 29), [date(2023, 4, 2), date(2023, 4, 9)], "a file")


HEAD = "start_utc,price_surplus_eur_mwh,price_shortage_eur_mwh\n"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a,b\n1,2\n", "expected a column period_start or start_utc"),
        ("start_utc,price_surplus_eur_mwh\n", "expected a column price_shortage_eur_mwh"),
        (HEAD + "2023-01-01T00:10Z,1,1\n", "row 1, column start_utc: expected the start of a"),
        (HEAD + "2023-01-01T00:15,1,1\n", "row 1, column start_utc"),
        (HEAD + "2023-01-01T00:15Z,1.005,1\n", "price_surplus_eur_mwh: expected EUR per MWh"),
        (HEAD + "2023-01-01T00:15Z,1,nan\n", "price_shortage_eur_mwh: expected EUR per MWh"),
        (HEAD + "2023-01-01T00:15Z,1,1\n2023-01-01T00:15Z,2,1\n", "row 2: expected each period"),
    ],
)
def test_prices_that_are_wrong_are_refused(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "prices.csv"
    path.write_text(text)
    with pytest.raises(sources.StudyError, match=words):
        sources.read_prices(path)


def test_only_whole_days_have_prices(tmp_path: Path) -> None:
    start = datetime(2022, 12, 31, 23, tzinfo=UTC)
    lines = [f"{(start + timedelta(minutes=15 * n)):%Y-%m-%dT%H:%MZ},{n}.5,-{n}" for n in range(97)]
    path = tmp_path / "prices.csv"
    path.write_text(HEAD + "\n".join(lines))
    ((day, prices),) = sources.read_prices(path).items()
    assert day == date(2023, 1, 1)
    assert (prices.surplus[2], prices.shortage[2]) == (250, -200)


# --- the whole ------------------------------------------------------------------------------------


def _sum(rows: list[dict[str, str]], column: str, **where: str) -> Decimal:
    return sum(
        (Decimal(row[column]) for row in rows if all(row[k] == v for k, v in where.items())),
        Decimal(0),
    )


def test_the_files_add_up_to_the_page(compared: comparing.Comparison, tmp_path: Path) -> None:
    files = compare_files.write(tmp_path, compare_files.rows_of(compared))
    rows = {file.stem: list(csv.DictReader(file.open(encoding="utf-8"))) for file in files}
    page = tmp_path / "report.html"
    compare_page.write(page, compared, files)
    text = page.read_text("utf-8")
    found = re.search(r'id="data">(.*?)</script>', text, re.DOTALL)
    assert found
    data = json.loads(found[1])
    for row in rows["totals"]:
        way = row["way"]
        energy = Decimal(row["energy_wh"])
        for column in ("energy_wh", "error_quarter_wh", "charged_eur", "credited_eur", "net_eur"):
            assert Decimal(row[column]) == _sum(rows["parties"], column, level="brp", way=way)
        assert energy == _sum(rows["parties"], "energy_wh", level="supplier", way=way)
        quarters = sum(abs(int(r[f"error_{way}_wh"])) for r in rows["quarters"])
        assert quarters == int(row["error_quarter_wh"])
        shown, charged = data["totals"][way], Decimal(row["charged_eur"])
        assert shown["error"][0] == pytest.approx(float(100 * quarters / energy))
        assert shown["paid"][0] == pytest.approx(
            float(Decimal(row["charged_eur"]) / energy * 10**6)
        )
        assert float(row["error_percent"]) == pytest.approx(shown["error"][0], abs=1e-4)
        assert len([r for r in rows["resamples"] if r["way"] == way]) == 3
        # The market itself is a point of every sweep that passes it.
        own = {"varied": "cars", "share": "0.1", "way": way}
        assert _sum(rows["sweeps"], "charged_eur", **own) == charged
        paid = 0
        for quarter in rows["quarters"]:
            wh = int(quarter[f"error_{way}_wh"])
            side = "surplus" if wh > 0 else "shortage"
            paid += max(0, -wh * int(quarter[f"price_{side}_cent_per_mwh"]))
        assert Decimal(paid).scaleb(-8) == charged
    assert compare_page.headline(compared).split(",")[0] in text
    assert "://" not in re.sub(r"<script>.*?</script>", "", text, flags=re.DOTALL)


def test_smart_meters_are_nearer_here_and_the_page_says_where_they_help_less(
    compared: comparing.Comparison,
) -> None:
    old, new = (compared.answer.total(way) for way in (ways.PROFILES, ways.SMART_METERS))
    assert new.quarter_wh < old.quarter_wh
    words = " ".join(compare_page.limits(compared))
    assert "Who is left on a profile" in words
    # The same page of a market where smart meters are no better says so.
    turned = replace(
        compared.answer,
        verdicts={
            level: dict.fromkeys(ways.WAYS, by_way[ways.PROFILES])
            for level, by_way in compared.answer.verdicts.items()
        },
    )
    words = " ".join(compare_page.limits(replace(compared, answer=turned)))
    assert "no nearer to the truth" in words
    assert "pays no less for others" in words


def test_the_same_seed_gives_the_same_in_any_number_of_processes(
    compared: comparing.Comparison,
) -> None:
    again = comparing.totals_of(SMALL, 2)
    assert again == compared.drawn[2]
    swept = comparing.totals_of(replace(SMALL, mix=replace(SMALL.mix, cars=0.4)), None)
    assert swept == compared.swept["cars"][0.4]


def _run(*words: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["compare", *words])
    return done.exit_code, done.output


def test_the_command_tells_what_is_wrong(tmp_path: Path) -> None:
    out = ("--out", str(tmp_path / "out"), "--resamples", "0", "--threads", "1")
    code, text = _run("--zonnedael", str(tmp_path), "--points", "500", *out)
    assert (code, "either --points or --zonnedael" in text) == (2, True)
    code, text = _run("--points", "10", *out)
    assert code == 2
    code, text = _run("--zonnedael", str(tmp_path), *out)
    assert (code, "no such file" in text) == (1, True)
    prices = tmp_path / "prices.csv"
    code, text = _run("--points", "300", "--prices", str(prices), *out)
    assert (code, str(prices) in text) == (1, True)
    prices.write_text(HEAD + "2023-01-01T00:15Z,1,1\n")
    code, text = _run("--points", "300", "--prices", str(prices), *out)
    assert (code, "give a file that holds the whole year" in text) == (1, True)
    prices.write_text("start_utc,E1A\n2023-01-01T00:00Z,x\n")
    code, text = _run("--points", "300", "--profiles", str(prices), *out)
    assert (code, "column E1A" in text) == (3, True)
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_the_real_households_are_compared(shared: Path, tmp_path: Path) -> None:
    data = shared / "data"
    out = tmp_path / "out"
    code, text = _run(
        *("--zonnedael", str(data / "zonnedael"), "--resamples", "4", "--json"),
        *("--profiles", str(data / "nedu_profiles" / "nedu_2015_15min_fractions.csv.gz")),
        "--prices",
        str(data / "tennet_settlement" / "tennet_settlement_prices_2023_15min.csv.gz"),
        *("--out", str(out), "--threads", "2"),
    )
    assert code == 0, text
    told = json.loads(text[text.index("{") : text.rindex("}") + 1])
    assert told["households"] == 75
    assert len(told["days"]) == 28
    off = {row["way"]: float(row["error_percent"]) for row in told["totals"]}
    assert off[ways.SMART_METERS] < off[ways.PROFILES] / 2
    assert sorted(path.name for path in out.iterdir()) == [
        *("parties.csv", "quarters.csv", "report.html", "resamples.csv", "sweeps.csv"),
        "totals.csv",
    ]
