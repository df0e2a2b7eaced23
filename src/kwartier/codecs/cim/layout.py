"""The layout of a CIM document: which parts a part has, in which order, and of what kind.

A layout is a table; the XML and the JSON form both follow it, so a message is described once.
What a document holds flows as `Values`: a dict of texts, of Values, and of lists of Values; rows
are a dict of columns, because a day has thousands of points.
Source: IEC 62325-351, 62325-451; decisions §36.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from kwartier.codecs.xml import Unreadable

Values = dict[str, Any]

# Kinds of a part. In XML they are elements with a text, of ID with an attribute for the
# scheme. In JSON they are "x", {"value": "x"}, {"codingScheme": "A10", "value": "x"}, {"value": 1}
# and 1.
TEXT, CODE, ID, WHOLE, NUMBER = "text", "code", "id", "whole", "number"
# A text for people, of which only the words count.
NOTE = "note"
# Made of parts: one, several, and many whose parts are texts only.
PART, PARTS, ROWS = "part", "parts", "rows"

LONGEST = 512


@dataclass(frozen=True)
class Field:
    """A part of a document.

    `longest` : of a text or id, in characters.
    """

    name: str
    kind: str = TEXT
    required: bool = True
    of: tuple[Field, ...] = ()
    longest: int = LONGEST


def optional(
    name: str, kind: str = TEXT, of: tuple[Field, ...] = (), longest: int = LONGEST
) -> Field:
    """Declare a part that may be absent."""
    return Field(name, kind, False, of, longest)


class Unwritable(Exception):
    """A document that a format has no place for; the text says what, and never a value."""


# GS1 (GLN, EAN) and EIC, by which parties and areas are known.
_SCHEMES = {"A10": re.compile(r"[0-9]{13}|[0-9]{18}"), "A01": re.compile(r"[0-9A-Z-]{16}")}


def scheme_of(identifier: str) -> str:
    """Tell the coding scheme of an identifier by its form; empty where it has none."""
    return next((code for code, form in _SCHEMES.items() if form.fullmatch(identifier)), "")


def check_writable(field: Field, text: str, where: str) -> None:
    """Check that a text can be written, and would be read back as it is.

    Raises
    ------
    Unwritable : empty, too long, with characters that are not printed, or an id of no known scheme.
    """
    if not text or len(text) > field.longest:
        raise Unwritable(
            f"{where}{field.name}: expected 1 to {field.longest} characters, not {len(text)}"
            + ("; write a UUID without its dashes" if field.longest < len(text) <= 36 else "")
        )
    if text != text.strip() or not text.isprintable():
        raise Unwritable(f"{where}{field.name}: holds characters that cannot be written")
    if field.kind == ID and not scheme_of(text):
        raise Unwritable(f"{where}{field.name}: expected a GLN-13, an EAN-18 or an EIC")


def note(field: Field, text: str) -> str:
    """Give the words of a text for people, one space apart; cut where it is too long."""
    words = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return words if len(words) <= field.longest else words[: field.longest - 1] + "…"


def check_read(field: Field, text: str, where: str) -> str:
    """Check a text that was read, and give it without the space around it.

    Raises
    ------
    Unreadable : empty, too long, or with characters that are not printed.
    """
    if field.kind == NOTE:
        return note(field, text)
    text = text.strip()
    if not 0 < len(text) <= field.longest:
        raise Unreadable(f"{where}{field.name}: expected 1 to {field.longest} characters")
    if not text.isprintable():
        raise Unreadable(f"{where}{field.name}: holds characters that are not printed")
    return text


def check_id(field: Field, text: str, scheme: str, where: str) -> str:
    """Check an identifier that was read against the scheme that it says it is of.

    Raises
    ------
    Unreadable : another scheme, or not of its form.
    """
    text = check_read(field, text, where)
    if scheme not in _SCHEMES or not _SCHEMES[scheme].fullmatch(text):
        raise Unreadable(
            f"{where}{field.name}: expected a GLN-13 or EAN-18 of scheme A10, or an EIC of A01"
        )
    return text


def columns_written(field: Field, values: Values, where: str) -> list[tuple[Field, Sequence[str]]]:
    """Give the columns of rows that are there, in the order of the layout.

    Raises
    ------
    Unwritable : no row.
    """
    columns = [(part, values[part.name]) for part in field.of if part.name in values]
    if not columns or not columns[0][1]:
        raise Unwritable(f"{where}{field.name}: expected at least one")
    return columns
