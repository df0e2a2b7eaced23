"""What a published run sends: documents → bytes beside its tables, and letters for the ledger.

Source: SD030 v4.0; domain §7, §8; decisions §37.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from uuid import NAMESPACE_OID, uuid5

import pyarrow as pa

from kwartier.adapters.ledger import Letter, Run
from kwartier.adapters.store import Home
from kwartier.documents import Document
from kwartier.runs.formats import FORMATS, Format
from kwartier.runs.parties import Parties
from kwartier.steps.addressing import Receiver, Released, address

# The allocation after disclosure control, among the tables of a run that is released.
PROTECTED = "protected"

# Gives the documents of a run with the format of each; it is handed the run, the parties, the run's
# tables with PROTECTED, when the documents are created [s UTC], and which formats leave exact.
Leaving = Callable[
    [Run, Parties, Mapping[str, pa.Table], int, Collection[str]], Iterable[tuple[str, Document]]
]


def leaving(
    run: Run,
    parties: Parties,
    tables: Mapping[str, pa.Table],
    created_at: int,
    statutory: Collection[str],
) -> Iterator[tuple[str, Document]]:
    """Make the documents of a run for each receiver, of what disclosure control lets leave."""
    released = Released(
        run.market_day,
        run.grid_area,
        run.run,
        created_at,
        parties.party,
        parties.role,
        tables["allocation"],
        tables[PROTECTED],
        tables["individual"],
        tables["residual"],
        tables["fractions"],
        statutory,
    )
    receivers = [Receiver(one.party, one.role, one.formats) for one in parties.receivers]
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
    tables: Mapping[str, pa.Table],
    created_at: int,
    statutory: Collection[str],
    leaving: Leaving,
    formats: Mapping[str, Format] = FORMATS,
) -> Release:
    """Write the documents of a run, each in its format; they exist once the ledger names them."""
    newest = home.newest("parties", run.known_at)
    read = [] if newest is None else newest["files"]
    released = Release(inputs=[(file["path"], file["sha256"]) for file in read])
    for format_, document in leaving(run, parties, tables, created_at, statutory):
        content = formats[format_].write(document)
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
        released.letters.append(letter)
        released.contents[document.id] = content
    return released
