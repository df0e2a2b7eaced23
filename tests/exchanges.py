"""What tests of the exchange share: parties, messages that are released, and receivers.

The receivers keep what they get in real folders, and answer with real acknowledgements, or do not.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from uuid import NAMESPACE_OID, uuid5

import pyarrow as pa

from kwartier import Home, documents, runs
from kwartier.adapters.ledger import Letter, Message, Run
from kwartier.adapters.transport import Address, Envelope, NotDelivered, Undeliverable
from kwartier.adapters.transport.addresses import FOLDER
from kwartier.codecs import dutch
from kwartier.documents import Acknowledgement, Document, Reason
from kwartier.runs import take_parties
from kwartier.steps import addressing
from tests.market import AREA, BRP, DAY, OTHER_BRP
from tests.workers import LEASE, alive, asked, content

US, TSO = "8716916000004", "8716867999983"
AT = datetime(2026, 1, 15, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
ACCEPT, REFUSE, SILENT, AWAY, NEVER = "accept", "refuse", "silent", "away", "never"
GARBLED, STRANGER, HANGS = "garbled", "stranger", "hangs"


def identify(*words: str) -> str:
    """Make an id of what it names."""
    return str(uuid5(NAMESPACE_OID, "/".join(words)))


def parties(folder: Path, *receivers: str, name: str = "parties.yaml") -> Path:
    """Write a file of parties that receive in folders."""
    lines = [f'we: {{party: "{US}", role: DDM}}', "receivers:"]
    for party in receivers or (BRP, OTHER_BRP, TSO):
        place = folder / "received" / party
        place.mkdir(parents=True, exist_ok=True)
        role = documents.SYSTEM_OPERATOR if party == TSO else documents.BALANCE_RESPONSIBLE
        lines.append(f'- party: "{party}"\n  name: Party {party[:4]}\n  role: {role}')
        lines.append(f"  transport: folder\n  place: {place}\n  formats: [dutch]")
    path = folder / name
    path.write_text("\n".join(lines) + "\n", "utf-8")
    return path


def acknowledgement(
    message: str, receiver: str, *reasons: Reason, number: int = 1, to: str = US
) -> bytes:
    """Write what a receiver says of a message."""
    return dutch.write_acknowledgement(
        Acknowledgement(
            id=identify(message, receiver, str(number)),
            created_at=int(AT.timestamp()) + number,
            sender=receiver,
            sender_role=documents.BALANCE_RESPONSIBLE,
            receiver=to,
            receiver_role=documents.OPERATOR,
            of=message,
            reasons=reasons or (Reason(documents.ACCEPTED),),
        )
    )


class Post:
    """Brings messages into the folders of receivers, which behave as they are told.

    `brought` : receiver and message of every try, in order.
    """

    def __init__(self, **behaving: str) -> None:
        self.behaving = {name.removeprefix("_"): how for name, how in behaving.items()}
        self.brought: list[tuple[str, str]] = []
        self.before: Callable[[str], None] = lambda receiver: None
        self.apart: dict[str, bytes] = {}
        self.reasons: Sequence[Reason] = (Reason("683", "wrong triple"), Reason("999", "no"))
        self.number = 0

    async def send(
        self, address: Address, envelope: Envelope, content: bytes, limit_s: float, *, at: int
    ) -> bytes | None:
        """Bring a message."""
        party, message = address.party, envelope.technical_message_id
        how = self.behaving.get(party, ACCEPT)
        self.brought.append((party, message))
        await asyncio.to_thread(self.before, party)
        if how == AWAY:
            raise NotDelivered("connection refused")
        if how == NEVER:
            raise Undeliverable("the certificate has no key")
        if how == HANGS:
            await asyncio.Event().wait()
        if address.transport == FOLDER:
            Path(address.place, message).write_bytes(content)
        self.number += 1
        if how == SILENT:
            return None
        if how == GARBLED:
            return b"<html>all is well</html>"
        if how == STRANGER:
            return acknowledgement(message, TSO)
        reasons = self.reasons if how == REFUSE else ()
        return acknowledgement(message, party, *reasons, number=self.number)

    def collect(self, address: Address, message: str) -> bytes | None:
        """Give the acknowledgement that came apart."""
        return self.apart.get(message)


def received(folder: Path, party: str) -> list[str]:
    """List the messages that a receiver has, by id."""
    return sorted(path.name for path in (folder / "received" / party).iterdir())


def release(
    home: Home,
    *to: str,
    kind: str = "D+1",
    day: date = DAY,
    area: str = AREA,
    at: datetime = AT,
) -> list[str]:
    """Publish a run that sends a message to each receiver; give their ids."""
    ledger, now = runs.ledger_of(home), int(at.timestamp())
    run = ledger.claim(
        asked(kind, day=day, area=area), worker="maker", now=now, lease=LEASE, gone=alive
    )
    assert run is not None
    letters, contents = [], {}
    for number, party in enumerate(to):
        message = identify(run.run, str(number), party)
        contents[message] = f"<message>{message}</message>".encode()
        sha256 = hashlib.sha256(contents[message]).hexdigest()
        place = home.message_place(day, area, run.run, message)
        letters.append(Letter(message, "N111", "dutch", US, party, now, place, sha256))
    balance = pa.table({"position": [1]})
    tables = home.write_run(day, area, run.run, "maker", {"balance": balance}, contents)
    last = ledger.latest(day, area, published=True)
    said = content("1" * 64, last)
    said = type(said)(**{**vars(said), "tables": tables})
    ledger.complete(run, said, worker="maker", now=now, publish=True, letters=letters)
    return [letter.message for letter in letters]


def home_of(folder: Path, *receivers: str) -> Home:
    """Make a home with parties."""
    home = Home(folder / "home", create=True)
    take_parties(home, parties(folder, *receivers), recorded_at=AT - timedelta(days=1))
    return home


def states(home: Home) -> dict[str, str]:
    """Give the state of each message."""
    return {one.message: one.state for one in runs.ledger_of(home).outbox.messages()}


def message_of(home: Home, message: str) -> Message:
    """Give a message."""
    return runs.ledger_of(home).outbox.get(message)


def events(home: Home, message: str) -> list[str]:
    """List what happened to a message."""
    outbox = runs.ledger_of(home).outbox
    return [event.event for event in outbox.events(outbox.get(message))]


def of_run(home: Home, run: Run) -> list[Message]:
    """List the messages of a run."""
    return [one for one in runs.ledger_of(home).outbox.messages() if one.run == run.run]


def leaving(
    released: addressing.Released, receivers: Sequence[addressing.Receiver]
) -> Iterable[tuple[str, Document]]:
    """Make the documents of a run, without disclosure control."""
    exact = replace(released, protected=released.allocation)
    return addressing.address(exact, receivers, identify)
