"""JSON from outside, read without trust: a key once, exact numbers, limits to size and depth.

A number stays the text that it was, so that no float ever holds it.
Source: RFC 8259 §4, §6, §9; decisions §36.
"""

from __future__ import annotations

import json
import re
from typing import Any, NoReturn

from kwartier.codecs.xml import Unreadable, check_size

# Values and keys: each costs memory far above its bytes.
MOST_MARKS = 3_000_000
# Of a number: what int64 Wh needs, in kWh with its decimals and sign, and zeros to spare.
MOST_DIGITS = 32

_BOM = b"\xef\xbb\xbf"
_FIRST_KEY = re.compile(rb"\s*\{\s*\"([^\"\\\x00-\x1f]{1,256})\"\s*:")


class Number(str):
    """A number as it was written."""

    __slots__ = ()


def parse(content: bytes) -> Any:
    """Parse a document from outside.

    Returns
    -------
    dicts, lists, str, bool and None, as they stand there; and Number.

    Raises
    ------
    Unreadable : too large, too deep, a key twice, a number too long or none, not JSON, not UTF-8.
    """
    check_size(content)
    marks = content.count(b",") + content.count(b"[") + content.count(b"{")
    if marks > MOST_MARKS:
        raise Unreadable(f"the document has {marks:,} values; at most {MOST_MARKS:,} are read")
    try:
        text = content.removeprefix(_BOM).decode("utf-8")
    except UnicodeDecodeError as error:
        raise Unreadable(f"byte {error.start + 1}: not UTF-8") from None
    try:
        return json.loads(
            text,
            object_pairs_hook=_once,
            parse_float=_number,
            parse_int=_number,
            parse_constant=_no_number,
        )
    except json.JSONDecodeError as error:
        raise Unreadable(f"line {error.lineno}, column {error.colno}: not JSON") from None
    except RecursionError:
        raise Unreadable("values lie too deep in each other") from None


def root_of(content: bytes) -> str:
    """Tell the first key of a document; nothing after it is read.

    Raises
    ------
    Unreadable : it does not begin as an object does.
    """
    found = _FIRST_KEY.match(bytes(content[:1024]).removeprefix(_BOM))
    if found is None:
        raise Unreadable("the document begins with no element and no key of JSON, in UTF-8")
    return found[1].decode("utf-8", "replace")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Make an object; with a key twice, two readers would read two documents."""
    made = dict(pairs)
    if len(made) != len(pairs):
        raise Unreadable("an object has the same key twice")
    return made


def _number(digits: str) -> Number:
    if len(digits) > MOST_DIGITS:
        raise Unreadable(f"a number has more than {MOST_DIGITS} characters")
    return Number(digits)


def _no_number(_: str) -> NoReturn:
    raise Unreadable("NaN and Infinity are no numbers of JSON")
