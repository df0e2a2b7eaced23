"""What the receiver of a document knows, and what a rule finds."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import NamedTuple

from kwartier.documents import Document, Series
from kwartier.parameters import Parameters


class Subject(NamedTuple):
    """What a document says something about; of two about the same, the latest creation counts."""

    process: str
    sender: str
    market_day: date
    grid_area: str
    point: str


def subject(document: Document, series: Series) -> Subject:
    """Give what a series of a document is about."""
    sender, day = document.sender, document.market_day
    return Subject(document.process, sender, day, series.grid_area, series.point)


@dataclass(frozen=True)
class Known:
    """What a receiver knows when a document comes; what is None he does not know.

    `parameters` are those of the document's market day. `receiver` is his own GLN; `sender` that of
    the party whose connection, or signature, brought the document.
    `messages`, `series` : ids that were received before. `newest` : per subject, the latest
    creation that was accepted [s UTC]. `runs` : per run id, the grid area and market day of it.
    `areas` : those of which this sender may tell. `parties` : the BRPs that he recognises; a BRP
    only itself. `active` : per (grid area, BRP), the groups it has points of on that day.
    """

    parameters: Parameters
    receiver: str | None = None
    sender: str | None = None
    messages: Container[str] = frozenset()
    series: Container[str] = frozenset()
    newest: Mapping[Subject, int] = field(default_factory=dict)
    runs: Mapping[str, tuple[str, date]] = field(default_factory=dict)
    areas: Container[str] | None = None
    parties: Container[str] | None = None
    active: Mapping[tuple[str, str], Container[str]] | None = None


class Found(NamedTuple):
    """What a rule found: in which series, or in the document, and what was expected instead."""

    series: Series | None = None
    expected: str = ""


Finds = Iterator[Found]
