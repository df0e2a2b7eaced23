"""Who and what a document names: identifiers, process, parties.

Each function is a rule of `receiving.RULES`, where its code and meaning stand.
"""

from __future__ import annotations

from datetime import date
from functools import lru_cache

import numpy as np

from kwartier import codes, documents
from kwartier.documents import Document
from kwartier.steps.receiving.known import Finds, Found, Known


@lru_cache(maxsize=4096)
def _holds(text: str, digits: int) -> bool:
    if len(text) != digits or not (text.isascii() and text.isdigit()):
        return False
    return bool(codes.check_digits_hold(np.array([int(text)]), digits)[0])


def point(document: Document, known: Known, at: int) -> Finds:
    if document.process in documents.INDIVIDUAL:
        for series in document.series:
            if not _holds(series.point, codes.EAN_DIGITS):
                yield Found(series)


def area(document: Document, known: Known, at: int) -> Finds:
    for series in document.series:
        if not _holds(series.grid_area, codes.EAN_DIGITS):
            yield Found(series)


def area_unknown(document: Document, known: Known, at: int) -> Finds:
    if document.process == documents.IMBALANCE_ACCOUNT:  # of the whole area of the TSO
        return
    for series in document.series:
        here = _holds(series.grid_area, codes.EAN_DIGITS)
        if here and known.areas is not None and series.grid_area not in known.areas:
            yield Found(series)


def message_id(document: Document, known: Known, at: int) -> Finds:
    if document.id in known.messages:
        yield Found()


def series_id(document: Document, known: Known, at: int) -> Finds:
    # Of an imbalance a surplus and a shortage have one id, as they are one series of the message.
    pairs = document.process == documents.IMBALANCE_ACCOUNT
    seen: set[tuple[str, str]] = set()
    for series in document.series:
        of = (series.id, series.direction if pairs else "")
        if series.id and (of in seen or series.id in known.series):
            yield Found(series)
        seen.add(of)


def run_id(document: Document, known: Known, at: int) -> Finds:
    used: dict[str, tuple[str, date]] = {}
    for series in document.series:
        of = (series.grid_area, document.market_day)
        if not series.run:
            continue
        if used.setdefault(series.run, of) != of or known.runs.get(series.run, of) != of:
            yield Found(series, "one run id for one grid area and day")


def sender(document: Document, known: Known, at: int) -> Finds:
    if not _holds(document.sender, codes.GLN_DIGITS):
        yield Found(None, "a GLN-13")
    elif document.sender_role != documents.OPERATOR:
        yield Found(None, f"role {documents.OPERATOR}")


def receiver(document: Document, known: Known, at: int) -> Finds:
    if not _holds(document.receiver, codes.GLN_DIGITS):
        yield Found(None, "a GLN-13")
    elif known.receiver not in (None, document.receiver):
        yield Found(None, "the GLN-13 of this party")


def bearer(document: Document, known: Known, at: int) -> Finds:
    if known.sender not in (None, document.sender):
        yield Found(None, "the party that sends it")


# Process, parties and series.


def process(document: Document, known: Known, at: int) -> Finds:
    if document.process not in documents.PROCESSES:
        yield Found(None, f"one of {', '.join(documents.PROCESSES)}")


def other_process(document: Document, known: Known, at: int) -> Finds:
    known_process = document.process in documents.PROCESSES
    if known_process and document.written_as not in ("", document.process):
        yield Found(None, document.written_as)


def not_for_receiver(document: Document, known: Known, at: int) -> Finds:
    roles = [documents.BALANCE_RESPONSIBLE]
    if document.process not in (documents.LOSS_POINT, documents.UNMETERED_POINT):
        roles.append(documents.SYSTEM_OPERATOR)
    if document.receiver_role not in roles:
        yield Found(None, f"a receiver of role {' or '.join(roles)}")


def brp_missing(document: Document, known: Known, at: int) -> Finds:
    if document.process != documents.FACTORS:
        for series in document.series:
            if not series.brp:
                yield Found(series)


# To the BRP these are per supplier; to the TSO they are not.
_PER_SUPPLIER = (documents.TELEMETRY_SUM, documents.SMART_METERS, documents.PROFILED)


def supplier_missing(document: Document, known: Known, at: int) -> Finds:
    to_brp = document.receiver_role == documents.BALANCE_RESPONSIBLE
    if to_brp and document.process in _PER_SUPPLIER:
        for series in document.series:
            if not series.supplier:
                yield Found(series)


def brp_unknown(document: Document, known: Known, at: int) -> Finds:
    for series in document.series:
        if not series.brp:
            continue
        if not _holds(series.brp, codes.GLN_DIGITS):
            yield Found(series, "a GLN-13")
        elif known.parties is not None and series.brp not in known.parties:
            yield Found(series)


def not_active(document: Document, known: Known, at: int) -> Finds:
    if known.active is None or document.process == documents.FACTORS:
        return
    for series in document.series:
        groups = known.active.get((series.grid_area, series.brp), ())
        # Zeros withdraw what was there before: of a party that is not active any more.
        if series.brp and series.group not in groups and series.quantity.any():
            yield Found(series)
