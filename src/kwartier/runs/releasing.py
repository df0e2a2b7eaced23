"""What a published run sends: documents → bytes beside its tables, and letters for the ledger.

Source: SD030 v4.0; domain §7, §8; decisions §37.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from uuid import NAMESPACE_OID, uuid5

from kwartier.adapters.ledger import Letter, Run
from kwartier.adapters.store import Home
from kwartier.codecs import LEAVING
from kwartier.documents import Document
from kwartier.runs.parties import Parties
from kwartier.steps.addressing import Receiver, Released, address

# Gives the documents of what a run releases to receivers, with the format of each.
Leaving = Callable[[Released, Sequence[Receiver]], Iterable[tuple[str, Document]]]


def leaving(released: Released, receivers: Sequence[Receiver]) -> Iterable[tuple[str, Document]]:
    """Make the documents of a run for each receiver."""
    return address(released, receivers, _id)


def _id(*words: str) -> str:
    return str(uuid5(NAMESPACE_OID, "/".join(words)))


@dataclass
class Release:
    """What a run sends: its letters, their contents by name, and whom the home knew by which file.

    `inputs` : path in the home and SHA-256 of the file of parties.
    """

    letters: list[Letter] = field(default_factory=list)
    contents: dict[str, bytes] = field(default_factory=dict)
    inputs: list[tuple[str, str]] = field(default_factory=list)


def release(
    home: Home,
    run: Run,
    parties: Parties,
    released: Released,
    leaving: Leaving,
) -> Release:
    """Write the documents of a run, each in its format; they exist once the ledger names them."""
    newest = home.newest("parties", run.known_at)
    read = [] if newest is None else newest["files"]
    made = Release(inputs=[(file["path"], file["sha256"]) for file in read])
    receivers = [Receiver(one.party, one.role, one.formats) for one in parties.receivers]
    for format_, document in leaving(released, receivers):
        content = LEAVING[format_].write(document)
        place = home.message_place(run.market_day, run.grid_area, run.run, document.id)
        letter = Letter(
            message=document.id,
            process=document.process,
            format=format_,
            sender=document.sender,
            receiver=document.receiver,
            created_at=document.created_at,
            place=place,
            sha256=hashlib.sha256(content).hexdigest(),
        )
        made.letters.append(letter)
        made.contents[document.id] = content
    return made
