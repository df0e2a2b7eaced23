"""The run calendar: which run of a market day is due at a moment, and which it passes over.

No clock is asked here; the moment is handed in. When a kind is due is the parameter `run_calendar`
that holds on the market day.

Source: domain §7; decisions §24.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable
from datetime import date, timedelta
from operator import itemgetter
from typing import NamedTuple

from kwartier import periods
from kwartier.parameters import WORKING_DAYS, CalendarRun, Parameters

# Gives the run calendar that holds on a market day.
CalendarOf = Callable[[date], tuple[CalendarRun, ...]]


class Due(NamedTuple):
    """The newest run of a market day that is due, since when [s UTC], and all its older kinds.

    Whether one of them, or the newest itself, was made already, the ledger knows.
    """

    market_day: date
    kind: str
    due_at: int
    passed_over: tuple[str, ...]


def due_at(day: date, run: CalendarRun, holidays: Container[date]) -> int:
    """Give the moment at which a run of a market day is due [s UTC].

    With months the days are counted from the first day of that month, itself included.

    Raises
    ------
    ParameterError : the holidays of that year are not known.
    """
    after = day
    if run.months:
        year, month = divmod(12 * day.year + day.month - 1 + run.months, 12)
        after = date(year, month + 1, 1) - timedelta(days=1)
    if run.unit == WORKING_DAYS:
        on = periods.working_days_after(after, run.nth, holidays)
    else:
        on = after + timedelta(days=run.nth)
    return periods.at_hour(on, run.hour)


def final_from(day: date, held: Parameters, holidays: Container[date]) -> int | None:
    """Give the moment from which what is said of a market day is final [s UTC].

    It is when the run `final_settlement_run` is due; None: its calendar has no such run.

    Raises
    ------
    ParameterError : the holidays of that year are not known.
    """
    for run in held.run_calendar:
        if run.kind == held.final_settlement_run:
            return due_at(day, run, holidays)
    return None


def _moments(
    day: date, calendar_of: CalendarOf, holidays: Container[date]
) -> list[tuple[int, str]]:
    # The sort is stable: of kinds due at the same second the later one of the calendar is newer.
    moments = [(due_at(day, run, holidays), run.kind) for run in calendar_of(day)]
    return sorted(moments, key=itemgetter(0))


def due(
    days: Iterable[date], now: int, calendar_of: CalendarOf, holidays: Container[date]
) -> list[Due]:
    """Give the newest due run of each market day at a moment [s UTC], ordered by market day.

    However long nothing ran, a day is run once: the newest kind makes the older ones needless.
    """
    found = []
    for day in sorted(set(days)):
        moments = [entry for entry in _moments(day, calendar_of, holidays) if entry[0] <= now]
        if moments:
            since, newest = moments[-1]
            older = tuple(kind for _, kind in moments[:-1])
            found.append(Due(day, newest, since, older))
    return found


def next_due(
    days: Iterable[date], now: int, calendar_of: CalendarOf, holidays: Container[date]
) -> Due | None:
    """Give the run that is the first to become due after a moment [s UTC]; none where none will.

    Of several at once it is that of the earliest market day, as `due` gives it at that moment.
    """
    coming = [
        (moment, day)
        for day in days
        for moment, _ in _moments(day, calendar_of, holidays)
        if moment > now
    ]
    if not coming:
        return None
    moment, day = min(coming)
    return due([day], moment, calendar_of, holidays)[0]
