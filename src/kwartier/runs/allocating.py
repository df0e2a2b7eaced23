"""Allocating: which days and areas are asked, due or corrected, and the runs that answer."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import date, datetime, timedelta
from functools import cached_property
from itertools import pairwise
from threading import Lock
from typing import TYPE_CHECKING
from uuid import uuid4

from kwartier import parameters, periods
from kwartier.adapters.ledger import Question, Run
from kwartier.adapters.ledger.states import ANSWERED, REFUSED
from kwartier.adapters.store import Home, HomeError
from kwartier.engines.spark import Cluster
from kwartier.runs import calendar
from kwartier.runs.moments import (
    Progress,
    day_of,
    days_of,
    ledger_of,
    parameters_of,
    seconds,
    silent,
)
from kwartier.runs.process import at_work
from kwartier.runs.running import CORRECTION, TRIAL, Runner, steadily
from kwartier.runs.way import Way

if TYPE_CHECKING:
    from kwartier.adapters.ledger import Ledger

_LONGEST_AGO = 200  # days; older market days are settled under every calendar


def allocate(
    home: Home,
    days: Sequence[date],
    *,
    grid_area: str | None = None,
    known_at: datetime | None = None,
    threads: int | None = None,
    afresh: bool = False,
    cluster: Cluster | None = None,
    progress: Progress = silent,
) -> list[Run]:
    """Allocate market days for yourself: a trial run of each day and grid area, never published.

    Parameters
    ----------
    grid_area : only this one; every area of the register when not given.
    known_at : as known at this moment; now when not given.
    threads : how many work side by side; the cores of the machine when not given.
    afresh : compute also what is kept of earlier runs.
    cluster : where blocks are summed, all of them; in this process when not given.
    progress : called with the blocks of readings done and to do.

    Returns
    -------
    runs : complete, unchanged (the same as an earlier trial run, which is given in its place) or
        refused, with the reason.

    Raises
    ------
    HomeError : no register, no such area, or no points or no readings of a day.
    ClusterError : the cluster failed; the run is marked failed.
    """
    return _run(home, days, TRIAL, grid_area, known_at, threads, afresh, cluster, progress)


def correct(
    home: Home,
    days: Sequence[date],
    *,
    grid_area: str | None = None,
    threads: int | None = None,
    afresh: bool = False,
    cluster: Cluster | None = None,
    progress: Progress = silent,
) -> list[Run]:
    """Allocate market days anew, as known now, as complete new runs that are published.

    Parameters and errors as those of allocate().
    """
    return _run(home, days, CORRECTION, grid_area, None, threads, afresh, cluster, progress)


def run_due(
    home: Home,
    *,
    at: datetime | None = None,
    grid_area: str | None = None,
    threads: int | None = None,
    afresh: bool = False,
    cluster: Cluster | None = None,
    progress: Progress = silent,
) -> list[Run]:
    """Make the runs that the calendar says are due, each once.

    Of each market day the newest due kind is run; older ones that never were are marked missed.
    A run that failed is tried again while it is the newest; one that was refused, when something
    was taken in since. An area that cannot be
    closed, or of which the home lacks a file, does not keep the others waiting.

    Parameters
    ----------
    at : the moment that is asked about, and as known at; now when not given.

    Returns
    -------
    runs : that were made now: complete, refused or failed, with the reason.
    """
    moment = seconds(at)
    with _running(home, grid_area, threads, afresh, cluster, progress, moment) as running:
        way = running.way(moment)
        areas = _wanted(way, grid_area)
        asked = due_of(home, moment)
        answered = running.answered(asked, way.known())
        published = running.published([one.market_day for one in asked])
        made = []
        for one in asked:
            day = one.market_day
            # Whether an area has points is not asked of a hundred days that were made; and of an
            # area that has none any more, what was published must be withdrawn.
            to_make = [area for area in areas if (day, area, one.kind) not in answered]
            for area, after in zip(to_make, [*to_make[1:], None], strict=False):
                if (day, area) not in published and not way.has(day, area):
                    continue
                question = Question(day, area, one.kind, moment)
                run = running.claim(question)
                if run is not None:
                    for kind in one.passed_over:
                        running.miss(replace(question, kind=kind))
                    again = one is not asked[-1]
                    made.append(running.make_or_fail(run, after, again=again))
    return _in_order(made)


def due_of(home: Home, moment: int) -> list[calendar.Due]:
    """List the newest run that is due of each market day.

    Days count from the first that a home has quarter volumes of: before it no area could close.

    moment : [s UTC], that is asked about.
    """
    days, calendar_of = _days_and_calendar(home, moment)
    return calendar.due(days, moment, calendar_of, parameters.holidays())


def next_due_of(home: Home, moment: int) -> calendar.Due | None:
    """Give the run that becomes due next; None where a home has no quarter volumes yet."""
    days, calendar_of = _days_and_calendar(home, moment)
    return calendar.next_due(days, moment, calendar_of, parameters.holidays())


def _days_and_calendar(home: Home, moment: int) -> tuple[list[date], calendar.CalendarOf]:
    today = day_of(moment)
    first = min(home.days_with_volumes(), default=None)
    if first is None:
        return [], lambda day: ()
    first = max(first, today - timedelta(days=_LONGEST_AGO))
    # A day of which nothing came is due as well, and refused.
    days = periods.between(first, max(first, today))
    return days, lambda day: parameters_of(home, day, moment).run_calendar


def _run(
    home: Home,
    days: Sequence[date],
    kind: str,
    grid_area: str | None,
    known_at: datetime | None,
    threads: int | None,
    afresh: bool,
    cluster: Cluster | None,
    progress: Progress,
) -> list[Run]:
    days, moment = sorted(set(days_of(days))), seconds(known_at)
    with _running(home, grid_area, threads, afresh, cluster, progress, moment) as running:
        way = running.way(moment)
        wanted = _wanted(way, grid_area)
        asked = [(day, area) for day in days for area in wanted]
        for day, area in asked[:2]:
            if day == days[0]:
                way.ahead(day, area)
        published = running.published(days) if kind != TRIAL else set()
        some = {day for day, _ in published}
        idle = [
            day.isoformat()
            for day in days
            if day not in some and not any(way.has(day, area) for area in wanted)
        ]
        if idle:
            raise HomeError(
                f"the register has no point on {', '.join(idle[:5])}; see its valid_from and "
                "valid_to"
            )
        blocks = {one: way.blocks(*one) for one in asked}
        empty = [
            day.isoformat()
            for day in days
            if not any(blocks[day, area] for area in wanted)
            and any(way.needs_readings(day, area) for area in wanted)
        ]
        if empty:
            raise HomeError(f"no readings of {', '.join(empty[:5])}; 'kwartier ingest FILE' first")
        running.expect(sum(blocks.values()))
        made = []
        following = [area if day == on else None for (on, _), (day, area) in pairwise(asked)]
        for (day, area), after in zip(asked, [*following, None], strict=False):
            if (day, area) not in published and not way.has(day, area):
                continue
            question = Question(day, area, kind, moment)
            run = running.claim(running.taken_up(question, exactly=known_at is not None))
            if run is None:
                raise HomeError(f"another kwartier is making this run of {day}; wait for it")
            made.append(running.make(run, after, again=day != days[-1]))
        running.done()
    return _in_order(made)


def _in_order(made: Sequence[Run]) -> list[Run]:
    return sorted(made, key=lambda run: (run.market_day, run.grid_area))


def _wanted(way: Way, grid_area: str | None) -> list[str]:
    areas = way.areas()
    if grid_area is not None and grid_area not in areas:
        raise HomeError("the register has no such grid area; it has: " + ", ".join(sorted(areas)))
    return [grid_area] if grid_area else areas


class _Running:
    """The runs of one call: its worker, its ways, and the progress of all of them."""

    def __init__(
        self,
        home: Home,
        worker: str,
        grid_area: str | None,
        threads: int | None,
        afresh: bool,
        cluster: Cluster | None,
        progress: Progress,
        known_at: int,
    ) -> None:
        self._home, self._first = home, grid_area
        self._threads, self._afresh, self._cluster = threads, afresh, cluster
        self._ways: dict[int, Way] = {}
        self._progress = progress
        self._run: Run | None = None
        self._done, self._total, self._counting = 0, 0, Lock()
        self._day: date | None = None
        self._worker = worker
        self.way(known_at)

    @cached_property
    def _ledger(self) -> Ledger:
        # Its library takes long to load, so that is left until something can be summed meanwhile.
        return ledger_of(self._home)

    @cached_property
    def _runner(self) -> Runner:
        return Runner(self._home, self._ledger, self._worker)

    def way(self, known_at: int) -> Way:
        """Give the way as known at a moment; a run that is taken over may know less."""
        if known_at not in self._ways:
            self._ways[known_at] = Way(
                self._home,
                known_at,
                self._first,
                self._threads,
                self._afresh,
                self._on_block,
                self._alive,
                self._cluster,
            )
        return self._ways[known_at]

    def _on_block(self, done: int) -> None:
        with self._counting:
            self._done += done
            done = self._done
        self._progress(min(done, self._total) if self._total else done, self._total)

    def _alive(self) -> None:
        if self._run is not None:
            self._runner.alive(self._run)

    def expect(self, blocks: int) -> None:
        """Say how many blocks there are to do."""
        self._total = blocks

    def close(self) -> None:
        """Let go of what was begun and is not asked for any more."""
        for way in self._ways.values():
            way.close()

    def done(self) -> None:
        """Show that all is done, also what needed no block."""
        self._progress(self._total, self._total)

    def claim(self, question: Question) -> Run | None:
        """Claim a run."""
        return self._runner.claim(question)

    def answered(self, asked: Sequence[calendar.Due], known: str) -> set[tuple[date, str, str]]:
        """List the market day, area and kind of the runs that need not be made again.

        known : names all that is known now.
        """
        if not asked:
            return set()
        first, last = asked[0].market_day, asked[-1].market_day
        ended = (*ANSWERED, REFUSED)
        made = steadily(lambda: self._ledger.runs(first=first, last=last, states=ended))
        return {
            (run.market_day, run.grid_area, run.kind)
            for run in made
            if run.state != REFUSED or run.digest == known
        }

    def published(self, days: Sequence[date]) -> set[tuple[date, str]]:
        """List the market days and areas, of days in order, of which a run was published."""
        if not days:
            return set()
        made = steadily(lambda: self._ledger.runs(first=days[0], last=days[-1]))
        return {(run.market_day, run.grid_area) for run in made if run.publication is not None}

    def taken_up(self, question: Question, *, exactly: bool) -> Question:
        """Give the question of a run that a killed process left, where it asked the same.

        Another run of that kind that was left is given up; so none stays for ever.

        Parameters
        ----------
        exactly : whether the moment of the question was asked for, and no other will do.
        """
        day, area = question.market_day, question.grid_area
        for run in self._runner.left_behind(day, area, question.kind):
            if run.known_at == question.known_at:
                continue
            if exactly or not self._knew_the_same(run.known_at, question.known_at):
                self._runner.give_up(run, "its worker was gone, and another moment was asked")
            else:
                question = replace(question, known_at=run.known_at)
        return question

    def _knew_the_same(self, earlier: int, later: int) -> bool:
        return (
            self._home.deliveries(earlier) == self._home.deliveries(later)
            and self.way(earlier).until() == self.way(later).until()
        )

    def miss(self, question: Question) -> None:
        """Mark a run that was passed over, where it never was; one that was left is given up."""
        steadily(lambda: self._ledger.miss(question, now=seconds(None)))
        for run in self._runner.left_behind(question.market_day, question.grid_area, question.kind):
            self._runner.give_up(run, "its worker was gone, and a later run of the day is due")

    def make_or_fail(self, run: Run, after: str | None, *, again: bool) -> Run:
        """Make a claimed run; where the home fails it is given as failed, with the reason."""
        try:
            return self.make(run, after, again=again)
        except HomeError:
            return steadily(lambda: self._ledger.get(run.run))

    def make(self, run: Run, after: str | None, *, again: bool) -> Run:
        """Make a claimed run; one that is unchanged gives the earlier run that it is.

        Parameters
        ----------
        after : the area of which the day's run is made next.
        again : whether the area is asked on another day.
        """
        if self._day is not None and self._day < run.market_day:
            for way in self._ways.values():
                way.forget(self._day)
        self._day, self._run = run.market_day, run
        way = self.way(run.known_at)
        way.ahead(run.market_day, run.grid_area)
        if after is not None:
            way.ahead(run.market_day, after)
        try:
            made = self._runner.make(run, way)
        finally:
            way.made(run.market_day, run.grid_area, again=again)
        self._run = None
        same = made.same_as
        return made if same is None else steadily(lambda: self._ledger.get(same))


@contextmanager
def _running(
    home: Home,
    grid_area: str | None,
    threads: int | None,
    afresh: bool,
    cluster: Cluster | None,
    progress: Progress,
    known_at: int,
) -> Iterator[_Running]:
    worker = f"{socket.gethostname()}-{os.getpid()}-{uuid4().hex[:12]}"
    with home.present(worker), at_work():
        running = _Running(home, worker, grid_area, threads, afresh, cluster, progress, known_at)
        try:
            yield running
        finally:
            running.close()
