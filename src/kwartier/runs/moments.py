"""The clock, and what every run names itself and its parameters by."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable
from datetime import date, datetime

from kwartier import parameters
from kwartier.adapters.store import Home
from kwartier.parameters import Parameters

# Called with what is done and what there is to do, where that is known.
Progress = Callable[[int, int | None], None]


def silent(done: int, total: int | None) -> None:
    """Show nothing."""


def seconds(moment: datetime | None) -> int:
    """Give a moment [s UTC]; now when none is given."""
    if moment is None:
        return int(time.time())
    if moment.tzinfo is None:
        raise ValueError("expected a moment with its time zone")
    return int(moment.timestamp())


def identity(content: object) -> str:
    """Name something by its content: the same content, the same name."""
    text = json.dumps(content, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def parameters_of(home: Home, day: date) -> Parameters:
    """Give the parameters that hold on a day; the home's own go before the market's."""
    text = home.parameters_text()
    own = None if text is None else parameters.parse(text, "parameters.yaml")
    return parameters.load(day, own)
