"""Runs whose database goes away, whose worker dies or is slow, and homes whose ledger is lost."""

from __future__ import annotations

import json
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import make_url
from typer.testing import CliRunner

from kwartier import Home, HomeError, runs
from kwartier.adapters.ledger import LedgerError, Run, Unreachable
from kwartier.adapters.ledger.database import Database
from kwartier.adapters.store import NO_MESSAGES
from kwartier.apps.cli import app
from kwartier.runs import running, way
from tests.closing import (
    LATER,
    Clock,
    clock_of,
    closing,
    due,
    hour,
    left_over,
    measured,
    process,
    published,
    tables_of,
)
from tests.databases import Server
from tests.market import DAY, ONE_DAY, OTHER, Market

NOON = hour(DAY + ONE_DAY, 12)
AT_ONCE = SimpleNamespace(sleep=lambda pause: None)
TELLS = "print('here', flush=True); sys.stdin.readline()\n"
# Readings are summed while the ledger is opened, so before a run is claimed.
CLAIMED = "    while not runs.ledger_of(home).runs():\n        time.sleep(0.01)\n"


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return clock_of(monkeypatch)


@pytest.fixture
def market(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> Market:
    """A home with an area that closes on DAY, its ledger in a database of each kind."""
    monkeypatch.setenv("KWARTIER_LEDGER", database_url)
    return closing(tmp_path)


@pytest.fixture
def plain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clock: Clock) -> Market:
    """A home with an area that closes on DAY, and its ledger in it."""
    monkeypatch.delenv("KWARTIER_LEDGER", raising=False)
    return closing(tmp_path)


def undisturbed(market: Market) -> dict[str, bytes]:
    """Give the bytes that D+1 has in a home that took in the same."""
    other = closing(market.home.root.parent / "undisturbed")
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("KWARTIER_LEDGER", raising=False)
        (run,) = due(other, NOON)
    return tables_of(other, run)


# ---- the database goes away ---------------------------------------------------------------------
class Gone:
    """Takes a ledger's database away, and gives it back."""

    def __init__(self, url: str, server: Server | None) -> None:
        self._server = server
        self._path = Path(str(make_url(url).database))

    def take(self) -> None:
        if self._server:
            self._server.stop()
        else:
            self._path.rename(self._path.with_suffix(".away"))

    def give(self) -> None:
        if self._server:
            self._server.start()
        else:
            self._path.with_suffix(".away").rename(self._path)


@pytest.fixture
def gone(database_url: str, request: pytest.FixtureRequest) -> Gone:
    sqlite = database_url.startswith("sqlite")
    return Gone(database_url, None if sqlite else request.getfixturevalue("postgresql"))


def test_a_database_that_comes_back_is_waited_for(
    market: Market, gone: Gone, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []

    def sleep(pause: float) -> None:
        pauses.append(pause)
        if len(pauses) == 2:
            gone.give()

    monkeypatch.setattr(running, "time", SimpleNamespace(sleep=sleep))
    taken: list[int] = []

    def meanwhile(done: int, total: int | None) -> None:
        if not taken:
            taken.append(done)
            gone.take()

    (run,) = due(market, NOON, progress=meanwhile)
    assert len(pauses) == 2
    assert (run.state, run.publication) == ("complete", 1)
    assert published(market) == [(DAY, 1, run.run)]
    assert tables_of(market, run) == undisturbed(market)
    assert [e.event for e in runs.ledger_of(market.home).events(run)] == ["claimed", "completed"]


def test_a_database_that_stays_away_is_told_and_the_run_is_taken_over(
    market: Market, gone: Gone, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "time", AT_ONCE)
    taken: list[int] = []

    def meanwhile(done: int, total: int | None) -> None:
        if not taken:
            taken.append(done)
            gone.take()

    with pytest.raises(Unreachable, match=r"cannot be reached: .*try again"):
        due(market, NOON, progress=meanwhile)
    gone.give()
    (left,) = runs.ledger_of(market.home).runs()
    assert (left.state, left.publication) == ("running", None)
    (run,) = due(market, NOON + LATER)
    assert (run.run, run.known_at, run.publication) == (left.run, left.known_at, 1)
    assert tables_of(market, run) == undisturbed(market)
    assert published(market) == [(DAY, 1, run.run)]
    assert left_over(market) == []
    events = [event.event for event in runs.ledger_of(market.home).events(run)]
    assert events == ["claimed", "taken_over", "completed"]


# ---- a worker that dies -------------------------------------------------------------------------
@pytest.mark.parametrize("kind", ["D+1", "correction", "trial"])
def test_the_run_of_a_worker_that_was_killed_is_taken_over_at_once(
    kind: str, market: Market, clock: Clock
) -> None:
    made = "runs.run_due(home, at=datetime.fromisoformat(sys.argv[2]), threads=1, progress=stay)"
    if kind != "D+1":
        asked = {"correction": "correct", "trial": "allocate"}[kind]
        made = f"runs.{asked}(home, [date.fromisoformat('{DAY}')], threads=1, progress=stay)"
    worker = process(
        "home = Home(sys.argv[1])\ndef stay(done, total):\n" + CLAIMED + "    " + TELLS + made,
        str(market.home.root),
        NOON.isoformat(),
    )
    assert worker.stdout is not None
    assert worker.stdout.readline() == "here\n"
    now = clock(NOON.now(NOON.tzinfo)) if kind != "D+1" else NOON
    (left,) = runs.ledger_of(market.home).runs()
    assert (left.kind, left.state) == (kind, "running")
    again: dict[str, Callable[[], list[Run]]] = {
        "D+1": lambda: due(market, now + LATER / 4),
        "correction": lambda: runs.correct(market.home, [DAY], threads=1),
        "trial": lambda: runs.allocate(market.home, [DAY], threads=1),
    }
    if kind == "D+1":
        assert again[kind]() == []  # it lives
    os.kill(worker.pid, signal.SIGKILL)
    worker.communicate()
    (run,) = again[kind]()
    assert (run.run, run.known_at, run.state) == (left.run, left.known_at, "complete")
    expected = undisturbed(market)
    if kind == "trial":  # of which nothing leaves
        del expected["disclosure"]
    assert tables_of(market, run) == expected
    assert [number for _, number, _ in published(market)] == ([] if kind == "trial" else [1])
    assert left_over(market) == []


def left_by_a_killed_worker(market: Market, kind: str, known_at: int) -> Run:
    question = runs.allocating.Question(DAY, "871685900000056162", kind, known_at)
    ledger = runs.ledger_of(market.home)
    run = ledger.claim(question, worker="gone", now=known_at, lease=900, gone=lambda _: True)
    assert run is not None
    folder = market.home.run_folder(run.market_day, run.grid_area, run.run)
    folder.mkdir(parents=True)
    (folder / "allocation.parquet").write_bytes(b"half")
    return run


def test_what_was_left_is_given_up_when_more_has_come_since(market: Market, clock: Clock) -> None:
    at = int(NOON.timestamp())
    left = left_by_a_killed_worker(market, "correction", at)
    measured(market, at=NOON + LATER, number=OTHER, wh=200)
    clock(NOON + 2 * LATER)
    (run,) = runs.correct(market.home, [DAY], threads=1)
    assert (run.known_at, run.publication) == (at + 7200, 1)
    held = runs.ledger_of(market.home).get(left.run)
    assert (held.state, held.publication) == ("failed", None)
    assert "worker was gone" in str(held.reason)
    assert not market.home.run_folder(DAY, run.grid_area, left.run).exists()
    assert left_over(market) == []


def test_what_was_left_and_passed_over_is_given_up(market: Market) -> None:
    left = left_by_a_killed_worker(market, "D+1", int(NOON.timestamp()))
    made = [run for run in due(market, hour(DAY + 8 * ONE_DAY, 0)) if run.market_day == DAY]
    assert [(run.kind, run.publication) for run in made] == [("D+5", 1)]
    assert runs.ledger_of(market.home).get(left.run).state == "failed"
    assert left_over(market) == []


# ---- a worker that is slow ----------------------------------------------------------------------
def test_a_slow_worker_is_not_robbed_before_its_lease_is_over(market: Market, clock: Clock) -> None:
    clock(NOON)
    quicker: list[Run] = []
    before: list[list[Run]] = []
    robbed: list[bool] = []

    def meanwhile(done: int, total: int | None) -> None:
        if robbed:
            return
        robbed.append(True)
        other = Home(market.home.root)
        clock(NOON + timedelta(seconds=running.LEASE - 1))
        before.append(runs.run_due(other, at=NOON, threads=1))
        clock(NOON + timedelta(seconds=running.LEASE))
        quicker.extend(runs.run_due(other, at=NOON, threads=1))
        made.update(tables_of(market, quicker[0]))

    made: dict[str, bytes] = {}
    with pytest.raises(LedgerError, match="taken over by another worker"):
        due(market, NOON, progress=meanwhile)
    assert before == [[]]
    (run,) = quicker
    assert (run.state, run.publication) == ("complete", 1)
    assert published(market) == [(DAY, 1, run.run)]
    assert tables_of(market, run) == made == undisturbed(market)
    assert left_over(market) == []


def test_a_worker_that_was_robbed_does_not_write_over_what_the_other_made(
    market: Market, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is overtaken after its last block, when only the tables are left to write."""
    clock(NOON)
    usual, quicker = running.Runner._write, []

    def write(runner: Any, run: Run, tables: Any, messages: Any = NO_MESSAGES) -> Any:
        if not quicker:
            monkeypatch.setattr(running.Runner, "_write", usual)
            clock(NOON + timedelta(seconds=running.LEASE))
            quicker.extend(runs.run_due(Home(market.home.root), at=NOON, threads=1))
            folder = market.home.run_folder(DAY, run.grid_area, run.run)
            (folder / "mark").touch()
        return usual(runner, run, tables, messages)

    monkeypatch.setattr(running.Runner, "_write", write)
    with pytest.raises(LedgerError, match="taken over by another worker"):
        due(market, NOON)
    assert "mark" in tables_of(market, quicker[0])
    assert published(market) == [(DAY, 1, quicker[0].run)]


def test_a_worker_shows_life_while_it_works(
    plain: Market, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock(NOON)
    leases: list[int | None] = []

    def meanwhile(done: int, total: int | None) -> None:
        clock(NOON + timedelta(seconds=running.LEASE // 2))

    def shown(ledger: Any, run: Run, **options: Any) -> Run:
        held: Run = usual(ledger, run, **options)
        leases.append(held.lease_until)
        return held

    usual = type(runs.ledger_of(plain.home)).renew
    monkeypatch.setattr(type(runs.ledger_of(plain.home)), "renew", shown)
    due(plain, NOON, progress=meanwhile)
    assert leases[0] == NOON.timestamp() + running.LEASE // 2 + running.LEASE


def test_a_run_that_waits_for_its_readings_shows_life(
    plain: Market, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock(NOON)
    monkeypatch.setattr(way, "_BEAT", 0.01)
    shown, seen = threading.Event(), []
    ledger = type(runs.ledger_of(plain.home))
    usual = ledger.renew

    def renew(*arguments: Any, **options: Any) -> Run:
        shown.set()
        return usual(*arguments, **options)

    def meanwhile(done: int, total: int | None) -> None:
        if not seen:  # while a block is read
            clock(NOON + timedelta(seconds=running.LEASE // 2))
            seen.append(shown.wait(30))

    monkeypatch.setattr(ledger, "renew", renew)
    due(plain, NOON, progress=meanwhile)
    assert seen == [True]


def test_workers_that_come_and_go_are_never_taken_for_dead(plain: Market) -> None:
    """Who sweeps away what dead workers left may meet one that is just beginning."""
    code = (
        "home, mine = Home(sys.argv[1]), sys.argv[2]\n" + TELLS + "lost = 0\n"
        "for n in range(300):\n"
        "    with home.present(f'{mine}-{n}'):\n"
        "        lost += home.gone(f'{mine}-{n}')\n"
        "print(lost)\n"
    )
    workers = [process(code, str(plain.home.root), str(number)) for number in range(3)]
    for one in workers:
        assert one.stdout is not None
        assert one.stdout.readline() == "here\n"
    told = [one.communicate("go\n", timeout=60) for one in workers]
    assert [out for out, _ in told] == ["0\n"] * 3, told
    assert not list((plain.home.root / "workers").iterdir())


# ---- the ledger is lost, or is another one ------------------------------------------------------
def test_a_ledger_that_is_missing_is_not_begun_anew(plain: Market) -> None:
    (run,) = due(plain, NOON)
    ledger = plain.home.root / "ledger.sqlite"
    away = ledger.with_suffix(".away")
    ledger.rename(away)
    for act in (
        lambda home: runs.run_due(home, at=NOON, threads=1),
        lambda home: runs.result(home, "allocation", [DAY]),
        lambda home: runs.allocate(home, [DAY], known_at=NOON, threads=1),
    ):
        with pytest.raises(HomeError, match=r"ledger.sqlite is missing.*put it back"):
            act(Home(plain.home.root))
    assert not ledger.exists()
    away.rename(ledger)
    home = Home(plain.home.root)
    assert runs.run_due(home, at=NOON, threads=1) == []
    assert runs.ledger_of(home).get(run.run) == run


def test_an_empty_ledger_is_not_taken_for_the_one_that_was(
    market: Market, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    due(market, NOON)
    monkeypatch.setenv("KWARTIER_LEDGER", f"sqlite:///{tmp_path / 'another.sqlite'}")
    for _ in range(2):
        with pytest.raises(HomeError, match="does not know; put back the ledger"):
            runs.run_due(Home(market.home.root), at=NOON, threads=1)
    monkeypatch.setenv("KWARTIER_LEDGER", database_url)
    assert runs.run_due(Home(market.home.root), at=NOON, threads=1) == []


def test_a_home_without_runs_may_lose_its_ledger(plain: Market) -> None:
    runs.ledger_of(plain.home)
    (plain.home.root / "ledger.sqlite").unlink()
    assert runs.ledger_of(Home(plain.home.root)).runs() == []


def test_a_ledger_is_where_it_first_was(
    market: Market, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    due(market, NOON)
    monkeypatch.delenv("KWARTIER_LEDGER")
    with pytest.raises(HomeError, match=r"are in a database; give its URL.*KWARTIER_LEDGER"):
        runs.ledger_of(Home(market.home.root))
    own = closing(tmp_path / "own")
    due(own, NOON)
    monkeypatch.setenv("KWARTIER_LEDGER", f"sqlite:///{tmp_path / 'another.sqlite'}")
    with pytest.raises(HomeError, match=r"in its own ledger.sqlite; unset.*KWARTIER_LEDGER"):
        runs.ledger_of(Home(own.home.root))


@pytest.mark.parametrize("url", ["mysql://nobody@127.0.0.1/runs", "postgresql://127.0.0.1:1/runs"])
def test_a_ledger_that_was_never_opened_is_nowhere_yet(
    plain: Market, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KWARTIER_LEDGER", url)
    with pytest.raises(LedgerError):
        runs.ledger_of(Home(plain.home.root))
    monkeypatch.delenv("KWARTIER_LEDGER")
    assert [run.state for run in due(plain, NOON)] == ["complete"]


@pytest.mark.parametrize("step", [1, 2])
def test_a_connection_lost_while_a_ledger_is_opened_shuts_no_home_out(
    market: Market, step: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The transaction of that step may be done, and nobody knows."""
    done = []

    def lost(act: Callable[..., AbstractContextManager[Any]]) -> Any:
        @contextmanager
        def losing(database: Database) -> Iterator[Any]:
            with act(database) as connection:
                yield connection
            done.append(act)
            if len(done) == step:
                raise Unreachable("lost")

        return losing

    with monkeypatch.context() as patch:
        for name in ("reading", "migrating"):
            patch.setattr(Database, name, lost(getattr(Database, name)))
        with pytest.raises(Unreachable):
            runs.ledger_of(Home(market.home.root))
    assert [run.state for run in due(market, NOON)] == ["complete"]


def test_two_homes_do_not_share_a_ledger(market: Market, tmp_path: Path) -> None:
    due(market, NOON)
    other = closing(tmp_path / "other")
    with pytest.raises(LedgerError, match="belongs to another home"):
        due(other, NOON)


# ---- secrets ------------------------------------------------------------------------------------
SECRET = "s3cret-w0rd"


@contextmanager
def silent_sleep() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(running, "time", AT_ONCE)
        yield


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql://me:{SECRET}@127.0.0.1:1/runs",
        f"postgresql://me:{SECRET}@127.0.0.1:1/runs?no_such_option=1",
        f"postgresql://me:{SECRET}@127.0.0.1:port/runs",
        f"postgresql://me:p@{SECRET}@127.0.0.1:1/runs",
        f"postgresql://me@127.0.0.1:1/runs?password={SECRET}",
        f"postgresql://me:{SECRET}@no such host/runs",
        f"mysql://me:{SECRET}@127.0.0.1/runs",
        f"me:{SECRET}@127.0.0.1",
    ],
)
def test_no_password_is_ever_told(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    market = closing(tmp_path)
    monkeypatch.setenv("KWARTIER_LEDGER", url)
    with pytest.raises(LedgerError) as told:
        due(market, NOON)
    assert SECRET not in str(told.value)
    assert told.value.__cause__ is None
    for command in (
        ["run", "--due", "--json"],
        ["allocate", "--day", str(DAY), "--json"],
        ["runs", "--json"],
        ["show", "allocation", "--day", str(DAY), "--json"],
    ):
        with silent_sleep():
            answer = CliRunner().invoke(app, [*command, "--home", str(market.home.root)])
        assert answer.exit_code == 1
        assert SECRET not in answer.output
        assert "Traceback" not in answer.output
    for path in market.home.root.rglob("*"):
        assert not path.is_file() or SECRET.encode() not in path.read_bytes()


def test_what_is_told_of_a_run_holds_no_password(
    postgresql: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    postgresql.do(f"CREATE ROLE told LOGIN PASSWORD '{SECRET}' SUPERUSER")
    url = make_url(postgresql.make()).set(username="told", password=SECRET)
    monkeypatch.setenv("KWARTIER_LEDGER", url.render_as_string(hide_password=False))
    market = closing(tmp_path)
    (run,) = due(market, NOON)
    for command in (["runs", "--json"], ["runs", "--run", run.run, "--json"], ["runs"]):
        answer = CliRunner().invoke(app, [*command, "--home", str(market.home.root)])
        assert answer.exit_code == 0
        assert SECRET not in answer.output
    assert (
        json.loads(
            CliRunner().invoke(app, ["runs", "--json", "--home", str(market.home.root)]).stdout
        )[0]["run"]
        == run.run
    )


def test_what_a_process_left_that_was_killed_while_it_made_the_ledger_is_swept(
    plain: Market,
) -> None:
    left = [plain.home.root / f"ledger.sqlite-77.unfinished{end}" for end in ("", "-journal")]
    for path in left:
        path.write_bytes(b"half")
    runs.ledger_of(plain.home)
    assert not any(path.exists() for path in left)
