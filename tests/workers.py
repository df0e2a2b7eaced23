"""What processes beside the test do with a ledger: race for runs, and be killed while they write.

Run as `python -m tests.workers URL`: before and after every statement that completes a run the
process is killed, as `kill -9` does; then another worker looks at what is there and goes on. One
line of JSON on standard output tells of each kill. Every try is a fork of one process.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable, Sequence
from datetime import date
from multiprocessing.synchronize import Barrier
from typing import Any

from sqlalchemy import Engine, event
from sqlalchemy.engine.default import DefaultDialect

from kwartier.adapters.ledger import Content, Ledger, Question, Run
from tests.market import AREA, DAY

HOME = "home of the tests"
NOW, LEASE = 1_768_478_400, 900


def asked(kind: str = "D+1", known_at: int = NOW, day: date = DAY, area: str = AREA) -> Question:
    """Give a question."""
    return Question(day, area, kind, known_at)


def content(digest: str = "1" * 64, previous: Run | None = None) -> Content:
    """Give what is said of a complete run."""
    return Content(
        digest=digest,
        version="0.3.0",
        inputs=[("register/b.parquet", "b" * 64), ("readings/a.parquet", "a" * 64)],
        parameters={"bracket_days": (date(2020, 1, 1), "10"), "area": (date(2021, 1, 1), "x")},
        tables=[("balance", "balance.parquet", 96, "d" * 64), ("allocation", "a", 4, "c" * 64)],
        previous=previous.run if previous else None,
        blocks=12,
        blocks_computed=3,
    )


def published(ledger: Ledger, run: Run, worker: str, digest: str = "1" * 64) -> Run:
    """Complete a run and publish it, held against the one that was published last."""
    last = ledger.latest(run.market_day, run.grid_area, published=True)
    return ledger.complete(run, content(digest, last), worker=worker, now=NOW, publish=True)


def alive(worker: str) -> bool:
    """Tell of every worker that it is not known to be dead."""
    return False


def dead(worker: str) -> bool:
    """Tell of every worker that it is known to be dead."""
    return True


def race(url: str, worker: str, questions: Sequence[Question], start: Barrier, told: Any) -> None:
    """Open a ledger together with others, do every run that is to be had, and tell which."""
    start.wait()
    ledger = Ledger(url, HOME)
    start.wait()
    done = []
    for question in questions:
        run = ledger.claim(question, worker=worker, now=NOW, lease=LEASE, gone=alive)
        if run is not None:
            ledger.complete(run, content(), worker=worker, now=NOW, publish=True)
            done.append(run.run)
    told.put((worker, done))


class Steps:
    """Counts statements and commits, and kills the process before or after the one chosen."""

    def __init__(self, fatal: int) -> None:
        self._left = fatal
        event.listen(Engine, "before_cursor_execute", self._statement)
        usual = DefaultDialect.do_commit

        def commit(dialect: DefaultDialect, connection: Any) -> None:
            self._step("before the commit")
            usual(dialect, connection)
            self._step("after the commit")

        DefaultDialect.do_commit = commit  # type: ignore[method-assign]

    def _statement(self, _connection: object, _cursor: object, statement: str, *_: object) -> None:
        self._step("before " + statement.split("(")[0].split("\n")[0])

    def _step(self, name: str) -> None:
        self._left -= 1
        if not self._left:
            os.write(1, json.dumps({"step": name}).encode() + b"\n")
            os.kill(os.getpid(), signal.SIGKILL)


def forked(act: Callable[[], None]) -> int:
    """Do something in a process of its own, and give its exit code."""
    child = os.fork()
    if not child:
        code = 1
        try:
            act()
            code = 0
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def main(url: str) -> None:
    """Kill at every step of completing a run."""
    fatal, code = 0, -signal.SIGKILL
    while code == -signal.SIGKILL:
        fatal += 1
        question = asked(known_at=NOW + fatal, kind="correction")

        def killed(question: Question = question, fatal: int = fatal) -> None:
            ledger = Ledger(url, HOME)
            run = ledger.claim(question, worker="first", now=NOW, lease=LEASE, gone=alive)
            assert run is not None
            Steps(fatal)
            published(ledger, run, "first")

        def look(question: Question = question) -> None:
            ledger = Ledger(url, HOME)
            (held,) = [r for r in ledger.runs() if r.known_at == question.known_at]
            whole = (
                held.state == "complete"
                and held.publication is not None
                and len(ledger.inputs(held)) == len(ledger.tables(held)) == 2
                and [e.event for e in ledger.events(held)] == ["claimed", "completed"]
            )
            nothing = (
                held.state == "running"
                and held.publication is held.digest is None
                and not (ledger.inputs(held) or ledger.tables(held) or ledger.parameters(held))
                and [e.event for e in ledger.events(held)] == ["claimed"]
            )
            if not whole:
                run = ledger.claim(question, worker="second", now=NOW, lease=LEASE, gone=dead)
                assert run is not None
                published(ledger, run, "second")
            state = "new" if whole else "old" if nothing else "neither"
            os.write(1, json.dumps({"state": state}).encode() + b"\n")

        code = forked(killed)
        if code == -signal.SIGKILL and forked(look):
            code = 1
    os.write(1, json.dumps({"end": code, "tries": fatal}).encode() + b"\n")


if __name__ == "__main__":
    main(sys.argv[1])
