"""The outbox: what published runs send, to whom, and what became of it.

A message is released in the transaction that publishes its run. It is held by one sender at a time,
and sent at least once under its own id. What goes to a receiver about a day and area goes in order:
while a message is released, no later one of that day and area goes there. What may happen to a
message stands in `letters`; why, in decisions §37.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, fields
from datetime import date
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Connection, and_, exists, func, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from kwartier.adapters.ledger.database import Database
from kwartier.adapters.ledger.letters import (
    ACKNOWLEDGED,
    AGAIN,
    NEXT,
    NOT_TAKEN,
    RELEASED,
    SENT,
    TAKEN,
    TO_SEND,
    Answer,
    Answered,
    Letter,
    Message,
    after,
)
from kwartier.adapters.ledger.rows import Event, LedgerError, Run
from kwartier.adapters.ledger.schema import ANSWERS, MESSAGE_EVENTS, MESSAGES

# As often a message is looked for again when another sender was quicker; each time another won.
_ATTEMPTS = 50
# Messages of one receiver whose turn has come, of which one is taken that nobody holds.
_LOOKED_AT = 100

_T = TypeVar("_T")

_OF = MESSAGES.c
_MESSAGE = select(*(_OF[field.name] for field in fields(Message)))
_EARLIER, _LATER = MESSAGES.alias("earlier"), MESSAGES.alias("later")


def _same(other: Any) -> ColumnElement[bool]:
    """Tell that another message goes to the same receiver, about the same day and area."""
    return and_(
        other.c.receiver == _OF.receiver,
        other.c.grid_area == _OF.grid_area,
        other.c.market_day == _OF.market_day,
    )


# Something that must go first was not sent yet, or is on its way.
_WAITS = exists().where(
    _same(_EARLIER),
    or_(_EARLIER.c.state == RELEASED, _EARLIER.c.worker.is_not(None)),
    or_(
        _EARLIER.c.publication < _OF.publication,
        and_(_EARLIER.c.publication == _OF.publication, _EARLIER.c.sequence < _OF.sequence),
    ),
)
# A later run went there, or is on its way.
_OVERTAKEN = exists().where(
    _same(_LATER),
    _LATER.c.publication > _OF.publication,
    or_(_LATER.c.sent_at.is_not(None), _LATER.c.worker.is_not(None)),
)


def release(
    connection: Connection, run: Run, publication: int, letters: Sequence[Letter], now: int
) -> None:
    """Write what a run sends, in the transaction that publishes it."""
    if not letters:
        return
    common = {
        "run": run.run,
        "publication": publication,
        "market_day": run.market_day,
        "grid_area": run.grid_area,
        "state": after(None, "released"),
        "released_at": now,
        "attempts": 0,
        "next_at": now,
    }
    rows = [
        {**asdict(letter), **common, "sequence": sequence}
        for sequence, letter in enumerate(letters, start=1)
    ]
    # A country's day has thousands: all in one statement, and the first event of each likewise.
    connection.execute(insert(MESSAGES), rows)
    first = {"seq": 1, "at": now, "event": "released", "worker": None, "note": None}
    connection.execute(
        insert(MESSAGE_EVENTS), [{"message": letter.message, **first} for letter in letters]
    )


class Outbox:
    """The messages of a home's ledger; moments are whole seconds UTC, and no clock is asked."""

    def __init__(self, database: Database) -> None:
        self._database = database

    # -- sending

    def receivers(self, now: int) -> list[str]:
        """List who is to be sent something."""
        asked = select(_OF.receiver).where(_OF.state.in_(TO_SEND), _OF.next_at <= now)
        with self._database.reading() as connection:
            return list(connection.scalars(asked.distinct().order_by(_OF.receiver)))

    def take(
        self,
        receiver: str,
        *,
        worker: str,
        now: int,
        lease: int,
        gone: Callable[[str], bool],
    ) -> Message | None:
        """Take hold of the next message to a receiver whose turn has come.

        Parameters
        ----------
        lease : for so long the worker is taken to be alive [s].
        gone : tells whether a worker is known to be dead before its lease is over.

        Returns
        -------
        message : none when nothing is to be sent, or others send it.
        """
        turn = (_OF.receiver == receiver, _OF.state.in_(TO_SEND), _OF.next_at <= now, ~_WAITS)
        asked = _MESSAGE.where(*turn, or_(_OF.state == RELEASED, ~_OVERTAKEN))
        asked = asked.order_by(_OF.number).limit(_LOOKED_AT)
        for _ in range(_ATTEMPTS):
            with self._database.reading() as connection:
                found = [Message(**row._mapping) for row in connection.execute(asked)]
            free = (
                one
                for one in found
                if one.worker in (None, worker)
                or now >= (one.lease_until or 0)
                or gone(str(one.worker))
            )
            seen = next(free, None)
            if seen is None:
                return None
            with self._database.writing() as connection:
                held = {"worker": worker, "lease_until": now + lease}
                if _change(connection, seen, held):
                    return _known(connection, seen.message)
        raise LedgerError("other senders take the same messages again and again; try again")

    def sent(
        self,
        message: Message,
        *,
        worker: str,
        now: int,
        due_at: int,
        next_at: int,
        answer: Answer | None = None,
    ) -> Answered | None:
        """Say that a message came over, and what was answered at once, if anything was.

        Parameters
        ----------
        due_at : until when it is to be answered.
        next_at : when it is sent again, where it is overdue already.

        Returns
        -------
        answered : what became of the answer.
        """
        values = {"sent_at": now, "due_at": due_at, "reason": None}

        def act(connection: Connection) -> Answered | None:
            self._tried(connection, message, "sent", worker, now, next_at, values)
            return None if answer is None else _take_answer(connection, answer, now)

        return self._written(act)

    def not_delivered(
        self, message: Message, reason: str, *, worker: str, now: int, next_at: int
    ) -> None:
        """Say why a message did not come over, and when it is tried again."""
        values = {"reason": reason}
        with self._database.writing() as connection:
            self._tried(connection, message, "not_delivered", worker, now, next_at, values)

    def undeliverable(self, message: Message, reason: str, *, worker: str, now: int) -> None:
        """Say why a message can never come over so."""
        values = {"reason": reason}
        with self._database.writing() as connection:
            self._tried(connection, message, "undeliverable", worker, now, now, values)

    def _tried(
        self,
        connection: Connection,
        message: Message,
        event: str,
        worker: str,
        now: int,
        next_at: int,
        values: dict[str, Any],
    ) -> None:
        """Write what became of a try; of one that lost its message nothing is written.

        So it is when the lease was over, when an answer came meanwhile, and when this was written
        before and the connection was lost.
        """
        state = after(message.state, event)
        values = {
            **values,
            "state": state,
            "attempts": message.attempts + 1,
            "next_at": next_at if state in TO_SEND else None,
            "worker": None,
            "lease_until": None,
        }
        held = (_OF.message == message.message, _OF.worker == worker, _OF.state == message.state)
        if connection.execute(update(MESSAGES).where(*held).values(**values)).rowcount:
            _happen(connection, message.message, event, now, worker, values["reason"])

    def overdue(self, now: int) -> list[Message]:
        """Mark what was not answered in time; its turn to be sent again has come."""
        late = _MESSAGE.where(_OF.state == SENT, _OF.due_at < now).order_by(_OF.number)
        with self._database.reading() as connection:
            found = [Message(**row._mapping) for row in connection.execute(late)]
        if not found:
            return []
        marked = []
        with self._database.writing() as connection:
            for one in found:
                state = after(one.state, "overdue")
                if _change(connection, one, {"state": state, "next_at": now}):
                    _happen(connection, one.message, "overdue", now)
                    marked.append(_known(connection, one.message))
        return marked

    # -- what is answered, and sent again

    def answer(self, answer: Answer, now: int) -> Answered:
        """Take in an answer, once; one that is not about a message of ours is not taken."""
        return self._written(lambda held: _take_answer(held, answer, now))

    def _written(self, act: Callable[[Connection], _T]) -> _T:
        """Write; anew when another process took in the same answer meanwhile."""
        for _ in range(_ATTEMPTS):
            with suppress(IntegrityError), self._database.writing() as connection:
                return act(connection)
        raise LedgerError("others take in the same answer again and again; try again")

    def resend(self, message: Message, now: int) -> Message:
        """Release a message again, under its own id.

        Raises
        ------
        LedgerError : it was acknowledged, or a later run of its day and area went there.
        """
        with self._database.writing() as connection:
            for _ in range(_ATTEMPTS):
                held = _known(connection, message.message)
                state = after(held.state, "resent")
                if connection.execute(
                    select(_OF.number).where(_OF.message == held.message, _OVERTAKEN)
                ).scalar():
                    raise LedgerError(
                        f"message {held.message} is of an earlier run: a later one of "
                        f"{held.market_day} went to {held.receiver}; resend that one"
                    )
                values: dict[str, Any] = {"state": state, "next_at": now, "attempts": 0}
                values |= dict.fromkeys(("answered_at", "codes", "reason", "due_at"))
                if _change(connection, held, values):
                    _happen(connection, held.message, "resent", now)
                    return _known(connection, held.message)
        raise LedgerError("others change the same message again and again; try again")

    # -- what is known

    def get(self, message: str) -> Message:
        """Find a message by its id, or by a beginning that no other id has.

        Raises
        ------
        LedgerError : no such message, or several.
        """
        asked = _MESSAGE.where(_OF.message.startswith(message.lower(), autoescape=True)).limit(2)
        with self._database.reading() as connection:
            found = [Message(**row._mapping) for row in connection.execute(asked)]
        if not found:
            raise LedgerError(
                f"no message begins with {message!r}; 'kwartier exchange status' shows their ids"
            )
        if len(found) > 1:
            raise LedgerError(f"more than one message begins with {message!r}; give more of the id")
        return found[0]

    def messages(
        self,
        *,
        first: date | None = None,
        last: date | None = None,
        grid_area: str | None = None,
        receiver: str | None = None,
        states: Sequence[str] = (),
    ) -> list[Message]:
        """List messages in order of release: of days first to last, an area, a receiver, states."""
        asked = _MESSAGE.order_by(_OF.number)
        if first is not None:
            asked = asked.where(_OF.market_day >= first)
        if last is not None:
            asked = asked.where(_OF.market_day <= last)
        if grid_area is not None:
            asked = asked.where(_OF.grid_area == grid_area)
        if receiver is not None:
            asked = asked.where(_OF.receiver == receiver)
        if states:
            asked = asked.where(_OF.state.in_(states))
        with self._database.reading() as connection:
            return [Message(**row._mapping) for row in connection.execute(asked)]

    def unanswered(self, receiver: str) -> list[Message]:
        """List what a receiver may still answer, in order of release."""
        asked = _MESSAGE.where(_OF.receiver == receiver, _OF.state != ACKNOWLEDGED)
        with self._database.reading() as connection:
            found = connection.execute(asked.order_by(_OF.number))
            return [Message(**row._mapping) for row in found]

    def last_created(self, market_day: date, grid_area: str) -> int:
        """Give the latest creation among the messages of a day and area; 0 where there are none."""
        asked = select(func.max(_OF.created_at))
        asked = asked.where(_OF.market_day == market_day, _OF.grid_area == grid_area)
        with self._database.reading() as connection:
            return int(connection.execute(asked).scalar() or 0)

    def counts(self) -> dict[str, int]:
        """Count the messages of each state that any is in."""
        asked = select(_OF.state, func.count()).group_by(_OF.state).order_by(_OF.state)
        with self._database.reading() as connection:
            return {row[0]: row[1] for row in connection.execute(asked)}

    def events(self, message: Message) -> list[Event]:
        """List the events of a message in order."""
        of = MESSAGE_EVENTS.c
        asked = select(of.seq, of.at, of.event, of.worker, of.note)
        asked = asked.where(of.message == message.message).order_by(of.seq)
        with self._database.reading() as connection:
            return [Event(*row) for row in connection.execute(asked)]

    def answers(self, outcome: str) -> list[Answered]:
        """List the answers of which one thing became, in order of coming."""
        of = ANSWERS.c
        asked = select(of.message, of.sender, of.at, of.outcome, of.reason)
        asked = asked.where(of.outcome == outcome).order_by(of.at, of.sha256)
        with self._database.reading() as connection:
            return [Answered(*row) for row in connection.execute(asked)]


def _known(connection: Connection, message: str) -> Message:
    row = connection.execute(_MESSAGE.where(_OF.message == message)).one()
    return Message(**row._mapping)


def _change(connection: Connection, seen: Message, values: dict[str, Any]) -> bool:
    """Change a message; tell whether it still was as seen."""
    same = (
        _OF.message == seen.message,
        _OF.state == seen.state,
        _OF.attempts == seen.attempts,
        _OF.next_at.is_not_distinct_from(seen.next_at),
        _OF.worker.is_not_distinct_from(seen.worker),
        _OF.lease_until.is_not_distinct_from(seen.lease_until),
    )
    return connection.execute(update(MESSAGES).where(*same).values(**values)).rowcount == 1


def _happen(
    connection: Connection,
    message: str,
    event: str,
    at: int,
    worker: str | None = None,
    note: str | None = None,
) -> None:
    """Write an event of a message."""
    of = MESSAGE_EVENTS.c
    seq = select(func.coalesce(func.max(of.seq), 0) + 1).where(of.message == message)
    connection.execute(
        insert(MESSAGE_EVENTS).values(
            message=message, seq=seq.scalar_subquery(), at=at, event=event, worker=worker, note=note
        )
    )


def _take_answer(connection: Connection, answer: Answer, now: int) -> Answered:
    """Take in an answer, in the transaction that is open."""
    before = connection.execute(select(ANSWERS).where(ANSWERS.c.sha256 == answer.sha256)).first()
    if before is not None and not answer.fresh:
        outcome = AGAIN if before.outcome == TAKEN else before.outcome
        return Answered(before.message, before.sender, before.at, outcome, before.reason)
    asked = _MESSAGE.where(_OF.message == answer.message).with_for_update()
    row = connection.execute(asked).first()
    message = None if row is None else Message(**row._mapping)
    outcome, reason = _outcome(message, answer)
    if outcome == TAKEN and message is not None:
        event = "acknowledged" if answer.accepted else "refused"
        values = {
            "state": after(message.state, event),
            "next_at": None,
            "worker": None,
            "lease_until": None,
            "answered_at": now,
            "sent_at": message.sent_at or now,
            "codes": " ".join(answer.codes),
            "reason": answer.reason or None,
        }
        connection.execute(update(MESSAGES).where(_OF.message == message.message).values(**values))
        note = " ".join(filter(None, (*answer.codes, answer.reason)))
        _happen(connection, message.message, event, now, None, note)
    said = Answered(
        None if message is None else message.message, answer.sender, now, outcome, reason
    )
    if before is None:
        connection.execute(insert(ANSWERS).values(sha256=answer.sha256, **asdict(said)))
    return said


def _outcome(message: Message | None, answer: Answer) -> tuple[str, str | None]:
    """Tell whether an answer changes a message, and why not."""
    if message is None:
        return NOT_TAKEN, answer.reason if not answer.message else "no message of ours has that id"
    if answer.sender != message.receiver:
        return NOT_TAKEN, f"it comes from another party than {message.receiver}, the receiver"
    if answer.receiver not in ("", message.sender):
        return NOT_TAKEN, f"it goes to another party than {message.sender}, the sender"
    event = "acknowledged" if answer.accepted else "refused"
    if (message.state, event) in NEXT:
        return TAKEN, None
    if message.state == ACKNOWLEDGED and not answer.accepted:
        codes = " ".join(answer.codes)
        return NOT_TAKEN, f"it refuses ({codes}) what was acknowledged before"
    return AGAIN, None
