"""XML from outside, read without trust: no entity, no network, and limits to size and depth.

Source: OWASP XML Security; lxml FAQ; decisions §32.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from lxml import etree

# A document of one area and day of the largest party has some 10 MB; a hostile one has no end.
MOST_BYTES = 64 * 1024 * 1024
MOST_DEPTH = 32
MOST_ELEMENTS = 2_000_000
_PIECE = 1 << 16


class Unreadable(Exception):
    """Bytes that are not a document; the text says why, and never what stood in them."""


def parse(content: bytes) -> etree._Element:
    """Parse a document from outside.

    Raises
    ------
    Unreadable : too large, too deep, with a document type or entities, not well formed, not UTF-8.
    """
    if len(content) > MOST_BYTES:
        raise Unreadable(
            f"the document has {len(content):,} bytes; at most {MOST_BYTES:,} are read"
        )
    parser = etree.XMLPullParser(
        events=("start", "end"),
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
        encoding="utf-8",
    )
    depth = elements = 0
    root: etree._Element | None = None
    try:
        for at in [*range(0, len(content), _PIECE), None]:
            if at is None:
                parser.close()
            else:
                parser.feed(content[at : at + _PIECE])
            for event, element in parser.read_events():
                depth += 1 if event == "start" else -1
                elements += event == "start"
                if root is None:
                    root = element
                    if element.getroottree().docinfo.internalDTD is not None:
                        raise Unreadable("the document has a document type; none is allowed")
                if depth > MOST_DEPTH:
                    raise Unreadable(f"elements lie deeper than {MOST_DEPTH} in each other")
                if elements > MOST_ELEMENTS:
                    raise Unreadable(f"the document has more than {MOST_ELEMENTS:,} elements")
    except etree.XMLSyntaxError as error:
        line, column = error.position
        raise Unreadable(f"line {line}, column {column}: not well-formed XML in UTF-8") from None
    if root is None:
        raise Unreadable("the document is empty")
    return root


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
