"""What tests of the outbox share, and what processes beside them do: race, and be killed.

Run as `python -m tests.outboxes URL`: before and after every statement that publishes a run with
two messages the process is killed; then another worker looks at what is there and goes on. One line
of JSON on standard output tells of each kill.
"""

from __future__ import annotations

import hashlib
import json
import os
import signal
import sys
from datetime import date
from multiprocessing.synchronize import Barrier
from typing import Any

from kwartier.adapters.ledger import Answer, Ledger, Letter, Message, Run
from tests.market import AREA, BRP, DAY
from tests.workers import HOME, LEASE, NOW, Steps, alive, asked, content, dead, forked

OPERATOR = "8716916000004"
TERM = 900


def letter(message: str, receiver: str = BRP, process: str = "N111") -> Letter:
    """Give a letter; its id is a word."""
    place, sha256 = f"results/{message}", message[:1] * 64
    return Letter(message, process, "dutch", OPERATOR, receiver, NOW, place, sha256)


def named(message: Message) -> str:
    """Give the id of a message."""
    return message.message


def publish(
    ledger: Ledger,
    *letters: Letter,
    kind: str = "D+1",
    day: date = DAY,
    area: str = AREA,
    now: int = NOW,
) -> Run:
    """Publish a run that sends letters."""
    question = asked(kind, day=day, area=area)
    run = ledger.claim(question, worker="first", now=now, lease=LEASE, gone=alive)
    assert run is not None
    return _completed(ledger, run, "first", *letters, now=now)


def _completed(ledger: Ledger, run: Run, worker: str, *letters: Letter, now: int = NOW) -> Run:
    last = ledger.latest(run.market_day, run.grid_area, published=True)
    said = content("1" * 64, last)
    return ledger.complete(run, said, worker=worker, now=now, publish=True, letters=letters)


def taken(ledger: Ledger, receiver: str = BRP, now: int = NOW) -> Message:
    """Take hold of the next message."""
    held = ledger.outbox.take(receiver, worker="first", now=now, lease=LEASE, gone=alive)
    assert held is not None
    return held


def sending(
    ledger: Ledger,
    held: Message,
    answer: Answer | None = None,
    now: int = NOW,
    worker: str = "first",
) -> None:
    """Say that a message came over."""
    due_at = now + TERM
    ledger.outbox.sent(
        held, worker=worker, now=now, due_at=due_at, next_at=due_at + TERM, answer=answer
    )


def answered(message: str, *, accepted: bool = True, text: str = "", fresh: bool = False) -> Answer:
    """Give the answer of the receiver to a message."""
    codes = ("000",) if accepted else ("683",)
    sha256 = hashlib.sha256(f"{message} {accepted} {text}".encode()).hexdigest()
    words = text or ("" if accepted else "wrong triple")
    return Answer(sha256, message, BRP, OPERATOR, accepted, codes, words, fresh)


def race(url: str, worker: str, start: Barrier, told: Any) -> None:
    """Send together with others all that is to be sent, and tell what this one sent."""
    ledger = Ledger(url, HOME)
    start.wait()
    done: list[str] = []
    idle = 0
    while idle < 200 and ledger.outbox.counts().get("released"):
        held = ledger.outbox.take(BRP, worker=worker, now=NOW, lease=LEASE, gone=alive)
        if held is None:
            idle += 1
            continue
        sending(ledger, held, worker=worker)
        done.append(held.message)
    told.put(done)


def main(url: str) -> None:
    """Kill at every step of publishing a run with messages."""
    fatal, code = 0, -signal.SIGKILL
    while code == -signal.SIGKILL:
        fatal += 1
        question = asked(known_at=NOW + fatal, kind="correction")
        letters = [letter(f"{part}{fatal}") for part in "ab"]

        def killed(question: Any = question, letters: Any = letters, fatal: int = fatal) -> None:
            ledger = Ledger(url, HOME)
            run = ledger.claim(question, worker="first", now=NOW, lease=LEASE, gone=alive)
            assert run is not None
            Steps(fatal)
            _completed(ledger, run, "first", *letters)

        def look(question: Any = question, letters: Any = letters) -> None:
            ledger = Ledger(url, HOME)
            (held,) = [r for r in ledger.runs() if r.known_at == question.known_at]
            there = [one for one in ledger.outbox.messages() if one.run == held.run]
            events = [[e.event for e in ledger.outbox.events(one)] for one in there]
            published = held.publication is not None
            whole = published and events == [["released"], ["released"]]
            nothing = not published and there == []
            if not whole:
                run = ledger.claim(question, worker="second", now=NOW, lease=LEASE, gone=dead)
                assert run is not None
                _completed(ledger, run, "second", *letters)
            state = "new" if whole else "old" if nothing else "neither"
            os.write(1, json.dumps({"state": state}).encode() + b"\n")

        code = forked(killed)
        if code == -signal.SIGKILL and forked(look):
            code = 1
    os.write(1, json.dumps({"end": code, "tries": fatal}).encode() + b"\n")


if __name__ == "__main__":
    main(sys.argv[1])
