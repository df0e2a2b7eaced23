"""Messages of the outbox: what the ledger is told of them, their states, and what leads to which.

    (none) ── released ─→ released ── sent ──────→ sent ── overdue ─→ overdue
                           │  ↑  └── undeliverable ─→ undeliverable      │
             not_delivered └──┘                                          │
                           └───────────┬───────────────┴─────────────────┘
                                       ├── acknowledged ─→ acknowledged
                                       └── refused ──────→ refused

Any but an acknowledged one can be resent: it is released again, under its own id. A positive answer
counts whenever it comes, also after a refusal, and no refusal takes it back: a message that was
sent twice may be refused as a duplicate of itself. An overdue one is sent again by itself and stays
overdue until it is answered. Source: SD030 v4.0 §acknowledgement; domain §8; decisions §37.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from kwartier.adapters.ledger.rows import LedgerError

RELEASED = "released"
SENT = "sent"
ACKNOWLEDGED = "acknowledged"
REFUSED = "refused"
OVERDUE = "overdue"
UNDELIVERABLE = "undeliverable"

NEXT: Mapping[tuple[str | None, str], str] = {
    (None, "released"): RELEASED,
    (RELEASED, "sent"): SENT,
    (RELEASED, "not_delivered"): RELEASED,
    (RELEASED, "undeliverable"): UNDELIVERABLE,
    (RELEASED, "acknowledged"): ACKNOWLEDGED,  # it came over, and whoever sent it was killed
    (RELEASED, "refused"): REFUSED,
    (RELEASED, "resent"): RELEASED,  # without waiting for its next turn
    (SENT, "overdue"): OVERDUE,
    (SENT, "acknowledged"): ACKNOWLEDGED,
    (SENT, "refused"): REFUSED,
    (SENT, "resent"): RELEASED,
    (OVERDUE, "sent"): OVERDUE,
    (OVERDUE, "not_delivered"): OVERDUE,
    (OVERDUE, "undeliverable"): UNDELIVERABLE,
    (OVERDUE, "acknowledged"): ACKNOWLEDGED,
    (OVERDUE, "refused"): REFUSED,
    (OVERDUE, "resent"): RELEASED,
    (REFUSED, "acknowledged"): ACKNOWLEDGED,
    (REFUSED, "resent"): RELEASED,
    (UNDELIVERABLE, "acknowledged"): ACKNOWLEDGED,
    (UNDELIVERABLE, "refused"): REFUSED,
    (UNDELIVERABLE, "resent"): RELEASED,
}
STATES = (RELEASED, SENT, ACKNOWLEDGED, REFUSED, OVERDUE, UNDELIVERABLE)
EVENTS = tuple(dict.fromkeys(event for _, event in NEXT))
# Of these a turn may come by itself; the others wait for an answer or for somebody.
TO_SEND = (RELEASED, OVERDUE)

# What becomes of an answer.
TAKEN, AGAIN, NOT_TAKEN = "taken", "again", "not_taken"


def after(state: str | None, event: str) -> str:
    """Give the state that an event leads to.

    Raises
    ------
    LedgerError : in that state the event cannot be.
    """
    if (state, event) not in NEXT:
        held = f"a message that is {state}" if state else "a message that does not exist"
        raise LedgerError(f"{held} cannot be {event}".replace("_", " "))
    return NEXT[state, event]


@dataclass(frozen=True)
class Letter:
    """A document that a run sends; its content is on the storage, and the ledger makes it exist.

    `message` is the id of the document, which is never another's.
    """

    message: str
    process: str
    format: str
    sender: str
    receiver: str
    created_at: int
    place: str
    sha256: str


@dataclass(frozen=True)
class Message:
    """A message of the outbox.

    Attributes
    ----------
    number : order of release.
    publication : the how manieth published run of the day and area it is of.
    sequence : its place among the messages of its run.
    attempts : how often it was tried since it was released or resent.
    next_at : when its turn comes [s UTC]; empty where nothing is to be sent.
    worker, lease_until : who sends it now, and until when that one is taken to be alive [s UTC].
    sent_at, due_at : when it was sent last, and until when it is to be answered [s UTC].
    codes : of the answer, with a space between.
    reason : why it was refused, could not be delivered, or is tried again.
    """

    number: int
    message: str
    run: str
    publication: int
    sequence: int
    process: str
    format: str
    sender: str
    receiver: str
    market_day: date
    grid_area: str
    created_at: int
    place: str
    sha256: str
    state: str
    released_at: int
    attempts: int
    next_at: int | None
    worker: str | None
    lease_until: int | None
    sent_at: int | None
    due_at: int | None
    answered_at: int | None
    codes: str | None
    reason: str | None


@dataclass(frozen=True)
class Answer:
    """What was said of a message: accepted, or why not.

    `sha256` is that of its bytes; `message` is empty where they do not name one. A `fresh` one came
    in answer to a sending of now, so the same bytes as before say it anew.
    """

    sha256: str
    message: str
    sender: str
    receiver: str
    accepted: bool
    codes: tuple[str, ...]
    reason: str
    fresh: bool = False


@dataclass(frozen=True)
class Answered:
    """What became of an answer: taken, again (it said nothing new) or not taken, and why."""

    message: str | None
    sender: str
    at: int
    outcome: str
    reason: str | None
