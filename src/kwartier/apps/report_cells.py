"""How the report writes numbers, energy, shares and tables."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence

THIN = "\N{NARROW NO-BREAK SPACE}"


def number(value: int, decimals: int = 0, *, signed: bool = False) -> str:
    """Write a whole number, divided by a power of ten, without going through a float."""
    sign = "\N{MINUS SIGN}" if value < 0 else "+" if signed and value > 0 else ""
    whole, part = divmod(abs(value), 10**decimals)
    tail = f".{part:0{decimals}d}" if decimals else ""
    return f"{sign}{whole:,}".replace(",", THIN) + tail


def kwh(wh: int, *, signed: bool = False) -> str:
    """Write energy in kWh with its three decimals."""
    return number(wh, 3, signed=signed)


def ends(counts: Iterable[int]) -> str:
    """Write the fewest and the most of some counts."""
    found = sorted(set(counts))
    if not found:
        return "0"
    both = [number(found[0]), *([number(found[-1])] if len(found) > 1 else [])]
    return "\N{EN DASH}".join(both)


def share(part: int, whole: int, *, signed: bool = False) -> str:
    """Write a share in per cent; never 0 or 100 unless it is."""
    if whole == 0:
        return "\N{EN DASH}"
    percent = f"{100 * part / whole:{'+' if signed and part else ''}.2f}".replace(
        "-", "\N{MINUS SIGN}"
    )
    if part != 0 and percent.endswith("0.00") and abs(part) * 100 < whole:
        percent = "under 0.01"
    if 0 < part < whole and percent == "100.00":
        percent = "over 99.99"
    return f"{percent}{THIN}%"


def table(
    heads: Sequence[str], rows: Iterable[Sequence[str]], words: int = 1, total: int = 0
) -> str:
    """Write a table of ready-made cells: `words` text columns, then numbers; `total` last rows."""
    kinds = ["" if index < words else " class=n" for index in range(len(heads))]
    head = "".join(f"<th{k}>{text(h)}</th>" for k, h in zip(kinds, heads, strict=True))
    body = list(rows)
    lines = [
        ("<tr class=total>" if index >= len(body) - total else "<tr>")
        + "".join(f"<td{k}>{cell}</td>" for k, cell in zip(kinds, row, strict=True))
        + "</tr>"
        for index, row in enumerate(body)
    ]
    whole = f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(lines)}</tbody></table>"
    return f"<div class=scroll>{whole}</div>"


def text(value: str | None) -> str:
    """Write a word so that it stays a word."""
    return html.escape(value or "\N{EN DASH}")
