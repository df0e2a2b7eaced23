"""The XML form of a CIM document.

Written as text, because a day has thousands of points and a tree of them only costs; read from the
tree of the hardened parser, element by element in the order of the layout.
"""

from __future__ import annotations

from typing import Any
from xml.sax.saxutils import escape

from lxml import etree

from kwartier.codecs.cim.layout import (
    ID,
    NOTE,
    PART,
    PARTS,
    ROWS,
    Field,
    Unwritable,
    Values,
    check_id,
    check_read,
    check_writable,
    columns_written,
    note,
    scheme_of,
)
from kwartier.codecs.xml import Unreadable


def write(name: str, namespace: str, layout: tuple[Field, ...], values: Values) -> bytes:
    """Write a document.

    Raises
    ------
    Unwritable : it holds what the layout has no place for, or lacks what it asks.
    """
    inner = _written(layout, values, "")
    whole = (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<{name} xmlns="{namespace}">{inner}</{name}>\n'
    )
    return whole.encode("utf-8")


def _written(layout: tuple[Field, ...], values: Values, where: str) -> str:
    parts = []
    for field in layout:
        value = values.get(field.name)
        if value is None:
            if field.required:
                raise Unwritable(f"{where}{field.name}: expected, and not there")
        elif field.kind == PART:
            parts.append(_element(field.name, _written(field.of, value, f"{where}{field.name}, ")))
        elif field.kind == PARTS:
            for count, part in enumerate(value, 1):
                within = f"{where}{field.name} {count}, "
                parts.append(_element(field.name, _written(field.of, part, within)))
        elif field.kind == ROWS:
            parts.append(_rows_written(field, value, where))
        elif field.kind == NOTE:
            parts.append(_element(field.name, escape(note(field, value))))
        else:
            check_writable(field, value, where)
            scheme = f' codingScheme="{scheme_of(value)}"' if field.kind == ID else ""
            parts.append(f"<{field.name}{scheme}>{escape(value)}</{field.name}>")
    return "".join(parts)


def _element(name: str, inner: str) -> str:
    return f"<{name}>{inner}</{name}>"


def _rows_written(field: Field, values: Values, where: str) -> str:
    """Write rows; their cells are numbers and codes of our own making, which need no escape."""
    columns = columns_written(field, values, where)
    row = _element(field.name, "".join(_element(part.name, "%s") for part, _ in columns))
    cells = zip(*(column for _, column in columns), strict=True)
    return "".join([row % cell for cell in cells])


def read(root: etree._Element, name: str, namespace: str, layout: tuple[Field, ...]) -> Values:
    """Read a document.

    Raises
    ------
    Unreadable : another root, or parts that the layout does not know, in another order, too often
        or not at all.
    """
    if root.tag != f"{{{namespace}}}{name}":
        raise Unreadable(f"expected the root {name} of {namespace}")
    return _read(root, layout, f"{{{namespace}}}", "")


def _read(element: etree._Element, layout: tuple[Field, ...], prefix: str, where: str) -> Values:
    values: Values = {}
    children = list(element)
    at = 0
    for field in layout:
        tag = prefix + field.name
        first = at
        while at < len(children) and children[at].tag == tag:
            at += 1
        found = children[first:at]
        if not found:
            if field.required:
                raise Unreadable(
                    f"{where}{field.name}: expected, and not there or not in its place"
                )
        elif field.kind == ROWS:
            values[field.name] = _rows_read(found, field, prefix, where)
        elif field.kind == PARTS:
            values[field.name] = [
                _read(part, field.of, prefix, f"{where}{field.name} {count}, ")
                for count, part in enumerate(found, 1)
            ]
        elif len(found) > 1:
            raise Unreadable(f"{where}{field.name}: expected once, and there {len(found)} times")
        elif field.kind == PART:
            values[field.name] = _read(found[0], field.of, prefix, f"{where}{field.name}, ")
        elif len(found[0]):
            raise Unreadable(f"{where}{field.name}: expected a text, not elements")
        elif field.kind == ID:
            scheme = found[0].get("codingScheme", "")
            values[field.name] = check_id(field, found[0].text or "", scheme, where)
        else:
            values[field.name] = check_read(field, found[0].text or "", where)
    if at < len(children):
        raise Unreadable(
            f"{where}element {at + 1} of {len(children)}: unknown, or not in its place; expected "
            + ", ".join(field.name for field in layout)
        )
    return values


def _rows_read(rows: list[etree._Element], field: Field, prefix: str, where: str) -> Values:
    """Read rows as columns; a cell that a row has not is empty."""
    places: dict[Any, int] = {prefix + part.name: place for place, part in enumerate(field.of)}
    columns = [[""] * len(rows) for _ in field.of]
    for count, row in enumerate(rows):
        last = -1
        for cell in row:
            place = places.get(cell.tag, -1)
            if place <= last or len(cell):
                raise Unreadable(
                    f"{where}{field.name} {count + 1}: expected "
                    + ", ".join(part.name for part in field.of)
                )
            columns[place][count] = (cell.text or "").strip()
            last = place
    return {part.name: column for part, column in zip(field.of, columns, strict=True)}
