"""Sending what is due, and taking in what is answered.

Receivers side by side, each in order; a message keeps its id and its bytes however often it is
sent. Killed anywhere, the next sender goes on: what came over and was not written down is sent once
more under the same id. Source: SD030 v4.0; domain §8; decisions §37.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Protocol, TypeVar
from uuid import uuid4

from kwartier.adapters import transport as transports
from kwartier.adapters.ledger import Answer, Answered, LedgerError, Message
from kwartier.adapters.ledger.letters import NOT_TAKEN
from kwartier.adapters.store import Home, HomeError
from kwartier.adapters.transport import Address, Envelope, NotDelivered, Undeliverable
from kwartier.adapters.transport.addresses import FOLDER
from kwartier.codecs import LEAVING, Format
from kwartier.runs.answering import answer_of, discreet
from kwartier.runs.moments import day_of, ledger_of, parameters_of, seconds
from kwartier.runs.parties import Parties, parties_of
from kwartier.runs.running import steadily

# A receiver that did not take so many in a row is left for now.
_MOST_FAILURES = 3
# What is said of a party that the home does not name (any more).
_UNKNOWN = "the home's parties do not name the receiver; take in a file that does"

_T = TypeVar("_T")


class Transport(Protocol):
    """Brings bytes to a party, and gives what it said of them."""

    async def send(
        self, address: Address, envelope: Envelope, content: bytes, limit_s: float, *, at: int
    ) -> bytes | None:
        """Bring a message; give the acknowledgement, where it came in the same answer."""

    def collect(self, address: Address, message: str) -> bytes | None:
        """Give the acknowledgement of a message that came apart from it, where there is one."""


@dataclass
class Exchanged:
    """What happened: messages that were tried or answered, as they are now, and answers not taken.

    `delivered` : how many came over.
    """

    messages: list[Message] = field(default_factory=list)
    not_taken: list[Answered] = field(default_factory=list)
    delivered: int = 0


def send(
    home: Home,
    *,
    at: datetime | None = None,
    transport: Transport = transports,
    formats: Mapping[str, Format] = LEAVING,
) -> Exchanged:
    """Send what is due, and take in the answers that lie in folders.

    Parameters
    ----------
    at : as if it were this moment; now when not given.

    Raises
    ------
    HomeError : the home has no parties.
    """
    parties = parties_of(home, seconds(at))
    if parties is None:
        raise HomeError("no parties are known; 'kwartier parties FILE' takes them in")
    worker = f"{socket.gethostname()}-{os.getpid()}-{uuid4().hex[:12]}"
    with home.present(worker):
        sender = _Sender(home, parties, worker, lambda: seconds(at), transport, formats)
        sender.collect()
        sender.look_for_overdue()
        asyncio.run(sender.send())
        return sender.told()


def acknowledge(
    home: Home,
    sources: Sequence[Path],
    *,
    at: datetime | None = None,
    formats: Mapping[str, Format] = LEAVING,
) -> list[Answered]:
    """Take in acknowledgements that came apart from any sending, one a file; each counts once."""
    outbox = ledger_of(home).outbox
    answered = []
    for path in sources:
        answer = answer_of(path.read_bytes(), formats.values())
        answered.append(_taken_in(outbox.answer, answer, seconds(at)))
    return answered


def resend(
    home: Home, messages: Sequence[Message], *, at: datetime | None = None
) -> tuple[list[Message], list[str]]:
    """Release messages again, under their own ids; they are sent when next something is.

    Returns
    -------
    released, problems : the messages, and why others cannot be.
    """
    outbox = ledger_of(home).outbox
    released, problems = [], []
    for message in messages:
        try:
            released.append(outbox.resend(message, seconds(at)))
        except LedgerError as error:
            problems.append(str(error))
    return released, problems


def _taken_in(act: Callable[[Answer, int], Answered], answer: Answer, now: int) -> Answered:
    return steadily(lambda: act(answer, now))


class _Sender:
    """Sends, as one worker."""

    def __init__(
        self,
        home: Home,
        parties: Parties,
        worker: str,
        now: Callable[[], int],
        transport: Transport,
        formats: Mapping[str, Format],
    ) -> None:
        self._home, self._parties, self._worker, self._now = home, parties, worker, now
        self._outbox = ledger_of(home).outbox
        self._transport, self._formats = transport, formats
        held = parameters_of(home, day_of(now()), now())
        self._answer_within = 60 * held.acknowledgement_minutes
        self._pauses = [60 * minutes for minutes in held.retry_minutes]
        self._limit = held.delivery_seconds
        self._touched: dict[str, None] = {}
        self._not_taken: list[Answered] = []
        self._delivered = 0
        self._ledger_in_use = asyncio.Lock()

    def told(self) -> Exchanged:
        """Tell what happened."""
        touched = [steadily(partial(self._outbox.get, name)) for name in self._touched]
        touched.sort(key=lambda message: message.number)
        return Exchanged(touched, self._not_taken, self._delivered)

    # -- what was answered

    def collect(self) -> None:
        """Take in the answers that parties put beside the folders in which they receive."""
        for party in self._parties.receivers:
            if party.address.transport != FOLDER:
                continue
            for message in steadily(partial(self._outbox.unanswered, party.party)):
                try:
                    content = self._transport.collect(party.address, message.message)
                except (NotDelivered, Undeliverable):  # it is asked for again
                    continue
                if content is not None:
                    answer = answer_of(content, [self._formats[message.format]])
                    said = _taken_in(self._outbox.answer, answer, self._now())
                    self._touched[message.message] = None
                    self._note(said)

    def _note(self, said: Answered) -> None:
        if said.outcome == NOT_TAKEN:
            self._not_taken.append(said)

    def look_for_overdue(self) -> None:
        """Mark what was not answered in time."""
        for message in steadily(lambda: self._outbox.overdue(self._now())):
            self._touched[message.message] = None

    # -- what is to be sent

    async def send(self) -> None:
        """Send what is due, receivers side by side.

        Raises
        ------
        Exception : what nobody expected of one receiver, after the others had theirs.
        """
        receivers = await self._asked(lambda: self._outbox.receivers(self._now()))
        lanes = (self._lane(receiver) for receiver in receivers)
        for ended in await asyncio.gather(*lanes, return_exceptions=True):
            if isinstance(ended, BaseException):
                raise ended

    async def _asked(self, act: Callable[[], _T]) -> _T:
        """Ask the ledger, which may have to be waited for, while others send."""
        async with self._ledger_in_use:
            return await asyncio.to_thread(steadily, act)

    async def _lane(self, receiver: str) -> None:
        """Send to one receiver, in order, until nothing is due or it does not take any more."""
        failures = 0
        while failures < _MOST_FAILURES:
            message = await self._asked(
                lambda: self._outbox.take(
                    receiver,
                    worker=self._worker,
                    now=self._now(),
                    lease=4 * self._limit,
                    gone=self._home.gone,
                )
            )
            if message is None:
                return
            self._touched[message.message] = None
            failures = 0 if await self._bring(message) else failures + 1

    async def _bring(self, message: Message) -> bool:
        """Bring a message to its receiver, and write down what became of it."""
        who = {"worker": self._worker}
        party = self._parties.get(message.receiver)
        try:
            if party is None:
                raise NotDelivered(_UNKNOWN)
            answer = await self._brought(message, party.address)
        except NotDelivered as error:
            reason, next_at = discreet(str(error)), self._now() + self._pause(message)
            await self._asked(
                lambda: self._outbox.not_delivered(
                    message, reason, now=self._now(), next_at=next_at, **who
                )
            )
            return False
        except Undeliverable as error:
            reason = discreet(str(error))
            await self._asked(
                lambda: self._outbox.undeliverable(message, reason, now=self._now(), **who)
            )
            return False
        due_at = self._now() + self._answer_within
        next_at = due_at + self._pause(message)
        said = await self._asked(
            lambda: self._outbox.sent(
                message, now=self._now(), due_at=due_at, next_at=next_at, answer=answer, **who
            )
        )
        self._delivered += 1
        if said is not None:
            self._note(said)
        return True

    async def _brought(self, message: Message, address: Address) -> Answer | None:
        format_ = self._formats.get(message.format)
        if format_ is None:
            raise Undeliverable(f"this kwartier does not know the format {message.format}")
        try:
            content = await asyncio.to_thread(self._home.message, message.place, message.sha256)
        except HomeError as error:
            raise Undeliverable(str(error)) from None
        envelope = Envelope(
            technical_message_id=message.message,
            correlation_id=message.message,
            sender=message.sender,
            receiver=message.receiver,
            carrier=message.sender,
            content_type=format_.content_type,
        )
        try:
            async with asyncio.timeout(self._limit):
                given = await self._transport.send(
                    address, envelope, content, self._limit, at=self._now()
                )
        except TimeoutError:
            raise NotDelivered(f"no answer within {self._limit} seconds") from None
        if given is None:
            return None
        # Beside a folder an earlier answer may still lie: it says nothing of this sending.
        fresh = address.transport != FOLDER
        return answer_of(given, [format_], fresh=fresh)

    def _pause(self, message: Message) -> int:
        return self._pauses[min(message.attempts, len(self._pauses) - 1)]
