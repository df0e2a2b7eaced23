"""Schedule and Balancing documents: written, valid by their schemas, read as they were written."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from kwartier import periods
from kwartier.codecs import Unreadable, balancing, schedule
from kwartier.documents import ImbalancePrices, Programme
from tests.market import AUTUMN, BRP, DAY, OTHER_BRP, SPRING

TSO, EIC = "8716867999983", "10YNL----------L"
DAYS = [DAY, SPRING, AUTUMN]


@cache
def schema(path: Path) -> etree.XMLSchema:
    return etree.XMLSchema(etree.parse(str(path)))


def valid(content: bytes, shared: Path, name: str) -> None:
    held = schema(shared / "xsd" / "entsoe" / name)
    assert held.validate(etree.fromstring(content)), held.error_log[0].message


def programme(day: date = DAY) -> Programme:
    n = periods.count(day)
    net = tuple((k - 16) * 1_000 for k in range(n))
    return Programme(
        id="programme-1",
        version=3,
        created_at=1_768_300_000,
        brp=BRP,
        receiver=TSO,
        market_day=day,
        net=net,
        trades={OTHER_BRP: net, TSO: (0,) * n},
    )


def prices(day: date = DAY) -> ImbalancePrices:
    n = periods.count(day)
    long: list[Decimal | None] = [Decimal(k) - Decimal("15.12345") for k in range(n)]
    short: list[Decimal | None] = [Decimal(-k) for k in range(n)]
    long[4] = short[5] = None
    told = (tuple(long), tuple(short))
    return ImbalancePrices("prices-1", 1, 1_768_400_000, TSO, BRP, day, *told)


# ---- programmes ---------------------------------------------------------------------------------
@pytest.mark.parametrize("day", DAYS)
@pytest.mark.parametrize("version", schedule.VERSIONS)
def test_a_programme_is_written_by_the_schema_and_read_as_it_was(
    shared: Path, day: date, version: int
) -> None:
    content = schedule.write(programme(day), EIC, version)
    valid(content, shared, f"iec62325-451-2-schedule_v5_{version}.xsd")
    assert schedule.read(content) == programme(day)


@given(
    net=st.none() | st.lists(st.integers(-(10**12), 10**12), min_size=96, max_size=96).map(tuple),
    trade=st.lists(st.integers(-(10**12), 10**12), min_size=96, max_size=96).map(tuple),
)
def test_any_programme_comes_back(net: tuple[int, ...] | None, trade: tuple[int, ...]) -> None:
    made = Programme("x", 1, 0, BRP, TSO, DAY, net, {OTHER_BRP: trade})
    assert schedule.read(schedule.write(made, EIC)) == made


def changed(content: bytes, *pairs: tuple[str, str]) -> bytes:
    text = content.decode()
    for old, new in pairs:
        assert old in text
        text = text.replace(old, new)
    return text.encode()


def test_power_is_read_as_the_energy_of_a_quarter() -> None:
    content = schedule.write(programme(), EIC)
    power = changed(content, (">MWH<", ">MAW<"))
    net = programme().net
    assert net is not None
    read = schedule.read(power).net
    assert read is not None
    assert [volume * 4 for volume in read] == list(net)


def test_a_subject_is_the_party_of_a_document_that_another_sent() -> None:
    content = schedule.write(programme(), EIC)
    sender = '<sender_MarketParticipant.mRID codingScheme="A10">'
    mark = '<domain.mRID codingScheme="A01">10YNL----------L</domain.mRID>'
    subject = f'<subject_MarketParticipant.mRID codingScheme="A10">{BRP}'
    subject += "</subject_MarketParticipant.mRID>"
    other = changed(content, (sender + BRP, sender + OTHER_BRP), (mark, mark + subject))
    assert schedule.read(other).brp == BRP


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (("scheduledocument:5:2", "scheduledocument:4:1"), "version 5.1 or 5.2"),
        (("Schedule_MarketDocument", "Anomaly_MarketDocument"), "version 5.1 or 5.2"),
        (("<start>2026-01-13T23:00Z", "<start>2026-01-13T22:00Z"), "one local calendar day"),
        (("PT15M", "PT60M"), "expected PT15M"),
        ((">MWH<", ">MVR<"), "measurement_Unit.name"),
        ((">B09<", ">A03<"), "a trade"),
        ((f">{OTHER_BRP}<", ">1234567890123<"), "by its GLN"),
        (("<position>96<", "<position>97<"), "1 to 96"),
        (("<position>96<", "<position>95<"), "each position once"),
        (("<quantity>0.001000<", "<quantity>0.0010001<"), "whole Wh"),
        (("<quantity>0.001000<", "<quantity>1e3<"), "a number"),
        (("<quantity>0.001000<", "<quantity>999999999999<"), "whole Wh"),
        (("<revisionNumber>3<", "<revisionNumber>0<"), "1 to 999"),
        (("<createdDateTime>2026-01-13T", "<createdDateTime>2026-01-13 "), "a moment"),
        (("<curveType>A01<", "<curveType>A02<"), "curveType"),
    ],
)
def test_a_schedule_that_is_not_one_is_unreadable(change: tuple[str, str], says: str) -> None:
    with pytest.raises(Unreadable, match=says) as raised:
        schedule.read(changed(schedule.write(programme(), EIC), change))
    assert BRP not in str(raised.value)


def test_a_series_that_lacks_a_position_is_unreadable() -> None:
    point = "<Point><position>96</position><quantity>0.079000</quantity></Point>"
    content = schedule.write(programme(), EIC)
    with pytest.raises(Unreadable, match="expected 96 positions, found 95"):
        schedule.read(changed(content, (point, "")))


# ---- prices -------------------------------------------------------------------------------------
@pytest.mark.parametrize("day", DAYS)
def test_prices_are_written_by_the_schema_and_read_as_they_were(shared: Path, day: date) -> None:
    content = balancing.write(prices(day), EIC)
    valid(content, shared, "iec62325-451-6-balancing_v4_5.xsd")
    assert balancing.read(content) == prices(day)


def test_one_price_without_category_is_both() -> None:
    content = balancing.write(prices(), EIC)
    category = "<imbalance_Price.category>A04</imbalance_Price.category>"
    text = changed(content, (category, "")).decode()
    first, second = text.index("<TimeSeries>"), text.rindex("<TimeSeries>")
    one = text[:second] + text[text.rindex("</TimeSeries>") + len("</TimeSeries>") :]
    assert first < second
    read = balancing.read(one.encode())
    assert read.short == read.long == prices().long


def test_a_price_holds_until_the_next_with_a_variable_curve() -> None:
    content = balancing.write(prices(), EIC)
    blocks = balancing.read(changed(content, ("<curveType>A01<", "<curveType>A03<")))
    # Position 5 has no long price of its own, position 6 no short one.
    assert blocks.long[4] == prices().long[3]
    assert blocks.short[5] == prices().short[4]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (("balancingdocument:4:5", "balancingdocument:5:0"), "version 3.0 to 4.5"),
        ((">A85<", ">A86<"), "expected A85"),
        ((">EUR<", ">USD<"), "EUR per MWH"),
        ((">MWH<", ">KWH<"), "EUR per MWH"),
        ((">A05<", ">A06<"), "A04 or A05"),
        ((">A05<", ">A04<"), "each price once"),
        ((">-14.12345<", ">-14.123456<"), "at most 5 decimals"),
        ((">-14.12345<", ">-1000000000<"), "at most 5 decimals"),
        ((">-14.12345<", ">NaN<"), "a number"),
    ],
)
def test_a_document_of_other_prices_is_unreadable(change: tuple[str, str], says: str) -> None:
    with pytest.raises(Unreadable, match=says):
        balancing.read(changed(balancing.write(prices(), EIC), change))


@pytest.mark.parametrize("read", [schedule.read, balancing.read])
@pytest.mark.parametrize(
    "content",
    [b"", b"no", b"<a/>", b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', b"<a>" * 40 + b"</a>" * 40],
)
def test_hostile_bytes_are_unreadable(read: Callable[[bytes], object], content: bytes) -> None:
    with pytest.raises(Unreadable):
        read(content)
