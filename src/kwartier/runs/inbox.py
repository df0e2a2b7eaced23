"""What was received from other parties: documents with their answers, and the series that count.

Of the same subject (process, sender, day, area, and point of an individual series) the latest
creation counts. Source: SD030 v4.0; domain §7, §8; decisions §38.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import pyarrow as pa

from kwartier import documents, tables
from kwartier.adapters.store import Home
from kwartier.documents import Document, Reason
from kwartier.runs.moments import seconds
from kwartier.steps.receiving import Subject

RECEIVED = "received"
_SUBJECT = ["process", "sender", "market_day", "grid_area", "accounting_point"]


@dataclass(frozen=True)
class Reception:
    """A document that came in, and what was said of it.

    Attributes
    ----------
    message, process, market_day, created_at : of the document; empty where it could not be read.
    sender : GLN-13, as the document says.
    received_at : when it came first [s UTC].
    again : it came before, and was answered as it was then.
    answer : the acknowledgement, as it goes back.
    """

    message: str
    sender: str
    process: str
    market_day: date | None
    created_at: int | None
    received_at: int
    series: int
    reasons: tuple[Reason, ...]
    answer: bytes
    again: bool = False

    @property
    def accepted(self) -> bool:
        """Tell whether it was accepted."""
        return [reason.code for reason in self.reasons] == [documents.ACCEPTED]


def place_of(day: date) -> str:
    """Give the place of what was received of a market day."""
    return f"{RECEIVED}/market_day={day.isoformat()}"


def received(home: Home, day: date, *, known_at: datetime | None = None) -> pa.Table:
    """Give what was received of a market day and counts: of each subject the latest creation.

    Returns
    -------
    tables.SERIES
    """
    moment = None if known_at is None else seconds(known_at)
    rows = pa.concat_tables(
        [tables.SERIES.empty(), *home.table_of(place_of(day), moment)]
    ).combine_chunks()
    newest = rows.group_by(_SUBJECT).aggregate([("created_at", "max")])
    latest = {
        tuple(row[name] for name in _SUBJECT): row["created_at_max"] for row in newest.to_pylist()
    }
    subjects = zip(*(rows[name].to_pylist() for name in _SUBJECT), strict=True)
    created = rows["created_at"].to_pylist()
    counts = [at == latest[of] for of, at in zip(subjects, created, strict=True)]
    return rows.filter(pa.array(counts, pa.bool_()))


def receptions(home: Home, day: date | None = None) -> list[Reception]:
    """List what was received and what was said of it, in order; of one market day, or of all."""
    return [
        as_told(manifest)
        for manifest in home.deliveries()
        if manifest["kind"] == RECEIVED
        and (day is None or manifest["market_day"] == day.isoformat())
    ]


def as_told(manifest: Mapping[str, Any], *, again: bool = False) -> Reception:
    """Give a document as its manifest tells of it."""
    return Reception(
        message=manifest["inputs"][0]["name"],
        sender=manifest["sender"],
        process=manifest["process"],
        market_day=date.fromisoformat(manifest["market_day"]),
        created_at=manifest["created_at"],
        received_at=manifest["recorded_at"],
        series=manifest["rows_in"],
        reasons=tuple(Reason(*said) for said in manifest["reasons"]),
        answer=manifest["answer"].encode("utf-8"),
        again=again,
    )


@dataclass
class _Day:
    """What was accepted of a market day: ids of series, and the latest creation of each subject."""

    series: set[str]
    newest: dict[Subject, int]


class Seen:
    """What was received before, as the manifests say; each is looked at once."""

    def __init__(self, home: Home) -> None:
        self._home, self._looked = home, 0
        self._told: dict[tuple[str, str], Mapping[str, Any]] = {}
        self._accepted: set[str] = set()
        self._of_sender: dict[str, set[str]] = {}
        self._days: dict[date, _Day] = {}
        self._unread: dict[date, list[str]] = {}
        self.runs: dict[str, tuple[str, date]] = {}

    def look(self) -> None:
        """See what was received since."""
        manifests = self._home.deliveries()
        for manifest in manifests[self._looked :]:
            if manifest["kind"] == RECEIVED:
                message, sender = manifest["inputs"][0]["name"], manifest["sender"]
                self._told[sender, message] = manifest
                self._of_sender.setdefault(sender, set()).add(message)
                day = date.fromisoformat(manifest["market_day"])
                if manifest["files"]:
                    self._accepted.add(message)
                    places = [file["path"] for file in manifest["files"]]
                    self._unread.setdefault(day, []).extend(places)
                    self.runs |= {run: (area, day) for run, area in manifest["runs"] if run}
        self._looked = len(manifests)

    def told(self, document: Document) -> Mapping[str, Any] | None:
        """Give what was said when a message with its id came from its sender; None: it did not."""
        return self._told.get((document.sender, document.id))

    def messages(self, sender: str) -> set[str]:
        """Give the ids that a sender cannot use: his own, and those that were accepted of others.

        An id that another had refused is not his: nobody can use up the ids of others.
        """
        return self._accepted | self._of_sender.get(sender, set())

    def day(self, day: date) -> _Day:
        """Give what was accepted of a market day."""
        held = self._days.setdefault(day, _Day(set(), {}))
        for place in self._unread.pop(day, []):
            rows = self._home.table_at(place)
            held.series |= set(rows["series"].to_pylist())
            created = rows["created_at"].cast(pa.int64()).to_pylist()
            told = zip(*(rows[name].to_pylist() for name in _SUBJECT), created, strict=True)
            for process, sender, market_day, area, point, at in set(told):
                of = Subject(process, sender, market_day, area or "", point or "")
                held.newest[of] = max(at, held.newest.get(of, at))
        return held
