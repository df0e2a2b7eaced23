"""XML from outside, read without trust: no entity, no network, and limits to size and depth.

What costs memory is judged on the bytes, before the parser sees them; what costs none is left to
the limits of libxml2, so a document is parsed in one go, at the speed of C.
Source: OWASP XML Security; XML 1.0 §4.3.3; lxml FAQ; decisions §32, §36.
"""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files
from typing import Any

from lxml import etree

# A document of one area and day of the largest party has some 10 MB; a hostile one has no end.
# Who receives a stream stops at MOST_BYTES too, before it has come in.
MOST_BYTES = 64 * 1024 * 1024
# Tags and attributes: each costs memory far above its bytes. 400,000 points have as many.
MOST_MARKS = 3_000_000
# Of libxml2, as long as nobody asks for huge trees; so are 10 MB for a text or the tags' names.
MOST_DEPTH = 256
# The root stands within the first bytes, after at most a declaration and a comment.
_HEAD = 1 << 14

_BOM = b"\xef\xbb\xbf"
# How UTF-16 and UTF-32 begin, with a mark and without.
_OTHERS = (b"\xff\xfe", b"\xfe\xff", b"\x00\x00\xfe\xff", b"<\x00", b"\x00<", b"\x00\x00\x00<")
_DECLARED = re.compile(rb"<\?xml\b[^>]*?\bencoding\s*=\s*[\"']([^\"'>]*)")
_RESOURCES, _COMMENT = 114, 45  # XML_ERR_RESOURCE_LIMIT, XML_ERR_COMMENT_NOT_FINISHED


class Unreadable(Exception):
    """Bytes that are not a document; the text says why, and never what stood in them."""


def parse(content: bytes) -> etree._Element:
    """Parse a document from outside.

    Raises
    ------
    Unreadable : too large, too deep, with a document type or entities, not well formed, not UTF-8.
    """
    check_size(content)
    _check_head(content)
    # An entity needs a document type, and in UTF-8 that can only be written so.
    if b"<!DOCTYPE" in content:
        raise Unreadable("the document has a document type; none is allowed")
    marks = content.count(b"<") + content.count(b"=")
    if marks > MOST_MARKS:
        raise Unreadable(
            f"the document has {marks:,} tags and attributes; at most {MOST_MARKS:,} are read"
        )
    try:
        root: etree._Element = etree.fromstring(content, etree.XMLParser(**_SAFE))
    except etree.XMLSyntaxError as error:
        raise Unreadable(_why(error)) from None
    return root


def root_of(content: bytes) -> str:
    """Tell the name of the root, as `{namespace}name`; only the head is parsed.

    Raises
    ------
    Unreadable : no root in the head, or what `parse` would refuse there.
    """
    _check_head(content)
    head = bytes(content[:_HEAD])
    if b"<!DOCTYPE" in head:
        raise Unreadable("the document has a document type; none is allowed")
    parser = etree.XMLPullParser(events=("start",), **_SAFE)
    why = f"no element begins in the first {_HEAD:,} bytes"
    try:
        parser.feed(head)
    except etree.XMLSyntaxError as error:  # maybe after the root, which is enough here
        why = _why(error)
    try:
        for _, element in parser.read_events():
            return str(element.tag)
    except etree.XMLSyntaxError:
        pass
    raise Unreadable(why)


def check_size(content: bytes) -> None:
    """Refuse what is larger than any document.

    Raises
    ------
    Unreadable : it is.
    """
    if len(content) > MOST_BYTES:
        raise Unreadable(
            f"the document has {len(content):,} bytes; at most {MOST_BYTES:,} are read"
        )


# As is all that can be asked of a parser that reads from strangers. Comments and processing
# instructions are dropped, so none can divide a value in two.
_SAFE: dict[str, Any] = {
    "resolve_entities": False,
    "no_network": True,
    "load_dtd": False,
    "dtd_validation": False,
    "huge_tree": False,
    "remove_comments": True,
    "remove_pis": True,
    "encoding": "utf-8",
}


def _check_head(content: bytes) -> None:
    """Refuse what is not in UTF-8, or says that it is not."""
    head = bytes(content[:256])
    # The parser reads as UTF-8 whatever a document declares; one that declares another encoding
    # would mean other characters than were read.
    if head.startswith(_OTHERS):
        raise Unreadable("the document is in UTF-16 or UTF-32; expected UTF-8")
    declared = _DECLARED.match(head.removeprefix(_BOM))
    if declared is not None and declared[1].upper() != b"UTF-8":
        raise Unreadable("the document declares another encoding than UTF-8")


def _why(error: etree.XMLSyntaxError) -> str:
    """Say where a document is wrong; the parser's own words may quote it, so they are not used."""
    line, column = error.position
    if error.code in (_RESOURCES, _COMMENT):
        return (
            f"line {line}, column {column}: elements deeper than {MOST_DEPTH} in each other, or a "
            "name or text without end"
        )
    return f"line {line}, column {column}: not well-formed XML in UTF-8"


@cache
def schema(package: str, name: str) -> etree.XMLSchema:
    """Load a schema that lies in a package; it includes only what lies beside it."""
    place = files(package).joinpath(name)
    parser = etree.XMLParser(no_network=True, resolve_entities=False)
    return etree.XMLSchema(etree.parse(str(place), parser))


def validate(root: etree._Element, held: etree.XMLSchema) -> None:
    """Hold a document against its schema.

    Raises
    ------
    Unreadable : it is not what the schema asks; the text names the line, not the value.
    """
    if not held.validate(root):
        first = held.error_log[0]
        path = first.path or "the document"
        raise Unreadable(
            f"line {first.line}: {path} is not what the schema asks ({first.type_name})"
        )
