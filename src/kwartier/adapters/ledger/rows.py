"""What the ledger is asked and what it tells; moments are whole seconds UTC."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

# These are made as often as they are asked; every other kind stands in the calendar and is
# made once for a market day and grid area.
ANY_TIME = ("trial", "correction")
NEVER_PUBLISHED = "trial"


class LedgerError(Exception):
    """The ledger cannot do what was asked; the text says why and what to do."""


class Unreachable(LedgerError):
    """The database cannot be reached, or went away; the same can be asked again."""


class Overtaken(LedgerError):
    """Another run of the day and area was published meanwhile: `last`, which now counts."""

    def __init__(self, text: str, last: Run | None) -> None:
        super().__init__(text)
        self.last = last


@dataclass(frozen=True)
class Question:
    """What a run answers: the allocation of a day and area, as known at a moment [s UTC]."""

    market_day: date
    grid_area: str
    kind: str
    known_at: int


@dataclass(frozen=True)
class Run:
    """A row of the ledger.

    Attributes
    ----------
    number : order of creation; of a day and area the latest creation wins.
    turn : how many times the question was begun, this one included.
    lease_until : until then the worker is taken to be alive [s UTC].
    digest : of inputs, parameters and version; the same digest, the same bytes. Of a refused run:
        of all that was known.
    previous : the run that this one is held against.
    same_as : the complete run that has the content of this one.
    blocks, blocks_computed : blocks of readings, and those that were not kept from another run.
    publication : the how manieth published run of the day and area; empty where not published.
    """

    run: str
    number: int
    market_day: date
    grid_area: str
    kind: str
    known_at: int
    turn: int
    state: str
    worker: str | None
    lease_until: int | None
    started_at: int
    finished_at: int | None
    version: str | None
    digest: str | None
    previous: str | None
    same_as: str | None
    reason: str | None
    blocks: int | None
    blocks_computed: int | None
    publication: int | None


@dataclass(frozen=True)
class Content:
    """What is said of a run when it is complete.

    Attributes
    ----------
    digest : of inputs, parameters and version; the same digest, the same bytes.
    inputs : path and SHA-256 of every file that was read.
    parameters : since when each holds, and its value.
    tables : name, path, rows and SHA-256 of every table that was made.
    previous : the run that this one is held against.
    blocks, blocks_computed : blocks of readings, and those that were not kept from another run.
    """

    digest: str
    version: str
    inputs: Sequence[tuple[str, str]]
    parameters: Mapping[str, tuple[date, str]]
    tables: Sequence[tuple[str, str, int, str]]
    previous: str | None
    blocks: int
    blocks_computed: int


@dataclass(frozen=True)
class Event:
    """A change of state of a run, the first with `seq` 1."""

    seq: int
    at: int
    event: str
    worker: str | None
    note: str | None
