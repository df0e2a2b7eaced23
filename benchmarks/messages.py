"""What the messages of a day cost: 50 BRPs × 17 grid areas × 4 series, written, signed and read.

`make bench-messages` runs them, saves what they took, and compares it with what was saved before.
Every number is for all 850 documents; writing holds each against its schema, and so does reading.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, NamedTuple
from uuid import NAMESPACE_OID, uuid5

import numpy as np
import pytest

from kwartier import codes, documents, periods
from kwartier.adapters.transport import Envelope, Keys, soap
from kwartier.codecs import FORMATS
from kwartier.documents import Document, Series
from kwartier.simulation import many
from tests.pki import Authority

ROUNDS = 3
DAY = date(2026, 3, 11)
AT = int(datetime(2026, 3, 12, 12, tzinfo=UTC).timestamp())
OPERATOR, TSO = "8716871000002", "8716867999983"
AREAS = tuple(map(codes.ean, many.GRID_AREAS))
BRPS = tuple(str(codes.with_check_digit(871_234_501_000 + number)) for number in range(50))


class Letters(NamedTuple):
    """Documents of a day in one format, written, and in signed envelopes."""

    documents: list[Document]
    written: list[bytes]
    signed: list[bytes]


def _named(*parts: object) -> str:
    return str(uuid5(NAMESPACE_OID, "/".join(map(str, parts))))


def _series(brp: str, area: str, number: int, **kind: str) -> Series:
    random = np.random.default_rng(int(brp) + int(area) + number)
    return Series(
        id=_named(brp, area, number),
        run=_named(area),
        grid_area=area,
        group=codes.SMART_METER,
        quantity=random.integers(0, 5_000_000, periods.count(DAY)),
        brp=brp,
        supplier=OPERATOR,
        **kind,
    )


def _document(brp: str, area: str, process: str) -> Document:
    kinds = [
        {"direction": direction, "origin": origin}
        for direction in codes.DIRECTIONS
        for origin in (codes.MEASURED, codes.CALCULATED)
    ]
    return Document(
        process=process,
        id=_named("document", brp, area),
        created_at=AT,
        sender=OPERATOR,
        sender_role=documents.OPERATOR,
        receiver=brp,
        receiver_role=documents.BALANCE_RESPONSIBLE,
        market_day=DAY,
        series=[_series(brp, area, number, **kind) for number, kind in enumerate(kinds)],
    )


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    """Certificates of a market, made for this."""
    folder: Path = tmp_path_factory.mktemp("keys")
    authority = Authority(folder, "market")
    return authority.keys(authority.issue("operator", OPERATOR))


@pytest.fixture(scope="module")
def letters(keys: Keys) -> Callable[[str], Letters]:
    """Make the letters of a format, once."""
    made: dict[str, Letters] = {}

    def of(name: str) -> Letters:
        if name not in made:
            process = "N111" if name == "dutch" else documents.AGGREGATED_MEASURED
            some = [_document(brp, area, process) for brp in BRPS for area in AREAS]
            written = [FORMATS[name].write(one) for one in some]
            signed = []
            if name == "dutch":
                signed = [
                    _signed(one, content, keys) for one, content in zip(some, written, strict=True)
                ]
            made[name] = Letters(some, written, signed)
        return made[name]

    return of


def _signed(document: Document, content: bytes, keys: Keys) -> bytes:
    envelope = Envelope(document.id, "", OPERATOR, document.receiver, "", "application/xml")
    return soap.wrap(envelope, content, keys, AT)


def _each(benchmark: Any, act: Callable[[Any], Any], some: list[Any]) -> None:
    benchmark.pedantic(lambda: [act(one) for one in some], rounds=ROUNDS)


@pytest.mark.parametrize("name", ["dutch", "rsm014-xml", "rsm014-json"])
def test_write(benchmark: Any, letters: Callable[[str], Letters], name: str) -> None:
    _each(benchmark, FORMATS[name].write, letters(name).documents)


@pytest.mark.parametrize("name", ["dutch", "rsm014-xml", "rsm014-json"])
def test_read(benchmark: Any, letters: Callable[[str], Letters], name: str) -> None:
    _each(benchmark, FORMATS[name].read, letters(name).written)


def test_sign(benchmark: Any, letters: Callable[[str], Letters], keys: Keys) -> None:
    made = letters("dutch")
    some = list(zip(made.documents, made.written, strict=True))
    _each(benchmark, lambda one: _signed(*one, keys), some)


def test_verify(benchmark: Any, letters: Callable[[str], Letters], keys: Keys) -> None:
    _each(benchmark, lambda one: soap.unwrap(one, keys, AT), letters("dutch").signed)
