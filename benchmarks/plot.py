"""A bar chart as SVG."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple
from xml.sax.saxutils import escape

_WIDTH, _LABELS, _BAR, _GAP = 860, 330, 18, 8


class Bar(NamedTuple):
    """What a bar stands for, how long it is, and what is written at its end."""

    label: str
    value: float
    text: str
    own: bool  # kwartier's


def draw(bars: Sequence[Bar]) -> str:
    """Draw bars from above to below, their lengths by their values."""
    longest = max(bar.value for bar in bars)
    room = _WIDTH - _LABELS - 170
    height = len(bars) * (_BAR + _GAP) + 2 * _GAP
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{height}" '
        f'viewBox="0 0 {_WIDTH} {height}" font-family="sans-serif" font-size="13">',
        f'<rect width="{_WIDTH}" height="{height}" fill="#ffffff"/>',
    ]
    for place, bar in enumerate(bars):
        top = _GAP + place * (_BAR + _GAP)
        length = max(1.0, room * bar.value / longest)
        colour = "#1f6f8b" if bar.own else "#b9c4cc"
        middle = top + _BAR - 5
        lines += [
            f'<text x="{_LABELS - 8}" y="{middle}" text-anchor="end">{escape(bar.label)}</text>',
            f'<rect x="{_LABELS}" y="{top}" width="{length:.1f}" height="{_BAR}" fill="{colour}"/>',
            f'<text x="{_LABELS + length + 6:.1f}" y="{middle}">{escape(bar.text)}</text>',
        ]
    return "\n".join([*lines, "</svg>"]) + "\n"
