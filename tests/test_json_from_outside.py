"""PURPOSE: JSON that is hostile, broken or says two things gets a clear refusal.

Of RSM-014, the only document that comes as JSON; so all that is changed here is changed in one.
"""

import pytest

from kwartier import codecs
from kwartier.codecs import FORMATS, Unreadable, json
from tests.international import AREA, document

READ = FORMATS["rsm014-json"].read
CONTENT = FORMATS["rsm014-json"].write(document())


def refused(content: bytes, said: str) -> None:
    with pytest.raises(Unreadable, match=said) as refusal:
        READ(content)
    assert AREA not in str(refusal.value)
    assert "secret" not in str(refusal.value)
    assert refusal.value.__context__ is None or refusal.value.__suppress_context__


CHANGES = [
    (b'"mRID":', b'"mRID":"secret","mRID":', "the same key twice"),
    (b'"position":{"value":1}', b'"position":{"value":1,"value":1}', "the same key twice"),
    (b'"position":{"value":1}', b'"position":{"value":1.0}', "Point 1: expected position 1"),
    (b'"position":{"value":1}', b'"position":{"value":"1"}', "Point 1, position: expected an obj"),
    (b'"position":{"value":1}', b'"position":1', "Point 1, position: expected an object"),
    (b'"position":{"value":1}', b'"position":{"value":2}', "Point 1: expected position 1"),
    (b'"position":{"value":1},', b"", "Point 1: expected position 1"),
    (b'"quantity":1.500,', b"", "Point 1: expected a quantity in kWh"),
    (b'"quantity":1.500', b'"quantity":null', "Point 1, quantity: expected a number"),
    (b'"quantity":1.500', b'"quantity":true', "Point 1, quantity: expected a number"),
    (b'"quantity":1.500', b'"quantity":"1.500"', "Point 1, quantity: expected a number"),
    (b'"quantity":1.500', b'"quantity":{"value":1.500}', "Point 1, quantity: expected a number"),
    (b'"quantity":1.500', b'"quantity":NaN', "NaN and Infinity are no numbers"),
    (b'"quantity":1.500', b'"quantity":-Infinity', "NaN and Infinity are no numbers"),
    (b'"quantity":1.500', b'"quantity":1.5e0', "Point 1: expected a quantity in kWh"),
    (b'"quantity":1.500', b'"quantity":1e999999999', "Point 1: expected a quantity in kWh"),
    (b'"quantity":1.500', b'"quantity":1.5001', "Point 1: expected a quantity in kWh"),
    (b'"quantity":1.500', b'"quantity":9223372036854775.808', "Point 1: expected a quantity"),
    (b'"quantity":1.500', b'"quantity":' + b"9" * 10_000, "a number has more than 32 characters"),
    (b'"quantity":1.500', b'"quantity":1.5' + b"0" * 40, "a number has more than 32 characters"),
    (b'"quantity":1.500', b'"quantity":01.5', "line 1, column .*: not JSON"),
    (b'"quantity":1.500', b'"quantity":+1.5', "line 1, column .*: not JSON"),
    (b'"quantity":1.500', b'"quantity":1.500,"secret":1', "Point 1: expected an object of"),
    (b'{"position":{"value":1}', b'7,{"position":{"value":1}', "Point 1: expected an object of"),
    (b'"mRID":"5f', b'"secret":1,"mRID":"5f', "the document: expected an object of mRID"),
    (b'"mRID":"5f', b'"mRID":"\\ud8005f', "mRID: holds characters that are not printed"),
    (b'"mRID":"5f', b'"mRID":"\\u00005f', "mRID: holds characters that are not printed"),
    (b'"mRID":"5f', b'"mRID":"' + b"x" * 600, "mRID: expected 1 to 60 characters"),
    (b'"type":{"value":"E31"}', b'"type":"E31"', "type: expected an object with the text value"),
    (b'"type":{"value":"E31"}', b'"type":{"value":31}', "type: expected an object with the text"),
    (b'"type":{"value":"E31"},', b"", "type: expected, and not there"),
    (b'"codingScheme":"A10"', b'"codingScheme":"secret"', "of scheme A10"),
    (b'{"codingScheme":"A10",', b"{", "of scheme A10"),
    (b'"Series":[', b'"Series":[[],', "Series 1, expected an object of"),
    (b"NotifyAggregated", b"NotifyValidated", "expected one object, NotifyAggregated"),
]


@pytest.mark.parametrize(("before", "after", "said"), CHANGES)
def test_what_was_changed_is_not_read(before: bytes, after: bytes, said: str) -> None:
    assert before in CONTENT
    refused(CONTENT.replace(before, after, 1), said)


def test_the_order_of_keys_and_the_space_between_say_nothing() -> None:
    head, _, series = CONTENT.partition(b',"Series":')
    name, _, rest = head.partition(b":{")
    turned = name + b':{ "Series" : ' + series.strip()[:-2] + b",\r\n" + rest + b"}}"
    assert turned != CONTENT
    assert READ(turned) == document()
    assert READ(b"\xef\xbb\xbf" + CONTENT) == document()


def test_a_list_without_series_or_points_is_refused() -> None:
    head, _, _ = CONTENT.partition(b'"Series":')
    refused(head + b'"Series":[]}}', "Series: expected a list of at least one")
    points, _, _ = CONTENT.partition(b'"Point":')
    refused(points + b'"Point":[]}}]}}', "Point: expected a list of at least one")


def test_a_truncated_document_is_refused_at_every_hundredth_byte() -> None:
    for end in range(0, len(CONTENT) - 1, 100):
        with pytest.raises(Unreadable):
            READ(CONTENT[:end])


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"[" * 100_000, "too deep in each other"),
        (b"[" * 100_000 + b"]" * 100_000, "too deep in each other"),
        (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "too deep in each other"),
        (b"[" * 300 + b"]" * 300, "expected one object"),
        (b"", "not JSON"),
        (b"{}", "expected one object"),
        (b"[]", "expected one object"),
        (b"1", "expected one object"),
        (b'{"a":1} x', "not JSON"),
        (b"{'a':1}", "not JSON"),
        (b'{"a":1,}', "not JSON"),
        (b'{"a":"\n"}', "not JSON"),
        (b"\xff", "byte 1: not UTF-8"),
        (b'{"a":"\xe9"}', "byte 7: not UTF-8"),
        (CONTENT.decode().encode("utf-16"), "byte 1: not UTF-8"),
        (CONTENT.decode().encode("utf-16-le"), "not JSON"),
    ],
)
def test_what_is_no_document_is_refused(content: bytes, said: str) -> None:
    refused(content, said)


def test_the_most_values_are_read_and_one_more_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json, "MOST_MARKS", 6)
    assert json.parse(b'{"a":[1,[2,3],4]}')["a"] == ["1", ["2", "3"], "4"]
    with pytest.raises(Unreadable, match="has 7 values; at most 6"):
        json.parse(b'{"a":[1,[2,3],4,5]}')


def test_a_number_is_the_text_that_it_was() -> None:
    tree = json.parse(b"[0.1, -0, 12345678901234567890.123456789]")
    assert tree == ["0.1", "-0", "12345678901234567890.123456789"]
    assert all(isinstance(number, json.Number) for number in tree)


def test_the_first_key_is_found_without_reading_on() -> None:
    assert codecs.recognise(CONTENT[:200]) == "rsm014-json"
    assert json.root_of(b'{"a":nonsense') == "a"
    for content in (b'{"a', b'{"' + b"x" * 2000 + b'":1}', b"{a:1}", b'["a"]'):
        with pytest.raises(Unreadable):
            json.root_of(content)
