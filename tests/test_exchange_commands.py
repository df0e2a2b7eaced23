"""The commands of the exchange: what they say, where, and how they leave."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from kwartier import Home, runs
from kwartier.adapters import transport
from kwartier.documents import Reason
from tests.closing import clock_of
from tests.exchanges import (
    AT,
    AWAY,
    MINUTE,
    REFUSE,
    Post,
    acknowledgement,
    home_of,
    parties,
    release,
    states,
)
from tests.market import AREA, BRP, DAY, ONE_DAY, OTHER_BRP
from tests.test_cli import CANNOT, DONE, WRITTEN_WRONG, tell


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    monkeypatch.delenv("KWARTIER_LEDGER", raising=False)
    clock_of(monkeypatch)(AT + 2 * MINUTE)
    return home_of(tmp_path)


@pytest.fixture
def messages(home: Home, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A refused, a released and an acknowledged message."""
    ids = release(home, BRP, OTHER_BRP, "8716867999983")
    post = Post(_8716871000002=REFUSE, _8712423014022=AWAY)
    runs.send(home, at=AT, transport=post)
    return ids


def asked(home: Home, *words: Any) -> Any:
    """Give what a command of the exchange tells a program."""
    told = tell("exchange", *words, "--json", "--home", home.root)
    assert told.code == DONE, told.all
    return json.loads(told.out)


def test_status_shows_what_was_not_acknowledged(home: Home, messages: list[str]) -> None:
    told = tell("exchange", "status", "--home", home.root)
    assert told.code == DONE
    refused, released = (
        next(line for line in told.out.splitlines() if line.strip().startswith(one[:8]))
        for one in messages[:2]
    )
    for word in ("N111", BRP, str(DAY), AREA, "refused", "683 999 wrong triple; no", "2 min"):
        assert word in refused
    assert "released" in released
    assert "connection refused" in released
    assert messages[2][:8] not in told.out
    assert "1 acknowledged, 1 refused, 1 released" in told.out


def test_status_as_json(home: Home, messages: list[str]) -> None:
    said = asked(home, "status")
    assert [one["message"] for one in said["messages"]] == messages[:2]
    first = said["messages"][0]
    expected = {"process": "N111", "receiver": BRP, "market_day": str(DAY), "grid_area": AREA}
    expected |= {"state": "refused", "attempts": 1, "age_seconds": 120, "codes": "683 999"}
    assert expected.items() <= first.items()
    assert said["counts"] == {"acknowledged": 1, "refused": 1, "released": 1}
    assert len(asked(home, "status", "--all")["messages"]) == 3
    assert asked(home, "status", "--day", DAY + ONE_DAY)["messages"] == []
    one = asked(home, "status", "--message", messages[0][:13])
    assert [event["event"] for event in one["events"]] == ["released", "sent", "refused"]
    told = tell("exchange", "status", "--message", messages[0], "--home", home.root)
    assert "refused" in told.out
    assert "683 999" in told.out


def test_send_tells_what_went_wrong_and_leaves_so(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = release(home, BRP, OTHER_BRP)
    post = Post(_8716871000002=REFUSE)
    monkeypatch.setattr(transport, "send", post.send, raising=False)
    monkeypatch.setattr(transport, "collect", post.collect, raising=False)
    told = tell("exchange", "send", "--at", AT.isoformat(), "--home", home.root)
    assert told.code == CANNOT
    assert told.out == "2 messages sent, 1 acknowledged\n"
    assert f"message {first} refused: 683 999 wrong triple; no" in told.err
    assert second not in told.err
    again = tell("exchange", "send", "--home", home.root)
    assert (again.code, again.out) == (DONE, "0 messages sent, 0 acknowledged\n")


def test_resend_and_acknowledge(home: Home, messages: list[str], tmp_path: Path) -> None:
    assert tell("exchange", "resend", "--home", home.root).code == WRITTEN_WRONG
    said = asked(home, "resend", messages[1], "--refused", "--overdue", "--undeliverable")
    assert sorted(one["message"] for one in said["messages"]) == sorted(messages[:2])
    told = tell("exchange", "resend", messages[2], "--home", home.root)
    assert told.code == CANNOT
    assert "a message that is acknowledged cannot be resent" in told.err
    answer = tmp_path / "answer.xml"
    answer.write_bytes(acknowledgement(messages[1], OTHER_BRP))
    odd = tmp_path / "odd.xml"
    odd.write_bytes(acknowledgement(messages[0], OTHER_BRP, Reason("683")))
    told = tell("exchange", "acknowledge", answer, odd, "--home", home.root)
    assert (told.code, told.out) == (CANNOT, "1 of 2 answers taken in\n")
    assert f"from {OTHER_BRP} not taken: it comes from another party than {BRP}" in told.err
    assert states(home)[messages[1]] == "acknowledged"
    assert "not taken" in tell("exchange", "status", "--home", home.root).out


def test_parties_are_taken_in(tmp_path: Path) -> None:
    path = parties(tmp_path, BRP)
    told = tell("parties", path, "--home", tmp_path / "new")
    assert (told.code, told.out) == (DONE, "1 parties in, 1 kept\n")
    path.write_text("we: geheim\n", "utf-8")
    told = tell("parties", path, "--home", tmp_path / "new")
    assert told.code == 3
    assert "geheim" not in told.all
