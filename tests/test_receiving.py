"""PURPOSE: each check of a receiver fires once, with its code alone, and stands still on its edge.

The documents go the whole way: written as a message, changed where no message would be written so,
read, and judged.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from typing import Any, NamedTuple

import pytest

from kwartier import codes, parameters, periods
from kwartier.codecs import dutch
from kwartier.documents import Document, Reason
from kwartier.steps import receiving
from kwartier.steps.receiving import Known, check, subject
from tests import messages
from tests.messages import (
    AREA,
    AUTUMN,
    BRP,
    CREATED,
    DAY,
    OPERATOR,
    OTHER_AREA,
    OTHER_BRP,
    POINT,
    SPRING,
    TSO,
    document,
    series,
    whole,
    withdrawn,
)

PARAMETERS = parameters.load(DAY)
AT = CREATED + 60
TO_TSO = {"receiver": TSO, "receiver_role": "EZ"}
PERIOD = 900


class Case(NamedTuple):
    """A document as it comes in, when, and what its receiver knows."""

    document: Document
    known: dict[str, Any]
    at: int

    @property
    def found(self) -> tuple[Reason, ...]:
        """What the receiver answers."""
        return check(self.document, Known(PARAMETERS, **self.known), self.at)

    @property
    def codes(self) -> list[str]:
        """The codes of it."""
        return [reason.code for reason in self.found]


def case(given: Document | bytes, at: int | None = None, **known: Any) -> Case:
    """Let a document come in a minute after its creation."""
    content = given if isinstance(given, bytes) else dutch.write(given)
    come = dutch.read(content)
    return Case(come, known, come.created_at + 60 if at is None else at)


def each(process: str, **parts: Any) -> Document:
    """Give a document of a process, with parts of all its series changed."""
    return document(process, *(replace(one, **parts) for one in whole(process)))


def changed(before: str, after: str, process: str = "N111", **parts: Any) -> bytes:
    """Give a message with one thing in it written in another way, wherever it stands."""
    content = dutch.write(document(process, **parts)).decode()
    found, count = re.subn(before, after, content)
    assert count
    return found.encode()


def shifted(number: int) -> bytes:
    """Give a message whose positions count from another number."""
    content = dutch.write(document("N111")).decode()
    return re.sub(
        r"<position>(\d+)<", lambda p: f"<position>{int(p[1]) + number - 1}<", content
    ).encode()


def ends(day: date) -> int:
    return periods.day_start(day + timedelta(days=1))


LATE = timedelta(days=PARAMETERS.accepted_days + 1)
LAST_POINT = r"<Point><position>96<.*?</Point>"
WITH_CATEGORY = (
    "</resolution>",
    "</resolution><profileCategory_objectAggregation>E1A</profileCategory_objectAggregation>",
)
RUN = series("N111").run
ABOUT = subject(document("N111"), series("N111"))
ZEROS_IN_FRONT = codes.ean(codes.with_check_digit(17))
THREE = whole("N111")[:3]
FACTOR, FRACTION, OTHER_FRACTION = whole("N151")
TWICE = replace(THREE[0], id="another")

FIRES: dict[str, list[Callable[[], Case]]] = {
    "650": [
        lambda: case(each("N101", point=POINT[:-1] + "9")),
        lambda: case(changed(f">{POINT}<", "><", "N101")),
        lambda: case(each("N131", point=POINT[1:])),
    ],
    "651": [
        lambda: case(each("N111", grid_area=AREA[:-1] + "3")),
        lambda: case(each("N111", grid_area=AREA[1:]), areas={AREA}),
        lambda: case(each("N111", grid_area=OPERATOR)),
    ],
    "663": [
        lambda: case(changed("2026-01-14T23:00:00Z", "2026-01-14T22:00:00Z")),
        lambda: case(changed("2026-01-13T23:00:00Z", "2026-01-14T00:00:00Z")),
        lambda: case(changed("2026-01-14T23:00:00Z", "2026-01-15T23:00:00Z")),
        lambda: case(changed("2026-01-14T23:00:00Z", "2026-01-13T23:00:00Z")),
    ],
    "667": [
        lambda: case(changed("8716867000030", "8716867000016")),
        lambda: case(changed("<product>023", "<product>8716867000030")),
    ],
    "668": [
        lambda: case(changed("KWH", "MWH")),
        lambda: case(changed("<measureUnit>KWH</measureUnit>", "")),
        lambda: case(
            changed("(8716867000030</identification>)", r"\1<measureUnit>KWH</measureUnit>", "N151")
        ),
    ],
    "669": [lambda: case(document("N111"), messages={document("N111").id})],
    "670": [
        lambda: case(document("N111"), series={THREE[2].id}),
        lambda: case(
            document("N111", *THREE, replace(whole("N111")[3], id=THREE[0].id)),
        ),
    ],
    "671": [
        lambda: case(changed(LAST_POINT, "")),
        lambda: case(changed(r"(<Point><position>)96(<.*?</Point>)", r"\g<1>96\2\g<1>97\2")),
        lambda: case(changed(r"<Point>.*?</Detail_Series>", "</Detail_Series>")),
    ],
    "676": [lambda: case(shifted(0)), lambda: case(shifted(2))],
    "681": [
        lambda: case(changed("<ProcessTypeID>N111", "<ProcessTypeID>N112")),
        lambda: case(changed("<ProcessTypeID>N111", "<ProcessTypeID>")),
    ],
    "683": [
        lambda: case(each("N101", origins=("NMS",) * 96)),
        lambda: case(each("N101", methods=("",) * 95 + ("CMR",))),
        lambda: case(changed("<origin>MSR</origin>", "<origin/>", "N141")),
    ],
    "686": [
        lambda: case(changed("<quantity>0.096", "<quantity>-0.001")),
        lambda: case(changed("<quantity>0.001", "<quantity>-0.001", "N101")),
    ],
    "701": [
        lambda: case(replace(document("N111"), sender=OPERATOR[:-1] + "3")),
        lambda: case(replace(document("N111"), sender_role="DDK")),
    ],
    "704": [lambda: case(document("N111"), newest={ABOUT: CREATED + 1})],
    "745": [
        lambda: case(document("N111"), receiver=OTHER_BRP),
        lambda: case(replace(document("N111"), receiver=BRP[1:])),
    ],
    "747": [lambda: case(changed("<ProcessTypeID>N111", "<ProcessTypeID>N102"))],
    "754": [
        lambda: case(replace(document("N131"), **TO_TSO)),
        lambda: case(replace(document("N141"), **TO_TSO)),
        lambda: case(replace(document("N111"), receiver_role="DDQ")),
    ],
    "758": [lambda: case(each("N111", brp="")), lambda: case(each("N101", brp=""))],
    "759": [
        lambda: case(each("N102", supplier="")),
        lambda: case(each("N111", supplier="")),
        lambda: case(each("N121", supplier="")),
    ],
    "761": [
        lambda: case(document("N111"), active={(AREA, BRP): {"PRF"}}),
        lambda: case(document("N111"), active={(OTHER_AREA, BRP): {"SMA"}}),
    ],
    "763": [lambda: case(document("N111"), at=periods.day_start(DAY + LATE))],
    "764": [
        lambda: case(document("N111", *THREE)),
        lambda: case(document("N111", *THREE, TWICE)),
        lambda: case(document("N151", FRACTION, OTHER_FRACTION)),
        lambda: case(document("N151", FACTOR, replace(FACTOR, id="another"))),
        lambda: case(document("N102", *whole("N102"), replace(whole("N102")[0], id="another"))),
    ],
    "765": [
        lambda: case(document("N111"), parties={OTHER_BRP}),
        lambda: case(each("N111", brp=BRP[1:])),
    ],
    "769": [
        lambda: case(document("N111"), runs={RUN: (OTHER_AREA, DAY)}),
        lambda: case(document("N111"), runs={RUN: (AREA, SPRING)}),
        lambda: case(
            document(
                "N111",
                *whole("N111"),
                *(replace(one, grid_area=OTHER_AREA, id=f"o{one.id}") for one in whole("N111")),
            )
        ),
    ],
    "771": [
        lambda: case(each("N121", profile_category="E5A")),
        lambda: case(each("N121", profile_category="")),
        lambda: case(document("N151", FACTOR, replace(FRACTION, profile_category="E1X"))),
        lambda: case(changed(">E1A<", "><", "N151")),
    ],
    "772": [lambda: case(replace(document("N111"), created_at=ends(DAY) - 1), at=ends(DAY) - 1)],
    "773": [lambda: case(changed("PT15M", "PT1H")), lambda: case(changed("PT15M", "PT15m"))],
    "774": [
        lambda: case(changed(r"0\.001<", "0.0010<")),
        lambda: case(changed(r"0\.096<", "0.09<", "N101")),
        lambda: case(changed(r"0\.096<", "1<")),
    ],
    "776": [
        lambda: case(changed(r"0\.00001<", "0.000010<", "N151")),
        lambda: case(changed(r"0\.00000001<", "0.0000001<", "N151")),
    ],
    "777": [lambda: case(document("N111"), areas={OTHER_AREA})],
    "779": [
        lambda: case(each("N121", consumption_type="AXI")),
        lambda: case(each("N121", consumption_type="")),
        lambda: case(each("N121", profile_category="E3A", consumption_type="AXI")),
        lambda: case(document("N151", FACTOR, replace(FRACTION, consumption_type=""))),
    ],
    "780": [lambda: case(document("N111"), sender=OTHER_BRP)],
    "781": [
        lambda: case(changed(*WITH_CATEGORY)),
        lambda: case(changed(*WITH_CATEGORY, "N102")),
        lambda: case(document("N151", replace(FACTOR, direction="E17"))),
        lambda: case(document("N151", replace(FACTOR, status="DYN"))),
        lambda: case(document("N151", replace(FACTOR, consumption_type="AMI"))),
        lambda: case(document("N151", FACTOR, replace(FRACTION, status=""))),
        lambda: case(document("N151", FACTOR, replace(FRACTION, direction=""))),
    ],
    "782": [
        lambda: case(changed("<position>50<", "<position>51<")),
        lambda: case(changed("<position>96<", "<position>97<")),
        lambda: case(changed("<position>2<", "<position>1<")),
    ],
    "999": [lambda: case(document("N111"), at=CREATED - 301)],
}

STANDS_STILL: dict[str, list[Callable[[], Case]]] = {
    "650": [lambda: case(each("N101", point=ZEROS_IN_FRONT)), lambda: case(document("N111"))],
    "651": [lambda: case(each("N111", grid_area=ZEROS_IN_FRONT))],
    "663": [
        lambda: case(document("N111", day=SPRING)),
        lambda: case(document("N111", day=AUTUMN)),
    ],
    "667": [lambda: case(document("N151"))],
    "668": [
        lambda: case(document("N151")),
        lambda: case(
            changed("(8716867000030</identification>)", r"\1<measureUnit></measureUnit>", "N151")
        ),
    ],
    "669": [lambda: case(document("N111"), messages={"another", THREE[0].id})],
    "670": [lambda: case(document("N111"), series={"another", document("N111").id})],
    "671": [lambda: case(document("N111", day=SPRING)), lambda: case(document("N101", day=AUTUMN))],
    "676": [lambda: case(changed("<position>1<", "<position>001<"))],
    "681": [lambda: case(document("N142"))],
    "683": [
        lambda: case(each("N101", origins=("UMS",) * 96, statuses=("NVD",) * 96)),
        lambda: case(each("N101", origins=("CLC",) * 96, methods=("GMR",) * 96)),
        lambda: case(each("N131", statuses=("",) * 96)),
        lambda: case(changed(r"0\.001<", "-0.001<", "N121")),
    ],
    "686": [
        lambda: case(changed(r"0\.001<", "-0.001<", "N121")),
        lambda: case(changed(r"0\.001<", "-0.000<")),
        lambda: case(changed(r">0\.0", ">-0.0", "N151")),
    ],
    "701": [lambda: case(replace(document("N111"), sender="8716916000004"))],
    "704": [
        lambda: case(document("N111"), newest={ABOUT: CREATED}),
        lambda: case(
            document("N111"),
            newest={
                ABOUT._replace(process="N102"): CREATED + 1,
                ABOUT._replace(sender=OTHER_BRP): CREATED + 1,
                ABOUT._replace(market_day=SPRING): CREATED + 1,
                ABOUT._replace(grid_area=OTHER_AREA): CREATED + 1,
                ABOUT._replace(point=POINT): CREATED + 1,
            },
        ),
    ],
    "745": [lambda: case(document("N111"), receiver=BRP)],
    "747": [lambda: case(document("N102"))],
    "754": [
        lambda: case(replace(document("N132"), **TO_TSO)),
        lambda: case(replace(document("N101"), **TO_TSO)),
        lambda: case(document("N141")),
    ],
    "758": [lambda: case(document("N151"))],
    "759": [
        lambda: case(replace(each("N111", supplier=""), **TO_TSO)),
        lambda: case(each("N132", supplier="")),
    ],
    "761": [
        lambda: case(document("N111"), active={(AREA, BRP): {"SMA"}}),
        lambda: case(document("N111", *map(withdrawn, whole("N111"))), active={}),
        lambda: case(document("N151"), active={}),
    ],
    "763": [lambda: case(document("N111"), at=periods.day_start(DAY + LATE) - 1)],
    "764": [
        lambda: case(document("N111", *map(withdrawn, whole("N111")))),
        lambda: case(document("N102", *whole("N102")[:1])),
        lambda: case(document("N151", FACTOR)),
        lambda: case(
            document("N121", *whole("N121"), series("N121", 3, profile_category="E1B")),
        ),
    ],
    "765": [lambda: case(document("N111"), parties={BRP})],
    "769": [lambda: case(document("N111"), runs={RUN: (AREA, DAY), "another": (OTHER_AREA, DAY)})],
    "771": [
        lambda: case(each("N121", profile_category="E4A")),
        lambda: case(document("N151", FACTOR)),
    ],
    "772": [lambda: case(replace(document("N111"), created_at=ends(DAY)), at=ends(DAY))],
    "773": [lambda: case(document("N151"))],
    "774": [
        lambda: case(changed(r"0\.001<", "0000.001<")),
        lambda: case(changed(r"0\.001<", "9999999999.999<")),
    ],
    "776": [lambda: case(changed(r"0\.00001<", "-00.00001<", "N151"))],
    "777": [lambda: case(document("N111"), areas={AREA})],
    "779": [
        lambda: case(each("N121", profile_category="E3A", consumption_type="")),
        lambda: case(each("N121", consumption_type="AZI")),
    ],
    "780": [lambda: case(document("N111"), sender=OPERATOR)],
    "781": [
        lambda: case(document("N151")),
        lambda: case(document("N121")),
        lambda: case(document("N111")),
    ],
    "782": [lambda: case(document("N111", day=AUTUMN))],
    "999": [lambda: case(document("N111"), at=CREATED - 300)],
}


def _each(cases: dict[str, list[Callable[[], Case]]]) -> list[Any]:
    return [
        pytest.param(code, made, id=f"{code}-{number}")
        for code, some in cases.items()
        for number, made in enumerate(some, start=1)
    ]


@pytest.mark.parametrize(("code", "made"), _each(FIRES))
def test_a_check_fires_alone(code: str, made: Callable[[], Case]) -> None:
    assert set(made().codes) == {code}


@pytest.mark.parametrize(("code", "made"), _each(STANDS_STILL))
def test_a_check_stands_still_on_its_edge(code: str, made: Callable[[], Case]) -> None:
    assert made().found == (Reason("000"),)


def test_every_check_fires_and_stands_still_in_a_test() -> None:
    declared = [rule.code for rule in receiving.RULES]
    assert sorted(FIRES) == sorted(STANDS_STILL) == declared


def test_every_code_of_the_market_has_a_check() -> None:
    named = """650 651 663 667 668 669 670 671 676 681 747 754 683 686 701 745 780 704 758 759 761
        763 764 765 769 771 779 781 772 773 774 776 777 782 999"""
    assert {rule.code for rule in receiving.RULES} == set(named.split())


TO_BRP: dict[str, str] = {}
SENT = [(process, TO_BRP) for process in messages.GROUPS]
SENT += [(process, TO_TSO) for process in messages.GROUPS if process not in ("N131", "N141")]


@pytest.mark.parametrize(("process", "to"), SENT)
def test_what_kwartier_writes_is_accepted(process: str, to: dict[str, str]) -> None:
    given = replace(document(process), **to)
    knows = {"receiver": given.receiver, "sender": OPERATOR, "areas": {AREA}, "parties": {BRP}}
    active = {(AREA, BRP): {given.series[0].group}}
    assert case(given, **knows, active=active).found == (Reason("000"),)


def test_an_international_document_is_held_against_what_holds_everywhere() -> None:
    bare = {"id": "", "run": "", "group": "", "origin": "", "supplier": ""}
    some = [replace(one, **bare, grid_area=area) for one in THREE[:2] for area in (AREA, "NL")]
    given = document("A11", *some, sender=TSO, sender_role="EZ")
    assert check(given, Known(PARAMETERS), AT) == (Reason("000"),)
    known = Known(PARAMETERS, messages={given.id}, parties={OTHER_BRP}, receiver=OTHER_BRP)
    found = check(given, known, periods.day_start(DAY))
    assert {reason.code for reason in found} == {"669", "745", "765", "772", "999"}


def test_all_that_is_wrong_is_told_at_once_and_where() -> None:
    content = changed("PT15M", "PT1H").decode().replace("0.003<", "0.3<", 1)
    found = case(content.encode(), messages={document("N111").id}).found
    ids = [one.id for one in whole("N111")]
    told = [(reason.code, reason.series) for reason in found]
    assert told == [("669", ""), *(("773", id_) for id_ in ids), ("774", ids[0])]
    assert found[-1].text == "a volume has another number of decimals; expected 3"


def test_a_reason_names_nobody() -> None:
    made = [make().found for some in FIRES.values() for make in some]
    texts = " ".join(reason.text for found in made for reason in found)
    for name in (POINT, POINT[:-1], AREA, BRP, OTHER_BRP, OPERATOR):
        assert name not in texts


def test_of_one_code_no_more_than_ten_series_are_named() -> None:
    some = [replace(one, id=f"{n}-{one.id}", supplier=f"{n}") for n in range(9) for one in THREE]
    some += [replace(whole("N111")[3], id=f"{n}", supplier=f"{n}") for n in range(9)]
    given = replace(document("N111", *some))
    found = case(given, series={one.id for one in some}).found
    assert [reason.code for reason in found] == ["670"] * 11
    assert found[-1].text == "the id of a series was used before; also in more series"


def test_a_document_that_was_not_read_from_a_message_is_judged_as_well() -> None:
    given = document("N111")
    assert check(given, Known(PARAMETERS), AT) == (Reason("000"),)
    cut = [replace(one, quantity=one.quantity[:-1]) for one in whole("N111")]
    short = replace(given, series=cut)
    assert {reason.code for reason in check(short, Known(PARAMETERS), AT)} == {"671"}
    bare = document("N101", *(replace(one, origins=()) for one in whole("N101")))
    assert {reason.code for reason in check(bare, Known(PARAMETERS), AT)} == {"683"}


def test_a_home_may_set_its_own_number_of_series_and_deadline() -> None:
    own = parameters.parse(
        "series_of_group: {values: {2026-01-01: {SMA: 3}}}\n"
        "accepted_days: {values: {2026-01-01: 1}}",
        "own.yaml",
    )
    known = Known(parameters.load(DAY, own))
    made = case(document("N111", *THREE))
    assert check(made.document, known, made.at) == (Reason("000"),)
    late = check(made.document, known, periods.day_start(DAY + timedelta(days=2)))
    assert [reason.code for reason in late] == ["763"]


def test_what_could_not_be_read_has_reason_999_and_says_why() -> None:
    assert receiving.unread("the document is empty") == (Reason("999", "the document is empty"),)


def test_reasons_reach_the_sender() -> None:
    made = case(changed("PT15M", "PT1H"))
    answer = messages.acknowledgement(*made.found, of=made.document.id)
    read = dutch.read_acknowledgement(dutch.write_acknowledgement(answer))
    assert read == answer
    assert not read.accepted
