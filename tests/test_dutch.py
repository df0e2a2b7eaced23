"""PURPOSE: a Dutch message says what its document says, and nothing else is read as one."""

from __future__ import annotations

import re
from dataclasses import replace
from importlib.resources import files

import numpy as np
import pytest
import xmlschema
from hypothesis import given, settings
from hypothesis import strategies as st

from kwartier import codes
from kwartier.codecs import Unreadable, dutch
from kwartier.documents import PROCESSES, Document, Reason
from tests import messages
from tests.messages import AREA, AUTUMN, BRP, DAY, OPERATOR, POINT, SPRING, acknowledgement

SCHEMAS = files("kwartier.codecs.dutch") / "schemas"
TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=40)


def second_opinion(name: str) -> xmlschema.XMLSchema:
    return xmlschema.XMLSchema(str(SCHEMAS / f"{name}_1.xsd"))


OPINIONS = {name: second_opinion(name) for name in (*PROCESSES, "acknowledgement")}


def as_text(content: bytes, path: str) -> list[str]:
    """Give the texts of all elements of a name."""
    return re.findall(rf"<{path}>([^<]*)</{path}>", content.decode())


@pytest.mark.parametrize("process", PROCESSES)
@settings(max_examples=12)
@given(data=st.data())
def test_what_is_written_is_read_again(process: str, data: st.DataObject) -> None:
    document = data.draw(messages.documents(process))
    content = dutch.write(document)
    assert dutch.read(content) == document
    assert dutch.write(dutch.read(content)) == content


@pytest.mark.parametrize("process", PROCESSES)
def test_another_validator_is_of_the_same_opinion(process: str) -> None:
    content = dutch.write(messages.document(process, *messages.whole(process)[:2]))
    OPINIONS[process].validate(content.decode().split("\n", 1)[1])


@pytest.mark.parametrize("day", [DAY, SPRING, AUTUMN])
def test_a_market_day_is_one_local_day_in_utc(day: object) -> None:
    ends = {
        DAY: ("2026-01-13T23:00:00Z", "2026-01-14T23:00:00Z", 96),
        SPRING: ("2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z", 92),
        AUTUMN: ("2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z", 100),
    }
    start, end, n = ends[day]  # type: ignore[index]
    content = dutch.write(messages.document("N111", day=day))  # type: ignore[arg-type]
    assert set(as_text(content, "startDateTime")) == {start}
    assert set(as_text(content, "endDateTime")) == {end}
    assert as_text(content, "position") == [str(i) for i in range(1, n + 1)] * 4


@pytest.mark.parametrize(
    ("process", "numbers", "texts"),
    [
        ("N111", (0, 1, 999, 1000, 12_345_670), ["0.000", "0.001", "0.999", "1.000", "12345.670"]),
        ("N121", (-1, -999, -1000, -1001, 5), ["-0.001", "-0.999", "-1.000", "-1.001", "0.005"]),
        (
            "N151",
            (100_000, -1, 111_429, 0, -250_000),
            ["1.00000", "-0.00001", "1.11429", "0.00000", "-2.50000"],
        ),
    ],
)
def test_decimals_are_exact(process: str, numbers: tuple[int, ...], texts: list[str]) -> None:
    quantity = np.resize(np.array(numbers, np.int64), 96)
    one = messages.series(process, quantity=quantity)
    content = dutch.write(messages.document(process, one))
    assert as_text(content, "quantity")[:5] == texts
    assert dutch.read(content).series[0].quantity.tolist() == quantity.tolist()


def test_a_fraction_has_eight_decimals() -> None:
    _, fraction, _ = messages.whole("N151")
    content = dutch.write(messages.document("N151", fraction))
    assert as_text(content, "quantity")[:2] == ["0.00000001", "0.00000002"]
    assert as_text(content, "measureUnit") == []
    assert as_text(content, "dateRCF_version") == ["2026-01-15T11:59:05Z"]


def test_the_elements_of_a_smart_meter_series() -> None:
    content = dutch.write(messages.document("N111", messages.series("N111")))
    said = {
        "product": "023",
        "group_businessType": "SMA",
        "resolution": "PT15M",
        "allocationResult_businessType": "MSR",
        "direction": "E17",
        "identification": "8716867000030",
        "measureUnit": "KWH",
        "ProcessTypeID": "N111",
        "ReceiverID": BRP,
        "SenderID": OPERATOR,
        "CreationTimestamp": "2026-01-15T12:00:05Z",
    }
    assert {name: as_text(content, name) for name in said} == {n: [v] for n, v in said.items()}
    assert as_text(content, "type") == ["DDK", "DDQ"]
    assert b"profileCategory" not in content
    assert b"profileStatus" not in content


def test_to_the_tso_a_series_has_no_supplier() -> None:
    content = dutch.write(messages.document("N111", messages.series("N111", supplier="")))
    assert as_text(content, "type") == ["DDK"]
    assert dutch.read(content).series[0].supplier == ""


# What cannot be said is refused before it is sent.


@pytest.mark.parametrize(
    ("process", "parts", "said"),
    [
        ("N102", {"origin": "MSR"}, "series 1: the message has no place for origin"),
        ("N111", {"point": POINT}, "no place for point"),
        ("N111", {"group": "PRF"}, "expected group SMA, not PRF"),
        ("N111", {"unit": "1e-5"}, "expected quantities in Wh"),
        ("N111", {"quantity": np.zeros(92, np.int64)}, "quantity: expected 96 periods, not 92"),
        ("N111", {"quantity": np.full(96, 10**13)}, "more than ten digits"),
        ("N111", {"quantity": np.full(96, -(10**13))}, "more than ten digits"),
        ("N111", {"origin": ""}, "not what the schema asks"),
        ("N111", {"id": ""}, "not what the schema asks"),
        ("N111", {"run": "<run/>"}, "not what the schema asks"),
        ("N111", {"run": "\x00"}, "what XML cannot"),
        ("N101", {"origins": ()}, "origins: expected 96 periods, not 0"),
        ("N151", {"unit": "1e-8"}, "expected quantities in 1e-5"),
        ("N151", {"brp": BRP}, "no place for brp"),
    ],
)
def test_a_series_that_its_message_cannot_say_is_not_written(
    process: str, parts: dict[str, object], said: str
) -> None:
    one = messages.series(process, **parts)
    with pytest.raises(ValueError, match=re.escape(said)) as told:
        dutch.write(messages.document(process, one))
    assert POINT not in str(told.value)


def test_no_other_process_and_no_empty_document_is_written() -> None:
    with pytest.raises(ValueError, match="process N999: expected one of N101"):
        dutch.write(replace(messages.document("N111"), process="N999"))
    with pytest.raises(ValueError, match="not what the schema asks"):
        dutch.write(replace(messages.document("N111"), series=()))


# Acknowledgements.


def test_an_acknowledgement_says_the_code_of_each_reason() -> None:
    said = acknowledgement(
        Reason("000"),
        Reason("671", "96 expected", "s-1"),
        Reason("999", "why"),
        Reason("774", "", "s"),
    )
    content = dutch.write_acknowledgement(said)
    assert dutch.read_acknowledgement(content) == said
    assert as_text(content, "code") == ["000", "671", "999", "774"]
    assert as_text(content, "text") == ["series s-1: 96 expected", "why", "series s"]
    OPINIONS["acknowledgement"].validate(content.decode().split("\n", 1)[1])


@given(texts=st.lists(TEXT, min_size=1, max_size=4))
def test_any_text_survives_an_acknowledgement(texts: list[str]) -> None:
    said = acknowledgement(*(Reason("999", f"because {text}") for text in texts), of="")
    assert dutch.read_acknowledgement(dutch.write_acknowledgement(said)) == said


def test_other_needs_a_text() -> None:
    with pytest.raises(ValueError, match="999: expected a text"):
        dutch.write_acknowledgement(acknowledgement(Reason("999")))


def test_a_message_is_no_acknowledgement_and_the_other_way_round() -> None:
    with pytest.raises(Unreadable, match="not an acknowledgement"):
        dutch.read_acknowledgement(dutch.write(messages.document("N111")))
    with pytest.raises(Unreadable, match="not a message"):
        dutch.read(dutch.write_acknowledgement(acknowledgement(Reason("000"))))


# What comes from outside.


def changed(before: str, after: str, process: str = "N111") -> bytes:
    """Give a message with one thing in it changed."""
    one = messages.series(process)
    content = dutch.write(messages.document(process, one)).decode()
    assert before in content
    return content.replace(before, after, 1).encode()


HOSTILE = {
    "nothing": b"",
    "no XML": b"N111",
    "truncated": dutch.write(messages.document("N111"))[:-20],
    "binary": bytes(range(256)),
    "another encoding": '<?xml version="1.0" encoding="UTF-16"?><a>é</a>'.encode("utf-16"),
    "latin letters": changed("KWH", "KW\xe9").decode().encode("latin-1"),
    "entities": b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>',
    "an external entity": b'<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>',
    "depth": b"<a>" * 100 + b"</a>" * 100,
    "another namespace": changed("nl-profile:N111", "nl-profile:N999"),
    "another version": changed("nl-profile:N111:1", "nl-profile:N111:2"),
    "no namespace": b"<AggregatedAllocation_MarketDocument/>",
    "a path for a version": changed("N111:1", "N111:1/../common"),
    "another element outside": b'<a xmlns="urn:kwartier:nl-profile:N111:1"/>',
    "the message of another process": changed("nl-profile:N111", "nl-profile:N102"),
    "an unknown element": changed("<resolution>", "<more/><resolution>"),
    "no creation": changed("<CreationTimestamp>2026-01-15T12:00:05Z</CreationTimestamp>", ""),
    "a part of a second": changed("12:00:05Z", "12:00:05.5Z"),
    "local time": changed("12:00:05Z", "12:00:05+01:00"),
    "a day that is none": changed("2026-01-15T", "2026-02-30T"),
    "a number with an exponent": changed("<quantity>0.001", "<quantity>1e-3"),
    "a number with a comma": changed("<quantity>0.001", "<quantity>0,001"),
    "not a number": changed("<quantity>0.001", "<quantity>NaN"),
    "digits of another script": changed("<quantity>0.001", "<quantity>0.00١"),
    "a number with an underscore": changed("<quantity>0.001", "<quantity>1_0.001"),
    "a very long number": changed("<quantity>0.001", f"<quantity>{'9' * 40}.001"),
    "no quantity": changed("<quantity>0.001</quantity>", "<quantity/>"),
    "another direction": changed("<direction>E17", "<direction>E19"),
    "another group": changed("<group_businessType>SMA", "<group_businessType>PRF"),
    "another origin": changed(">MSR<", ">NMS<"),
    "two BRPs": changed("<type>DDQ", "<type>DDK"),
    "an id with markup": changed("<MessageID>", "<MessageID>&lt;b&gt;"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_no_message_is_refused_with_a_reason(name: str) -> None:
    with pytest.raises(Unreadable) as told:
        dutch.read(HOSTILE[name])
    assert len(str(told.value)) > 10
    assert BRP not in str(told.value)


def test_a_document_of_many_bytes_is_refused_unread() -> None:
    with pytest.raises(Unreadable, match="at most"):
        dutch.read(b" " * (64 * 1024 * 1024 + 1))


@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_no_acknowledgement_is_refused(name: str) -> None:
    with pytest.raises(Unreadable):
        dutch.read_acknowledgement(HOSTILE[name])


# What has a code is handed on to the checks of the receiver.


def read(before: str, after: str, process: str = "N111") -> Document:
    return dutch.read(changed(before, after, process))


@pytest.mark.parametrize(
    ("written", "decimals"),
    [("1", {0, 3}), ("1.5", {1, 3}), ("0.0010", {3, 4}), ("0.000000000001", {3, 12})],
)
def test_wrong_decimals_leave_no_quantity_and_say_so(written: str, decimals: set[int]) -> None:
    (one,) = read("<quantity>0.001", f"<quantity>{written}").series
    assert one.form is not None
    assert one.form.decimals == decimals
    assert len(one.quantity) == 0


def test_leading_zeros_and_marked_characters_say_the_same() -> None:
    plain = messages.document("N111", messages.series("N111"))
    assert read("<quantity>0.001", "<quantity>0000.001") == plain
    assert read("<quantity>0.001", "<quantity>&#48;.<!-- no --><![CDATA[001]]>") == plain
    assert read("<position>1<", "<position>001<") == plain


def test_identifiers_keep_their_zeros() -> None:
    assert read(AREA, "0" + AREA[1:]).series[0].grid_area == "0" + AREA[1:]


def test_a_document_says_how_it_was_written() -> None:
    document = read("<ProcessTypeID>N111", "<ProcessTypeID>N121")
    assert (document.process, document.written_as) == ("N121", "N111")
    form = document.series[0].form
    assert form is not None
    assert (form.end - form.start, form.resolution) == (86_400, codes.QUARTER_HOUR)
    assert (form.product_type, form.product, form.unit) == ("023", "8716867000030", "KWH")
    assert form.positions.tolist() == list(range(1, 97))


def test_a_volume_below_zero_and_a_series_without_points_can_be_read() -> None:
    assert read("<quantity>0.001", "<quantity>-0.001").series[0].quantity[0] == -1
    content = dutch.write(messages.document("N111", messages.series("N111")))
    (one,) = dutch.read(re.sub(rb"<Point>.*</Point>", b"", content)).series
    assert len(one.quantity) == 0


@pytest.mark.parametrize("process", PROCESSES)
def test_every_schema_is_in_the_package(process: str) -> None:
    assert (SCHEMAS / f"{process}_1.xsd").is_file()
