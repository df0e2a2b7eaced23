"""Readings → accepted readings, and what was doubtful.

A rogue reading makes one false peak and one fall; which of the readings is wrong is decided by the
longest chain that a real meter could have made. Nothing is mended by guessing: what is rejected
becomes a gap, and the estimation says how it was filled. Source: FAQ; domain §5; decisions §6–§9.
"""

from __future__ import annotations

import numpy as np

from kwartier import codes, findings, kernels
from kwartier.arrays import NOT_READ, Bools, Int64s, Lanes, Wholes
from kwartier.findings import Records
from kwartier.parameters import Parameters


def _touched(first: Int64s, last: Int64s, periods: int) -> dict[str, Int64s]:
    """Give the periods that readings from position `first` to `last` bound."""
    return {
        "first_period": np.maximum(first, 1),
        "last_period": np.minimum(last + 1, periods),
    }


def _of_runs(
    rule: str,
    runs: Int64s,
    number: Int64s,
    register: Int64s,
    positions: int,
    limit: Int64s | int = 0,
) -> Records:
    """Make one finding of each run of readings; it shows what was observed in the first one."""
    row, first, last, observed = runs.T
    return findings.records(
        rule,
        number[row],
        register=register[row],
        observed=observed,
        limit=limit,
        **_touched(first, last, positions - 1),
    )


def accept(
    number: Int64s,
    meter: Int64s,
    register: Int64s,
    reading: Wholes,
    status: Wholes | None,
    lanes: Lanes,
    *,
    limit: Int64s,
    multiplier: Int64s,
    rolls_at: Int64s,
    parameters: Parameters,
) -> tuple[Int64s, Records]:
    """Keep the readings that real meters could have made.

    Parameters
    ----------
    number, meter, register : (rows), sorted by point, meter and register.
    reading : (rows, periods + 1) [Wh], NOT_READ where not read.
    status : (rows, periods + 1), AMR status bits; None where no meter reported any.
    lanes : the rows by point, meter and direction.
    limit, multiplier, rolls_at : (rows), of the point: physical limit [Wh per period], what a
        reading is multiplied by, where its register begins again [Wh], 0 where not known.

    Returns
    -------
    accepted : (rows, periods + 1) [Wh], multiplied; a register that rolled over counts on.
    found : status_invalid, missing_readings, meter_exchanged, reading_falls, above_physical_limit,
        register_rolled_over, total_differs_from_tariffs, day_sum_differs.
    """
    positions = reading.shape[1]
    accepted = np.empty(reading.shape, np.int64)
    known, rolled, invalid = kernels.multiplied(
        reading,
        np.empty((0, positions), np.int32) if status is None else status,
        codes.STATUS_REJECTING,
        multiplier,
        rolls_at,
        accepted,
    )
    found = [_of_runs("status_invalid", invalid, number, register, positions)]
    if (known < positions).any():
        found.append(_missing(number, register, reading, known, lanes))
    found.append(_exchanged(number, meter, reading, known))
    found.append(chain(number, register, accepted, limit))
    found.append(
        _rolled_over(
            number, register, reading, accepted, np.nonzero(rolled)[0], multiplier, rolls_at
        )
    )
    found += _hold_total_against_tariffs(number, register, accepted, lanes, rolls_at, parameters)
    return accepted, findings.joined(*found)


def _missing(
    number: Int64s, register: Int64s, reading: Wholes, known: Int64s, lanes: Lanes
) -> Records:
    """Find readings that are not there.

    On the day of an exchange a reading is there when either meter has it.
    """
    asked = (known > 0) & ~_daily(reading, known, lanes)
    runs = kernels.not_read(number, register, reading, asked, known)
    return _of_runs("missing_readings", runs, number, register, reading.shape[1])


def _exchanged(number: Int64s, meter: Int64s, reading: Wholes, known: Int64s) -> Records:
    """Find the exchange of a meter: one that is read at midnight only was there for other days."""
    several = (number[1:] == number[:-1]) & (meter[1:] != meter[:-1])
    if not several.any():
        return np.empty(0, findings.RECORD)
    inside = np.nonzero(_within_day(reading, known))[0]
    inside = inside[_starts(number[inside], meter[inside])]
    point, meters = np.unique(number[inside], return_counts=True)
    return findings.records(
        "meter_exchanged",
        point[meters > 1],
        first_period=1,
        last_period=reading.shape[1] - 1,
        observed=meters[meters > 1],
        limit=1,
    )


def _starts(*keys: Int64s) -> Int64s:
    """Give where each run of equal keys begins."""
    change = np.ones(len(keys[0]), bool)
    change[1:] = np.logical_or.reduce([key[1:] != key[:-1] for key in keys])
    return np.nonzero(change)[0]


def _within_day(reading: Wholes, known: Int64s) -> Bools:
    """Tell which rows were read at another moment than both midnights."""
    at_midnight = (reading[:, 0] != NOT_READ).astype(np.int64) + (reading[:, -1] != NOT_READ)
    return np.asarray(known > at_midnight)


def _daily(reading: Wholes, known: Int64s, lanes: Lanes) -> Bools:
    """Tell which rows are daily tariff registers: read at midnight only, beside a total."""
    within_day = _within_day(reading, known)
    total = lanes.rows[:, 0]
    tariffs = lanes.rows[(total >= 0) & within_day[total], 1:]
    rows = tariffs[tariffs >= 0]
    daily = np.zeros(len(reading), bool)
    daily[rows] = ~within_day[rows]
    return daily


def chain(number: Int64s, label: Int64s, reading: Int64s, limit: Int64s) -> Records:
    """Reject, in place, the readings outside the longest chain that one meter could have made.

    Parameters
    ----------
    number, label : (rows), the point and what the finding names as its register.
    reading : (rows, periods + 1) [Wh]; NOT_READ where rejected.
    limit : (rows) [Wh per period].

    Returns
    -------
    found : reading_falls, above_physical_limit.
    """
    reasons = kernels.keep_longest_chains(reading, limit)
    allowed = reasons[:, 4]
    made = _of_runs("reading_falls", reasons[:, :4], number, label, reading.shape[1], allowed)
    made["rule"][allowed > 0] = findings.RULE_INDEX["above_physical_limit"]
    return made


def _rolled_over(
    number: Int64s,
    register: Int64s,
    reading: Wholes,
    accepted: Int64s,
    row: Int64s,
    multiplier: Int64s,
    rolls_at: Int64s,
) -> Records:
    """Find the registers that counted on, of the rows in which readings lie far apart.

    No day holds energy near half of what a register can count, so readings that far apart lie on
    both sides of the roll-over, or the chain has rejected one of the sides.
    """
    was, kept = reading[row].astype(np.int64), accepted[row] != NOT_READ
    wrapped = kept & (2 * was * multiplier[row, None] < rolls_at[row, None])
    both = wrapped.any(axis=1) & (kept & ~wrapped).any(axis=1)
    row, at = row[both], wrapped[both].argmax(axis=1)
    return findings.records(
        "register_rolled_over",
        number[row],
        register=register[row],
        first_period=at,
        last_period=at,
        observed=reading[row, at],
        limit=rolls_at[row] // multiplier[row],
    )


def _hold_total_against_tariffs(
    number: Int64s,
    register: Int64s,
    accepted: Int64s,
    lanes: Lanes,
    rolls_at: Int64s,
    parameters: Parameters,
) -> list[Records]:
    """Reject, in place, total and tariffs where they contradict each other.

    Registers with a known number of digits begin again at zero each at its own time, so they are
    compared modulo what they can count.
    """
    rows = lanes.rows[(lanes.rows >= 0).all(axis=1)]
    total = rows[:, 0]
    tolerance = parameters.tariff_tolerance_wh
    drift, runs = kernels.hold_together(accepted, rows, rolls_at[total], tolerance)
    drifted = np.nonzero(np.abs(drift) > parameters.day_sum_tolerance_wh)[0]
    day_sum = findings.records(
        "day_sum_differs",
        number[total[drifted]],
        register=register[total[drifted]],
        first_period=1,
        last_period=accepted.shape[1] - 1,
        observed=drift[drifted],
        limit=parameters.day_sum_tolerance_wh,
    )
    contradiction = _of_runs(
        "total_differs_from_tariffs",
        runs,
        number[total],
        register[total],
        accepted.shape[1],
        tolerance,
    )
    return [day_sum, contradiction]


def warn(number: Int64s, direction: Int64s, volume: Int64s, parameters: Parameters) -> Records:
    """Point at measured volumes that are possible but odd; nothing is rejected.

    Parameters
    ----------
    number, direction : (series), sorted by point and direction.
    volume : (series, periods) [Wh], NOT_READ where not measured.

    Returns
    -------
    found : zero_run, silent_meter, both_directions_large, outlier.
    """
    return findings.joined(
        *_still(number, volume, parameters),
        _both_large(number, direction, volume, parameters),
        _outliers(number, direction, volume, parameters),
    )


def _still(number: Int64s, volume: Int64s, parameters: Parameters) -> list[Records]:
    periods = volume.shape[1]
    starts = _starts(number)
    least = min(max(parameters.zero_run_periods, 1), periods)
    runs = kernels.still(volume, np.append(starts, len(number)), least)
    silent = runs[:, 3] == periods
    point, first, last, length = runs[~silent].T
    return [
        findings.records(
            "zero_run",
            number[starts[point]],
            first_period=first + 1,
            last_period=last + 1,
            observed=length,
            limit=parameters.zero_run_periods,
        ),
        findings.records(
            "silent_meter",
            number[starts[runs[silent, 0]]],
            first_period=1,
            last_period=periods,
        ),
    ]


def _both_large(
    number: Int64s, direction: Int64s, volume: Int64s, parameters: Parameters
) -> Records:
    pairs = np.nonzero((number[1:] == number[:-1]) & (direction[1:] != direction[:-1]))[0]
    pair, first, last, smaller = kernels.both_above(volume, pairs, parameters.both_directions_wh).T
    return findings.records(
        "both_directions_large",
        number[pairs[pair]],
        first_period=first + 1,
        last_period=last + 1,
        observed=smaller,
        limit=parameters.both_directions_wh,
    )


def _outliers(number: Int64s, direction: Int64s, volume: Int64s, parameters: Parameters) -> Records:
    """Find volumes far from the day's median, in whole numbers: |x - m| > t max(1.4826 MAD, floor).

    Source: F. R. Hampel, "The influence curve and its role in robust estimation", 1974.
    """
    row, first, last, off, allowed = kernels.far_from_median(
        volume, parameters.outlier_factor, parameters.outlier_floor_wh
    ).T
    return findings.records(
        "outlier",
        number[row],
        register=np.array(findings.OF_DIRECTION)[direction[row]],
        first_period=first + 1,
        last_period=last + 1,
        observed=off,
        limit=allowed,
    )
