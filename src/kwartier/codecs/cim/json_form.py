"""The JSON form of a CIM document.

Codes and identifiers are objects with a value; quantities are bare numbers, written and read with
the digits they have. The order of keys says nothing.
"""

from __future__ import annotations

from json import dumps
from typing import Any

from kwartier.codecs.cim.layout import (
    CODE,
    ID,
    NUMBER,
    PART,
    PARTS,
    ROWS,
    TEXT,
    WHOLE,
    Field,
    Unwritable,
    Values,
    check_id,
    check_read,
    check_writable,
    columns_written,
    scheme_of,
)
from kwartier.codecs.json import Number
from kwartier.codecs.xml import Unreadable

# The form of a cell, by kind; %s is its text.
_FORMS = {
    TEXT: '"%s"',
    CODE: '{"value":"%s"}',
    WHOLE: '{"value":%s}',
    NUMBER: "%s",
}


def write(name: str, layout: tuple[Field, ...], values: Values) -> bytes:
    """Write a document.

    Raises
    ------
    Unwritable : it holds what the layout has no place for, or lacks what it asks.
    """
    return f"{{{dumps(name)}:{_written(layout, values, '')}}}\n".encode()


def _written(layout: tuple[Field, ...], values: Values, where: str) -> str:
    parts = []
    for field in layout:
        value = values.get(field.name)
        if value is None:
            if field.required:
                raise Unwritable(f"{where}{field.name}: expected, and not there")
            continue
        if field.kind == PART:
            text = _written(field.of, value, f"{where}{field.name}, ")
        elif field.kind == PARTS:
            within = (f"{where}{field.name} {count}, " for count in range(1, len(value) + 1))
            inner = (_written(field.of, part, at) for part, at in zip(value, within, strict=True))
            text = f"[{','.join(inner)}]"
        elif field.kind == ROWS:
            text = _rows_written(field, value, where)
        else:
            check_writable(field, value, where)
            quoted = dumps(value)
            if field.kind == ID:
                text = f'{{"codingScheme":"{scheme_of(value)}","value":{quoted}}}'
            else:
                text = _FORMS[field.kind] % quoted[1:-1]
        parts.append(f"{dumps(field.name)}:{text}")
    return f"{{{','.join(parts)}}}"


def _rows_written(field: Field, values: Values, where: str) -> str:
    columns = columns_written(field, values, where)
    row = ",".join(f"{dumps(part.name)}:{_FORMS[part.kind]}" for part, _ in columns)
    cells = zip(*(column for _, column in columns), strict=True)
    return f"[{','.join([f'{{{row}}}' % cell for cell in cells])}]"


def read(tree: Any, name: str, layout: tuple[Field, ...]) -> Values:
    """Read a document.

    Raises
    ------
    Unreadable : another root, or parts that the layout does not know, of another kind or not there.
    """
    if not isinstance(tree, dict) or tree.keys() != {name}:
        raise Unreadable(f"expected one object, {name}")
    return _read(tree[name], layout, "")


def _read(tree: Any, layout: tuple[Field, ...], where: str) -> Values:
    _check_keys(tree, layout, where)
    values: Values = {}
    for field in layout:
        if field.name not in tree:
            if field.required:
                raise Unreadable(f"{where}{field.name}: expected, and not there")
            continue
        value = tree[field.name]
        if field.kind in (PARTS, ROWS):
            if not isinstance(value, list) or not value:
                raise Unreadable(f"{where}{field.name}: expected a list of at least one")
            if field.kind == ROWS:
                values[field.name] = _rows_read(value, field, where)
            else:
                values[field.name] = [
                    _read(part, field.of, f"{where}{field.name} {count}, ")
                    for count, part in enumerate(value, 1)
                ]
        elif field.kind == PART:
            values[field.name] = _read(value, field.of, f"{where}{field.name}, ")
        elif field.kind == ID:
            _check_keys(value, _ID, f"{where}{field.name}, ")
            text, scheme = (_cell(value.get(part.name), TEXT) for part in _ID)
            values[field.name] = check_id(field, text or "", scheme or "", where)
        else:
            text = _cell(value, field.kind)
            if text is None:
                raise Unreadable(f"{where}{field.name}: expected {_KINDS[field.kind]}")
            values[field.name] = check_read(field, text, where)
    return values


_ID = (Field("value"), Field("codingScheme"))
_KINDS = {
    TEXT: "a text",
    CODE: "an object with the text value",
    WHOLE: "an object with the number value",
    NUMBER: "a number",
}


def _check_keys(tree: Any, layout: tuple[Field, ...], where: str) -> None:
    if not isinstance(tree, dict) or not tree.keys() <= {field.name for field in layout}:
        raise Unreadable(
            f"{where or 'the document: '}expected an object of "
            + ", ".join(field.name for field in layout)
        )


def _cell(value: Any, kind: str) -> str | None:
    """Give the text of a value; None where it is not of its kind."""
    if kind in (CODE, WHOLE):
        if not isinstance(value, dict) or value.keys() != {"value"}:
            return None
        value = value["value"]
    if not isinstance(value, str) or isinstance(value, Number) != (kind in (WHOLE, NUMBER)):
        return None
    return value


def _rows_read(rows: list[Any], field: Field, where: str) -> Values:
    """Read rows as columns; a cell that a row has not is empty."""
    names = {part.name for part in field.of}
    for count, row in enumerate(rows, 1):
        if type(row) is not dict or not row.keys() <= names:
            _check_keys(row, field.of, f"{where}{field.name} {count}: ")
    columns: Values = {}
    for part in field.of:
        columns[part.name] = column = [
            _cell(row[part.name], part.kind) if part.name in row else "" for row in rows
        ]
        if None in column:
            count = column.index(None) + 1
            raise Unreadable(
                f"{where}{field.name} {count}, {part.name}: expected {_KINDS[part.kind]}"
            )
    return columns
