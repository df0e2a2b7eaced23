"""PURPOSE: what a published run tells, and what the TSO states, fits the international formats."""

from dataclasses import replace

import numpy as np
import pytest
from lxml import etree

from kwartier.codecs import Unwritable
from kwartier.documents import AGGREGATED_MEASURED, ENERGY_ACCOUNT, Document
from kwartier.steps import settlement
from tests.closing import Clock, due
from tests.international import CODECS, schemas
from tests.market import BRP, DAY, Market
from tests.test_addressing import NOON, TSO, clock, market, told
from tests.test_settlement_rules import position

__all__ = ["clock", "market", "schemas"]

FORMATS_OF = {
    AGGREGATED_MEASURED: ("rsm014-xml", "rsm014-json"),
    ENERGY_ACCOUNT: ("energy-account-4.1",),
}
TSO_AREA = "10YNL----------L"


def read_back(name: str, written: Document, schemas) -> None:
    """Hold what is read from a document against it, and the document against its schema."""
    content = CODECS[name].write(written)
    found = CODECS[name].read(content)
    # An energy account has no element for the run.
    of_run = name.startswith("rsm014")
    expected = [series if of_run else replace(series, run="") for series in written.series]
    assert replace(found, series=list(found.series)) == replace(written, series=expected)
    if name in schemas:
        schemas[name].assertValid(etree.fromstring(content))


def test_what_a_run_tells_is_read_as_it_was_written(market: Market, clock: Clock, schemas) -> None:
    (run,) = due(market, NOON)
    made = [document for _, document in told(market, run)]
    assert {document.process for document in made} >= set(FORMATS_OF)
    for document in made:
        for name in FORMATS_OF.get(document.process, ()):
            read_back(name, document, schemas)
    account = next(document for document in made if document.process == ENERGY_ACCOUNT)
    with pytest.raises(Unwritable, match=r"mRID: .* write a UUID without its dashes"):
        CODECS["energy-account-4.0"].write(account)


def test_what_the_tso_states_is_read_as_it_was_written(schemas) -> None:
    net = {BRP: np.where(np.arange(96) % 2 == 0, 300, -200)}
    lines = settlement.lines(net, {BRP: position(0)}, [None] * 96, [None] * 96)
    table = settlement.table(DAY, lines, TSO)
    made = settlement.Made(1, settlement.PRELIMINARY, "f" * 12, 5)
    (statement,) = settlement.reports(table, DAY, TSO, TSO_AREA, made)
    for name in ("energy-account-4.0", "energy-account-4.1"):
        read_back(name, statement, schemas)
