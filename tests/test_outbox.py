"""PURPOSE: what a published run sends is released with it, held by one sender, answered once."""

from __future__ import annotations

import itertools
import json
import multiprocessing
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest
from alembic import command
from sqlalchemy import NullPool, create_engine, inspect

from kwartier.adapters.ledger import Ledger, LedgerError, Message, letters
from kwartier.adapters.ledger.migrations import configuration
from kwartier.adapters.ledger.schema import ANSWERS, MESSAGE_EVENTS, MESSAGES
from tests.conftest import ROOT
from tests.market import AREA, BRP, DAY, ONE_DAY, OTHER_AREA, OTHER_BRP
from tests.outboxes import (
    NOW,
    OPERATOR,
    TERM,
    answered,
    letter,
    named,
    publish,
    race,
    sending,
    taken,
)
from tests.workers import HOME, LEASE, alive, asked, content, dead


@pytest.fixture
def ledger(database_url: str) -> Ledger:
    return Ledger(database_url, HOME)


def states_of(ledger: Ledger) -> dict[str, str]:
    return {named(one): one.state for one in ledger.outbox.messages()}


def events_of(ledger: Ledger, message: str) -> list[str]:
    return [event.event for event in ledger.outbox.events(ledger.outbox.get(message))]


# -- states

R, S, A, N, O, U = letters.STATES  # noqa: E741 - the columns of the table below
TABLE = {
    # event            released sent  acknowledged refused overdue undeliverable
    "sent": (S, None, None, None, O, None),
    "not_delivered": (R, None, None, None, O, None),
    "undeliverable": (U, None, None, None, U, None),
    "overdue": (None, O, None, None, None, None),
    "acknowledged": (A, A, None, A, A, A),
    "refused": (N, N, None, None, N, N),
    "resent": (R, R, None, R, R, R),
}


@pytest.mark.parametrize("event", [*TABLE, "released"])
def test_every_state_and_event(event: str) -> None:
    following = dict(zip(letters.STATES, TABLE.get(event, (None,) * 6), strict=True))
    for state in (None, *letters.STATES):
        expected = R if (state, event) == (None, "released") else following.get(state or "")
        if expected is None:
            with pytest.raises(LedgerError, match="cannot be"):
                letters.after(state, event)
        else:
            assert letters.after(state, event) == expected


def test_the_table_has_every_event() -> None:
    assert set(letters.EVENTS) == {*TABLE, "released"}


def in_state(ledger: Ledger, state: str) -> Message:
    """Bring a message into a state, by what really leads there."""
    publish(ledger, letter("a"))
    outbox = ledger.outbox
    if state == letters.RELEASED:
        return outbox.get("a")
    held = taken(ledger)
    if state == letters.UNDELIVERABLE:
        outbox.undeliverable(held, "no certificate", worker="first", now=NOW)
        return outbox.get("a")
    answer = None
    if state in (letters.ACKNOWLEDGED, letters.REFUSED):
        answer = answered("a", accepted=state == letters.ACKNOWLEDGED)
    sending(ledger, held, answer)
    if state == letters.OVERDUE:
        outbox.overdue(NOW + TERM + 1)
    return outbox.get("a")


@pytest.mark.parametrize("event", TABLE)
@pytest.mark.parametrize("state", letters.STATES)
def test_every_event_in_every_state_of_a_real_ledger(
    tmp_path: Path, state: str, event: str
) -> None:
    ledger = Ledger(f"sqlite:///{tmp_path / 'ledger.sqlite'}", HOME)
    message = in_state(ledger, state)
    assert message.state == state
    before = events_of(ledger, "a")
    outbox, later = ledger.outbox, NOW + 10 * TERM
    held = outbox.take(BRP, worker="first", now=later, lease=LEASE, gone=alive)
    assert (held is not None) == (state in letters.TO_SEND)
    if event in ("sent", "not_delivered", "undeliverable"):
        if held is None:
            return  # nobody can try what nobody can take hold of
        {
            "sent": lambda: sending(ledger, held, now=later),
            "not_delivered": lambda: outbox.not_delivered(
                held, "away", worker="first", now=later, next_at=later + 60
            ),
            "undeliverable": lambda: outbox.undeliverable(held, "no", worker="first", now=later),
        }[event]()
    elif event == "overdue":
        outbox.overdue(later)
    elif event == "resent":
        if state == A:
            with pytest.raises(LedgerError, match="acknowledged cannot be resent"):
                outbox.resend(message, later)
        else:
            outbox.resend(message, later)
    else:
        outbox.answer(answered("a", accepted=event == "acknowledged", text="another"), later)
    expected = dict(zip(letters.STATES, TABLE[event], strict=True))[state]
    assert outbox.get("a").state == (expected or state)
    assert events_of(ledger, "a") == before + ([event] if expected else [])


# -- a run and what it sends


def test_all_that_is_said_of_a_message_is_kept(ledger: Ledger) -> None:
    run = publish(ledger, letter("a"), letter("b", OTHER_BRP))
    first, second = ledger.outbox.messages()
    assert first == Message(
        number=first.number,
        message="a",
        run=run.run,
        publication=1,
        sequence=1,
        process="N111",
        format="dutch",
        sender=OPERATOR,
        receiver=BRP,
        market_day=DAY,
        grid_area=AREA,
        created_at=NOW,
        place="results/a",
        sha256="a" * 64,
        state="released",
        released_at=NOW,
        attempts=0,
        next_at=NOW,
        **dict.fromkeys(("worker", "lease_until", "sent_at", "due_at", "answered_at")),
        codes=None,
        reason=None,
    )
    assert (second.message, second.sequence, second.receiver) == ("b", 2, OTHER_BRP)
    assert [e.event for e in ledger.outbox.events(first)] == ["released"]
    assert ledger.outbox.last_created(DAY, AREA) == NOW
    assert ledger.outbox.last_created(DAY, OTHER_AREA) == 0


def test_a_run_that_is_not_published_sends_nothing(ledger: Ledger) -> None:
    run = ledger.claim(asked("trial"), worker="first", now=NOW, lease=LEASE, gone=alive)
    assert run is not None
    with pytest.raises(LedgerError, match="not published, so it sends nothing"):
        ledger.complete(
            run, content(), worker="first", now=NOW, publish=False, letters=[letter("a")]
        )
    assert ledger.outbox.messages() == []


def test_who_says_it_twice_releases_once(ledger: Ledger) -> None:
    run = ledger.claim(asked(), worker="first", now=NOW, lease=LEASE, gone=alive)
    assert run is not None
    said = {"worker": "first", "now": NOW, "publish": True, "letters": [letter("a")]}
    assert ledger.complete(run, content(), **said) == ledger.complete(run, content(), **said)
    assert states_of(ledger) == {"a": R}
    assert events_of(ledger, "a") == ["released"]


def test_a_publication_that_fails_leaves_no_message(ledger: Ledger) -> None:
    publish(ledger, letter("a"))
    run = ledger.claim(asked("D+5"), worker="first", now=NOW, lease=LEASE, gone=alive)
    assert run is not None
    for wrong in (
        [letter("b"), letter("b")],  # an id is never another's
        [letter("b"), letter("a")],
    ):
        last = ledger.latest(DAY, AREA, published=True)
        with pytest.raises(LedgerError, match="does not take this"):
            ledger.complete(
                run, content("2" * 64, last), worker="first", now=NOW, publish=True, letters=wrong
            )
        assert states_of(ledger) == {"a": R}
        assert ledger.get(run.run) == run
    # Held against nothing, though a run was published meanwhile.
    with pytest.raises(LedgerError, match="was published before"):
        ledger.complete(
            run, content(), worker="first", now=NOW, publish=True, letters=[letter("b")]
        )
    assert states_of(ledger) == {"a": R}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_whenever_it_is_killed_a_run_is_published_with_its_messages_or_neither_is(
    database_url: str,
) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.outboxes", database_url],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    *lines, end = [json.loads(line) for line in done.stdout.splitlines()]
    assert end["end"] == 0, done.stderr
    kills = list(zip(lines[::2], lines[1::2], strict=True))
    assert len(kills) == end["tries"] - 1 >= 12
    states = [after["state"] for _, after in kills]
    assert states == ["old"] * (len(kills) - 1) + ["new"], kills
    assert kills[-1][0]["step"] == "after the commit"
    messages = Ledger(database_url, HOME).outbox.messages()
    assert len(messages) == len({one.message for one in messages}) == 2 * end["tries"]


# -- who sends what, in which order


def test_a_message_is_held_by_one_sender(ledger: Ledger) -> None:
    publish(ledger, letter("a"))
    assert taken(ledger).worker == "first"
    assert taken(ledger).message == "a"  # the answer to its claim was lost
    take = {"worker": "second", "lease": LEASE}
    outbox = ledger.outbox
    assert outbox.take(BRP, now=NOW + LEASE - 1, gone=alive, **take) is None
    over = outbox.take(BRP, now=NOW + LEASE, gone=alive, **take)
    assert over is not None
    assert (over.worker, over.lease_until) == ("second", NOW + 2 * LEASE)


def test_what_a_killed_sender_held_is_taken_over_at_once(ledger: Ledger) -> None:
    publish(ledger, letter("a"))
    robbed = taken(ledger)
    held = ledger.outbox.take(BRP, worker="second", now=NOW, lease=LEASE, gone=dead)
    assert held is not None
    # Who wakes up has nothing to say any more.
    ledger.outbox.undeliverable(robbed, "no", worker="first", now=NOW)
    sending(ledger, robbed)
    assert ledger.outbox.get("a") == held
    sending(ledger, held, worker="second")
    assert events_of(ledger, "a") == ["released", "sent"]


def test_what_was_written_and_not_told_is_written_once(ledger: Ledger) -> None:
    publish(ledger, letter("a"))
    held = taken(ledger)
    for _ in range(2):
        sending(ledger, held)
    assert events_of(ledger, "a") == ["released", "sent"]
    assert ledger.outbox.get("a").attempts == 1


def test_many_senders_take_each_message_once(database_url: str) -> None:
    ledger = Ledger(database_url, HOME)
    for n in range(6):
        day = DAY + n * ONE_DAY
        publish(ledger, letter(f"{n}a"), letter(f"{n}b"), day=day)
    spawn = multiprocessing.get_context("spawn")
    start, told = spawn.Barrier(3), spawn.Queue()
    racing = [
        spawn.Process(target=race, args=(database_url, f"worker {n}", start, told))
        for n in range(3)
    ]
    for process in racing:
        process.start()
    done = [told.get(timeout=60) for _ in racing]
    for process in racing:
        process.join()
    assert [process.exitcode for process in racing] == [0, 0, 0]
    sent = sorted(itertools.chain(*done))
    assert sent == sorted(f"{n}{part}" for n in range(6) for part in "ab")
    assert set(states_of(ledger).values()) == {S}


def test_of_a_day_and_area_a_later_message_waits_for_an_earlier_one(ledger: Ledger) -> None:
    publish(ledger, letter("1a"), letter("1b"))
    publish(ledger, letter("2a"), kind="D+5")
    publish(ledger, letter("other day"), day=DAY + ONE_DAY)
    publish(ledger, letter("other area"), area=OTHER_AREA)
    outbox = ledger.outbox
    first = taken(ledger)
    assert first.message == "1a"
    # While it is on its way, another sender does what need not wait.
    other = [
        outbox.take(BRP, worker=worker, now=NOW, lease=LEASE, gone=alive)
        for worker in ("second", "third", "fourth")
    ]
    assert [one and one.message for one in other] == ["other day", "other area", None]
    outbox.not_delivered(first, "away", worker="first", now=NOW, next_at=NOW + 60)
    nobody = {"lease": LEASE, "gone": alive}
    assert outbox.take(BRP, worker="first", now=NOW + 59, **nobody) is None
    for name in ("1a", "1b", "2a"):
        held = outbox.take(BRP, worker="first", now=NOW + 60, **nobody)
        assert held is not None
        assert held.message == name
        sending(ledger, held, now=NOW + 60)


def test_receivers_do_not_wait_for_each_other(ledger: Ledger) -> None:
    publish(ledger, letter("1a"), letter("1b", OTHER_BRP))
    publish(ledger, letter("2b", OTHER_BRP), kind="D+5")
    assert ledger.outbox.receivers(NOW) == sorted([BRP, OTHER_BRP])
    assert ledger.outbox.receivers(NOW - 1) == []
    held = taken(ledger)
    ledger.outbox.not_delivered(held, "away", worker="first", now=NOW, next_at=NOW + 60)
    assert ledger.outbox.receivers(NOW) == [OTHER_BRP]
    for name in ("1b", "2b"):
        held = taken(ledger, OTHER_BRP)
        assert held.message == name
        sending(ledger, held)


def test_an_overdue_message_is_sent_again_until_a_later_run_went_there(ledger: Ledger) -> None:
    publish(ledger, letter("1a"))
    sending(ledger, taken(ledger))
    late = NOW + TERM + 1
    assert [one.message for one in ledger.outbox.overdue(late)] == ["1a"]
    again = taken(ledger, now=late)
    assert (again.message, again.state) == ("1a", O)
    publish(ledger, letter("2a"), kind="D+5", now=late)
    # The later one waits while the earlier one is on its way.
    take = {"worker": "second", "now": late, "lease": LEASE, "gone": alive}
    assert ledger.outbox.take(BRP, **take) is None
    sending(ledger, again, now=late)
    assert ledger.outbox.get("1a").next_at == late + 2 * TERM
    sending(ledger, taken(ledger, now=late), now=late)
    assert states_of(ledger) == {"1a": O, "2a": S}
    assert ledger.outbox.take(BRP, **{**take, "now": late + 9 * TERM}) is None


def test_what_a_later_run_replaced_is_not_resent(ledger: Ledger) -> None:
    publish(ledger, letter("1a"))
    sending(ledger, taken(ledger), answered("1a", accepted=False))
    publish(ledger, letter("2a"), kind="D+5")
    early = ledger.outbox.resend(ledger.outbox.get("1a"), NOW)  # the later one is still here
    assert early.state == R
    sending(ledger, taken(ledger), answered("1a", accepted=False, fresh=True))
    sending(ledger, taken(ledger))
    with pytest.raises(LedgerError, match=r"later one of .* went to"):
        ledger.outbox.resend(ledger.outbox.get("1a"), NOW)
    assert states_of(ledger) == {"1a": N, "2a": S}


def test_what_is_resent_begins_anew(ledger: Ledger) -> None:
    message = in_state(ledger, N)
    assert (message.codes, message.reason) == ("683", "wrong triple")
    again = ledger.outbox.resend(message, NOW + 5)
    assert (again.state, again.next_at, again.attempts) == (R, NOW + 5, 0)
    assert (again.codes, again.reason, again.answered_at, again.due_at) == (None,) * 4
    assert again.message == "a"
    assert events_of(ledger, "a") == ["released", "sent", "refused", "resent"]


# -- answers


@pytest.mark.parametrize(("second", "state"), [(TERM, S), (TERM + 1, O)])
def test_an_answer_is_overdue_after_its_term(ledger: Ledger, second: int, state: str) -> None:
    publish(ledger, letter("a"))
    sending(ledger, taken(ledger))
    ledger.outbox.overdue(NOW + second)
    assert ledger.outbox.get("a").state == state


def test_an_answer_counts_late_and_once(ledger: Ledger) -> None:
    in_state(ledger, O)
    late, answer = NOW + 3 * TERM, answered("a")
    assert ledger.outbox.answer(answer, late).outcome == letters.TAKEN
    message = ledger.outbox.get("a")
    assert (message.state, message.codes, message.answered_at) == (A, "000", late)
    assert ledger.outbox.answer(answer, late + 1).outcome == letters.AGAIN
    other = answered("a", text="the same, said otherwise")
    assert ledger.outbox.answer(other, late + 2).outcome == letters.AGAIN
    assert ledger.outbox.get("a") == message
    assert events_of(ledger, "a") == ["released", "sent", "overdue", "acknowledged"]


def test_an_answer_before_the_sending_was_written_down_counts(ledger: Ledger) -> None:
    publish(ledger, letter("a"))
    held = taken(ledger)
    ledger.outbox.answer(answered("a"), NOW + 1)
    sending(ledger, held)
    message = ledger.outbox.get("a")
    assert (message.state, message.sent_at, message.worker) == (A, NOW + 1, None)


def test_a_positive_answer_is_not_taken_back(ledger: Ledger) -> None:
    in_state(ledger, A)
    said = ledger.outbox.answer(answered("a", accepted=False), NOW + 1)
    assert (said.outcome, said.message) == (letters.NOT_TAKEN, "a")
    assert said.reason == "it refuses (683) what was acknowledged before"
    assert ledger.outbox.get("a").state == A
    assert ledger.outbox.answers(letters.NOT_TAKEN) == [said]


def test_a_refusal_that_was_seen_before_says_nothing_of_what_was_resent(ledger: Ledger) -> None:
    message = in_state(ledger, N)
    ledger.outbox.resend(message, NOW + 5)
    refusal = answered("a", accepted=False)
    assert ledger.outbox.answer(refusal, NOW + 6).outcome == letters.AGAIN
    assert ledger.outbox.get("a").state == R
    # In answer to a sending of now the same bytes are a new answer.
    held = taken(ledger, now=NOW + 7)
    sending(ledger, held, replace(refusal, fresh=True), now=NOW + 7)
    assert ledger.outbox.get("a").state == N
    assert events_of(ledger, "a")[-3:] == ["resent", "sent", "refused"]


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"message": "nobody's"}, "no message of ours has that id"),
        ({"message": "", "reason": "it names no message"}, "it names no message"),
        ({"sender": OTHER_BRP}, f"it comes from another party than {BRP}, the receiver"),
        ({"sender": ""}, f"it comes from another party than {BRP}, the receiver"),
        ({"receiver": OTHER_BRP}, f"it goes to another party than {OPERATOR}, the sender"),
    ],
)
def test_an_answer_that_is_not_about_our_message_is_listed(
    ledger: Ledger, wrong: dict[str, str], reason: str
) -> None:
    message = in_state(ledger, S)
    answer = replace(answered("a"), **wrong)
    for _ in range(2):
        said = ledger.outbox.answer(answer, NOW + 1)
        assert (said.outcome, said.reason, said.at) == (letters.NOT_TAKEN, reason, NOW + 1)
    assert ledger.outbox.answers(letters.NOT_TAKEN) == [said]
    assert ledger.outbox.get("a") == message


# -- what is known


def test_messages_are_listed_and_found(ledger: Ledger) -> None:
    publish(ledger, letter("a1"), letter("a2", OTHER_BRP))
    publish(ledger, letter("b"), day=DAY + ONE_DAY, area=OTHER_AREA)
    sending(ledger, taken(ledger))

    def found(**asked_for: Any) -> list[str]:
        return [one.message for one in ledger.outbox.messages(**asked_for)]

    assert found() == ["a1", "a2", "b"]
    assert found(first=DAY + ONE_DAY) == found(grid_area=OTHER_AREA) == ["b"]
    assert found(last=DAY) == ["a1", "a2"]
    assert found(receiver=OTHER_BRP) == ["a2"]
    assert found(states=[S]) == ["a1"]
    assert ledger.outbox.counts() == {R: 2, S: 1}
    assert ledger.outbox.get("B").message == "b"
    with pytest.raises(LedgerError, match="more than one message begins with 'a'"):
        ledger.outbox.get("a")
    for none in ("x", "%", "_"):
        with pytest.raises(LedgerError, match="no message begins with"):
            ledger.outbox.get(none)


def test_no_column_has_room_for_an_accounting_point() -> None:
    columns = [*MESSAGES.c, *MESSAGE_EVENTS.c, *ANSWERS.c]
    wide = {c.name for c in columns if getattr(c.type, "length", 0) is None or _room(c) >= 18}
    ids, words = {"message", "run", "grid_area", "sha256", "place"}, {"format", "state", "worker"}
    # What others say is in `reason` and `note`, without long numbers (runs/answering.py).
    assert wide == ids | words | {"codes", "reason", "event", "note", "outcome"}


def _room(column: Any) -> int:
    return int(getattr(column.type, "length", 0) or 0)


# -- a ledger of before


def _before(url: str) -> Callable[[str], list[tuple[Any, ...]]]:
    """Make a ledger of revision 0001 and give what executes a statement in it."""
    engine = create_engine(url.replace("postgresql:", "postgresql+psycopg:"), poolclass=NullPool)
    config = configuration()
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        assert "messages" not in inspect(connection).get_table_names()
    engine.dispose()

    def do(statement: str) -> list[tuple[Any, ...]]:
        if url.startswith("sqlite"):
            with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as connection:
                found = connection.execute(statement).fetchall()
                connection.commit()
                return found
        with psycopg.connect(url, autocommit=True) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    return do


def test_a_ledger_without_outbox_gets_one_and_keeps_its_runs(database_url: str) -> None:
    do = _before(database_url)
    do(f"INSERT INTO home VALUES (1, '{HOME}')")
    do(
        "INSERT INTO runs (run, market_day, grid_area, kind, known_at, moment, turn, state, "
        "started_at, finished_at, version, digest) VALUES ('old', "
        f"'{DAY}', '{AREA}', 'D+1', {NOW}, 0, 1, 'complete', {NOW}, {NOW}, '0', '{'1' * 64}')"
    )
    do(f"INSERT INTO publications VALUES ('old', '{DAY}', '{AREA}', 1)")
    ledger = Ledger(database_url, HOME)
    (run,) = ledger.runs()
    assert (run.run, run.publication, run.digest) == ("old", 1, "1" * 64)
    assert ledger.outbox.messages() == []  # what was published before is not sent
    publish(ledger, letter("a"), kind="D+5")
    assert [(one.message, one.publication) for one in ledger.outbox.messages()] == [("a", 2)]
