"""Receiving: documents of other parties are checked, stored, and answered in the same breath.

Each is read in the format that it is in, and answered in that of its acknowledgements. The answer
is given only after what it says was stored: killed before, nothing was received, and the sender
brings it again; killed after, he brings it again and gets the same answer. Source: SD030 v4.0
§acknowledgement; domain §8; decisions §38.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple
from uuid import NAMESPACE_OID, uuid5

from kwartier import documents
from kwartier.adapters import transport
from kwartier.adapters.store import Busy, Home, HomeError
from kwartier.adapters.transport import Keys, Limits, Pins, Refused
from kwartier.codecs import FORMATS, MOST_BYTES, Format, Unreadable, recognise
from kwartier.documents import Acknowledgement, Document, Reason
from kwartier.runs.inbox import RECEIVED, Reception, Seen, as_told, place_of
from kwartier.runs.moments import identity, parameters_of, seconds
from kwartier.runs.own_points import OwnPoints
from kwartier.steps import receiving
from kwartier.steps.receiving import Known

ROLES = (documents.BALANCE_RESPONSIBLE, documents.SYSTEM_OPERATOR)
# In an answer to what could not be read and came from nobody who can be told: a GLN of nobody.
_UNKNOWN = "0" * 13
# In which what is of no known format is answered.
_OTHERWISE = FORMATS["dutch"]


class Us(NamedTuple):
    """Who receives: GLN-13 and role, DDK or EZ (the TSO)."""

    party: str
    role: str


class Reader:
    """Receives documents in a home, one at a time.

    Raises
    ------
    ValueError : who receives is no GLN, or has no role in which documents are received.
    """

    def __init__(self, home: Home, us: Us) -> None:
        if not transport.is_gln(us.party) or us.role not in ROLES:
            raise ValueError(f"expected a GLN-13 and one of the roles {', '.join(ROLES)}")
        self._home, self._us = home, us
        self._seen, self._own = Seen(home), OwnPoints(home)

    def begin(self) -> None:
        """Sweep what a killed process left.

        Raises
        ------
        HomeError : another process is writing in the home.
        """
        with self._home.writing():
            pass

    def take(self, content: bytes, *, bearer: str | None, at: int) -> Reception:
        """Check a document, store it where it is accepted, and answer it.

        Parameters
        ----------
        bearer : GLN-13 of who brought it, as a certificate or signature shows; None: not known.
        at : now [s UTC].

        Raises
        ------
        HomeError : another process is writing in the home; nothing was received.
        """
        format_ = _OTHERWISE
        try:
            format_ = FORMATS[recognise(content)]
            document = format_.read(content)
        except Unreadable as error:
            return self.unread(content, str(error), bearer, at, format_)
        digest = hashlib.sha256(content).hexdigest()
        with self._home.writing(sweep=False):
            self._seen.look()
            before = self._seen.told(document)
            mine = bearer in (None, document.sender)
            if before is not None and before["inputs"][0]["sha256"] == digest and mine:
                return as_told(before, again=True)
            reasons = receiving.check(document, self._known(document, bearer, at), at)
            answer = self._answer(document, reasons, bearer, at, digest, format_)
            if not mine or before is not None:
                # An id says one thing, of whom it is: neither makes the first one unsaid.
                return _reception(document, reasons, answer, at)
            return self._store(document, digest, reasons, answer, at)

    def _known(self, document: Document, bearer: str | None, at: int) -> Known:
        of_day = self._seen.day(document.market_day)
        own = self._us.role == documents.BALANCE_RESPONSIBLE
        held = parameters_of(self._home, document.market_day, at)
        return Known(
            parameters=held,
            receiver=self._us.party,
            sender=bearer,
            messages=self._seen.messages(document.sender),
            series=of_day.series,
            newest=of_day.newest,
            runs=self._seen.runs,
            areas=frozenset(held.settlement_areas) or None,
            active=self._own.active(document, held, at),
            parties=frozenset({self._us.party}) if own else None,
        )

    def _store(
        self,
        document: Document,
        digest: str,
        reasons: tuple[Reason, ...],
        answer: bytes,
        at: int,
    ) -> Reception:
        name = identity([document.sender, document.id])
        files = []
        made = _reception(document, reasons, answer, at)
        if made.accepted:
            place = f"{place_of(document.market_day)}/{name}.parquet"
            files.append(self._home.add(documents.table([document]), place))
        runs = {(series.run, series.grid_area) for series in document.series}
        manifest = self._home.deliver(
            RECEIVED,
            at,
            id=name,
            inputs=[{"name": document.id, "sha256": digest}],
            files=files,
            rows_in=len(document.series),
            sender=document.sender,
            process=document.process,
            market_day=document.market_day.isoformat(),
            created_at=document.created_at,
            runs=sorted(runs),
            reasons=[[reason.code, reason.text, reason.series] for reason in reasons],
            answer=answer.decode("utf-8"),
        )
        return as_told(manifest)

    def unread(
        self,
        content: bytes,
        why: str,
        bearer: str | None,
        at: int,
        format_: Format = _OTHERWISE,
    ) -> Reception:
        """Answer what could not be read; nothing is stored of it."""
        reasons = receiving.unread(why)
        said = Acknowledgement(
            id=_named("unread", self._us.party, hashlib.sha256(content).hexdigest()),
            created_at=at,
            sender=self._us.party,
            sender_role=self._us.role,
            receiver=bearer or _UNKNOWN,
            receiver_role=documents.OPERATOR,
            of="",
            reasons=reasons,
        )
        answer = format_.write_acknowledgement(said)
        return Reception("", bearer or "", "", None, None, at, 0, reasons, answer)

    def _answer(
        self,
        document: Document,
        reasons: tuple[Reason, ...],
        bearer: str | None,
        at: int,
        digest: str,
        format_: Format,
    ) -> bytes:
        said = Acknowledgement(
            id=_named("answer", self._us.party, document.sender, document.id, digest, bearer),
            created_at=at,
            sender=self._us.party,
            sender_role=self._us.role,
            receiver=bearer or document.sender or _UNKNOWN,
            receiver_role=document.sender_role or documents.OPERATOR,
            of=document.id,
            reasons=reasons,
        )
        return format_.write_acknowledgement(said)


def receive_folder(
    home: Home, folder: str | Path, us: Us, *, at: datetime | None = None
) -> Iterator[Reception]:
    """Receive what lies in a folder; each answer is put in the folder beside it.

    Who may write in the folder, may send: nothing else shows who brought a document.

    Parameters
    ----------
    at : as if it were this moment; now when not given.

    Raises
    ------
    HomeError : no such folder, or another process is writing in the home.
    """
    path = Path(folder)
    if not path.is_dir():
        raise HomeError(f"{path} is no folder; make it, and tell senders of it")
    reader = Reader(home, us)
    reader.begin()
    for document in transport.lying(path):
        moment = seconds(at)
        if document.stat().st_size > MOST_BYTES:
            taken = reader.unread(b"", f"more than {MOST_BYTES:,} bytes", None, moment)
        else:
            taken = reader.take(document.read_bytes(), bearer=None, at=moment)
        transport.answer(document, taken.answer)
        yield taken


class Server:
    """Receives over HTTPS, plain or in SOAP, while it is open.

    Parameters
    ----------
    pins : certificates that stand for a party whatever their subject says, by SHA-256.
    tell : called with each document that came in.
    warn : called with why one could not be taken now: what its sender is not told.

    Raises
    ------
    HomeError : another process is writing in the home.
    CertificateError : a certificate or key cannot be used.
    """

    def __init__(
        self,
        home: Home,
        us: Us,
        keys: Keys,
        *,
        pins: Pins | None = None,
        tell: Callable[[Reception], None] = lambda taken: None,
        warn: Callable[[str], None] = lambda why: None,
    ) -> None:
        self._reader = Reader(home, us)
        self._keys, self._pins, self._tell, self._warn = keys, pins or {}, tell, warn
        self._reader.begin()

    def open(self, host: str, port: int, *, at: datetime | None = None) -> Any:
        """Listen, as an asynchronous context that gives host and port; port 0: any that is free.

        at : as if it always were this moment; now when not given.
        """

        def take(bearer: str, content: bytes) -> bytes:
            try:
                taken = self._reader.take(content, bearer=bearer, at=seconds(at))
            except Busy:
                raise Refused(503, "busy; send it again") from None
            except HomeError as error:
                self._warn(str(error))
                raise Refused(503, "it cannot be stored now; send it again") from None
            self._tell(taken)
            return taken.answer

        return transport.listen(
            host,
            port,
            self._keys,
            take,
            lambda: seconds(at),
            pins=self._pins,
            limits=Limits(),
        )


def _reception(
    document: Document, reasons: tuple[Reason, ...], answer: bytes, at: int
) -> Reception:
    return Reception(
        message=document.id,
        sender=document.sender,
        process=document.process,
        market_day=document.market_day,
        created_at=document.created_at,
        received_at=at,
        series=len(document.series),
        reasons=reasons,
        answer=answer,
    )


def _named(*words: object) -> str:
    """Make an id of what it names: the same words, the same id."""
    return str(uuid5(NAMESPACE_OID, "\n".join(map(str, words))))
