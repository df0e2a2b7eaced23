"""PURPOSE: the rules of imbalance settlement: prices, amounts, programmes, differences."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kwartier import codes, parameters, periods, tables
from kwartier.arrays import Int64s
from kwartier.steps import prices, programmes, settlement
from kwartier.steps.programmes import Position
from tests.market import AUTUMN, BRP, DAY, OTHER_BRP, SPRING

HELD = parameters.load(DAY)
TSO = HELD.tso
THIRD = str(codes.with_check_digit(871687800009))
EUR = 10**5  # a price counts 1e-5 EUR/MWh
EXACT = 10**11  # an amount counts 1e-11 EUR
UP, DOWN, MID = 120 * EUR, -15 * EUR, 30 * EUR
MWH = 1_000_000
MADE = settlement.Made(1, settlement.FINAL, "one", 0)


def ruled(state: int, up: int | None = UP, down: int | None = DOWN, mid: int | None = MID) -> Any:
    return prices.of_state(state, {"up": up, "down": down, "mid": mid}, HELD)


# ---- the prices of a state, and the oracles of domain §9 ----------------------------------------
@pytest.mark.parametrize(
    ("state", "mwh", "eur"),
    [
        (1, 10, 1200),
        (1, -10, -1200),
        (-1, -10, 150),
        (-1, 10, -150),
        (2, 10, -150),
        (2, -10, -1200),
        (0, 10, 300),
        (0, -10, -300),
    ],
)
def test_the_cash_of_each_state(state: int, mwh: int, eur: int) -> None:
    long, short = ruled(state)
    assert settlement.cash(mwh * MWH, long, short) == eur * EXACT


@pytest.mark.parametrize(
    ("up", "down", "expected"), [(25, 35, (30, 30)), (120, 35, (30, 120)), (120, -15, (-15, 120))]
)
def test_in_state_2_long_is_the_lower_and_short_the_higher(
    up: int, down: int, expected: tuple[int, int]
) -> None:
    assert ruled(2, up * EUR, down * EUR) == tuple(price * EUR for price in expected)


@pytest.mark.parametrize(
    ("state", "absent", "expected"),
    [
        (0, "mid", (None, None)),
        (0, "up", (MID, MID)),
        (1, "up", (None, None)),
        (1, "mid", (UP, UP)),
        (-1, "down", (None, None)),
        (2, "mid", (None, None)),
        (2, "up", (DOWN, None)),
        (2, "down", (None, UP)),
        (3, "", (None, None)),
    ],
)
def test_a_component_that_the_state_needs_may_not_be_missing(
    state: int, absent: str, expected: tuple[int | None, int | None]
) -> None:
    assert ruled(state, **({absent: None} if absent else {})) == expected


def test_the_price_rule_is_dated() -> None:
    own = parameters.parse(
        "price_rule:\n  values:\n    2026-02-01: {0: [mid, mid], 1: [up, up], -1: [down, down],"
        " 2: [down, up]}\n",
        "own",
    )
    components = {"up": 25, "down": 35, "mid": 30}
    last, first = (parameters.load(date(2026, *day), own) for day in ((1, 31), (2, 1)))
    assert prices.of_state(2, components, last) == (30, 30)
    assert prices.of_state(2, components, first) == (35, 25)


@pytest.mark.parametrize(
    "value", ["{0: [mid]}", "{0: [mid, high]}", "{0: [min, mid]}", "{x: [mid, mid]}", "[mid]"]
)
def test_a_price_rule_that_cannot_be_read_is_refused(value: str) -> None:
    with pytest.raises(parameters.ParameterError, match="price_rule"):
        parameters.load(DAY, {"price_rule": {"values": {date(1900, 1, 1): _yaml(value)}}})


def _yaml(text: str) -> Any:
    import yaml

    return yaml.safe_load(text)


# ---- prices of a day ----------------------------------------------------------------------------
def price_rows(*rows: Mapping[str, Any], day: date = DAY) -> pa.Table:
    """Give rows of prices by position, recorded at an hour."""
    made = []
    for row in rows:
        cells = dict.fromkeys(tables.PRICES.names)
        at = periods.day_start(day) + 900 * (row["position"] - 1)
        cells["period_start"] = datetime.fromtimestamp(at, UTC)
        cells["recorded_at"] = datetime(2026, 2, 1, row.get("hour", 0), tzinfo=UTC)
        for name in ("up", "down", "mid", "long", "short"):
            if name in row:
                cells[f"price_{name}_eur_per_mwh"] = Decimal(str(row[name]))
        cells["regulation_state"] = row.get("state")
        made.append(cells)
    return pa.Table.from_pylist(made, schema=tables.PRICES.schema)


def test_settled_prices_go_before_those_of_the_state_and_a_difference_is_found() -> None:
    rows = price_rows(
        {"position": 1, "state": 1, "up": 120, "long": 119, "short": 120},
        {"position": 2, "state": 1, "up": 120},
        {"position": 3, "long": "0.00001", "short": -5},
    )
    found = prices.on(rows, DAY, HELD)
    assert found.long[:4] == (119 * EUR, 120 * EUR, 1, None)
    assert found.short[:4] == (120 * EUR, 120 * EUR, -5 * EUR, None)
    (row,) = found.findings.to_pylist()
    assert (row["rule"], row["first_period"], row["periods"]) == ("price_not_by_rule", 1, 1)
    assert (row["observed"], row["expected"]) == (119 * EUR, 120 * EUR)


def test_of_several_rows_of_a_period_the_last_recorded_counts_in_any_order() -> None:
    rows = [{"position": 1, "hour": h, "long": h, "short": h} for h in (3, 9, 5)]
    for order in ((0, 1, 2), (1, 2, 0), (2, 0, 1)):
        found = prices.on(price_rows(*(rows[k] for k in order)), DAY, HELD)
        assert found.long[0] == 9 * EUR


def test_prices_of_other_days_do_not_count() -> None:
    rows = price_rows(
        {"position": 0, "long": 1, "short": 1}, {"position": 97, "long": 2, "short": 2}
    )
    assert set(prices.on(rows, DAY, HELD).long) == {None}


def test_the_order_of_real_prices_is_never_assumed(shared: Path) -> None:
    path = shared / "data" / "tennet_settlement" / "tennet_settlement_prices_2023_15min.csv.gz"
    with gzip.open(path, "rt", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    two = below = 0
    for row in rows:
        short, long = (
            prices.counted(Decimal(row[name]))
            for name in ("price_shortage_eur_mwh", "price_surplus_eur_mwh")
        )
        two += short != long
        below += short < long
        # What a surplus is paid is the long price also where it lies above the short one.
        assert settlement.cash(MWH, long, short) == long * MWH
        assert settlement.cash(-MWH, long, short) == -short * MWH
    assert (len(rows), two, below) == (35_040, 2_635, 3)


# ---- amounts ------------------------------------------------------------------------------------
def flat(value: int, n: int = 96) -> Int64s:
    return np.full(n, value, np.int64)


def position(value: int, n: int = 96) -> Position:
    return Position(flat(value, n), np.ones(n, bool))


def parts(volumes: Mapping[str, int], day: date = DAY) -> pa.Table:
    """Give an allocation: of each party infeed less offtake [Wh], the same every period."""
    n = periods.count(day)
    rows = [
        {"brp": brp, "position": at, "direction": direction, "volume_wh": size}
        for brp, wh in volumes.items()
        for direction, size in (("E18", max(wh, 0) + 70), ("E17", max(-wh, 0) + 70))
        for at in range(1, n + 1)
    ]
    return pa.Table.from_pylist(rows)


@pytest.mark.parametrize("day", [DAY, SPRING, AUTUMN])
def test_imbalance_is_allocated_less_planned_over_all_areas(day: date) -> None:
    n = periods.count(day)
    net = settlement.net_volumes([parts({BRP: -500}, day), parts({BRP: 200, THIRD: 40}, day)], day)
    assert {brp: set(v.tolist()) for brp, v in net.items()} == {BRP: {-300}, THIRD: {40}}
    price = [MID] * n
    lines = settlement.lines(net, {BRP: position(-250, n), THIRD: position(0, n)}, price, price)
    table = settlement.table(day, lines, TSO)
    assert table.schema == tables.IMBALANCE.schema
    assert len(table) == 3 * n
    rows = [row for row in table.to_pylist() if row["position"] == n]
    assert [(r["brp"], r["imbalance_wh"], r["amount_eur"]) for r in rows] == [
        (BRP, -50, Decimal("-0.00150000000")),
        (THIRD, 40, Decimal("0.00120000000")),
        (TSO, 10, Decimal("0.00030000000")),
    ]
    assert {row["status"] for row in table.to_pylist()} == {"settled"}


def test_a_missing_price_leaves_the_period_open_and_says_so() -> None:
    long: list[int | None] = [MID] * 96
    long[5] = None
    net = {BRP: flat(100), OTHER_BRP: flat(-40)}
    planned = {brp: position(0) for brp in net}
    table = settlement.table(DAY, settlement.lines(net, planned, long, [MID] * 96), TSO)
    open_ = [row for row in table.to_pylist() if row["status"] == "open"]
    assert [(r["brp"], r["position"], r["reason"], r["amount_eur"]) for r in open_] == [
        (OTHER_BRP, 6, "no_price", None),
        (BRP, 6, "no_price", None),
        (TSO, 6, "others_open", None),
    ]
    assert open_[1]["imbalance_wh"] == 100


def test_a_missing_programme_leaves_the_party_open_and_the_others_settled() -> None:
    net = {BRP: flat(100), OTHER_BRP: flat(-40)}
    planned = {BRP: position(0), OTHER_BRP: None}
    lines = settlement.lines(net, planned, [MID] * 96, [MID] * 96)
    table = settlement.table(DAY, lines, TSO).to_pylist()
    assert {(r["brp"], r["status"], r["reason"]) for r in table} == {
        (BRP, "settled", ""),
        (OTHER_BRP, "open", "no_programme"),
        (TSO, "open", "others_open"),
    }
    assert all(r["imbalance_wh"] is None for r in table if r["brp"] == OTHER_BRP)
    assert sum(r["amount_eur"] or 0 for r in table) == 0


def test_a_programme_without_any_energy_is_settled_against_none() -> None:
    lines = settlement.lines({}, {BRP: position(500)}, [MID] * 96, [MID] * 96)
    assert lines[0].imbalance == [-500] * 96
    assert lines[-1].amount[0] == 500 * MID


def test_what_nobody_bears_is_a_line_of_its_own_that_nobody_pays() -> None:
    net, planned = {BRP: flat(-60)}, {BRP: position(-50)}
    lines = settlement.lines(net, planned, [MID] * 96, [MID] * 96, flat(7))
    table = settlement.table(DAY, lines, TSO).to_pylist()
    rest = [row for row in table if row["brp"] == ""]
    assert {(r["allocated_wh"], r["imbalance_wh"], r["amount_eur"], r["status"]) for r in rest} == {
        (-7, -7, None, "settled")
    }
    charges = settlement.charge(DAY, lines, TSO, MADE, {}).to_pylist()
    assert [row["brp"] for row in charges] == [BRP, TSO]


areas = st.dictionaries(
    st.sampled_from([BRP, OTHER_BRP, THIRD]),
    st.lists(st.integers(-(10**10), 10**10), min_size=96, max_size=96),
    min_size=1,
)
price_lists = st.lists(st.none() | st.integers(-5_000 * EUR, 5_000 * EUR), min_size=96, max_size=96)


@given(net=areas, plans=areas, long=price_lists, short=price_lists, factor=st.integers(1, 5))
def test_every_period_and_what_is_charged_adds_up_to_nothing(
    net: dict[str, list[int]],
    plans: dict[str, list[int]],
    long: list[int | None],
    short: list[int | None],
    factor: int,
) -> None:
    allocated = {brp: np.array(volume, np.int64) for brp, volume in net.items()}
    planned: dict[str, Any] = {
        brp: Position(np.array(volume, np.int64), np.arange(96) % factor == 0)
        for brp, volume in plans.items()
    }
    lines = settlement.lines(allocated, planned, long, short)
    for at in range(96):
        paid = [line.amount[at] for line in lines if line.amount[at] is not None]
        assert sum(amount for amount in paid if amount is not None) == 0
        assert sum(line.imbalance[at] or 0 for line in lines) == 0
    charges = settlement.charge(DAY, lines, TSO, MADE, {})
    assert sum(charges["charged_eur"].to_pylist()) == 0


@given(
    net=st.lists(st.integers(-(10**9), 10**9), min_size=2, max_size=6),
    moved=st.lists(st.integers(-(10**9), 10**9), min_size=5, max_size=5),
    price=st.integers(-5_000 * EUR, 5_000 * EUR),
)
def test_moving_volume_between_parties_changes_the_absolute_imbalance_never_the_net(
    net: list[int], moved: list[int], price: int
) -> None:
    names = [str(k) for k in range(len(net))]
    after = list(net)
    for k, volume in enumerate(moved[: len(net) - 1]):
        after[k] -= volume
        after[k + 1] += volume
    both = []
    for volumes in (net, after):
        allocated = {name: flat(v) for name, v in zip(names, volumes, strict=True)}
        plans: dict[str, Any] = {name: position(0) for name in names}
        both.append(settlement.lines(allocated, plans, [price] * 96, [price] * 96))
    for lines in both:
        # The TSO stands at the other side of the net imbalance, and of the net amount.
        assert lines[-1].imbalance[0] == -sum(net)
        assert lines[-1].amount[0] == -sum(net) * price
    absolute = [sum(abs(line.imbalance[0] or 0) for line in lines[:-1]) for lines in both]
    assert absolute == [sum(map(abs, net)), sum(map(abs, after))]


# ---- what is charged ----------------------------------------------------------------------------
def lines_of(volume: int, price: int | None = MID) -> list[settlement.Line]:
    return settlement.lines({BRP: flat(volume)}, {BRP: position(0)}, [price] * 96, [price] * 96)


@pytest.mark.parametrize(
    ("amount", "cents"),
    [("0.005", "0.01"), ("-0.005", "-0.01"), ("0.00499999999", "0.00"), ("1.995", "2.00")],
)
def test_a_day_is_rounded_once_half_away_from_nothing(amount: str, cents: str) -> None:
    assert settlement.rounded(int(Decimal(amount) * EXACT)) == Decimal(cents)


def test_only_the_difference_is_charged_and_the_sum_is_settlement_afresh() -> None:
    before: dict[str, Decimal] = {}
    charged = []
    for number, volume in enumerate((1_234, -777, 50), 1):
        made = settlement.Made(number, settlement.DIFFERENCE, "one", 0)
        charges = settlement.charge(DAY, lines_of(volume), TSO, made, before)
        for row in charges.to_pylist():
            before[row["brp"]] = before.get(row["brp"], Decimal(0)) + row["charged_eur"]
        charged.append(charges["charged_eur"].to_pylist())
        afresh = settlement.charge(DAY, lines_of(volume), TSO, made, {})
        assert before == dict(
            zip(*(afresh[n].to_pylist() for n in ("brp", "total_eur")), strict=True)
        )
    # 1,234 Wh × 96 × 30 EUR/MWh = 3.55392 EUR, and so on.
    assert charged[0] == [Decimal("3.55"), Decimal("-3.55")]
    assert charged[1] == [Decimal("-5.79"), Decimal("5.79")]
    assert charged[2] == [Decimal("2.38"), Decimal("-2.38")]


def test_a_party_that_vanished_gets_back_what_it_was_charged() -> None:
    before = {BRP: Decimal("3.55"), THIRD: Decimal("-1.20"), TSO: Decimal("-2.35")}
    charges = settlement.charge(DAY, lines_of(1_234), TSO, MADE, before).to_pylist()
    assert [(r["brp"], r["charged_eur"], r["periods_settled"]) for r in charges] == [
        (BRP, Decimal("0.00"), 96),
        (THIRD, Decimal("1.20"), 0),
        (TSO, Decimal("-1.20"), 96),
    ]


def test_open_periods_are_counted_and_not_charged() -> None:
    price: list[int | None] = [MID] * 95 + [None]
    lines = settlement.lines({BRP: flat(-1_000)}, {BRP: position(0)}, price, price)
    row = settlement.charge(DAY, lines, TSO, MADE, {}).to_pylist()[0]
    assert (row["periods_settled"], row["periods_open"]) == (95, 1)
    assert (row["surplus_wh"], row["shortage_wh"]) == (0, 95_000)
    assert row["total_eur"] == Decimal("-2.85")


# ---- programmes ---------------------------------------------------------------------------------
def plan_rows(
    *told: tuple[str, str | None, int | Sequence[int | None], int, int], day: date = DAY
) -> pa.Table:
    """Give rows: party, counterparty, position of each period, version, hour of the record."""
    rows = []
    for brp, party, volume, version, hour in told:
        values = [volume] * periods.count(day) if isinstance(volume, int) else volume
        for start, value in zip(periods.starts(day).tolist(), values, strict=True):
            if value is not None:
                rows.append(
                    {
                        "brp": brp,
                        "period_start": datetime.fromtimestamp(start, UTC),
                        "counterparty": party,
                        "position_wh": value,
                        "version": version,
                        "recorded_at": datetime(2026, 1, 13, hour, tzinfo=UTC),
                    }
                )
    return pa.Table.from_pylist(rows, schema=tables.PROGRAMMES.schema)


def net_of(planned: programmes.Planned, brp: str) -> set[int]:
    return set(planned.positions[brp].net.tolist())


def test_the_highest_version_counts_whole_then_the_last_recorded() -> None:
    later = plan_rows((BRP, None, 7, 2, 8), (BRP, None, 5, 1, 9), (BRP, OTHER_BRP, 4, 1, 9))
    planned = programmes.plan(later, DAY)
    assert net_of(planned, BRP) == {7}
    assert planned.findings.num_rows == 0
    again = programmes.plan(plan_rows((BRP, None, 7, 2, 9), (BRP, None, 6, 2, 8)), DAY)
    assert net_of(again, BRP) == {7}


def test_where_no_net_position_is_stated_it_is_the_sum_of_the_trades() -> None:
    planned = programmes.plan(plan_rows((BRP, OTHER_BRP, 40, 1, 8), (BRP, THIRD, -15, 1, 8)), DAY)
    assert net_of(planned, BRP) == {25}


def test_both_sides_of_a_trade_that_say_otherwise_are_found() -> None:
    rows = plan_rows((BRP, OTHER_BRP, 40, 1, 8), (OTHER_BRP, BRP, -41, 1, 8))
    found = programmes.plan(rows, DAY).findings.to_pylist()
    assert [(r["rule"], r["brp"], r["observed"], r["expected"]) for r in found] == [
        ("trade_mismatch", OTHER_BRP, -41 * 96, -40 * 96),
        ("trade_mismatch", BRP, 40 * 96, 41 * 96),
    ]
    same = plan_rows((BRP, OTHER_BRP, 40, 1, 8), (OTHER_BRP, BRP, -40, 1, 8))
    assert programmes.plan(same, DAY).findings.num_rows == 0


def test_a_trade_that_only_one_side_states_is_found_unless_it_is_none() -> None:
    rows = plan_rows((BRP, OTHER_BRP, [0] * 95 + [3], 1, 8), (OTHER_BRP, None, 1, 1, 8))
    (row,) = programmes.plan(rows, DAY).findings.to_pylist()
    assert (row["rule"], row["brp"], row["counterparty"]) == ("trade_one_sided", BRP, OTHER_BRP)
    assert (row["first_period"], row["periods"], row["observed"]) == (96, 1, 3)


def test_a_net_position_that_is_not_the_sum_of_its_trades_is_found_and_counts() -> None:
    told = [(BRP, None, 41, 1, 8), (BRP, OTHER_BRP, 40, 1, 8), (OTHER_BRP, BRP, -40, 1, 8)]
    planned = programmes.plan(plan_rows(*told), DAY)
    (row,) = planned.findings.to_pylist()
    assert (row["rule"], row["observed"], row["expected"]) == (
        "programme_not_its_trades",
        41 * 96,
        40 * 96,
    )
    assert net_of(planned, BRP) == {41}


def test_a_party_with_energy_and_no_programme_is_found() -> None:
    planned = programmes.plan(plan_rows((BRP, None, [None] + [5] * 95, 1, 8)), DAY)
    found = programmes.missing(DAY, [BRP, THIRD], planned).to_pylist()
    assert [(r["brp"], r["first_period"], r["periods"]) for r in found] == [
        (BRP, 1, 1),
        (THIRD, 1, 96),
    ]


def test_a_missing_programme_is_open_or_zero_as_the_parameter_says() -> None:
    as_zero = parameters.load(DAY, {"missing_programme": {"values": {date(1900, 1, 1): "zero"}}})
    planned = programmes.plan(plan_rows((BRP, None, [None] + [5] * 95, 1, 8)), DAY)
    partly = planned.of(BRP, HELD)
    assert partly is not None
    assert not partly.known[0]
    assert planned.of(THIRD, HELD) is None
    for brp, first in ((BRP, 0), (THIRD, 0)):
        filled = planned.of(brp, as_zero)
        assert filled is not None
        assert filled.known.all()
        assert filled.net[0] == first


@pytest.mark.parametrize(
    ("day", "due"),
    [
        (DAY, "2026-01-13T13:00Z"),  # 14:00 of the winter clock
        (date(2026, 6, 9), "2026-06-08T12:00Z"),
        (SPRING, "2026-03-28T13:00Z"),
        (SPRING + timedelta(days=1), "2026-03-29T12:00Z"),
    ],
)
def test_a_programme_is_due_at_14_of_the_day_before(day: date, due: str) -> None:
    assert programmes.deadline(day, HELD) == int(datetime.fromisoformat(due).timestamp())


def test_the_deadline_moves_to_half_past_by_date() -> None:
    own = {"programme_deadline": {"values": {date(2026, 2, 1): "14:30"}}}
    held = [parameters.load(date(2026, *day), own) for day in ((1, 31), (2, 1))]
    assert [h.programme_deadline for h in held] == [(14, 0), (14, 30)]
    with pytest.raises(parameters.ParameterError, match="a local time as '14:00'"):
        parameters.load(DAY, {"programme_deadline": {"values": {date(1900, 1, 1): 840}}})


# ---- what a party is told -----------------------------------------------------------------------
def test_a_party_is_told_its_surplus_and_its_shortage() -> None:
    net = {BRP: np.where(np.arange(96) % 2 == 0, 300, -200), OTHER_BRP: flat(1)}
    lines = settlement.lines(net, {BRP: position(0), OTHER_BRP: None}, [None] * 96, [None] * 96)
    (document,) = settlement.reports(
        settlement.table(DAY, lines, TSO),
        DAY,
        TSO,
        "10YNL",
        settlement.Made(1, settlement.FINAL, "f" * 12, 5),
    )
    assert document.final
    assert (document.process, document.sender, document.receiver) == ("A12", TSO, BRP)
    assert (document.market_day, document.created_at) == (DAY, 5)
    shortage, surplus = document.series
    assert (shortage.direction, surplus.direction) == ("E17", "E18")
    assert shortage.quantity[:2].tolist() == [0, 200]
    assert surplus.quantity[:2].tolist() == [300, 0]
    assert {(series.id, series.grid_area) for series in document.series} == {(document.id, "10YNL")}
    assert len(document.id) <= 35
