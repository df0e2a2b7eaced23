"""PURPOSE: every run is known, is done by one worker at a time, and is published once."""

from __future__ import annotations

import itertools
import json
import multiprocessing
import os
import shutil
import sqlite3
import subprocess
import sys
import traceback
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import NullPool, create_engine

from kwartier.adapters.ledger import (
    Ledger,
    LedgerError,
    Overtaken,
    Question,
    Run,
    Unreachable,
    database,
    queries,
    states,
)
from kwartier.adapters.ledger.migrations import configuration
from kwartier.adapters.ledger.schema import METADATA, REVISION_TABLE, REVISIONS
from tests.conftest import ROOT
from tests.databases import Server
from tests.market import AREA, DAY, ONE_DAY, OTHER_AREA
from tests.workers import HOME, LEASE, NOW, alive, asked, content, dead, published, race

ENDS = ("complete", "unchanged", "refused", "failed", "missed")


@pytest.fixture
def ledger(database_url: str) -> Ledger:
    return Ledger(database_url, HOME)


def claimed(ledger: Ledger, question: Question, worker: str = "first", now: int = NOW) -> Run:
    run = ledger.claim(question, worker=worker, now=now, lease=LEASE, gone=alive)
    assert run is not None
    return run


def completed(
    ledger: Ledger, question: Question, digest: str = "1" * 64, *, publish: bool = False
) -> Run:
    run = claimed(ledger, question)
    if publish:
        return published(ledger, run, "first", digest)
    return ledger.complete(run, content(digest), worker="first", now=NOW, publish=False)


# -- states


def test_the_transitions_are_these_and_no_others() -> None:
    assert dict(states.NEXT) == {
        (None, "claimed"): "running",
        (None, "missed"): "missed",
        ("running", "taken_over"): "running",
        ("running", "completed"): "complete",
        ("running", "found_unchanged"): "unchanged",
        ("running", "refused"): "refused",
        ("running", "failed"): "failed",
    }
    for state, event in itertools.product((None, *states.STATES), states.EVENTS):
        if (state, event) in states.NEXT:
            assert states.after(state, event) == states.NEXT[state, event]
        else:
            with pytest.raises(LedgerError, match="cannot be"):
                states.after(state, event)


def test_what_has_ended_stays_so(ledger: Ledger) -> None:
    earlier = completed(ledger, asked("trial"))
    ended = [
        completed(ledger, asked("correction")),
        ledger.unchanged(claimed(ledger, asked("D+1")), earlier, worker="first", now=NOW),
        ledger.refuse(claimed(ledger, asked("D+5")), "no coupling", worker="first", now=NOW),
        ledger.fail(claimed(ledger, asked("D+10")), "no room", worker="first", now=NOW),
        ledger.miss(asked("N-1"), now=NOW),
    ]
    assert tuple(run.state for run in ended if run) == ENDS
    for run in ended:
        assert run is not None
        before = ledger.events(run)
        for act in (
            lambda r: ledger.complete(r, content("9" * 64), worker="first", now=NOW, publish=True),
            lambda r: ledger.unchanged(r, ended[0], worker="first", now=NOW),
            lambda r: ledger.refuse(r, "other", worker="first", now=NOW),
            lambda r: ledger.fail(r, "other", worker="first", now=NOW),
            lambda r: ledger.renew(r, worker="first", now=NOW, lease=LEASE),
        ):
            with pytest.raises(LedgerError, match=r"run .* is|taken over"):
                act(run)
        assert ledger.get(run.run) == run
        assert ledger.events(run) == before


def test_every_change_of_state_is_an_event(ledger: Ledger) -> None:
    run = claimed(ledger, asked())
    again = ledger.claim(asked(), worker="second", now=NOW + LEASE, lease=LEASE, gone=alive)
    assert again is not None
    ledger.refuse(again, "no coupling", worker="second", now=NOW + LEASE + 1)
    told = [(e.seq, e.at, e.event, e.worker, e.note) for e in ledger.events(run)]
    assert told == [
        (1, NOW, "claimed", "first", None),
        (2, NOW + LEASE, "taken_over", "second", "from first"),
        (3, NOW + LEASE + 1, "refused", "second", "no coupling"),
    ]


# -- claims


def test_a_calendar_run_is_claimed_once_whatever_its_moment(ledger: Ledger) -> None:
    run = claimed(ledger, asked("D+1", NOW))
    assert (run.turn, run.state, run.known_at) == (1, "running", NOW)
    later = asked("D+1", NOW + 60)
    assert ledger.claim(later, worker="second", now=NOW, lease=LEASE, gone=alive) is None
    ledger.complete(run, content(), worker="first", now=NOW, publish=True)
    assert ledger.claim(later, worker="second", now=NOW, lease=LEASE, gone=dead) is None
    for other in (asked("D+5"), asked(day=DAY + ONE_DAY), asked(area=OTHER_AREA)):
        assert claimed(ledger, other).turn == 1


def test_a_calendar_run_that_changed_nothing_is_answered_too(ledger: Ledger) -> None:
    first = completed(ledger, asked("D+1"))
    ledger.unchanged(claimed(ledger, asked("D+5")), first, worker="first", now=NOW)
    assert ledger.claim(asked("D+5"), worker="first", now=NOW, lease=LEASE, gone=dead) is None


@pytest.mark.parametrize("kind", ["trial", "correction"])
def test_what_is_not_of_the_calendar_is_made_as_often_as_it_is_asked(
    ledger: Ledger, kind: str
) -> None:
    runs = [completed(ledger, asked(kind)), completed(ledger, asked(kind))]
    other = claimed(ledger, asked(kind, NOW + 1))
    assert [run.turn for run in (*runs, other)] == [1, 2, 1]
    assert ledger.claim(asked(kind, NOW + 1), worker="b", now=NOW, lease=LEASE, gone=alive) is None
    assert ledger.claim(asked(kind, NOW + 1), worker="b", now=NOW, lease=LEASE, gone=dead) == (
        ledger.get(other.run)
    )


def test_what_was_refused_failed_or_missed_can_be_begun_anew(ledger: Ledger) -> None:
    missed = ledger.miss(asked(), now=NOW)
    assert missed is not None
    refused = claimed(ledger, asked())
    ledger.refuse(refused, "no coupling", worker="first", now=NOW, tables=content().tables[:1])
    failed = claimed(ledger, asked())
    ledger.fail(failed, "no room", worker="first", now=NOW)
    last = claimed(ledger, asked())
    assert [run.turn for run in (missed, refused, failed, last)] == [1, 2, 3, 4]
    assert len({run.run for run in (missed, refused, failed, last)}) == 4
    assert ledger.tables(refused) == list(content().tables[:1])
    assert [run.state for run in ledger.runs()] == ["missed", "refused", "failed", "running"]


def test_only_what_was_never_begun_is_missed(ledger: Ledger) -> None:
    run = claimed(ledger, asked())
    assert ledger.miss(asked(), now=NOW) is None
    ledger.fail(run, "no room", worker="first", now=NOW)
    assert ledger.miss(asked(), now=NOW) is None
    missed = ledger.miss(asked("D+5"), now=NOW)
    assert missed is not None
    assert (missed.worker, missed.finished_at) == (None, NOW)
    assert ledger.miss(asked("D+5"), now=NOW) is None


def test_an_id_follows_from_home_question_and_turn(tmp_path: Path) -> None:
    ids = []
    for number, home in enumerate((HOME, HOME, "another")):
        ledger = Ledger(f"sqlite:///{tmp_path / str(number)}", home)
        ids.append([completed(ledger, asked("trial")).run for _ in range(2)])
    assert ids[0] == ids[1]
    assert len({run for pair in ids for run in pair}) == 4


@pytest.mark.parametrize("kind", ["D+1", "trial"])
def test_a_run_is_taken_over_when_its_lease_is_over(ledger: Ledger, kind: str) -> None:
    run = claimed(ledger, asked(kind))
    for now, taken in ((NOW + LEASE - 1, False), (NOW + LEASE, True)):
        other = ledger.claim(asked(kind), worker="second", now=now, lease=LEASE, gone=alive)
        assert (other is not None) == taken
    assert other is not None
    assert (other.run, other.number, other.turn) == (run.run, run.number, 1)
    assert (other.worker, other.lease_until) == ("second", NOW + 2 * LEASE)


def test_a_lease_that_is_renewed_is_not_over(ledger: Ledger) -> None:
    run = claimed(ledger, asked())
    assert ledger.renew(run, worker="first", now=NOW + 800, lease=LEASE).lease_until == NOW + 1700
    other = {"worker": "second", "lease": LEASE, "gone": alive}
    assert ledger.claim(asked(), now=NOW + 1699, **other) is None
    assert ledger.claim(asked(), now=NOW + 1700, **other) is not None


def test_a_worker_that_wakes_up_just_in_time_keeps_its_run(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = claimed(ledger, asked())
    usual = queries.last

    def last(*arguments: Any) -> Run | None:
        seen = usual(*arguments)
        ledger.renew(run, worker="first", now=NOW + LEASE, lease=LEASE)
        return seen

    monkeypatch.setattr(queries, "last", last)
    other = ledger.claim(asked(), worker="second", now=NOW + LEASE, lease=LEASE, gone=alive)
    assert other is None
    assert ledger.get(run.run).worker == "first"


def test_a_run_of_a_dead_worker_is_taken_over_as_it_was_asked(ledger: Ledger) -> None:
    run = claimed(ledger, asked(known_at=NOW))
    seen = []

    def gone(worker: str) -> bool:
        seen.append(worker)
        return True

    later = asked(known_at=NOW + 60)
    other = ledger.claim(later, worker="second", now=NOW + 1, lease=LEASE, gone=gone)
    assert seen == ["first"]
    assert other is not None
    assert (other.run, other.known_at) == (run.run, NOW)


def test_a_worker_that_was_robbed_can_do_no_more(ledger: Ledger) -> None:
    run = claimed(ledger, asked())
    assert ledger.claim(asked(), worker="second", now=NOW, lease=LEASE, gone=dead)
    for _ in range(2):
        for act in (
            lambda: ledger.renew(run, worker="first", now=NOW, lease=LEASE),
            lambda: ledger.complete(run, content(), worker="first", now=NOW, publish=True),
            lambda: ledger.fail(run, "no room", worker="first", now=NOW),
            lambda: ledger.refuse(run, "no", worker="first", now=NOW, tables=content().tables),
        ):
            with pytest.raises(LedgerError, match="taken over by another worker"):
                act()
        assert ledger.tables(run) == ledger.inputs(run) == []
        if ledger.get(run.run).state == "running":
            ledger.refuse(run, "no coupling", worker="second", now=NOW)


def test_whose_claim_was_answered_by_a_lost_connection_has_it(ledger: Ledger) -> None:
    run = claimed(ledger, asked())
    assert claimed(ledger, asked(), now=NOW + 5).lease_until == NOW + 5 + LEASE
    assert [event.event for event in ledger.events(run)] == ["claimed"]


KINDS = ("D+5", "D+10", "N-1", "N-3")


def test_many_workers_do_each_run_once(database_url: str) -> None:
    workers, spawn = 4, multiprocessing.get_context("spawn")
    start, told = spawn.Barrier(workers), spawn.Queue()
    # Every worker asks as known at a moment of its own, and begins with the same run.
    racing = [
        spawn.Process(
            target=race,
            args=(
                database_url,
                f"worker {number}",
                [asked(known_at=NOW + number, day=DAY + n * ONE_DAY) for n in range(12)]
                + [asked(kind, day=DAY - ONE_DAY * n) for n, kind in enumerate(KINDS, start=1)],
                start,
                told,
            ),
        )
        for number in range(workers)
    ]
    for process in racing:
        process.start()
    done = dict(told.get(timeout=60) for _ in racing)
    for process in racing:
        process.join()
    assert [process.exitcode for process in racing] == [0] * workers
    ledger = Ledger(database_url, HOME)
    runs = ledger.runs()
    assert len(runs) == 16
    assert {run.state for run in runs} == {"complete"}
    assert sorted(itertools.chain(*done.values())) == sorted(run.run for run in runs)
    assert all(run.run in done[str(run.worker)] for run in runs)
    assert {run.publication for run in runs} == {1}


# -- what is said of a run


def test_all_that_is_said_of_a_run_is_kept(ledger: Ledger) -> None:
    before = completed(ledger, asked("D+1"), publish=True)
    run = claimed(ledger, asked("D+5"))
    said = content("2" * 64, previous=before)
    done = ledger.complete(run, said, worker="first", now=NOW + 9, publish=True)
    assert done == ledger.get(run.run)
    assert done == Run(
        run=run.run,
        number=run.number,
        market_day=DAY,
        grid_area=AREA,
        kind="D+5",
        known_at=NOW,
        turn=1,
        state="complete",
        worker="first",
        lease_until=None,
        started_at=NOW,
        finished_at=NOW + 9,
        version="0.3.0",
        digest="2" * 64,
        previous=before.run,
        same_as=None,
        reason=None,
        blocks=12,
        blocks_computed=3,
        publication=2,
    )
    assert before.number < run.number
    assert ledger.inputs(run) == sorted(said.inputs)
    assert ledger.parameters(run) == dict(said.parameters)
    assert ledger.tables(run) == sorted(said.tables)


def test_who_says_it_twice_publishes_once(ledger: Ledger) -> None:
    run = claimed(ledger, asked())
    once, twice = (
        ledger.complete(run, content(), worker="first", now=now, publish=True)
        for now in (NOW, NOW + 60)
    )
    assert once == twice
    assert (once.publication, once.finished_at) == (1, NOW)
    assert [event.event for event in ledger.events(run)] == ["claimed", "completed"]
    assert completed(ledger, asked("D+5"), publish=True).publication == 2


def test_every_end_can_be_said_twice(ledger: Ledger) -> None:
    earlier = completed(ledger, asked())
    for act in (
        lambda run: ledger.unchanged(run, earlier, worker="first", now=NOW),
        lambda run: ledger.refuse(run, "no coupling", worker="first", now=NOW),
        lambda run: ledger.fail(run, "no room", worker="first", now=NOW),
    ):
        run = claimed(ledger, asked("correction"))
        assert act(run) == act(run)
        assert len(ledger.events(run)) == 2


def test_publications_are_counted_for_each_day_and_area(ledger: Ledger) -> None:
    questions = [asked(), asked("D+5"), asked(area=OTHER_AREA), asked(day=DAY + ONE_DAY)]
    runs = [completed(ledger, question, publish=True) for question in questions]
    assert [run.publication for run in runs] == [1, 2, 1, 1]


def test_a_trial_is_never_published(ledger: Ledger) -> None:
    run = claimed(ledger, asked("trial"))
    with pytest.raises(LedgerError, match="never published"):
        ledger.complete(run, content(), worker="first", now=NOW, publish=True)
    assert ledger.get(run.run) == run


def test_the_latest_creation_counts(ledger: Ledger) -> None:
    assert ledger.latest(DAY, AREA) is None
    first = completed(ledger, asked("D+1"), publish=True)
    trial = completed(ledger, asked("trial"), "2" * 64)
    ledger.refuse(claimed(ledger, asked("D+5")), "no coupling", worker="first", now=NOW)
    completed(ledger, asked("D+5", area=OTHER_AREA))
    assert ledger.latest(DAY, AREA) == trial
    assert ledger.latest(DAY, AREA, published=True) == first
    same = ledger.unchanged(claimed(ledger, asked("D+10")), first, worker="first", now=NOW)
    assert same.same_as == first.run
    assert ledger.latest(DAY, AREA) == first
    assert ledger.latest(DAY + ONE_DAY, AREA) is None


def test_of_two_at_once_the_one_begun_last_counts(ledger: Ledger) -> None:
    first, second = claimed(ledger, asked("D+1")), claimed(ledger, asked("D+5"))
    published(ledger, second, "first")
    with pytest.raises(Overtaken, match="created later") as raised:
        published(ledger, first, "first")
    assert raised.value.last == ledger.get(second.run)
    assert ledger.get(first.run) == first
    assert ledger.latest(DAY, AREA) == ledger.get(second.run)


def test_a_run_is_published_only_against_the_one_published_last(ledger: Ledger) -> None:
    first, second = claimed(ledger, asked("D+1")), claimed(ledger, asked("D+5"))
    held_against_nothing = content()
    done = published(ledger, first, "first")
    with pytest.raises(Overtaken) as raised:
        ledger.complete(second, held_against_nothing, worker="first", now=NOW, publish=True)
    assert raised.value.last == done
    assert published(ledger, second, "first").publication == 2


def test_only_a_complete_run_of_the_day_and_area_can_be_the_same(ledger: Ledger) -> None:
    run = claimed(ledger, asked("D+5"))
    others = [claimed(ledger, asked("D+1")), completed(ledger, asked(area=OTHER_AREA))]
    for other in others:
        with pytest.raises(LedgerError, match="not a complete run of its day and area"):
            ledger.unchanged(run, other, worker="first", now=NOW)
    assert ledger.get(run.run) == run


def test_what_the_tables_cannot_hold_is_said(ledger: Ledger) -> None:
    run = claimed(ledger, asked())
    twice = content().inputs[:1]
    said = replace(content(), inputs=[*twice, *twice])
    with pytest.raises(LedgerError, match="does not take this"):
        ledger.complete(run, said, worker="first", now=NOW, publish=True)
    assert ledger.get(run.run) == run


def test_a_file_that_changed_is_another_input(ledger: Ledger) -> None:
    for number, kind in enumerate(("D+1", "D+5", "D+10")):
        run = claimed(ledger, asked(kind))
        read = [("a", f"{number // 2:064}"), *((f"b{n}", "b" * 64) for n in range(1100))]
        said = replace(content(), inputs=read)
        ledger.complete(run, said, worker="first", now=NOW, publish=False)
        assert ledger.inputs(run) == sorted(read)


def test_a_run_is_found_by_the_beginning_of_its_id(ledger: Ledger) -> None:
    runs = [claimed(ledger, asked(day=DAY + n * ONE_DAY)) for n in range(17)]
    for run in runs:
        assert ledger.get(run.run) == ledger.get(run.run[:12].upper()) == run
    with pytest.raises(LedgerError, match="more than one run"):
        ledger.get("")
    for none in ("x", "%", "_"):
        with pytest.raises(LedgerError, match="no run begins with"):
            ledger.get(none)


def test_runs_are_listed_by_day_area_and_state(ledger: Ledger) -> None:
    days = [DAY + n * ONE_DAY for n in range(3)]
    runs = [
        completed(ledger, asked(day=day, area=area)) for day in days for area in (AREA, OTHER_AREA)
    ]
    runs.append(claimed(ledger, asked("D+5")))
    assert ledger.runs() == runs
    assert ledger.runs(first=days[1]) == runs[2:6]
    assert ledger.runs(last=days[0], grid_area=AREA) == [runs[0], runs[6]]
    assert ledger.runs(first=days[1], last=days[1]) == runs[2:4]
    assert ledger.runs(states=("running", "failed")) == runs[6:]
    assert ledger.runs(first=DAY + timedelta(days=9)) == []


# -- what goes wrong


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_whenever_it_is_killed_a_run_is_complete_or_not_and_published_once(
    database_url: str,
) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.workers", database_url],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    *lines, end = [json.loads(line) for line in done.stdout.splitlines()]
    assert end["end"] == 0, done.stderr
    kills = list(zip(lines[::2], lines[1::2], strict=True))
    assert len(kills) == end["tries"] - 1 >= 8
    states_of = [after["state"] for _, after in kills]
    assert states_of == ["old"] * (len(kills) - 1) + ["new"], kills
    assert kills[-1][0]["step"] == "after the commit"
    runs = Ledger(database_url, HOME).runs()
    assert {run.state for run in runs} == {"complete"}
    assert [run.publication for run in runs] == list(range(1, end["tries"] + 1))


def test_a_server_that_stops_and_starts_is_reached_again(postgresql: Server) -> None:
    ledger = Ledger(postgresql.make(), HOME)
    run = claimed(ledger, asked())
    postgresql.stop()
    try:
        for _ in range(2):
            with pytest.raises(Unreachable, match=r"cannot be reached: .*try again"):
                ledger.complete(run, content(), worker="first", now=NOW, publish=True)
        with pytest.raises(Unreachable):
            ledger.latest(DAY, AREA)
    finally:
        postgresql.start()
    done = ledger.complete(run, content(), worker="first", now=NOW, publish=True)
    assert (done.state, done.publication) == ("complete", 1)


def test_a_connection_that_is_broken_is_made_anew(
    postgresql: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = Ledger(postgresql.make(), HOME)
    run = claimed(ledger, asked())
    end = (
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
    )
    postgresql.do(end)  # between two transactions nobody notices
    assert ledger.get(run.run) == run
    usual = queries.contain

    def broken(*arguments: Any) -> None:
        postgresql.do(end)
        usual(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(queries, "contain", broken)
        with pytest.raises(Unreachable):
            ledger.complete(run, content(), worker="first", now=NOW, publish=True)
    assert ledger.get(run.run) == run
    done = ledger.complete(run, content(), worker="first", now=NOW, publish=True)
    assert (done.state, done.publication) == ("complete", 1)


def test_a_file_that_is_locked_too_long_is_unreachable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "PATIENCE", 0.05)
    file = tmp_path / "ledger.sqlite"
    ledger = Ledger(f"sqlite:///{file}", HOME)
    run = claimed(ledger, asked())
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(Unreachable, match="locked"):
            ledger.complete(run, content(), worker="first", now=NOW, publish=True)
        assert ledger.get(run.run) == run  # who only reads does not wait
        other.execute("ROLLBACK")
    done = ledger.complete(run, content(), worker="first", now=NOW, publish=True)
    assert (done.state, done.publication) == ("complete", 1)


def test_a_folder_that_went_away_is_unreachable_and_no_ledger_is_made_anew(
    tmp_path: Path,
) -> None:
    folder, away = tmp_path / "here", tmp_path / "away"
    folder.mkdir()
    ledger = Ledger(f"sqlite:///{folder / 'ledger ?#%41.sqlite'}", HOME)
    run = claimed(ledger, asked())
    folder.rename(away)
    for _ in range(2):
        with pytest.raises(Unreachable, match="unable to open"):
            ledger.complete(run, content(), worker="first", now=NOW, publish=True)
        folder.mkdir(exist_ok=True)
    assert list(folder.iterdir()) == []
    folder.rmdir()
    away.rename(folder)
    done = ledger.complete(run, content(), worker="first", now=NOW, publish=True)
    assert (done.state, done.publication) == ("complete", 1)


def test_what_was_put_in_the_place_of_a_file_is_written(tmp_path: Path) -> None:
    """A connection is kept, and must not go on writing in the file that was moved away."""
    here, away, copy = (tmp_path / name for name in ("here", "away", "copy"))
    here.mkdir()
    ledger = Ledger(f"sqlite:///{here / 'ledger.sqlite'}", HOME)
    run = claimed(ledger, asked())
    shutil.copytree(here, copy)
    here.rename(away)
    copy.rename(here)
    moved = {path.name: path.read_bytes() for path in away.iterdir()}
    ledger.complete(run, content(), worker="first", now=NOW, publish=True)
    fresh = Ledger(f"sqlite:///{here / 'ledger.sqlite'}", HOME)
    assert (ledger.get(run.run).state, fresh.get(run.run).state) == ("complete", "complete")
    assert {name: (away / name).read_bytes() for name in moved if "shm" not in name} == {
        name: content for name, content in moved.items() if "shm" not in name
    }


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    file = tmp_path / "ledger.sqlite"
    file.write_text("not a database, but longer than the head of one: " + 100 * "x")
    with pytest.raises(LedgerError, match=r"ledger\.sqlite does not take this: .*not a database"):
        Ledger(f"sqlite:///{file}", HOME)


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("postgresql://kwartier:geheim@/kwartier?host=/nowhere", "cannot be reached"),
        ("postgresql://kwartier@/kwartier?host=/nowhere&password=geheim", "cannot be reached"),
        ("postgresql+psycopg://kwartier:ge%40heim@/x?host=/nowhere", "cannot be reached"),
        ("postgresql://kwartier:a@geheim@/kwartier?host=/nowhere", "%40"),
        ("postgresql://kwartier:geheim@localhost:geheim/kwartier", "cannot be read"),
        ("postgresql://kwartier:geheim@localhost/x?nonsense=geheim", "invalid connection option"),
        ("mysql://kwartier:geheim@localhost/kwartier", "SQLite or PostgreSQL"),
        ("kwartier:geheim", "cannot be read"),
        ("sqlite://", "expected sqlite:///PATH"),
        ("sqlite:///:memory:", "expected sqlite:///PATH"),
        ("sqlite:///ledger.sqlite?key=geheim", "expected sqlite:///PATH"),
    ],
)
def test_no_error_shows_a_password(url: str, told: str) -> None:
    with pytest.raises(LedgerError, match=told) as caught:
        Ledger(url, HOME)
    text = "".join(traceback.format_exception_only(caught.value))
    assert "geheim" not in text
    assert "heim" not in text
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


# -- how it is made


def _revise(url: str, revision: str) -> None:
    statement = f"UPDATE {REVISION_TABLE} SET version_num = '{revision}'"
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as connection:
            connection.execute(statement)
            connection.commit()
    else:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(statement.encode())


def test_the_steps_make_the_tables_that_the_code_knows(database_url: str) -> None:
    Ledger(database_url, HOME)
    url = database_url.replace("postgresql:", "postgresql+psycopg:")
    with create_engine(url, poolclass=NullPool).connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"version_table": REVISION_TABLE, "compare_server_default": True}
        )
        assert context.get_current_revision() == REVISIONS[-1]
        assert compare_metadata(context, METADATA) == []
    steps = ScriptDirectory.from_config(configuration()).walk_revisions()
    assert tuple(step.revision for step in steps)[::-1] == REVISIONS


def test_a_ledger_of_a_newer_kwartier_is_left_alone(database_url: str) -> None:
    Ledger(database_url, HOME)
    _revise(database_url, "9999")
    with pytest.raises(LedgerError, match=r"newer kwartier .*9999.*update kwartier"):
        Ledger(database_url, HOME)


def test_a_ledger_belongs_to_one_home(database_url: str) -> None:
    run = claimed(Ledger(database_url, HOME), asked())
    with pytest.raises(LedgerError, match="belongs to another home"):
        Ledger(database_url, "another home")
    assert Ledger(database_url, HOME).get(run.run) == run


def test_what_is_not_needed_is_not_loaded(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'ledger.sqlite'}"
    Ledger(url, HOME)
    told = (
        "import sys; from kwartier.adapters import ledger; "
        "assert 'sqlalchemy' not in sys.modules; "
        f"ledger.Ledger({url!r}, {HOME!r}).runs(); "
        "assert not {'alembic', 'psycopg'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", told], check=True, cwd=ROOT)


def test_a_host_that_cannot_be_is_told_without_the_password() -> None:
    with pytest.raises(Unreachable, match="no host can have") as raised:
        Ledger(f"postgresql://me:secret@{'a' * 64}/runs", HOME)
    assert "secret" not in str(raised.value)
