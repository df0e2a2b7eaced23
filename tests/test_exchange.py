"""PURPOSE: every party gets each message at least once, in order, and is heard, whatever fails."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable
from datetime import timedelta
from functools import partial
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from kwartier import Home, HomeError, runs
from kwartier.adapters.ledger import letters
from kwartier.codecs import LEAVING, Unreadable, dutch
from kwartier.documents import Document, Reason
from kwartier.runs import allocating, exchanging, send, take_parameters, take_parties
from kwartier.runs.answering import answer_of, discreet
from kwartier.runs.receiving import Us, receive_folder
from kwartier.runs.running import Runner
from tests.closing import clock_of, closing, due, hour, left_over
from tests.conftest import ROOT
from tests.exchanges import (
    ACCEPT,
    AT,
    AWAY,
    GARBLED,
    HANGS,
    MINUTE,
    NEVER,
    REFUSE,
    SILENT,
    STRANGER,
    TSO,
    US,
    Post,
    acknowledgement,
    events,
    home_of,
    identify,
    leaving,
    message_of,
    of_run,
    parties,
    received,
    release,
    states,
)
from tests.market import BRP, DAY, ONE_DAY, OTHER_BRP, POINT, Market

A, N, O, R, S, U = (  # noqa: E741
    letters.ACKNOWLEDGED,
    letters.REFUSED,
    letters.OVERDUE,
    letters.RELEASED,
    letters.SENT,
    letters.UNDELIVERABLE,
)


@pytest.fixture
def home(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    """A home with parties, its ledger in a database of each kind."""
    monkeypatch.setenv("KWARTIER_LEDGER", database_url)
    return home_of(tmp_path)


@pytest.fixture
def plain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    """A home with parties, and its ledger in it."""
    monkeypatch.delenv("KWARTIER_LEDGER", raising=False)
    return home_of(tmp_path)


# -- from a run to its receivers


@pytest.fixture
def market(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Market:
    monkeypatch.setenv("KWARTIER_LEDGER", database_url)
    monkeypatch.setattr(allocating, "Runner", partial(Runner, leaving=leaving))
    clock_of(monkeypatch)
    return closing(tmp_path)


NOON = hour(DAY + ONE_DAY, 12)
SOON = hour(DAY + ONE_DAY, 14)  # runs end at 13:00


def test_what_a_run_releases_comes_to_its_receivers(market: Market, tmp_path: Path) -> None:
    take_parties(market.home, parties(tmp_path), recorded_at=hour(DAY, 0))
    (run,) = due(market, NOON)
    messages = of_run(market.home, run)
    assert {(one.receiver, one.process) for one in messages} >= {
        (BRP, "N111"),
        (BRP, "N121"),
        (OTHER_BRP, "N101"),
        (TSO, "N102"),
        (TSO, "N151"),
    }
    assert {one.state for one in messages} == {R}
    assert [one.sequence for one in messages] == list(range(1, len(messages) + 1))
    for one in messages:
        document = dutch.read(market.home.message(one.place, one.sha256))
        assert (document.id, document.process, document.receiver) == (
            one.message,
            one.process,
            one.receiver,
        )
        assert {series.run for series in document.series} == {run.run}
    # Whom it knew is part of what it was made of.
    inputs = runs.ledger_of(market.home).inputs(run)
    assert [path.split("/")[0] for path, _ in inputs].count("parties") == 1

    done = send(market.home, at=SOON, transport=Post())
    assert done.delivered == len(messages) == len(done.messages)
    assert set(states(market.home).values()) == {A}
    for party in (BRP, OTHER_BRP, TSO):
        there = sorted(one.message for one in messages if one.receiver == party)
        assert received(tmp_path, party) == there
    assert send(market.home, at=SOON + MINUTE, transport=Post()) == exchanging.Exchanged()


def test_what_one_kwartier_sends_another_reads_and_acknowledges(
    market: Market, tmp_path: Path
) -> None:
    """The real folder, and the real receiving side."""
    take_parties(market.home, parties(tmp_path, BRP, TSO), recorded_at=hour(DAY, 0))
    (run,) = due(market, NOON)
    send(market.home, at=SOON)
    assert set(states(market.home).values()) == {S}
    answered = 0
    for party, role in ((BRP, "DDK"), (TSO, "EZ")):
        theirs = Home(tmp_path / party, create=True)
        place = tmp_path / "received" / party
        answered += len(list(receive_folder(theirs, place, Us(party, role), at=SOON + MINUTE)))
    send(market.home, at=SOON + 2 * MINUTE)
    messages = of_run(market.home, run)
    assert {(one.state, one.codes, one.reason) for one in messages} == {(A, "000", None)}
    assert answered == len(messages)


def test_a_home_without_parties_releases_nothing(market: Market) -> None:
    (run,) = due(market, NOON)
    assert run.publication == 1
    assert of_run(market.home, run) == []
    assert not (market.home.run_folder(DAY, run.grid_area, run.run) / "messages").exists()
    with pytest.raises(HomeError, match="no parties are known"):
        send(market.home, at=NOON, transport=Post())


def test_a_correction_is_created_after_what_was_sent_before(market: Market, tmp_path: Path) -> None:
    take_parties(market.home, parties(tmp_path), recorded_at=hour(DAY, 0))
    (first,) = due(market, NOON)
    second, third = (runs.correct(market.home, [DAY], threads=1)[0] for _ in range(2))
    created = [
        {one.created_at for one in of_run(market.home, run)} for run in (first, second, third)
    ]
    assert [len(moments) for moments in created] == [1, 1, 1]
    assert max(created[0]) < min(created[1]) < max(created[2])
    assert len(states(market.home)) == len(of_run(market.home, first)) * 3


def test_a_publication_that_fails_releases_nothing(
    market: Market, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    take_parties(market.home, parties(tmp_path), recorded_at=hour(DAY, 0))

    def fails(*arguments: Any) -> Iterable[tuple[str, Document]]:
        yield next(iter(leaving(*arguments)))
        raise HomeError("no more")

    with monkeypatch.context() as patch:
        patch.setattr(allocating, "Runner", partial(Runner, leaving=fails))
        (run,) = due(market, NOON)
    assert (run.state, run.reason, run.publication) == ("failed", "no more", None)
    assert states(market.home) == {}
    assert left_over(market) == []
    (again,) = due(market, NOON + MINUTE)
    assert again.publication == 1
    assert set(states(market.home).values()) == {R}


# -- when nobody answers, or not as hoped


def test_what_does_not_come_over_is_tried_again_when_its_turn_comes(
    home: Home, tmp_path: Path
) -> None:
    (message,) = release(home, BRP)
    post = Post(_8716871000002=AWAY)
    waited = [0, 1, 2, 5, 15, 60, 60]
    moment = AT
    for tries, minutes in enumerate(waited, start=1):
        moment += minutes * MINUTE
        send(home, at=moment - timedelta(seconds=1), transport=post)
        assert len(post.brought) == tries - 1
        done = send(home, at=moment, transport=post)
        assert post.brought == [(BRP, message)] * tries
        (one,) = done.messages
        assert (one.state, one.reason, one.attempts) == (R, "connection refused", tries)
        assert done.delivered == 0
    post.behaving[BRP] = ACCEPT
    send(home, at=moment + 60 * MINUTE, transport=post)
    assert states(home) == {message: A}
    assert message_of(home, message).reason is None
    assert received(tmp_path, BRP) == [message]
    assert events(home, message) == ["released", *["not_delivered"] * 7, "sent", "acknowledged"]


def test_what_is_not_answered_is_overdue_and_sent_again_under_its_id(
    home: Home, tmp_path: Path
) -> None:
    (message,) = release(home, BRP)
    post = Post(_8716871000002=SILENT)
    send(home, at=AT, transport=post)
    assert states(home) == {message: S}
    send(home, at=AT + 15 * MINUTE, transport=post)
    assert (states(home), len(post.brought)) == ({message: S}, 1)
    late = AT + 15 * MINUTE + timedelta(seconds=1)
    done = send(home, at=late, transport=post)
    assert (states(home), len(post.brought)) == ({message: O}, 2)
    assert [one.message for one in done.messages] == [message]
    # Fifteen minutes to answer, and then two minutes, the pause after a second try.
    again = late + 17 * MINUTE
    send(home, at=again - timedelta(seconds=1), transport=post)
    assert len(post.brought) == 2
    send(home, at=again, transport=post)
    assert (states(home), len(post.brought)) == ({message: O}, 3)
    post.apart[message] = acknowledgement(message, BRP)
    for later in (again + MINUTE, again + 900 * MINUTE):
        send(home, at=later, transport=post)
        assert (states(home), len(post.brought)) == ({message: A}, 3)
    assert set(post.brought) == {(BRP, message)}
    assert received(tmp_path, BRP) == [message]


def test_a_refusal_is_told_with_its_codes_and_not_sent_again(home: Home) -> None:
    (message,) = release(home, BRP)
    post = Post(_8716871000002=REFUSE)
    done = send(home, at=AT, transport=post)
    (one,) = done.messages
    assert (one.state, one.codes, one.reason) == (N, "683 999", "wrong triple; no")
    send(home, at=AT + 900 * MINUTE, transport=post)
    assert len(post.brought) == 1
    # Somebody found out why.
    runs.resend(home, [one], at=AT + 901 * MINUTE)
    post.behaving[BRP] = ACCEPT
    send(home, at=AT + 901 * MINUTE, transport=post)
    assert states(home) == {message: A}
    assert post.brought == [(BRP, message)] * 2


HTTPS = """
we: {party: "%s", role: DDM, certificate: /c, key: env:KEY, authority: /a}
receivers:
- {party: "%s", role: DDK, transport: https, place: "https://brp.example/", formats: [dutch]}
"""


@pytest.mark.parametrize(("transport", "then"), [("folder", S), ("https", N)])
def test_an_old_refusal_in_a_folder_says_nothing_of_what_was_resent(
    plain: Home, tmp_path: Path, transport: str, then: str
) -> None:
    (message,) = release(plain, BRP)
    if transport == "https":
        path = tmp_path / "https.yaml"
        path.write_text(HTTPS % (US, BRP), "utf-8")
        take_parties(plain, path, recorded_at=AT - MINUTE)
    post = Post(_8716871000002=REFUSE)
    send(plain, at=AT, transport=post)
    runs.resend(plain, [message_of(plain, message)], at=AT)
    post.number = 0  # then it is said in the same bytes
    send(plain, at=AT, transport=post)
    assert states(plain) == {message: then}


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        (GARBLED, "it cannot be read: "),
        (STRANGER, f"it comes from another party than {BRP}, the receiver"),
    ],
)
def test_an_odd_answer_is_told_and_the_message_stays_to_be_answered(
    home: Home, how: str, reason: str
) -> None:
    (message,) = release(home, BRP)
    done = send(home, at=AT, transport=Post(_8716871000002=how))
    assert states(home) == {message: S}
    (answer,) = done.not_taken
    assert str(answer.reason).startswith(reason)
    assert runs.ledger_of(home).outbox.answers(letters.NOT_TAKEN) == [answer]


def test_what_can_never_be_delivered_waits_for_somebody(home: Home, tmp_path: Path) -> None:
    (message,) = release(home, BRP)
    post = Post(_8716871000002=NEVER)
    for minutes in (0, 900):
        send(home, at=AT + minutes * MINUTE, transport=post)
    assert post.brought == [(BRP, message)]
    one = message_of(home, message)
    assert (one.state, one.reason) == (U, "the certificate has no key")
    runs.resend(home, [one], at=AT + 901 * MINUTE)
    send(home, at=AT + 901 * MINUTE, transport=Post())
    assert states(home) == {message: A}


def test_a_message_that_is_damaged_or_lost_is_not_sent(plain: Home, tmp_path: Path) -> None:
    damaged, lost, good = release(plain, BRP, OTHER_BRP, TSO)
    place = plain.root / message_of(plain, damaged).place
    content = place.read_bytes()
    place.write_bytes(content + b" ")
    (plain.root / message_of(plain, lost).place).unlink()
    post = Post()
    send(plain, at=AT, transport=post)
    assert post.brought == [(TSO, good)]
    assert states(plain) == {damaged: U, lost: U, good: A}
    assert "is not what was written; put back" in str(message_of(plain, damaged).reason)
    assert "is missing, and the home needs it" in str(message_of(plain, lost).reason)
    place.write_bytes(content)
    runs.resend(plain, [message_of(plain, damaged)], at=AT)
    send(plain, at=AT, transport=post)
    assert states(plain) == {damaged: A, lost: U, good: A}


def test_a_receiver_that_is_not_named_is_sent_to_once_it_is(plain: Home, tmp_path: Path) -> None:
    (message,) = release(plain, BRP)
    other = tmp_path / "other"
    other.mkdir()
    take_parties(plain, parties(other, OTHER_BRP), recorded_at=AT)
    post = Post()
    send(plain, at=AT, transport=post)
    one = message_of(plain, message)
    assert (one.state, post.brought) == (R, [])
    assert "do not name the receiver" in str(one.reason)
    again = other / "again.yaml"
    again.write_bytes(parties(tmp_path, BRP).read_bytes())
    take_parties(plain, again, recorded_at=AT + MINUTE)
    send(plain, at=AT + MINUTE, transport=post)
    assert states(plain) == {message: A}


def test_a_format_that_is_not_known_is_told(plain: Home) -> None:
    (message,) = release(plain, BRP)
    send(plain, at=AT, transport=Post(), formats={})
    one = message_of(plain, message)
    assert (one.state, one.reason) == (U, "this kwartier does not know the format dutch")


# -- many receivers, many messages


def test_a_dead_receiver_delays_nobody(home: Home, tmp_path: Path) -> None:
    theirs = release(home, BRP, BRP, OTHER_BRP, TSO)
    others = Event()
    post = Post(_8716871000002=AWAY)

    def before(receiver: str) -> None:
        # The dead one does not say so before all others had theirs.
        if receiver == BRP:
            assert others.wait(50)
        elif len([1 for party, _ in post.brought if party != BRP]) == 2:
            others.set()

    post.before = before
    send(home, at=AT, transport=post)
    assert [states(home)[one] for one in theirs] == [R, R, A, A]
    # Within a day and area nothing is tried that must wait for what failed.
    assert [one for one in post.brought if one[0] == BRP] == [(BRP, theirs[0])]


def test_a_receiver_that_hangs_is_left_after_its_time(plain: Home, tmp_path: Path) -> None:
    own = tmp_path / "own.yaml"
    own.write_text("delivery_seconds: {values: {2026-01-01: 1}}\n", "utf-8")
    take_parameters(plain, own, recorded_at=AT - MINUTE)
    hung, other = release(plain, BRP, TSO)
    send(plain, at=AT, transport=Post(_8716871000002=HANGS))
    assert states(plain) == {hung: R, other: A}
    assert message_of(plain, hung).reason == "no answer within 1 seconds"


def test_a_receiver_is_left_when_it_takes_nothing(plain: Home) -> None:
    for n in range(5):
        release(plain, BRP, day=DAY + n * ONE_DAY)
    post = Post(_8716871000002=AWAY)
    send(plain, at=AT, transport=post)
    assert len(post.brought) == 3
    post.behaving[BRP] = ACCEPT
    send(plain, at=AT + MINUTE, transport=post)
    assert set(states(plain).values()) == {A}


def test_a_later_run_never_overtakes_an_earlier_one(home: Home) -> None:
    first = release(home, BRP, OTHER_BRP, BRP)
    second = release(home, BRP, OTHER_BRP, kind="D+5")
    other = release(home, BRP, day=DAY + ONE_DAY)
    post = Post(_8716871000002=AWAY)
    send(home, at=AT, transport=post)
    assert [m for party, m in post.brought if party == BRP] == [first[0], *other]
    assert [m for party, m in post.brought if party == OTHER_BRP] == [first[1], second[1]]
    post.brought.clear()
    post.behaving[BRP] = ACCEPT
    send(home, at=AT + MINUTE, transport=post)
    assert [m for _, m in post.brought] == [first[0], first[2], second[0], *other]


def test_two_senders_at_once_do_not_send_the_same(home: Home) -> None:
    first = release(home, BRP, OTHER_BRP)
    later = release(home, BRP, kind="D+5")
    told: list[exchanging.Exchanged] = []
    inner = Post()
    post = Post()

    def before(receiver: str) -> None:
        if receiver == BRP and not told:
            told.append(send(Home(home.root), at=AT, transport=inner))

    post.before = before
    send(home, at=AT, transport=post)
    # The inner one left alone what is on its way, and what must wait for it.
    assert BRP not in [party for party, _ in inner.brought]
    everything = sorted(post.brought + inner.brought)
    assert everything == sorted([(BRP, first[0]), (OTHER_BRP, first[1]), (BRP, later[0])])
    assert set(states(home).values()) == {A}


def test_an_error_that_nobody_expected_is_told_after_the_others_had_theirs(plain: Home) -> None:
    first, other = release(plain, BRP, TSO)
    post = Post()

    def before(receiver: str) -> None:
        if receiver == BRP:
            raise ZeroDivisionError

    post.before = before
    with pytest.raises(ZeroDivisionError):
        send(plain, at=AT, transport=post)
    assert states(plain) == {first: R, other: A}
    send(plain, at=AT, transport=Post())  # its worker is gone
    assert states(plain) == {first: A, other: A}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_wherever_sending_is_killed_nothing_is_lost_and_no_id_changes(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.killed_exchange", str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    *lines, end = [json.loads(line) for line in done.stdout.splitlines()]
    assert end["end"] == 0, done.stderr[-2000:]
    kills = list(zip(lines[::2], lines[1::2], strict=True))
    assert len(kills) == end["tries"] - 1 >= 20
    for kill, after in kills:
        at = f"killed before {kill['step']}: {after}"
        assert after["known"], at
        assert after["acknowledged"], at
        assert after["received"], at
        assert after["in_order"], at
        assert after["twice"] <= 2, at  # only what was on its way to two receivers
        assert not after["left"], at


# -- answers


def test_answers_that_lie_in_files_count_once(home: Home, tmp_path: Path) -> None:
    one, other = release(home, BRP, OTHER_BRP)
    send(home, at=AT, transport=Post(**{f"_{p}": SILENT for p in (BRP, OTHER_BRP)}))
    files = []
    for number, content in enumerate(
        (
            acknowledgement(one, BRP),
            acknowledgement(one, BRP),
            acknowledgement(other, OTHER_BRP, Reason("777", "area")),
            acknowledgement(identify("nobody's"), BRP),
            acknowledgement(other, OTHER_BRP, to=BRP),
            b"{}",
        )
    ):
        files.append(tmp_path / f"answer-{number}")
        files[-1].write_bytes(content)
    said = runs.acknowledge(home, files, at=AT + MINUTE)
    expected = [letters.TAKEN, letters.AGAIN, letters.TAKEN, *[letters.NOT_TAKEN] * 3]
    assert [answer.outcome for answer in said] == expected
    assert states(home) == {one: A, other: N}
    assert said[3].reason == "no message of ours has that id"
    assert said[4].reason == f"it goes to another party than {US}, the sender"
    again = runs.acknowledge(home, files, at=AT + 2 * MINUTE)
    assert [answer.outcome for answer in again][:3] == [letters.AGAIN] * 3
    listed = runs.ledger_of(home).outbox.answers(letters.NOT_TAKEN)
    assert {answer.reason for answer in listed} == {answer.reason for answer in said[3:]}


def test_what_others_say_holds_no_number_of_a_customer(plain: Home) -> None:
    (message,) = release(plain, BRP)
    post = Post(_8716871000002=REFUSE)
    spaced = " ".join(str(POINT)[at : at + 4] for at in range(0, 18, 4))
    post.reasons = (
        Reason("683", f"point {POINT} is\nwrong"),
        Reason("999", f"so is {spaced} of {BRP}; " + 400 * "x"),
    )
    send(plain, at=AT, transport=post)
    reason = str(message_of(plain, message).reason)
    assert reason.startswith(f"point … is wrong; so is … of {BRP}; xxx")
    assert len(reason) == 300
    ledger = (plain.root / "ledger.sqlite").read_bytes()
    ledger += b"".join(path.read_bytes() for path in plain.root.glob("ledger.sqlite-*"))
    for text in (str(POINT), spaced):
        assert text.encode() not in ledger


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("8716859000000" + "1", "…"),  # fourteen digits
        ("8716859000001", "8716859000001"),  # a GLN
        ("8716.8590-0000 0123", "…"),
        ("a\x00b\u202ec", "a b c"),
        (299 * "y" + "z", 299 * "y" + "z"),
        (300 * "y" + "z", 299 * "y" + "…"),
    ],
)
def test_a_text_is_made_discreet(text: str, told: str) -> None:
    assert discreet(text) == told


def test_an_answer_without_codes_is_no_acceptance() -> None:
    nothing = LEAVING["dutch"]._replace(
        read_acknowledgement=lambda content: dutch.read_acknowledgement(
            acknowledgement("m", BRP)
        ).__class__("i", 1, BRP, "DDK", US, "DDM", "m", ())
    )
    answer = answer_of(b"", [nothing])
    assert (answer.accepted, answer.codes) == (False, ())
    assert answer.reason == "it says neither that nor why not"


def test_an_answer_is_read_in_the_format_that_it_is_in() -> None:
    def never(content: bytes) -> Any:
        raise Unreadable("not this one")

    other = LEAVING["dutch"]._replace(read_acknowledgement=never)
    answer = answer_of(acknowledgement("m", BRP), [other, *LEAVING.values()])
    assert (answer.message, answer.accepted) == ("m", True)
