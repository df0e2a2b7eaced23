"""Moments and decimals as they stand in a message ↔ whole numbers, with no float between them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache
from xml.sax.saxutils import escape

import numpy as np

from kwartier.arrays import Int64s


@lru_cache(maxsize=4096)
def moment(text: str) -> int:
    """Read a moment that its schema let pass [s UTC]."""
    return int(datetime.fromisoformat(text.strip()).timestamp())


@lru_cache(maxsize=4096)
def moment_text(seconds: int) -> str:
    """Write a moment: UTC, whole seconds."""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%SZ}"


def wholes(texts: Sequence[str], decimals: int) -> tuple[Int64s, frozenset[int]]:
    """Read decimal numbers as counts of their last decimal.

    Parameters
    ----------
    texts : digits, with a sign and a point at most, that the schema let pass.
    decimals : how many decimals each should have.

    Returns
    -------
    numbers : empty where one of them has another number of decimals.
    found : the numbers of decimals that there were.
    """
    found = frozenset(len(text) - 1 - text.find(".") if "." in text else 0 for text in texts)
    if found - {decimals}:
        return np.empty(0, np.int64), found
    return np.array([int(text.replace(".", "", 1)) for text in texts], np.int64), found


def decimal_texts(numbers: Int64s, decimals: int) -> list[str]:
    """Write counts of a last decimal as decimal numbers, with exactly so many decimals."""
    one = 10**decimals
    return [
        f"{'-' if number < 0 else ''}{abs(number) // one}.{abs(number) % one:0{decimals}d}"
        for number in numbers.tolist()
    ]


def element(name: str, text: str) -> str:
    """Write an element that holds text; what is empty is not there."""
    return f"<{name}>{escape(text)}</{name}>" if text else ""
