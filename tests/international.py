"""International documents for tests: of random closed areas, and of the edges of what fits."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import strategies as st
from lxml import etree

from kwartier import codes, periods
from kwartier.codecs import FORMATS
from kwartier.codecs import acknowledgement as acknowledgements
from kwartier.documents import (
    AGGREGATED_MEASURED,
    ENERGY_ACCOUNT,
    IMBALANCE_ACCOUNT,
    Acknowledgement,
    Document,
    Reason,
    Series,
)
from tests import areas, fleets, oracle_area

OPERATOR, TSO, BRP, SUPPLIER = "8716871000002", "8716867999983", *fleets.BRPS[:1], "8716892000005"
AREA = "871687120000052782"
RUN = "7d0c1b1e-0f6a-4a53-9d0c-3a3f6f0a2b11"
DAYS = (date(2026, 3, 28), date(2026, 3, 29), date(2026, 10, 25))  # 96, 92, 100 periods
DAY = DAYS[0]
MADE = int(datetime(2026, 3, 30, 10, 15, 7, tzinfo=UTC).timestamp())

# What is written and read, by the name of its format.
CODECS: Any = {**FORMATS, "acknowledgement-8.1": acknowledgements}
SCHEMAS = {
    "rsm014-xml": "energinet_cim/urn-ediel-org-measure-notifyaggregatedmeasuredata-0-1.xsd",
    "energy-account-4.0": "entsoe/iec62325-451-4-settlement_v4_0.xsd",
    "energy-account-4.1": "entsoe/iec62325-451-4-settlement_v4_1.xsd",
    "acknowledgement-8.1": "entsoe/iec62325-451-1-acknowledgement_v8_1.xsd",
}


def schema_path(shared: Path, name: str) -> Path:
    path = shared / "xsd" / SCHEMAS[name]
    if not path.is_file():
        pytest.skip(f"the schema {path.name} is not there; name its directory in KWARTIER_SHARED")
    return path


@pytest.fixture(scope="session")
def schemas(shared: Path) -> dict[str, etree.XMLSchema]:
    """Give the official schemas."""
    return {n: etree.XMLSchema(etree.parse(str(schema_path(shared, n)))) for n in SCHEMAS}


def series(count: int = 0, day: date = DAY, **cells) -> Series:
    """Make a series of flat volumes; all cells can be set."""
    given = {
        "id": f"{count:032x}",
        "run": RUN,
        "grid_area": AREA,
        "group": codes.SMART_METER,
        "quantity": np.full(periods.count(day), 1_500 + count, np.int64),
        "direction": codes.OFFTAKE,
        "brp": BRP,
        "supplier": SUPPLIER,
        "origin": codes.MEASURED,
    }
    return Series(**given | cells)


def document(process: str = AGGREGATED_MEASURED, day: date = DAY, **cells) -> Document:
    """Make a document of one series, or of one BRP's imbalance; all cells can be set."""
    receiver, role = (BRP, "DDK") if process != ENERGY_ACCOUNT else (TSO, "EZ")
    sender, own = (OPERATOR, "DDM") if process != IMBALANCE_ACCOUNT else (TSO, "EZ")
    one = series(day=day)
    if process != AGGREGATED_MEASURED:
        one = replace(one, run="", group="", supplier="")
    if process == IMBALANCE_ACCOUNT:
        one = replace(one, origin="", direction=codes.OFFTAKE)
    two = [replace(one, direction=codes.INFEED)] if process == IMBALANCE_ACCOUNT else []
    given = {
        "process": process,
        "id": "5f" * 16,
        "created_at": MADE,
        "sender": sender,
        "sender_role": own,
        "receiver": receiver,
        "receiver_role": role,
        "market_day": day,
        "series": [one, *two],
    }
    return Document(**given | cells)


def acknowledgement(*reasons: Reason, **cells) -> Acknowledgement:
    given = {
        "id": "ab" * 16,
        "created_at": MADE,
        "sender": BRP,
        "sender_role": "DDK",
        "receiver": OPERATOR,
        "receiver_role": "DDM",
        "of": "5f" * 16,
        "reasons": reasons or (Reason("000"),),
    }
    return Acknowledgement(**given | cells)


# ---- of random closed areas ---------------------------------------------------------------------
def summed(area: oracle_area.Area, grid_area: str, keep) -> list[Series]:
    """Sum the series of an area over what a format has no element for; `keep` gives the cells."""
    sums: dict[tuple, Counter] = {}
    for key, wh in area.series.items():
        names = ("brp", "supplier", "group", "category", "type", "direction", "origin")
        cells = keep(dict(zip(names, map(str, key[1:]), strict=True)))
        sums.setdefault(tuple(cells.items()), Counter()).update(dict(enumerate(wh)))
    return [
        Series(
            id=f"{count:032x}",
            grid_area=grid_area,
            quantity=np.array([wh[t] for t in range(area.n)], np.int64),
            **{"run": ""} | dict(cells),
        )
        for count, (cells, wh) in enumerate(sorted(sums.items()))
    ]


def per_supplier(cells: dict) -> dict:
    """Keep what RSM-014 has elements for; one supplier is folded."""
    kept = {name: cells[name] for name in ("brp", "group", "direction", "origin")}
    folded = cells["supplier"] == str(fleets.SUPPLIERS[0])
    return kept | {"supplier": "" if folded else cells["supplier"], "run": RUN}


def per_brp(cells: dict) -> dict:
    """Keep what an EnergyAccount has elements for."""
    loss = codes.GRID_LOSS if cells["group"] == codes.GRID_LOSS else ""
    return {"brp": cells["brp"], "group": loss, "direction": cells["direction"]}


def per_imbalance(cells: dict) -> dict:
    return {"brp": cells["brp"], "group": "", "direction": cells["direction"]}


def statement(found: list[Series]) -> list[Series]:
    """Pair infeed and offtake of a BRP as if they were its surplus and shortage."""
    sides = {(one.brp, one.direction): one for one in found}
    paired = []
    for count, brp in enumerate(sorted({one.brp for one in found})):
        for direction in codes.DIRECTIONS:
            one = sides.get((brp, direction))
            if one is None:
                one = replace(
                    found[0], brp=brp, direction=direction, quantity=found[0].quantity * 0
                )
            paired.append(replace(one, id=f"{count:032x}"))
    return paired


def of_world(world: areas.World) -> list[tuple[Document, ...]]:
    """Make the documents of each area and day that closes: E31, A11, A12."""
    book, made = world.book(), []
    for day in world.days:
        for grid_area in sorted(book.areas(day)):
            found = book.allocate_area(day, grid_area)
            if not isinstance(found, oracle_area.Area) or not found.series:
                continue
            name = str(grid_area)
            made.append(
                (
                    document(series=summed(found, name, per_supplier), day=day),
                    document(ENERGY_ACCOUNT, series=summed(found, name, per_brp), day=day),
                    document(
                        IMBALANCE_ACCOUNT,
                        series=statement(summed(found, name, per_imbalance)),
                        day=day,
                        final=True,
                    ),
                )
            )
    return made


# ---- the edges of what fits ---------------------------------------------------------------------
INT64 = np.iinfo(np.int64)
WH = st.one_of(
    st.sampled_from([0, 1, -1, 999, 1000, -999, -1000, INT64.max, INT64.min]),
    st.integers(int(INT64.min), int(INT64.max)),
)
# Ids as parties make them, with what XML and JSON must escape.
IDS = st.text(st.sampled_from("aZ09-_.:/&<>\"'\\%é€"), min_size=1, max_size=35)
GLNS = st.integers(10**10, 10**12 - 1).map(lambda body: f"{codes.with_check_digit(body):013d}")
EANS = st.integers(10**16, 10**17 - 1).map(lambda body: f"{codes.with_check_digit(body):018d}")
EICS = st.just("10YNL----------L")


@st.composite
def documents(draw, process: str) -> Document:
    """Draw a document with whatever its process can have."""
    day = draw(st.sampled_from(DAYS))
    n = periods.count(day)

    def quantity() -> np.ndarray:
        values = draw(st.lists(WH, min_size=1, max_size=5))
        return np.resize(np.array(values, np.int64), n)

    found = []
    for _ in range(draw(st.integers(1, 3))):
        cells = {
            "id": draw(IDS),
            "run": "",
            "grid_area": draw(EANS | EICS),
            "group": "",
            "quantity": quantity(),
            "direction": draw(st.sampled_from(codes.DIRECTIONS)),
            "brp": draw(GLNS | st.just("")),
        }
        if process != IMBALANCE_ACCOUNT:
            cells["origin"] = draw(st.sampled_from(["", *codes.DELIVERED_ORIGINS]))
            if draw(st.booleans()):
                cells |= {"group": codes.GRID_LOSS, "direction": codes.OFFTAKE}
        if process == AGGREGATED_MEASURED:
            if cells["group"] != codes.GRID_LOSS:
                cells["group"] = draw(st.sampled_from(["", "SMA", "PRF", "TMT", "DIM"]))
            cells |= {"run": draw(IDS | st.just("")), "supplier": draw(GLNS | st.just(""))}
        found.append(Series(**cells))
    if process == IMBALANCE_ACCOUNT:
        shortage = [replace(one, id=f"{k}", direction="E17") for k, one in enumerate(found)]
        pairs = [(one, replace(one, direction="E18", quantity=quantity())) for one in shortage]
        found = [one for pair in pairs for one in pair]
    return document(
        process,
        day=day,
        id=draw(IDS),
        sender=draw(GLNS | EICS),
        receiver=draw(GLNS | EICS),
        sender_role=draw(st.sampled_from(["DDM", "DDK", "DDQ", "EZ"])),
        created_at=draw(st.integers(0, 4_102_444_800)),
        series=found,
        final=draw(st.booleans()),
    )
