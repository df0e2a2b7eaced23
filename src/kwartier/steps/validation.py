"""Readings → accepted readings, and what was doubtful.

A rogue reading makes one false peak and one fall; which of the readings is wrong is decided by the
longest chain that a real meter could have made. Nothing is mended by guessing: what is rejected
becomes a gap, and the estimation says how it was filled. Source: FAQ; domain §5; decisions §6–§9.
"""

from __future__ import annotations

import numpy as np

from kwartier import codes, findings, kernels
from kwartier.arrays import NOT_READ, Bools, Int64s, Lanes
from kwartier.findings import Records
from kwartier.parameters import Parameters


def _touched(first: Int64s, last: Int64s, periods: int) -> dict[str, Int64s]:
    """Give the periods that readings from position `first` to `last` bound."""
    return {
        "first_period": np.maximum(first, 1),
        "last_period": np.minimum(last + 1, periods),
    }


def _of_runs(
    rule: str, mask: Bools, number: Int64s, register: Int64s, observed: Int64s, limit: int = 0
) -> Records:
    """Make one finding of each run of marked readings; it shows what the first one has."""
    row, first, last = kernels.runs_of(mask)
    return findings.records(
        rule,
        number[row],
        register=register[row],
        observed=observed[row, first],
        limit=limit,
        **_touched(first, last, mask.shape[1] - 1),
    )


def accept(
    number: Int64s,
    meter: Int64s,
    register: Int64s,
    reading: Int64s,
    status: Int64s,
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
    status : (rows, periods + 1), AMR status bits.
    lanes : the rows by point, meter and direction.
    limit, multiplier, rolls_at : (rows), of the point: physical limit [Wh per period], what a
        reading is multiplied by, where its register begins again [Wh], 0 where not known.

    Returns
    -------
    accepted : (rows, periods + 1) [Wh], multiplied; a register that rolled over counts on.
    found : status_invalid, missing_readings, meter_exchanged, reading_falls, above_physical_limit,
        register_rolled_over, total_differs_from_tariffs, day_sum_differs.
    """
    read = reading != NOT_READ
    invalid = read & ((status & codes.STATUS_REJECTING) != 0)
    found = [_of_runs("status_invalid", invalid, number, register, status)]

    found += _missing(number, meter, register, read, lanes)

    usable = np.where(read & ~invalid, reading * multiplier[:, None], NOT_READ)
    counted_on, wrapped = _count_on(usable, rolls_at)
    accepted, rejected = chain(number, register, counted_on, limit)
    found.append(rejected)

    kept_on = wrapped & (accepted != NOT_READ)
    rolled = kept_on.any(axis=1) & ((accepted != NOT_READ) & ~wrapped).any(axis=1)
    row = np.nonzero(rolled)[0]
    at = kept_on[row].argmax(axis=1)
    found.append(
        findings.records(
            "register_rolled_over",
            number[row],
            register=register[row],
            first_period=at,
            last_period=at,
            observed=reading[row, at],
            limit=rolls_at[row] // multiplier[row],
        )
    )
    found += _hold_total_against_tariffs(number, register, accepted, lanes, rolls_at, parameters)
    return accepted, np.concatenate(found)


def _missing(
    number: Int64s, meter: Int64s, register: Int64s, read: Bools, lanes: Lanes
) -> list[Records]:
    """Find readings that are not there, and the exchange of a meter.

    On the day of an exchange a reading is there when either meter has it. A meter that is read at
    one midnight only was there for the other day.
    """
    some = np.nonzero(read.any(axis=1) & ~_daily(read, lanes))[0]
    order = some[np.lexsort((register[some], number[some]))]
    first = _starts(number[order], register[order])
    there = np.logical_or.reduceat(read[order], first, axis=0) if len(order) else read[order]
    row, start, end = kernels.runs_of(~there)
    missing = findings.records(
        "missing_readings",
        number[order][first[row]],
        register=register[order][first[row]],
        observed=end - start + 1,
        **_touched(start, end, read.shape[1] - 1),
    )
    inside = read[:, 1:-1].any(axis=1)
    pairs = np.unique(np.stack([number[inside], meter[inside]]), axis=1)
    point, meters = np.unique(pairs[0], return_counts=True)
    exchanged = findings.records(
        "meter_exchanged",
        point[meters > 1],
        first_period=1,
        last_period=read.shape[1] - 1,
        observed=meters[meters > 1],
        limit=1,
    )
    return [missing, exchanged]


def _starts(*keys: Int64s) -> Int64s:
    """Give where each run of equal keys begins."""
    change = np.ones(len(keys[0]), bool)
    change[1:] = np.logical_or.reduce([key[1:] != key[:-1] for key in keys])
    return np.nonzero(change)[0]


def _daily(read: Bools, lanes: Lanes) -> Bools:
    """Tell which rows are daily tariff registers: read at midnight only, beside a total."""
    within_day: Bools = np.asarray(read[:, 1:-1].any(axis=1))
    total = lanes.rows[:, 0]
    tariffs = lanes.rows[(total >= 0) & within_day[total], 1:]
    rows = tariffs[tariffs >= 0]
    daily = np.zeros(len(read), bool)
    daily[rows] = ~within_day[rows]
    return daily


def _count_on(reading: Int64s, rolls_at: Int64s) -> tuple[Int64s, Bools]:
    """Let registers that passed their highest number count on; only with a known number of digits.

    No day holds energy near half of what a register can count, so readings that far apart lie on
    both sides of the roll-over, or the chain rejects one of the sides.
    """
    wrapped = np.zeros(reading.shape, bool)
    rows = np.nonzero(rolls_at > 0)[0]
    part, at = reading[rows], rolls_at[rows, None]
    read = part != NOT_READ
    highest, lowest = _span(part, read)
    apart = 2 * (highest - lowest) > at[:, 0]
    wrapped[rows] = read & apart[:, None] & (2 * part < at)
    counted_on = reading.copy()
    counted_on[rows] += np.where(wrapped[rows], at, 0)
    return counted_on, wrapped


def chain(number: Int64s, label: Int64s, reading: Int64s, limit: Int64s) -> tuple[Int64s, Records]:
    """Reject the readings outside the longest chain that one meter could have made.

    Parameters
    ----------
    number, label : (rows), the point and what the finding names as its register.
    reading : (rows, periods + 1) [Wh].
    limit : (rows) [Wh per period].

    Returns
    -------
    accepted : (rows, periods + 1) [Wh], NOT_READ where rejected.
    found : reading_falls, above_physical_limit.
    """
    kept = kernels.longest_chains(reading, limit)
    reasons = kernels.why_rejected(reading, kept, limit)
    row, first, last, observed, allowed = reasons.T
    made = findings.records(
        "reading_falls",
        number[row],
        register=label[row],
        observed=observed,
        limit=allowed,
        **_touched(first, last, reading.shape[1] - 1),
    )
    made["rule"][allowed > 0] = findings.RULE_INDEX["above_physical_limit"]
    return np.where(kept, reading, NOT_READ), made


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
    total, one, two = (accepted[rows[:, part]] for part in range(3))
    together = (total != NOT_READ) & (one != NOT_READ) & (two != NOT_READ)
    off = np.where(together, total - one - two, 0)
    size = rolls_at[rows[:, 0], None]
    modulo = np.maximum(size, 1)
    off = np.where(size > 0, (off + size // 2) % modulo - size // 2, off)

    both_ends = together[:, 0] & together[:, -1]
    drift = np.where(both_ends, off[:, -1] - off[:, 0], 0)
    drifted = np.nonzero(np.abs(drift) > parameters.day_sum_tolerance_wh)[0]
    day_sum = findings.records(
        "day_sum_differs",
        number[rows[drifted, 0]],
        register=register[rows[drifted, 0]],
        first_period=1,
        last_period=accepted.shape[1] - 1,
        observed=drift[drifted],
        limit=parameters.day_sum_tolerance_wh,
    )
    wrong = np.abs(off) > parameters.tariff_tolerance_wh
    contradiction = _of_runs(
        "total_differs_from_tariffs",
        wrong,
        number[rows[:, 0]],
        register[rows[:, 0]],
        off,
        parameters.tariff_tolerance_wh,
    )
    lane, position = np.nonzero(wrong)
    for part in range(3):
        accepted[rows[lane, part], position] = NOT_READ
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
    if not len(number):
        return np.empty(0, findings.RECORD)
    periods = volume.shape[1]
    starts = np.nonzero(np.append(True, number[1:] != number[:-1]))[0]
    quiet = np.logical_and.reduceat(volume == 0, starts, axis=0)
    row, first, last = kernels.runs_of(quiet)
    length = last - first + 1
    silent = length == periods
    long = (length >= parameters.zero_run_periods) & ~silent
    found = [
        findings.records(
            "zero_run",
            number[starts[row[long]]],
            first_period=first[long] + 1,
            last_period=last[long] + 1,
            observed=length[long],
            limit=parameters.zero_run_periods,
        ),
        findings.records(
            "silent_meter",
            number[starts[row[silent]]],
            first_period=1,
            last_period=periods,
        ),
    ]
    pairs = np.nonzero((number[1:] == number[:-1]) & (direction[1:] != direction[:-1]))[0]
    smaller = np.minimum(volume[pairs], volume[pairs + 1])
    row, first, last = kernels.runs_of(smaller > parameters.both_directions_wh)
    found.append(
        findings.records(
            "both_directions_large",
            number[pairs[row]],
            first_period=first + 1,
            last_period=last + 1,
            observed=smaller[row, first],
            limit=parameters.both_directions_wh,
        )
    )
    found.append(_outliers(number, direction, volume, parameters))
    return np.concatenate(found)


def _outliers(number: Int64s, direction: Int64s, volume: Int64s, parameters: Parameters) -> Records:
    """Find volumes far from the day's median, in whole numbers: |x - m| > t max(1.4826 MAD, floor).

    Source: F. R. Hampel, "The influence curve and its role in robust estimation", 1974.
    """
    factor, floor = parameters.outlier_factor, parameters.outlier_floor_wh
    measured = volume != NOT_READ
    highest, lowest = _span(volume, measured)
    # No volume is further from the median than the span of all of them.
    wide = np.nonzero(highest - lowest > factor * floor)[0]
    twice_median = _twice_median(volume[wide], measured[wide])
    twice_off = np.abs(2 * volume[wide] - twice_median[:, None])
    four_mad = _twice_median(twice_off, measured[wide])
    # 1.4826 in ten-thousandths, and the medians' factors of two, keep it whole.
    allowed = factor * np.maximum(14_826 * four_mad, 40_000 * floor)
    beyond = measured[wide] & (20_000 * twice_off > allowed[:, None])
    row, first, last = kernels.runs_of(beyond)
    return findings.records(
        "outlier",
        number[wide[row]],
        register=np.array(findings.OF_DIRECTION)[direction[wide[row]]],
        first_period=first + 1,
        last_period=last + 1,
        observed=(2 * volume[wide[row], first] - twice_median[row]) // 2,
        limit=allowed[row] // 40_000,
    )


def _span(values: Int64s, known: Bools) -> tuple[Int64s, Int64s]:
    """Give the highest and the lowest known value of each row; 0 and 0 where none is known."""
    some = known.any(axis=1)
    most = np.iinfo(np.int64).max
    highest = np.where(known, values, -most).max(axis=1)
    lowest = np.where(known, values, most).min(axis=1)
    return np.where(some, highest, 0), np.where(some, lowest, 0)


def _twice_median(values: Int64s, known: Bools) -> Int64s:
    """Give twice the median of the known values of each row, which has at least one."""
    ordered = np.sort(np.where(known, values, np.iinfo(np.int64).max), axis=1)
    count, row = known.sum(axis=1), np.arange(len(values))
    return np.asarray(ordered[row, count // 2] + ordered[row, (count - 1) // 2], np.int64)
