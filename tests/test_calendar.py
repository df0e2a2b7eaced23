"""Working days and the run calendar: which run of which day is due when."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime, timedelta

import pytest

from kwartier import parameters, periods
from kwartier.parameters import CalendarRun, ParameterError
from kwartier.runs import calendar
from kwartier.runs.calendar import Due

ONE_DAY = timedelta(days=1)
YEARS = range(2020, 2036)
HOLIDAYS = parameters.holidays()
KINDS = ("D+1", "D+5", "D+10", "N-1", "N-3", "N-4")
CALENDAR = parameters.load(date(2026, 3, 1)).run_calendar
RUNS = {run.kind: run for run in CALENDAR}


def day(text: str) -> date:
    return date.fromisoformat(text)


def moment(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp())


def days(first: str, last: str) -> list[date]:
    return periods.between(day(first), day(last))


def the_calendar(_: date) -> tuple[CalendarRun, ...]:
    return CALENDAR


def due(of: list[date], now: int) -> list[Due]:
    return calendar.due(of, now, the_calendar, HOLIDAYS)


def due_at(text: str, kind: str) -> int:
    return calendar.due_at(day(text), RUNS[kind], HOLIDAYS)


# Holidays


def easter(year: int) -> date:
    """Give Easter Sunday by the golden number and the epact (Clavius), as the calendar defines it.

    The 14th day of the paschal moon is 18 April plus at most 30 days back; Easter is the Sunday
    after it.
    """
    golden = year % 19 + 1
    century = year // 100 + 1
    solar = 3 * century // 4 - 12
    lunar = (8 * century + 5) // 25 - 5
    epact = (11 * golden + 20 + lunar - solar) % 30
    if epact == 24 or (epact == 25 and golden > 11):
        epact += 1
    full = 44 - epact
    if full < 21:
        full += 30
    moon = date(year, 3, 1) + timedelta(days=full - 1)
    return moon + timedelta(days=6 - moon.weekday() or 7)


def holidays_of(year: int) -> set[date]:
    sunday = easter(year)
    kings_day = date(year, 4, 27)
    return {
        date(year, 1, 1),
        sunday - 2 * ONE_DAY,
        sunday + ONE_DAY,
        kings_day - ONE_DAY if kings_day.weekday() == 6 else kings_day,
        date(year, 5, 5),
        sunday + 39 * ONE_DAY,
        sunday + 50 * ONE_DAY,
        date(year, 12, 25),
        date(year, 12, 26),
    }


@pytest.mark.parametrize(
    ("year", "sunday"),
    [(2000, "04-23"), (2019, "04-21"), (2025, "04-20"), (2026, "04-05"), (2038, "04-25")],
)
def test_easter_in_this_test_is_right(year: int, sunday: str) -> None:
    assert easter(year) == day(f"{year}-{sunday}")


def test_holidays_are_those_of_the_law() -> None:
    assert HOLIDAYS.years == set(YEARS)
    assert HOLIDAYS.days == {holiday for year in YEARS for holiday in holidays_of(year)}


@pytest.mark.parametrize("year", YEARS)
def test_5_may_is_a_holiday_every_year(year: int) -> None:
    assert date(year, 5, 5) in HOLIDAYS


@pytest.mark.parametrize("year", YEARS)
def test_kings_day_is_never_on_a_sunday(year: int) -> None:
    moved = date(year, 4, 27).weekday() == 6
    assert moved == (year in (2025, 2031))
    assert (date(year, 4, 26) in HOLIDAYS, date(year, 4, 27) in HOLIDAYS) == (moved, not moved)


@pytest.mark.parametrize("text", ["2019-12-31", "2036-01-01", "2036-01-05"])
def test_a_year_without_a_table_is_refused(text: str) -> None:
    with pytest.raises(
        ParameterError, match=r"holidays\.yaml: .* expected a year from 2020 to 2035"
    ):
        periods.is_working_day(day(text), HOLIDAYS)


def test_the_first_and_the_last_day_of_the_table_are_told() -> None:
    assert not periods.is_working_day(day("2020-01-01"), HOLIDAYS)
    assert periods.is_working_day(day("2035-12-31"), HOLIDAYS)


def test_a_home_cannot_change_the_holidays() -> None:
    with pytest.raises(ParameterError, match="holidays: no such parameter"):
        parameters.parse("holidays:\n  values: {2026-01-01: []}\n", "parameters.yaml")


# Working days


@pytest.mark.parametrize(
    ("first", "last", "working"),
    [
        ("2026-04-01", "2026-04-08", ["2026-04-01", "2026-04-02", "2026-04-07", "2026-04-08"]),
        ("2026-12-23", "2027-01-05", "2026-12-23 24 28 29 30 31 2027-01-04 05".split()),
        ("2025-04-24", "2025-04-29", "2025-04-24 25 28 29".split()),
        ("2026-05-04", "2026-05-06", "2026-05-04 06".split()),
    ],
    ids=["Easter", "Christmas and New Year", "King's Day moved from Sunday", "5 May"],
)
def test_working_days_over_holidays(first: str, last: str, working: list[str]) -> None:
    expected: list[str] = []
    for text in working:  # a day alone is of the month of the one before
        expected.append(text if len(text) > 2 else expected[-1][:8] + text)
    found = [str(d) for d in days(first, last) if periods.is_working_day(d, HOLIDAYS)]
    assert found == expected


@pytest.mark.parametrize(
    ("after", "count", "on"),
    [
        ("2026-04-02", 1, "2026-04-07"),  # over Good Friday and Easter Monday
        ("2026-04-03", 1, "2026-04-07"),
        ("2026-04-02", 5, "2026-04-13"),
        ("2026-12-23", 2, "2026-12-28"),
        ("2026-12-24", 5, "2027-01-04"),
        ("2026-03-29", 10, "2026-04-14"),
        ("2026-01-31", 10, "2026-02-13"),
        ("2026-04-05", 0, "2026-04-05"),
    ],
)
def test_the_working_day_so_many_after_a_day(after: str, count: int, on: str) -> None:
    assert periods.working_days_after(day(after), count, HOLIDAYS) == day(on)


def test_a_negative_count_of_working_days_is_refused() -> None:
    with pytest.raises(ValueError, match="count: expected 0 or more working days, not -1"):
        periods.working_days_after(day("2026-03-02"), -1, HOLIDAYS)


@pytest.mark.parametrize(
    ("first", "last", "count"),
    [
        ("2026-04-02", "2026-04-06", 0),
        ("2026-04-02", "2026-04-07", 1),
        ("2026-12-24", "2027-01-01", 4),
        ("2026-03-02", "2026-03-02", 0),
        ("2026-03-03", "2026-03-02", 0),
    ],
)
def test_working_days_between_days(first: str, last: str, count: int) -> None:
    assert periods.working_days_between(day(first), day(last), HOLIDAYS) == count


def test_counting_working_days_undoes_going_by_them() -> None:
    for first in days("2026-03-20", "2026-05-31"):
        for count in (1, 2, 9, 10):
            last = periods.working_days_after(first, count, HOLIDAYS)
            assert periods.is_working_day(last, HOLIDAYS)
            assert periods.working_days_between(first, last, HOLIDAYS) == count
            assert periods.working_days_between(first, last - ONE_DAY, HOLIDAYS) == count - 1


# The moment at which a run is due


@pytest.mark.parametrize(
    ("market_day", "kind", "at"),
    [
        # Noon of the day after, around both clock changes.
        ("2026-03-27", "D+1", "2026-03-28T11:00Z"),
        ("2026-03-28", "D+1", "2026-03-29T10:00Z"),
        ("2026-03-29", "D+1", "2026-03-30T10:00Z"),
        ("2026-10-23", "D+1", "2026-10-24T10:00Z"),
        ("2026-10-24", "D+1", "2026-10-25T11:00Z"),
        ("2026-10-25", "D+1", "2026-10-26T11:00Z"),
        # Over the clock change and over Easter.
        ("2026-03-26", "D+5", "2026-04-02T10:00Z"),
        ("2026-03-29", "D+5", "2026-04-07T10:00Z"),
        ("2026-03-16", "D+10", "2026-03-29T22:00Z"),
        ("2026-03-13", "D+10", "2026-03-26T23:00Z"),
        ("2026-10-12", "D+10", "2026-10-25T23:00Z"),
        ("2026-10-09", "D+10", "2026-10-22T22:00Z"),
        # Months of every length, and the turn of the year.
        ("2026-01-01", "N-1", "2026-02-13T11:00Z"),
        ("2026-01-31", "D+10", "2026-02-12T23:00Z"),
        ("2026-01-31", "N-1", "2026-02-13T11:00Z"),
        ("2028-02-29", "N-1", "2028-03-14T11:00Z"),
        ("2026-03-31", "N-1", "2026-04-16T10:00Z"),
        ("2026-11-30", "N-3", "2027-02-11T23:00Z"),
        ("2026-12-31", "D+1", "2027-01-01T11:00Z"),
        ("2026-12-31", "N-1", "2027-01-15T11:00Z"),
        ("2026-12-01", "N-3", "2027-03-11T23:00Z"),
        ("2026-12-31", "N-4", "2027-04-06T22:00Z"),
        ("2026-01-31", "N-4", "2026-05-07T22:00Z"),  # 1, 4, 6, 7, 8 May
    ],
)
def test_a_run_is_due_at_its_local_hour(market_day: str, kind: str, at: str) -> None:
    assert due_at(market_day, kind) == moment(at)


@pytest.mark.parametrize(
    ("market_day", "hour", "at"),
    [
        ("2026-03-28", 0, "2026-03-28T23:00Z"),
        ("2026-03-29", 0, "2026-03-29T22:00Z"),
        ("2026-10-24", 0, "2026-10-24T22:00Z"),
        ("2026-10-25", 0, "2026-10-25T23:00Z"),
        ("2026-03-28", 2, "2026-03-29T01:00Z"),  # this hour is not there: when the clock goes on
        ("2026-10-24", 2, "2026-10-25T00:00Z"),  # this hour is there twice: the first
    ],
)
def test_hours_of_the_days_on_which_the_clock_changes(market_day: str, hour: int, at: str) -> None:
    run = CalendarRun("D+1", 0, 1, "days", hour)
    assert calendar.due_at(day(market_day), run, HOLIDAYS) == moment(at)


def test_days_of_a_month_are_counted_from_its_first() -> None:
    run = CalendarRun("N-1", 1, 1, "days", 0)
    found = {calendar.due_at(d, run, HOLIDAYS) for d in days("2026-01-01", "2026-01-31")}
    assert found == {moment("2026-01-31T23:00Z")}


def test_the_kinds_of_a_day_are_due_one_after_the_other() -> None:
    for market_day in days("2020-01-01", "2035-07-31"):
        moments = [calendar.due_at(market_day, run, HOLIDAYS) for run in CALENDAR]
        assert moments == sorted(set(moments)), market_day


def test_d10_starts_when_the_correction_of_telemetry_has_ended() -> None:
    count = parameters.load(day("2026-03-01")).telemetry_correction_working_days
    for market_day in days("2026-03-01", "2026-05-31"):
        last = periods.working_days_after(market_day, count, HOLIDAYS)
        at = calendar.due_at(market_day, RUNS["D+10"], HOLIDAYS)
        assert at >= periods.day_start(last + ONE_DAY)
        on = datetime.fromtimestamp(at, periods.CLOCK).date()
        assert periods.working_days_between(market_day, on, HOLIDAYS) == count + 1


def test_until_the_last_run_no_reading_is_too_old() -> None:
    ages = {}
    for first in (date(year, month, 1) for year in YEARS for month in range(1, 13)):
        if first > day("2035-08-01"):
            break
        # The run starts at midnight, so a reading comes in on the day before at the latest.
        last_second = calendar.due_at(first, RUNS["N-4"], HOLIDAYS) - 1
        ages[first] = (datetime.fromtimestamp(last_second, periods.CLOCK).date() - first).days
    assert max(ages.values()) <= parameters.load(day("2026-03-01")).too_old_days


# What is due


def test_due_at_the_second_and_not_one_before() -> None:
    before: list[Due] = []
    for place, kind in enumerate(KINDS):
        at = due_at("2026-03-29", kind)
        assert due([day("2026-03-29")], at - 1) == before
        before = [Due(day("2026-03-29"), kind, at, KINDS[:place])]
        assert due([day("2026-03-29")], at) == before


def test_due_runs_are_ordered_by_market_day_and_each_day_is_there_once() -> None:
    asked = days("2026-02-20", "2026-03-29")
    found = due([*reversed(asked), *asked], moment("2026-03-30T10:00Z"))
    assert [run.market_day for run in found] == asked
    assert found == due(asked, moment("2026-03-30T10:00Z"))


def test_of_kinds_due_at_once_the_later_in_the_calendar_is_the_newest() -> None:
    both = (CalendarRun("D+2", 0, 2, "days", 0), CalendarRun("D+1", 0, 2, "days", 0))
    at = moment("2026-06-02T22:00Z")
    found = calendar.due([day("2026-06-01")], at, lambda _: both, HOLIDAYS)
    assert found == [Due(day("2026-06-01"), "D+1", at, ("D+2",))]


def test_the_calendar_of_a_market_day_is_the_one_that_holds_on_it() -> None:
    own = parameters.parse(
        "run_calendar:\n  values:\n    2026-06-02:\n"
        "      D+2: {months: 0, nth: 2, unit: days, hour: 6}\n",
        "parameters.yaml",
    )
    found = calendar.due(
        days("2026-06-01", "2026-06-03"),
        moment("2026-06-04T10:00Z"),
        lambda d: parameters.load(d, own).run_calendar,
        HOLIDAYS,
    )
    assert found == [
        Due(day("2026-06-01"), "D+1", moment("2026-06-02T10:00Z"), ()),
        Due(day("2026-06-02"), "D+2", moment("2026-06-04T04:00Z"), ()),
    ]


# After a standstill


class Ledger:
    """What a home that runs whenever something is due has made, and what it has missed."""

    def __init__(self, of: list[date]) -> None:
        self.of = of
        self.made: set[tuple[date, str]] = set()
        self.missed: set[tuple[date, str]] = set()

    def run(self, now: int) -> list[tuple[str, str]]:
        ran = []
        for run in due(self.of, now):
            if (run.market_day, run.kind) not in self.made:
                ran.append((str(run.market_day), run.kind))
                self.made.add((run.market_day, run.kind))
                older = {(run.market_day, kind) for kind in run.passed_over}
                self.missed |= older - self.made
        return ran

    def run_on(self, after: str, until: str, each: Callable[[int], object]) -> None:
        """Run at each moment at which something becomes due."""
        now = moment(after)
        while coming := calendar.next_due(self.of, now, the_calendar, HOLIDAYS):
            now = coming.due_at
            if now > moment(until):
                return
            each(now)


def test_who_runs_what_is_due_when_it_is_due_misses_nothing() -> None:
    ledger = Ledger(days("2026-03-25", "2026-04-02"))
    ledger.run_on("2026-03-24T00:00Z", "2027-01-01T00:00Z", ledger.run)
    assert ledger.made == {(d, kind) for d in ledger.of for kind in KINDS}
    assert ledger.missed == set()


def test_after_three_days_each_day_is_run_once() -> None:
    ledger = Ledger(days("2026-06-01", "2026-06-30"))
    ledger.run_on("2026-06-01T00:00Z", "2026-06-15T10:00Z", ledger.run)
    # Nothing ran from Monday 15 June after noon until Thursday 18 June just after noon.
    assert ledger.run(moment("2026-06-18T10:00:01Z")) == [
        ("2026-06-02", "D+10"),
        ("2026-06-03", "D+10"),
        ("2026-06-04", "D+10"),
        ("2026-06-09", "D+5"),
        ("2026-06-10", "D+5"),
        ("2026-06-11", "D+5"),
        ("2026-06-15", "D+1"),
        ("2026-06-16", "D+1"),
        ("2026-06-17", "D+1"),
    ]
    assert ledger.missed == set()
    assert ledger.run(moment("2026-06-18T10:00:02Z")) == []


def test_after_three_weeks_the_runs_that_were_passed_over_are_missed() -> None:
    ledger = Ledger(days("2026-06-01", "2026-06-30"))
    ledger.run_on("2026-06-01T00:00Z", "2026-06-03T10:00Z", ledger.run)
    assert ledger.made == {(day("2026-06-01"), "D+1"), (day("2026-06-02"), "D+1")}
    ran = dict(ledger.run(moment("2026-06-24T10:00Z")))
    assert list(ran) == [str(d) for d in days("2026-06-01", "2026-06-23")]
    # 10th working day: of 9 June it is 23 June, of 10 June 24 June. 5th: of 17 June 24 June.
    assert [ran[f"2026-06-{d}"] for d in ("01", "10", "11", "17", "18", "23")] == [
        *["D+10", "D+10", "D+5", "D+5", "D+1", "D+1"]
    ]
    assert ledger.missed == {
        *((d, "D+5") for d in days("2026-06-01", "2026-06-10")),
        *((d, "D+1") for d in days("2026-06-03", "2026-06-17")),
    }


def test_after_half_a_year_only_the_last_run_is_made() -> None:
    ledger = Ledger(days("2026-01-01", "2026-01-31"))
    ran = ledger.run(moment("2026-07-01T00:00Z"))
    assert ran == [(str(d), "N-4") for d in ledger.of]
    assert ledger.missed == {(d, kind) for d in ledger.of for kind in KINDS[:-1]}


# What comes next


def test_the_next_run_for_people() -> None:
    coming = calendar.next_due(
        [day("2026-03-29")], moment("2026-03-30T09:00Z"), the_calendar, HOLIDAYS
    )
    assert coming == Due(day("2026-03-29"), "D+1", moment("2026-03-30T10:00Z"), ())
    # What is due now no longer comes.
    coming = calendar.next_due(
        [day("2026-03-29")], moment("2026-03-30T10:00Z"), the_calendar, HOLIDAYS
    )
    assert coming == Due(day("2026-03-29"), "D+5", moment("2026-04-07T10:00Z"), ("D+1",))


def test_of_runs_that_come_at_once_the_earliest_day_is_named() -> None:
    now = due_at("2026-06-05", "D+5") - 1  # of Friday, Saturday and Sunday it is the same Friday
    for asked in (days("2026-06-05", "2026-06-07"), days("2026-06-05", "2026-06-07")[::-1]):
        coming = calendar.next_due(asked, now, the_calendar, HOLIDAYS)
        assert coming == Due(day("2026-06-05"), "D+5", now + 1, ("D+1",))


def test_after_the_last_run_nothing_comes() -> None:
    last = due_at("2026-03-29", "N-4")
    assert calendar.next_due([day("2026-03-29")], last, the_calendar, HOLIDAYS) is None
    assert calendar.next_due([], last, the_calendar, HOLIDAYS) is None
    assert due([], last) == []


# The calendar in a home's own parameters


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("", "expected the kinds of run"),
        ("{}", "expected the kinds of run"),
        ("[D+1]", "expected the kinds of run"),
        ("{trial: {months: 0, nth: 1, unit: days, hour: 12}}", "trial: expected a kind of run"),
        ("{5: {months: 0, nth: 1, unit: days, hour: 12}}", "5: expected a kind of run"),
        ("{D+1: 12}", r"D\+1: expected months, nth, unit and hour"),
        ("{D+1: {months: 0, nth: 1, unit: days}}", r"D\+1: expected months, nth, unit and hour"),
        (
            "{D+1: {months: 0, nth: 1, unit: days, hour: 12, minute: 5}}",
            r"D\+1: expected months, nth, unit and hour",
        ),
        ("{D+1: {months: -1, nth: 1, unit: days, hour: 12}}", "months: expected .* 0 to 24"),
        ("{D+1: {months: 0, nth: 0, unit: days, hour: 12}}", "nth: expected .* 1 to 366"),
        ("{D+1: {months: 0, nth: 1, unit: days, hour: 24}}", "hour: expected .* 0 to 23"),
        ("{D+1: {months: 0, nth: true, unit: days, hour: 12}}", "nth: expected .* 1 to 366"),
        ("{D+1: {months: 0, nth: '1', unit: days, hour: 12}}", "nth: expected .* 1 to 366"),
        ("{D+1: {months: 0, nth: 1, unit: weeks, hour: 12}}", "unit: expected days or working_"),
    ],
)
def test_a_calendar_that_cannot_be_read_is_refused(value: str, told: str) -> None:
    text = f"run_calendar:\n  values:\n    2026-01-01: {value}\n"
    own = parameters.parse(text, "parameters.yaml")
    with pytest.raises(
        ParameterError, match=f"run_calendar: the value from 2026-01-01 on: .*{told}"
    ):
        parameters.load(day("2026-03-01"), own)


def test_the_market_has_its_six_runs() -> None:
    assert tuple(run.kind for run in CALENDAR) == KINDS


def test_a_day_is_final_from_when_the_run_of_its_final_settlement_is_due() -> None:
    held = parameters.load(date(2026, 1, 14))
    of_run = next(run for run in held.run_calendar if run.kind == held.final_settlement_run)
    holidays = parameters.holidays()
    on = date(2026, 1, 14)
    assert calendar.final_from(on, held, holidays) == calendar.due_at(on, of_run, holidays)
    without = replace(held, run_calendar=held.run_calendar[:1], final_settlement_run="none")
    assert calendar.final_from(on, without, holidays) is None
