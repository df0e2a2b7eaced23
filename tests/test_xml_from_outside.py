"""PURPOSE: a hostile or broken document gets a clear refusal, and nothing of it is in the text.

What costs memory is refused on the bytes; so these tests need none either.
"""

import mmap
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from lxml import etree

from kwartier import codecs
from kwartier.codecs import Unreadable, json, xml
from tests.international import CODECS, acknowledgement, document

SECRET = "871687120000052782"
XMLS = ("rsm014-xml", "energy-account-4.0", "energy-account-4.1", "acknowledgement-8.1")


def refused(content: bytes, said: str = "") -> str:
    """Check that a document is refused by the parser and by every codec; give what was said."""
    with pytest.raises(Unreadable, match=said or None) as refusal:
        xml.parse(content)
    assert SECRET not in str(refusal.value)
    assert refusal.value.__cause__ is None
    assert refusal.value.__suppress_context__ or refusal.value.__context__ is None
    for name in XMLS:
        with pytest.raises(Unreadable) as of_codec:
            CODECS[name].read(content)
        assert SECRET not in str(of_codec.value)
    return str(refusal.value)


LAUGHS = "".join(f'<!ENTITY l{k} "{f"&l{k - 1};" * 10}">' for k in range(1, 10))
TYPES = {
    "billion laughs": f'<!DOCTYPE a [<!ENTITY l0 "{SECRET}">{LAUGHS}]><a>&l9;</a>',
    "quadratic blow-up": f'<!DOCTYPE a [<!ENTITY x "{"y" * 9000}">]><a>{"&x;" * 9000}</a>',
    "external entity of a file": '<!DOCTYPE a [<!ENTITY x SYSTEM "file://{file}">]><a>&x;</a>',
    "external entity of the network": '<!DOCTYPE a [<!ENTITY x SYSTEM "http://127.0.0.1:9/">]><a>&x;</a>',
    "external DTD": '<!DOCTYPE a SYSTEM "file://{file}"><a/>',
    "external DTD of the network": '<!DOCTYPE a SYSTEM "http://127.0.0.1:9/a.dtd"><a/>',
    "public DTD": '<!DOCTYPE a PUBLIC "-//W3C//DTD XHTML 1.0//EN" "http://127.0.0.1:9/"><a/>',
    "parameter entity": '<!DOCTYPE a [<!ENTITY % x SYSTEM "file://{file}"> %x;]><a/>',
    "default attributes": f'<!DOCTYPE a [<!ATTLIST a b CDATA "{SECRET}">]><a/>',
    "entity of itself": '<!DOCTYPE a [<!ENTITY x "&x;">]><a>&x;</a>',
    "empty type": "<!DOCTYPE a><a/>",
    "far in the prolog": f"<!--{'x' * 20_000}--><!DOCTYPE a><a/>",
}  # fmt: skip


@pytest.mark.parametrize("kind", TYPES)
def test_a_document_type_is_refused_whatever_it_declares(kind: str, tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text(SECRET)
    content = TYPES[kind].replace("{file}", str(file)).encode()
    refused(content, "document type; none is allowed")
    refused(b'<?xml version="1.0" encoding="UTF-8"?>\n' + content, "document type")
    with pytest.raises(Unreadable):
        codecs.recognise(content)


def test_an_entity_without_a_type_is_refused() -> None:
    refused(b"<a>&secret;</a>", "line 1, column .*: not well-formed XML in UTF-8")
    assert xml.parse(b"<a>&lt;&#120;&amp;</a>").text == "<x&"


def test_an_inclusion_includes_nothing(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text(SECRET)
    content = f'<a xmlns:i="http://www.w3.org/2001/XInclude"><i:include href="{file}"/></a>'
    root = xml.parse(content.encode())
    assert SECRET.encode() not in etree.tostring(root)
    for name in XMLS:
        with pytest.raises(Unreadable):
            CODECS[name].read(content.encode())


def test_two_gigabytes_are_refused_by_their_size(tmp_path: Path) -> None:
    path = tmp_path / "large"
    with path.open("wb") as file:
        file.truncate(2 << 30)  # of a file with no block in it
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        for parse in (xml.parse, json.parse):
            with pytest.raises(Unreadable, match="2,147,483,648 bytes; at most 67,108,864"):
                parse(content)  # type: ignore[arg-type]


class Sized(bytes):
    """Bytes that say they are as many as asked."""

    size = 0

    def __len__(self) -> int:
        return self.size


def test_the_largest_size_is_read_and_one_byte_more_is_not() -> None:
    content = Sized(b"<a/>")
    content.size = codecs.MOST_BYTES
    assert xml.parse(content).tag == "a"
    content.size += 1
    refused(content, "at most 67,108,864 are read")


def test_the_most_marks_are_read_and_one_more_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(xml, "MOST_MARKS", 6)
    assert len(xml.parse(b'<a b="1"><c/><c/><c/></a>')) == 3
    refused(b'<a b="1"><c/><c/><c/><c/></a>', "has 7 tags and attributes; at most 6")


def test_what_would_cost_memory_is_refused_before_it_does() -> None:
    tags = b"<a>" + b"<b/>" * 3_000_000 + b"</a>"
    attributes = b"<a " + b"b=''" * 3_000_001 + b"/>"
    tracemalloc.start()
    for content in (tags, attributes):
        with pytest.raises(Unreadable, match="at most 3,000,000 are read"):
            xml.parse(content)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1 << 20


ENCODINGS = {
    "UTF-16": f"<a>{SECRET}</a>".encode("utf-16"),
    "UTF-16, big end first": b"\xfe\xff" + f"<a>{SECRET}</a>".encode("utf-16-be"),
    "UTF-16 without a mark": f"<a>{SECRET}</a>".encode("utf-16-le"),
    "UTF-32": f"<a>{SECRET}</a>".encode("utf-32"),
    "UTF-16 as declared": '<?xml version="1.0" encoding="UTF-16"?><a/>'.encode("utf-16"),
    "UTF-16 that is none": b'<?xml version="1.0" encoding="UTF-16"?><a/>',
    "Latin-1 as declared": b'<?xml version="1.0" encoding="ISO-8859-1"?><a>\xe9</a>',
    "Latin-1 that is UTF-8": '<?xml version="1.0" encoding="latin-1"?><a>é</a>'.encode(),
    "Latin-1, single quotes": b"<?xml version='1.0' encoding = 'windows-1252' ?><a/>",
    "UTF-7": b'<?xml version="1.0" encoding="UTF-7"?>+ADw-a/+AD4-',
    "EBCDIC": b"\x4c\x6f\xa7\x94\x93",
    "unknown": b'<?xml version="1.0" encoding="secret"?><a/>',
    "Latin-1 behind a mark": b'\xef\xbb\xbf<?xml version="1.0" encoding="latin1"?><a/>',
    "Latin-1, undeclared": b"<a>\xe9</a>",
    "a surrogate": b"<a>\xed\xa0\x80</a>",
    "overlong": b"<a>\xc0\xbc</a>",
    "NUL": b"<a>\x00</a>",
}


@pytest.mark.parametrize("kind", ENCODINGS)
def test_another_encoding_is_refused(kind: str) -> None:
    said = refused(ENCODINGS[kind])
    assert "UTF-8" in said


def test_utf_8_may_have_a_mark_and_a_declaration() -> None:
    for content in ("<a>é</a>", '<?xml version="1.0" encoding="utf-8"?><a>é</a>', "\ufeff<a>é</a>"):
        assert xml.parse(content.encode()).text == "é"


@pytest.mark.parametrize("process", ["E31", "A11", "A12", ""])
def test_a_truncated_document_is_refused_at_every_hundredth_byte(process: str) -> None:
    names = {"E31": XMLS[:1], "A11": XMLS[1:3], "A12": XMLS[1:3], "": XMLS[3:]}[process]
    for name in names:
        made = document(process) if process else acknowledgement()
        content = CODECS[name].write(made)
        for end in range(0, len(content) - 1, 100):
            with pytest.raises(Unreadable):
                CODECS[name].read(content[:end])
        assert CODECS[name].read(content[:-1]) == made  # without its last newline


LONG = {
    "elements in elements": b"<a>" * 100_000 + b"</a>" * 100_000,
    "elements one too deep": b"<a>" * 257 + b"</a>" * 257,
    "attributes": b"<a " + b" ".join(b'a%d="1"' % k for k in range(1_000_000)) + b"/>",
    "text": b"<a>" + b"x" * 12_000_000 + b"</a>",
    "attribute": b'<a b="' + b"x" * 12_000_000 + b'"/>',
    "name": b"<" + b"x" * 12_000_000 + b"/>",
    "comment": b"<a><!--" + b"x" * 12_000_000 + b"--></a>",
}


@pytest.mark.parametrize("kind", LONG)
def test_what_has_no_end_is_refused(kind: str) -> None:
    refused(LONG[kind], "deeper than 256 in each other, or a name or text without end")


def test_as_deep_as_allowed_is_read() -> None:
    assert xml.parse(b"<a>" * 256 + b"</a>" * 256).tag == "a"


BROKEN = (
    b"", b" ", b"<", b"<a", b"<a>", b"</a>", b"<a/><b/>", b"<a/>x", b"<a b=1/>",
    b"<a a='1' a='1'/>",
    b"<a>&#0;</a>", b"<x:a/>", b"<a></b>", b"<a>]]></a>", b"{}", b"\x1f\x8b\x08\x00", b"PK\x03\x04",
    b" <?xml version='1.0'?><a/>", b"<a><![CDATA[</a>", f"<a><{SECRET}</a>".encode(),
    f"<a><b>{SECRET}</c></a>".encode(), f"<a>&{SECRET};</a>".encode(),
)  # fmt: skip


@pytest.mark.parametrize("content", BROKEN)
def test_what_is_not_well_formed_is_refused_by_its_place(content: bytes) -> None:
    refused(content, r"line \d+, column \d+: not well-formed XML in UTF-8")


def test_comments_and_instructions_divide_no_value() -> None:
    name = "rsm014-xml"
    content = CODECS[name].write(document())
    for between in (b"<!-- -->", b"<?x y?>", b"<![CDATA[]]>"):
        divided = content.replace(b"1.500", b"1." + between + b"500")
        assert CODECS[name].read(divided) == document()


def test_the_schema_says_the_line_and_not_the_value() -> None:
    kind = b'<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema"><xs:element name="a" %s/>'
    held = etree.XMLSchema(etree.fromstring(kind % b'type="xs:int"' + b"</xs:schema>"))
    xml.validate(xml.parse(b"<a>1</a>"), held)
    with pytest.raises(Unreadable, match="line 2: /a is not what the schema asks") as refusal:
        xml.validate(xml.parse(f"\n<a>{SECRET}x</a>".encode()), held)
    assert SECRET not in str(refusal.value)


def test_the_root_is_found_without_reading_on() -> None:
    head = b'<a xmlns="urn:x">'
    assert xml.root_of(head + b"<b>" * 1000) == "{urn:x}a"
    assert xml.root_of(head + b"\x00 not < well formed") == "{urn:x}a"
    for content in (b"<!-- " + b"x" * 20_000 + b"--><a/>", b"<", b"", b"x"):
        with pytest.raises(Unreadable):
            xml.root_of(content)


MADE = {name: document(process) for name, process in {
    "rsm014-xml": "E31", "rsm014-json": "E31", "energy-account-4.0": "A12",
    "energy-account-4.1": "A11",
}.items()}  # fmt: skip
WRITTEN = {name: CODECS[name].write(made) for name, made in MADE.items()}
WRITTEN["acknowledgement-8.1"] = CODECS["acknowledgement-8.1"].write(acknowledgement())
# The head and the first points say all that the other points do.
PLACES = st.integers(0, 2_500)
PIECES = st.one_of(
    st.binary(max_size=3),
    st.sampled_from([b"<", b">", b"</", b'"', b"{", b"}", b"]", b",", b"&", b"0", b"-", b"null"]),
)


@settings(max_examples=150, phases=[Phase.generate])
@given(st.sampled_from(sorted(WRITTEN)), st.lists(st.tuples(PLACES, PLACES, PIECES), max_size=3))
def test_whatever_is_changed_a_document_is_read_or_refused(name: str, changes: list) -> None:
    content = WRITTEN[name]
    for place, other, piece in changes:
        end = place + other % 40
        content = content[:place] + piece + content[end:]
    try:
        found = CODECS[name].read(content)
    except Unreadable as refusal:
        said = str(refusal)
    else:  # what was read can be told on
        assert CODECS[name].read(CODECS[name].write(found)) == found
        said = ""
    assert SECRET not in said
