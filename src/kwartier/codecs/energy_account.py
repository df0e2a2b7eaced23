"""ENTSO-E EnergyAccount: sums to the TSO (A11), and its statement of imbalance (A12).

A time series has what came in and what went out. Of A11 each is production, consumption or losses
of a BRP in an area, so the other side is 0. Of A12 a series holds both sides, the surplus of a BRP
and its shortage: two series of the model, with the same id. The format has no element for the run.
Prices are not read; they come in documents of their own.
Source: IEC 62325-451-4, EnergyAccount_MarketDocument 4.0 and 4.1; domain §8, §9; decisions §36.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np

from kwartier import codes, periods
from kwartier.codecs import xml
from kwartier.codecs.cim import cells, header, xml_form
from kwartier.codecs.cim.layout import (
    CODE,
    ID,
    NUMBER,
    PART,
    PARTS,
    ROWS,
    WHOLE,
    Field,
    Unwritable,
    Values,
    optional,
)
from kwartier.codecs.xml import Unreadable
from kwartier.documents import (
    ENERGY_ACCOUNT,
    IMBALANCE_ACCOUNT,
    Document,
    Series,
)

NAME = "EnergyAccount_MarketDocument"


@dataclass(frozen=True)
class Version:
    """What one version of the document has otherwise than another."""

    namespace: str
    longest_id: int
    unit: str  # the element that names the unit
    curve: bool  # whether a series says how its points are to be read


VERSIONS = {
    "4.0": Version(
        namespace="urn:iec62325.351:tc57wg16:451-4:energyaccountdocument:4:0",
        longest_id=35,
        unit="measure_Unit.name",
        curve=False,
    ),
    "4.1": Version(
        namespace="urn:iec62325.351:tc57wg16:451-4:energyaccountdocument:4:1",
        longest_id=60,
        unit="measurement_Unit.name",
        curve=True,
    ),
}

# Production, consumption, losses.
_KINDS = {("", codes.INFEED): "A01", ("", codes.OFFTAKE): "A04"}
_KINDS |= {(codes.GRID_LOSS, codes.OFFTAKE): "A15"}
_DEVIATION = "A20"
# What comes in is infeed and surplus, what goes out is offtake and shortage.
_SIDES = {codes.OFFTAKE: "out", codes.INFEED: "in"}
_PROCESSES = {ENERGY_ACCOUNT: "A05", IMBALANCE_ACCOUNT: "A06"}
_STATUSES = {False: "A01", True: "A02"}  # intermediate, final
_SUMMARY, _PARTY, _SEQUENTIAL = "A02", "A03", "A01"
# A document is never revised: a correction is another, with an id of its own.
_REVISION = "1"
# What a series may have here; all else it would lose, but for the run.
_CARRIED = ("id", "run", "grid_area", "group", "quantity", "direction", "brp", "origin")


def _layout(version: Version) -> tuple[Field, ...]:
    point = (
        Field("position", WHOLE),
        Field("in_Quantity.quantity", NUMBER),
        optional("in_Quantity.quality", CODE),
        Field("out_Quantity.quantity", NUMBER),
        optional("out_Quantity.quality", CODE),
        optional("price.amount", NUMBER),
    )
    period = (
        Field("timeInterval", PART, of=cells.INTERVAL),
        Field("resolution"),
        Field("Point", ROWS, of=point),
    )
    series = (
        Field("mRID", longest=version.longest_id),
        Field("businessType", CODE),
        Field("product", CODE),
        Field("objectAggregation", CODE),
        *([Field("curveType", CODE)] if version.curve else []),
        Field("area_Domain.mRID", ID, longest=18),
        optional("marketParticipant.mRID", ID, longest=16),
        optional("marketAgreement.mRID", longest=version.longest_id),
        Field(version.unit, CODE),
        optional("currency_Unit.name", CODE),
        optional("marketEvaluationPoint.mRID", ID, longest=version.longest_id),
        Field("Period", PART, of=period),
    )
    return (
        Field("mRID", longest=version.longest_id),
        Field("revisionNumber"),
        Field("type", CODE),
        Field("docStatus", PART, of=(Field("value", CODE),)),
        Field("process.processType", CODE),
        Field("process.classificationType", CODE),
        *header.PARTIES,
        Field("createdDateTime"),
        Field("period.timeInterval", PART, of=cells.INTERVAL),
        optional("domain.mRID", ID, longest=18),
        Field("TimeSeries", PARTS, of=series),
    )


def write(document: Document, version: str) -> bytes:
    """Write a document in a version of the format.

    Raises
    ------
    Unwritable : it holds what the format has no place for; ids have at most 35 characters in 4.0,
        which a UUID has without its dashes.
    """
    if document.process not in _PROCESSES:
        raise Unwritable(f"process: expected one of {', '.join(_PROCESSES)}")
    of = VERSIONS[version]
    written = _imbalances if document.process == IMBALANCE_ACCOUNT else _accounts
    day = cells.interval(document.market_day)
    values = {
        **header.write(document, header.ROLES),
        "revisionNumber": _REVISION,
        "type": document.process,
        "docStatus": {"value": _STATUSES[document.final]},
        "process.processType": _PROCESSES[document.process],
        "process.classificationType": _SUMMARY,
        "period.timeInterval": day,
        "TimeSeries": written(document, of),
    }
    if not values["TimeSeries"]:
        raise Unwritable("TimeSeries: expected at least one")
    return xml_form.write(NAME, of.namespace, _layout(of), values)


def _accounts(document: Document, version: Version) -> list[Values]:
    """Write the series of sums: a time series each, of which one side is 0."""
    written = []
    for count, series in enumerate(document.series, 1):
        where = f"series {count}, "
        kind = _KINDS.get((series.group, series.direction))
        if kind is None:
            raise Unwritable(f"{where}group, direction: expected offtake or infeed, or losses")
        written.append(_series_written(kind, {series.direction: series}, document, version, where))
    return written


def _imbalances(document: Document, version: Version) -> list[Values]:
    """Write the series of a statement: surplus and shortage in one time series."""
    pairs: dict[str, dict[str, Series]] = {}
    for series in document.series:
        pairs.setdefault(series.id, {})[series.direction] = series
    if len(document.series) != 2 * len(pairs):
        raise Unwritable("series: expected a surplus and a shortage of each id")
    written = []
    for count, sides in enumerate(pairs.values(), 1):
        where = f"series {2 * count - 1} and {2 * count}, "
        if sides.keys() != _SIDES.keys() or len({(s.grid_area, s.brp) for s in sides.values()}) > 1:
            raise Unwritable(f"{where}expected a surplus and a shortage of one BRP")
        if any(series.group for series in sides.values()):
            raise Unwritable(f"{where}group: an imbalance is of no group")
        written.append(_series_written(_DEVIATION, sides, document, version, where))
    return written


def _series_written(
    kind: str, sides: dict[str, Series], document: Document, version: Version, where: str
) -> Values:
    points: Values = {}
    for direction, side in _SIDES.items():
        series = sides.get(direction)
        if series is None:
            points[f"{side}_Quantity.quantity"] = ["0.000"] * periods.count(document.market_day)
            continue
        header.check_carried(series, _CARRIED, where)
        points["position"] = cells.positions(series.quantity, document.market_day, where)
        points[f"{side}_Quantity.quantity"] = cells.kwh(series.quantity)
        if series.origin:
            points[f"{side}_Quantity.quality"] = cells.qualities(series, where)
    first = next(iter(sides.values()))
    return {
        "mRID": first.id,
        "businessType": kind,
        "product": cells.ACTIVE_ENERGY,
        "objectAggregation": _PARTY,
        "curveType": _SEQUENTIAL,
        "area_Domain.mRID": first.grid_area,
        "marketParticipant.mRID": first.brp or None,
        version.unit: cells.KWH,
        "Period": {
            "timeInterval": cells.interval(document.market_day),
            "resolution": cells.RESOLUTION,
            "Point": points,
        },
    }


def read(content: bytes, version: str) -> Document:
    """Read a document in a version of the format.

    Raises
    ------
    Unreadable : it is none, or not one of a market day.
    """
    of = VERSIONS[version]
    values = xml_form.read(xml.parse(content), NAME, of.namespace, _layout(of))
    process = values["type"]
    if process not in _PROCESSES:
        raise Unreadable(f"type: expected one of {', '.join(_PROCESSES)}")
    cells.expect(values["process.processType"], _PROCESSES[process], "process.processType")
    # With the same id, this document would pass for the one that it revises.
    cells.expect(values["revisionNumber"], _REVISION, "revisionNumber")
    status = {code: final for final, code in _STATUSES.items()}.get(values["docStatus"]["value"])
    if status is None:
        raise Unreadable(f"docStatus: expected one of {', '.join(_STATUSES.values())}")
    day = cells.market_day(values["period.timeInterval"], "period.timeInterval, ")
    return Document(
        process=process,
        market_day=day,
        series=[
            series
            for count, part in enumerate(values["TimeSeries"], 1)
            for series in _series_read(part, process, day, of, f"TimeSeries {count}, ")
        ],
        final=status,
        **header.read(values, header.OF_CODE),
    )


def _series_read(
    values: Values, process: str, day: date, version: Version, where: str
) -> list[Series]:
    cells.expect(values["product"], cells.ACTIVE_ENERGY, f"{where}product")
    cells.expect(values[version.unit], cells.KWH, f"{where}{version.unit}")
    cells.expect(values.get("curveType", _SEQUENTIAL), _SEQUENTIAL, f"{where}curveType")
    period, within = values["Period"], f"{where}Period, "
    cells.expect(period["resolution"], cells.RESOLUTION, f"{within}resolution")
    if cells.market_day(period["timeInterval"], f"{within}timeInterval, ") != day:
        raise Unreadable(f"{within}timeInterval: expected the day of the document")
    points = period["Point"]
    cells.check_positions(points["position"], day, within)
    kinds = {_DEVIATION: ("", "")}
    if process == ENERGY_ACCOUNT:
        kinds = {code: kind for kind, code in _KINDS.items()}
    if values["businessType"] not in kinds:
        raise Unreadable(f"{where}businessType: expected one of {', '.join(kinds)}")
    group, only = kinds[values["businessType"]]
    found = []
    for direction, side in _SIDES.items():
        quantity = cells.read_kwh(points[f"{side}_Quantity.quantity"], within)
        if direction == only or not only:
            found.append(
                Series(
                    id=values["mRID"],
                    run="",
                    grid_area=values["area_Domain.mRID"],
                    group=group,
                    quantity=quantity,
                    direction=direction,
                    brp=values.get("marketParticipant.mRID", ""),
                    origin=cells.origin(points[f"{side}_Quantity.quality"], within),
                )
            )
        elif np.any(quantity):
            raise Unreadable(f"{within}{side}_Quantity.quantity: expected 0 of what flows one way")
    return found
