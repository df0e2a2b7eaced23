"""What was doubtful, as rows: the rules, and the table that holds what they found.

A finding never stops a run. Each names the rule, how grave it is, the point, the periods it
touches, what was observed and what the limit was. Source: domain §5.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from kwartier import codes, tables

INFO, WARNING, ERROR = "info", "warning", "error"


@dataclass(frozen=True)
class Rule:
    """A rule that makes findings.

    `observed` and `limit` say what stands in those columns, with the unit.
    """

    name: str
    severity: str
    meaning: str
    effect: str
    observed: str
    limit: str


def _rules(*rules: Rule) -> dict[str, Rule]:
    return {rule.name: rule for rule in rules}


RULES = _rules(
    # at the door, when readings are taken in
    Rule("no_value", ERROR, "a row without a reading or a volume", "row not kept", "rows", "0"),
    Rule(
        "nonexistent_time",
        ERROR,
        "a local time in the hour that the clock skips in spring",
        "row not kept",
        "rows",
        "0",
    ),
    Rule(
        "ambiguous_time",
        ERROR,
        "a local time in the doubled hour of autumn that order does not resolve",
        "row not kept",
        "rows",
        "0",
    ),
    Rule(
        "wrong_count",
        ERROR,
        "a day row with another number of readings than the day has periods plus one",
        "row not kept",
        "readings",
        "readings the day has",
    ),
    Rule(
        "unknown_point",
        ERROR,
        "the point is not in the register, nor among the couplings",
        "row not kept",
        "rows",
        "0",
    ),
    Rule(
        "not_eligible",
        INFO,
        "the point may not be read that day: refused, not eligible or no legal ground",
        "values not kept, only the fact",
        "rows",
        "0",
    ),
    Rule(
        "off_quarter",
        WARNING,
        "a reading or a period that is not on the quarter-hour",
        "row not kept",
        "seconds off",
        "seconds allowed",
    ),
    Rule(
        "in_future",
        ERROR,
        "a reading, or the end of a period, later than the moment it was taken in",
        "row not kept",
        "seconds later",
        "0",
    ),
    Rule(
        "too_old",
        WARNING,
        "a reading or a volume of a day that can no longer be settled",
        "row not kept",
        "days old",
        "days allowed",
    ),
    Rule(
        "duplicate_reading",
        INFO,
        "the same reading more than once in a delivery",
        "one kept",
        "rows",
        "1",
    ),
    Rule(
        "conflicting_readings",
        ERROR,
        "different readings of one register at one moment in a delivery",
        "none kept",
        "rows",
        "1",
    ),
    # at the door, when quarter volumes are taken in
    Rule(
        "not_by_volumes",
        ERROR,
        "quarter volumes of a point whose energy is not delivered so",
        "row not kept",
        "rows",
        "0",
    ),
    Rule(
        "triple_not_allowed",
        ERROR,
        "origin, validation status and repair method that do not go together",
        "row not kept",
        "rows",
        "0",
    ),
    Rule(
        "duplicate_volume",
        INFO,
        "the same volume of a period more than once in a delivery",
        "one kept",
        "rows",
        "1",
    ),
    Rule(
        "conflicting_volumes",
        ERROR,
        "different volumes of one period in a delivery",
        "none kept",
        "rows",
        "1",
    ),
    Rule(
        "late_telemetry",
        WARNING,
        "telemetry that came after its last moment of correction",
        "none",
        "working days after the market day",
        "working days allowed",
    ),
    # in the run: the register of points
    Rule(
        "register_gap",
        ERROR,
        "the point is registered before and after the day, but not on it",
        "not allocated",
        "rows that hold the day",
        "1",
    ),
    Rule(
        "register_overlap",
        ERROR,
        "two rows of the register, recorded together, both hold the day",
        "the later start counts",
        "rows that hold the day",
        "1",
    ),
    Rule(
        "no_annual_volume",
        INFO,
        "an estimate needed an annual volume that the register does not give",
        "the category's default used",
        "Wh used",
        "0",
    ),
    Rule(
        "annual_volume_absurd",
        WARNING,
        "an annual volume above what the connection can carry in a year",
        "capped",
        "Wh",
        "Wh",
    ),
    Rule(
        "loss_point_twice",
        ERROR,
        "a second point of the same kind of grid loss in the area",
        "both counted",
        "points",
        "1",
    ),
    Rule(
        "fell_back_to_profile",
        INFO,
        "a smart meter unread for so long that the point is allocated by profile",
        "allocated by profile",
        "days unread",
        "days allowed",
    ),
    # in the run: the area
    Rule(
        "missing_volumes",
        ERROR,
        "quarter volumes of a telemetry point, a grid loss or a coupling are not there",
        "the area is refused",
        "periods",
        "0",
    ),
    Rule(
        "missing_profile",
        ERROR,
        "the dimensioned profile of an unmetered point was not loaded for the day",
        "the area is refused",
        "periods",
        "0",
    ),
    Rule(
        "area_not_closed",
        WARNING,
        "no coupling of the area is known, so its energy cannot add up",
        "profiled points allocated as assumed",
        "couplings",
        "1",
    ),
    Rule(
        "residual_factor_out_of_band",
        WARNING,
        "a residual factor outside the alarm band",
        "none",
        "1e-5",
        "1e-5, the nearer end of the band",
    ),
    Rule(
        "energy_unassigned",
        WARNING,
        "energy of the area that no party bears (restantvolume)",
        "shown in the balance",
        "Wh in the periods together, without sign",
        "0 Wh",
    ),
    # in the run: the readings
    Rule(
        "status_invalid",
        ERROR,
        "the meter says: critical error, clock invalid or data not valid",
        "reading not used",
        "AMR status",
        "0",
    ),
    Rule(
        "reading_falls",
        ERROR,
        "a reading below one that came before it",
        "reading not used",
        "Wh (negative)",
        "0 Wh",
    ),
    Rule(
        "above_physical_limit",
        ERROR,
        "more energy between two readings than the connection can carry",
        "reading not used",
        "Wh",
        "Wh",
    ),
    Rule(
        "register_rolled_over",
        INFO,
        "the register passed its highest number and began again at zero",
        "counted on",
        "Wh as read",
        "Wh at which it begins again",
    ),
    Rule(
        "total_differs_from_tariffs",
        ERROR,
        "the total register is not the sum of the tariff registers",
        "none of the three used",
        "Wh",
        "Wh allowed",
    ),
    Rule(
        "day_sum_differs",
        WARNING,
        "the day's sum is not what the tariff registers counted from midnight to midnight",
        "none",
        "Wh",
        "Wh allowed",
    ),
    Rule(
        "missing_readings",
        WARNING,
        "readings that the day should have are not there",
        "volume estimated",
        "readings",
        "0",
    ),
    Rule(
        "unread_point",
        WARNING,
        "no reading of the point at all that day",
        "volume estimated",
        "readings",
        "readings the day has",
    ),
    Rule("meter_exchanged", INFO, "two meters at one point that day", "none", "meters", "1"),
    Rule(
        "two_meters_at_once",
        ERROR,
        "two meters of one point measured the same period",
        "neither used",
        "meters",
        "1",
    ),
    Rule(
        "broken_bracket",
        ERROR,
        "the readings around a gap differ by what no meter could count",
        "estimated from the annual volume",
        "Wh",
        "Wh",
    ),
    # warnings that reject nothing
    Rule(
        "zero_run",
        WARNING,
        "no energy in either direction for long, on a day that has energy",
        "none",
        "periods",
        "periods allowed",
    ),
    Rule("silent_meter", WARNING, "no energy at all that day", "none", "Wh", "0 Wh"),
    Rule(
        "both_directions_large",
        WARNING,
        "large offtake and large infeed in the same period",
        "none",
        "Wh (the smaller)",
        "Wh",
    ),
    Rule(
        "outlier",
        WARNING,
        "a volume far from the day's median (Hampel)",
        "none",
        "Wh from the median",
        "Wh allowed",
    ),
)
RULE_NAMES = tuple(RULES)
RULE_INDEX = {name: index for index, name in enumerate(RULE_NAMES)}

# A finding while it is being made: one record of whole numbers.
RECORD = np.dtype(
    [
        ("rule", np.int32),
        ("register", np.int32),  # index in REGISTERS; -1 none; -2 offtake; -3 infeed
        ("accounting_point", np.int64),
        ("first_period", np.int64),
        ("last_period", np.int64),
        ("observed", np.int64),
        ("limit", np.int64),
        ("rows", np.int64),
    ]
)
_ORDER = (
    *("accounting_point", "rule", "register", "first_period", "last_period"),
    *("observed", "limit", "rows"),
)
NO_REGISTER = -1
OF_AREA = 0  # in place of a point, where a finding is of the whole area
OF_DIRECTION = (-2, -3)
_REGISTER_NAMES = pa.array([*codes.REGISTERS, codes.INFEED, codes.OFFTAKE, None], pa.string())

Records = npt.NDArray[np.void]


def table(records: Records, market_day: int, grid_area: str | None) -> pa.Table:
    """Make the findings table of one day and area, in an order that never depends on the run."""
    records = records[np.lexsort([records[name].copy() for name in reversed(_ORDER)])]
    rows = len(records)
    rules = pa.array(records["rule"])
    # Negative indexes count from the end of the names: -1 none, -2 offtake, -3 infeed.
    register = np.where(
        records["register"] < 0,
        len(_REGISTER_NAMES) + records["register"],
        records["register"],
    )
    columns = {
        "market_day": pa.array(np.full(rows, market_day, np.int32)).cast(pa.date32()),
        "grid_area": pa.repeat(pa.scalar(grid_area, pa.string()), rows),
        "rule": pc.take(pa.array(RULE_NAMES), rules),
        "severity": pc.take(pa.array([rule.severity for rule in RULES.values()]), rules),
        "accounting_point": pa.array(
            records["accounting_point"], mask=records["accounting_point"] == OF_AREA
        ),
        "register": pc.take(_REGISTER_NAMES, pa.array(register)),
        "first_period": pa.array(records["first_period"].astype(np.int32)),
        "last_period": pa.array(records["last_period"].astype(np.int32)),
        "observed": pa.array(records["observed"]),
        "limit": pa.array(records["limit"]),
        "rows": pa.array(records["rows"]),
    }
    return pa.table(columns, schema=tables.FINDINGS.schema)


def records(
    rule: str,
    accounting_point: npt.NDArray[np.int64],
    *,
    register: npt.NDArray[np.int64] | int = NO_REGISTER,
    first_period: npt.NDArray[np.int64] | int = 0,
    last_period: npt.NDArray[np.int64] | int = 0,
    observed: npt.NDArray[np.int64] | int = 0,
    limit: npt.NDArray[np.int64] | int = 0,
    rows: npt.NDArray[np.int64] | int = 0,
) -> Records:
    """Make finding records of one rule from whole columns."""
    made = np.zeros(len(accounting_point), RECORD)
    made["rule"] = RULE_INDEX[rule]
    made["register"] = register
    made["accounting_point"] = accounting_point
    made["first_period"] = first_period
    made["last_period"] = last_period
    made["observed"] = observed
    made["limit"] = limit
    made["rows"] = rows
    return made


def joined(*parts: Records) -> Records:
    """Put findings together, in the order given."""
    some = [part for part in parts if len(part)]
    return np.concatenate(some) if some else np.empty(0, RECORD)
