"""RSM-014 NotifyAggregatedMeasureData: BRP × supplier × grid area in one series, in XML and JSON.

A supplier that was folded has no element. The profile category has none either: series by profile
are summed before they come here.
Source: ediel.org NotifyAggregatedMeasureData 0.1 (CIM); domain §8; decisions §36.
"""

from __future__ import annotations

from datetime import date

from kwartier import codes
from kwartier.codecs import json, xml
from kwartier.codecs.cim import cells, header, json_form, xml_form
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
    AGGREGATED_MEASURED,
    BALANCE_RESPONSIBLE,
    OPERATOR,
    SUPPLIER,
    SYSTEM_OPERATOR,
    Document,
    Series,
)

NAME = "NotifyAggregatedMeasureData_MarketDocument"
NAMESPACE = "urn:ediel.org:measure:notifyaggregatedmeasuredata:0:1"

_POINT = (
    Field("position", WHOLE),
    Field("quantity", NUMBER),
    optional("quality", CODE),
)
_PERIOD = (
    Field("resolution"),
    Field("timeInterval", PART, of=(Field("start", CODE), Field("end", CODE))),
    Field("Point", ROWS, of=_POINT),
)
# As in the acknowledgement, which has to name them.
_LONGEST_ID = 60
_SERIES = (
    Field("mRID", longest=_LONGEST_ID),
    optional("version"),
    optional("settlement_Series.version", CODE),
    optional("originalTransactionIDReference_Series.mRID"),
    Field("marketEvaluationPoint.type", CODE),
    optional("marketEvaluationPoint.settlementMethod", CODE),
    optional("asset_MktPSRType.psrType", CODE),
    optional("registration_DateAndOrTime.dateTime"),
    optional("biddingZone_Domain.mRID", ID, longest=18),
    Field("meteringGridArea_Domain.mRID", ID, longest=18),
    optional("in_Domain.mRID", ID, longest=18),
    optional("out_Domain.mRID", ID, longest=18),
    optional("energySupplier_MarketParticipant.mRID", ID, longest=16),
    optional("balanceResponsibleParty_MarketParticipant.mRID", ID, longest=16),
    optional("product"),
    Field("quantity_Measure_Unit.name", CODE),
    Field("Period", PART, of=_PERIOD),
)
_DOCUMENT = (
    Field("mRID", longest=_LONGEST_ID),
    Field("type", CODE),
    Field("process.processType", CODE),
    optional("businessSector.type", CODE),
    *header.PARTIES,
    Field("createdDateTime"),
    Field("Series", PARTS, of=_SERIES),
)

# What a series may have here; all else it would lose.
_CARRIED = ("id", "run", "grid_area", "group", "quantity", "direction", "brp", "supplier", "origin")
_ROLES = {role: role for role in (OPERATOR, BALANCE_RESPONSIBLE, SUPPLIER, SYSTEM_OPERATOR)}
# The run of the calendar that is final is a settlement; those before it are temporary.
_PROCESSES = {False: "D03", True: "D04"}
# How a group is settled; the other groups of a series are in its type.
_METHODS = {
    codes.SMART_METER: "D01",  # flex: by the quarter-hours of its meters
    codes.PROFILE: "E01",
    codes.TELEMETRY: "E02",  # non-profiled
    codes.UNMETERED: "E15",  # non-profiled, with special rules
}
_LOSS = "D13"  # net loss correction


def write_xml(document: Document) -> bytes:
    """Write a document as CIM XML.

    Raises
    ------
    Unwritable : it holds what the format has no place for.
    """
    return xml_form.write(NAME, NAMESPACE, _DOCUMENT, _written(document))


def write_json(document: Document) -> bytes:
    """Write a document as CIM JSON.

    Raises
    ------
    Unwritable : it holds what the format has no place for.
    """
    return json_form.write(NAME, _DOCUMENT, _written(document))


def read_xml(content: bytes) -> Document:
    """Read a document from CIM XML.

    Raises
    ------
    Unreadable : it is none, or not one of a market day.
    """
    return _read(xml_form.read(xml.parse(content), NAME, NAMESPACE, _DOCUMENT))


def read_json(content: bytes) -> Document:
    """Read a document from CIM JSON.

    Raises
    ------
    Unreadable : it is none, or not one of a market day.
    """
    return _read(json_form.read(json.parse(content), NAME, _DOCUMENT))


def _written(document: Document) -> Values:
    if document.process != AGGREGATED_MEASURED:
        raise Unwritable(f"process: expected {AGGREGATED_MEASURED}")
    if not document.series:
        raise Unwritable("Series: expected at least one")
    return {
        **header.write(document, _ROLES),
        "type": AGGREGATED_MEASURED,
        "process.processType": _PROCESSES[document.final],
        "Series": [
            _series_written(series, document, f"Series {count}, ")
            for count, series in enumerate(document.series, 1)
        ],
    }


def _series_written(series: Series, document: Document, where: str) -> Values:
    header.check_carried(series, _CARRIED, where)
    kind, method = _kind(series, where)
    points = {
        "position": cells.positions(series.quantity, document.market_day, where),
        "quantity": cells.kwh(series.quantity),
    }
    if series.origin:
        points["quality"] = cells.qualities(series, where)
    return {
        "mRID": series.id,
        "version": series.run or None,
        "marketEvaluationPoint.type": kind,
        "marketEvaluationPoint.settlementMethod": method or None,
        "meteringGridArea_Domain.mRID": series.grid_area,
        "energySupplier_MarketParticipant.mRID": series.supplier or None,
        "balanceResponsibleParty_MarketParticipant.mRID": series.brp or None,
        "product": cells.ACTIVE_ENERGY,
        "quantity_Measure_Unit.name": cells.KWH,
        "Period": {
            "resolution": cells.RESOLUTION,
            "timeInterval": cells.interval(document.market_day),
            "Point": points,
        },
    }


def _kind(series: Series, where: str) -> tuple[str, str]:
    """Give the type and the settlement method of a series."""
    if (series.group, series.direction) == (codes.GRID_LOSS, codes.OFFTAKE):
        return _LOSS, ""
    if series.direction not in codes.DIRECTIONS or series.group not in ("", *_METHODS):
        raise Unwritable(
            f"{where}direction, group: expected offtake or infeed of a group, or losses"
        )
    return series.direction, _METHODS.get(series.group, "")


def _read(values: Values) -> Document:
    cells.expect(values["type"], AGGREGATED_MEASURED, "type")
    final = {code: final for final, code in _PROCESSES.items()}.get(values["process.processType"])
    if final is None:
        raise Unreadable(f"process.processType: expected one of {', '.join(_PROCESSES.values())}")
    days = {
        cells.market_day(
            series["Period"]["timeInterval"], f"Series {count}, Period, timeInterval, "
        )
        for count, series in enumerate(values["Series"], 1)
    }
    if len(days) > 1:
        raise Unreadable("Series: expected series of one market day")
    (day,) = days
    return Document(
        process=AGGREGATED_MEASURED,
        market_day=day,
        series=[
            _series_read(series, day, f"Series {count}, ")
            for count, series in enumerate(values["Series"], 1)
        ],
        final=final,
        **header.read(values, _ROLES),
    )


def _series_read(values: Values, day: date, where: str) -> Series:
    cells.expect(values.get("product", cells.ACTIVE_ENERGY), cells.ACTIVE_ENERGY, f"{where}product")
    cells.expect(
        values["quantity_Measure_Unit.name"], cells.KWH, f"{where}quantity_Measure_Unit.name"
    )
    cells.expect(values["Period"]["resolution"], cells.RESOLUTION, f"{where}Period, resolution")
    kind = values["marketEvaluationPoint.type"]
    method = values.get("marketEvaluationPoint.settlementMethod", "")
    group = {code: group for group, code in _METHODS.items()}.get(method, "")
    if kind == _LOSS and not method:
        kind, group = codes.OFFTAKE, codes.GRID_LOSS
    elif kind not in codes.DIRECTIONS or (method and not group):
        raise Unreadable(
            f"{where}marketEvaluationPoint: expected type {', '.join(codes.DIRECTIONS)} with a "
            f"settlement method of {', '.join(_METHODS.values())} or none, or {_LOSS} with none"
        )
    points = values["Period"]["Point"]
    cells.check_positions(points["position"], day, f"{where}Period, ")
    return Series(
        id=values["mRID"],
        run=values.get("version", ""),
        grid_area=values["meteringGridArea_Domain.mRID"],
        group=group,
        quantity=cells.read_kwh(points["quantity"], f"{where}Period, "),
        direction=kind,
        brp=values.get("balanceResponsibleParty_MarketParticipant.mRID", ""),
        supplier=values.get("energySupplier_MarketParticipant.mRID", ""),
        origin=cells.origin(points["quality"], f"{where}Period, "),
    )
