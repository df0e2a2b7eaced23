"""PURPOSE: what another operator sends is received once, answered by code, and can be read."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from kwartier import Home, HomeError, codes, documents
from kwartier.adapters import transport
from kwartier.adapters.transport import Address, Envelope, Keys, Undeliverable
from kwartier.apps import cli
from kwartier.codecs import FORMATS, acknowledgement, dutch
from kwartier.documents import Acknowledgement, Document
from kwartier.runs import (
    Reception,
    Us,
    inbox,
    moments,
    receive_folder,
    received,
    receptions,
    take_parameters,
    take_register,
)
from kwartier.runs.receiving import Reader, Server
from tests import homes, international, messages
from tests.market import point
from tests.messages import BRP, CREATED, DAY, OPERATOR, OTHER_BRP, TSO, document
from tests.pki import Authority, Issued

ROOT = Path(__file__).parents[1]
AT = CREATED + 60
US = Us(BRP, "DDK")
OTHER_OPERATOR = "8716912000008"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home", create=True)


def take(
    home: Home, one: Document | bytes, bearer: str | None = OPERATOR, at: int = AT, us: Us = US
) -> Reception:
    content = one if isinstance(one, bytes) else dutch.write(one)
    return Reader(home, us).take(content, bearer=bearer, at=at)


def codes_of(taken: Reception) -> list[str]:
    """Give the codes of an answer, as its receiver reads them."""
    said = dutch.read_acknowledgement(taken.answer)
    assert said.accepted == taken.accepted
    return list(dict.fromkeys(reason.code for reason in said.reasons))


def kept(home: Home) -> tuple[Document, ...]:
    return documents.from_table(received(home, DAY))


def later(process: str = "N111", **parts: Any) -> Document:
    """Give a later creation about the same, in another run."""
    run = messages.named("another run")
    some = [
        replace(one, id=messages.named("later", number), run=run, quantity=one.quantity * 2)
        for number, one in enumerate(messages.whole(process))
    ]
    said = {"id": messages.named("later"), "created_at": CREATED + 30}
    return document(process, *some, **(said | parts))


# -- accepted


@pytest.mark.parametrize("process", documents.PROCESSES)
def test_a_document_of_every_process_is_accepted_stored_and_read_again(
    home: Home, process: str
) -> None:
    taken = take(home, document(process))
    assert codes_of(taken) == ["000"]
    said = dutch.read_acknowledgement(taken.answer)
    assert (said.of, said.sender, said.receiver) == (document(process).id, BRP, OPERATOR)
    assert said.created_at == AT
    assert kept(home) == (document(process),)
    assert homes.whole(home)


def test_one_that_comes_again_gets_the_same_answer_and_is_stored_once(home: Home) -> None:
    first = take(home, document("N111"))
    before = homes.contents(home.root)
    again = take(home, document("N111"), at=AT + 3600)
    assert again == replace(first, again=True)
    assert homes.contents(home.root) == before


def test_a_refused_one_that_comes_again_gets_the_same_answer(home: Home) -> None:
    wrong = document("N111", *messages.whole("N111")[:3])
    first = take(home, wrong)
    assert codes_of(first) == ["764"]
    again = take(home, wrong, at=AT + 3600)
    assert again == replace(first, again=True)
    assert kept(home) == ()


def test_another_document_under_the_same_id_is_refused_and_the_first_stays(home: Home) -> None:
    first = take(home, document("N111"))
    other = replace(later(), id=document("N111").id)
    assert codes_of(take(home, other)) == ["669"]
    assert kept(home) == (document("N111"),)
    assert take(home, document("N111")) == replace(first, again=True)
    assert [one.accepted for one in receptions(home)] == [True]


def test_an_id_that_was_accepted_of_another_is_refused(home: Home) -> None:
    take(home, document("N111"))
    of_other = replace(later(), id=document("N111").id, sender=OTHER_OPERATOR)
    assert codes_of(take(home, of_other, bearer=OTHER_OPERATOR)) == ["669"]


def test_nobody_uses_up_the_ids_of_another(home: Home) -> None:
    wrong = document("N111", *messages.whole("N111")[:3], sender=OTHER_OPERATOR)
    assert codes_of(take(home, wrong, bearer=OTHER_OPERATOR)) == ["764"]
    assert codes_of(take(home, document("N111"))) == ["000"]


def test_a_series_id_that_was_used_is_refused(home: Home) -> None:
    take(home, document("N111"))
    same = replace(later(), series=messages.whole("N111", run=messages.named("another run")))
    assert codes_of(take(home, same)) == ["670"]


def test_a_run_id_of_another_area_is_refused(home: Home) -> None:
    take(home, document("N111"))
    some = [replace(one, grid_area=messages.OTHER_AREA) for one in later().series]
    run = messages.whole("N111")[0].run
    other = replace(later(), series=tuple(replace(one, run=run) for one in some))
    assert codes_of(take(home, other)) == ["769"]


# -- the latest creation counts


def test_the_latest_creation_counts(home: Home) -> None:
    take(home, document("N111"))
    assert codes_of(take(home, later())) == ["000"]
    assert kept(home) == (later(),)
    assert [one.accepted for one in receptions(home, DAY)] == [True, True]


def test_an_earlier_creation_that_comes_later_is_refused(home: Home) -> None:
    take(home, later())
    assert codes_of(take(home, document("N111"))) == ["704"]
    assert kept(home) == (later(),)


def test_another_process_sender_or_area_is_something_else(home: Home) -> None:
    take(home, later())
    assert take(home, document("N121")).accepted
    mine = messages.whole("N111", id="", run=messages.named("of the other"))
    some = [replace(one, id=messages.named("of the other", n)) for n, one in enumerate(mine)]
    other = document("N111", *some, id="of-the-other", sender=OTHER_OPERATOR)
    assert take(home, other, bearer=OTHER_OPERATOR).accepted
    assert {one.id for one in kept(home)} == {later().id, document("N121").id, "of-the-other"}


def test_of_individual_series_each_point_has_its_latest(home: Home) -> None:
    take(home, document("N101"))
    point = codes.ean(codes.with_check_digit(87168590000000002))
    elsewhere = [replace(one, point=point) for one in later("N101").series]
    assert codes_of(take(home, later("N101", series=tuple(elsewhere)))) == ["000"]
    assert sorted({one.point for d in kept(home) for one in d.series}) == [messages.POINT, point]


def test_what_was_received_is_read_as_known_at_a_moment(home: Home) -> None:
    take(home, document("N111"), at=AT)
    take(home, later(), at=AT + 60)
    known = datetime.fromtimestamp(AT, UTC)
    assert documents.from_table(received(home, DAY, known_at=known)) == (document("N111"),)


def test_of_a_day_of_which_nothing_came_there_is_nothing(home: Home) -> None:
    rows = received(home, messages.SPRING)
    assert (len(rows), rows.schema.names) == (0, inbox.tables.SERIES.names)


# -- refused


def test_who_brings_what_another_says_is_refused_and_nothing_is_kept(home: Home) -> None:
    taken = take(home, document("N111"), bearer=OTHER_OPERATOR)
    assert codes_of(taken) == ["780"]
    assert dutch.read_acknowledgement(taken.answer).receiver == OTHER_OPERATOR
    assert homes.contents(home.root) == {}


def test_who_brings_it_again_as_another_gets_not_the_first_answer(home: Home) -> None:
    first = take(home, document("N111"))
    other = take(home, document("N111"), bearer=OTHER_OPERATOR)
    assert "780" in codes_of(other)
    assert other.answer != first.answer
    assert take(home, document("N111")) == replace(first, again=True)


def test_what_is_for_another_is_refused(home: Home) -> None:
    assert codes_of(take(home, document("N111", receiver=OTHER_BRP))) == ["745"]
    assert kept(home) == ()


def test_a_brp_takes_no_series_of_another_and_the_tso_of_all(home: Home, tmp_path: Path) -> None:
    some = [replace(one, brp=OTHER_BRP, supplier="") for one in messages.whole("N132")]
    to_us = document("N132", *some)
    assert codes_of(take(home, to_us)) == ["765"]
    to_tso = replace(to_us, receiver=TSO, receiver_role="EZ")
    tso = Home(tmp_path / "tso", create=True)
    assert codes_of(take(tso, to_tso, us=Us(TSO, "EZ"))) == ["000"]


HOSTILE = {
    "nothing": b"",
    "no XML": b"\x00\xff" * 9,
    "another document": b"<a/>",
    "entities": b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>',
    "an acknowledgement": dutch.write_acknowledgement(
        Acknowledgement("1", CREATED, OPERATOR, "DDM", BRP, "DDK", "2", (documents.Reason("000"),))
    ),
    "half of one": dutch.write(document("N111"))[:-9],
}


@pytest.mark.parametrize("bearer", [OPERATOR, None])
@pytest.mark.parametrize("what", HOSTILE)
def test_what_cannot_be_read_is_answered_and_nothing_is_kept(
    home: Home, what: str, bearer: str | None
) -> None:
    taken = take(home, HOSTILE[what], bearer=bearer)
    assert codes_of(taken) == ["999"]
    assert dutch.read_acknowledgement(taken.answer).of == ""
    assert homes.contents(home.root) == {}


def test_while_another_writes_nothing_is_received(home: Home) -> None:
    with Home(home.root).writing(), pytest.raises(HomeError, match="another kwartier"):
        take(home, document("N111"))
    assert receptions(home) == []
    assert take(home, document("N111")).accepted


def test_two_who_receive_in_one_home_see_each_other(home: Home) -> None:
    one, other = Reader(home, US), Reader(Home(home.root), US)
    content = dutch.write(document("N111"))
    first = one.take(content, bearer=OPERATOR, at=AT)
    assert other.take(content, bearer=OPERATOR, at=AT) == replace(first, again=True)
    assert other.take(dutch.write(later()), bearer=OPERATOR, at=AT).accepted
    again = replace(document("N111"), id="one-more")
    assert codes_of(one.take(dutch.write(again), bearer=OPERATOR, at=AT)) == ["670", "704"]


@pytest.mark.parametrize("us", [Us("8712423014023", "DDK"), Us("", "DDK"), Us(BRP, "DDM")])
def test_who_is_nobody_receives_nothing(home: Home, us: Us) -> None:
    with pytest.raises(ValueError, match="GLN-13"):
        Reader(home, us)


def test_what_was_received_outlives_the_next_that_writes(home: Home) -> None:
    take(home, document("N111"))
    stray = home.root / "received" / f"market_day={DAY}" / "of-one-that-was-killed.parquet"
    pq.write_table(pa.table({"a": [1]}), stray)
    assert kept(home) == (document("N111"),)
    with home.writing():
        pass
    assert not stray.exists()
    assert kept(home) == (document("N111"),)


# -- a folder


@pytest.fixture
def drop(tmp_path: Path) -> Path:
    folder = tmp_path / "to-brp"
    folder.mkdir()
    return folder


def send(address: Address, one: Document, message: str = "") -> bytes | None:
    name = message or one.id
    envelope = Envelope(name, "", one.sender, one.receiver, "", "application/xml")
    return asyncio.run(transport.send(address, envelope, dutch.write(one), 30, at=AT))


def at(moment: int) -> datetime:
    return datetime.fromtimestamp(moment, UTC)


def test_two_homes_talk_through_a_folder(home: Home, drop: Path) -> None:
    address = Address(BRP, "folder", str(drop))
    wrong = replace(later("N121"), receiver=OTHER_BRP)
    for one in (document("N111"), wrong):
        assert send(address, one) is None
    (drop / "half.xml").write_bytes(HOSTILE["half of one"])
    taken = list(receive_folder(home, drop, US, at=at(AT)))
    assert sorted(codes_of(one) for one in taken) == [["000"], ["745"], ["999"]]
    for one in taken:
        answer = transport.collect(address, one.message or "half")
        assert answer == one.answer
    assert list(drop.iterdir()) == []
    assert kept(home) == (document("N111"),)
    assert list(receive_folder(home, drop, US, at=at(AT))) == []


def test_one_that_is_dropped_again_after_its_receiver_was_killed_is_answered(
    home: Home, drop: Path
) -> None:
    address = Address(BRP, "folder", str(drop))
    first = take(home, document("N111"), bearer=None)  # killed before it answered
    send(address, document("N111"))
    (taken,) = receive_folder(home, drop, US, at=at(AT + 60))
    assert taken == replace(first, again=True)
    assert transport.collect(address, document("N111").id) == first.answer


def test_what_was_answered_and_is_dropped_again_is_received_again(home: Home, drop: Path) -> None:
    address = Address(BRP, "folder", str(drop))
    assert send(address, document("N111")) is None
    (first,) = receive_folder(home, drop, US, at=at(AT))
    assert send(address, document("N111")) == first.answer
    assert list(receive_folder(home, drop, US, at=at(AT + 60))) == [replace(first, again=True)]


def test_one_that_is_too_large_is_answered_and_not_read(
    home: Home, drop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kwartier.runs.receiving.MOST_BYTES", 1000)
    (drop / "large.xml").write_bytes(b" " * 1001)
    (taken,) = receive_folder(home, drop, US, at=at(AT))
    assert codes_of(taken) == ["999"]
    assert "1,000 bytes" in taken.reasons[0].text


def test_a_folder_that_is_not_there_is_named(home: Home, tmp_path: Path) -> None:
    with pytest.raises(HomeError, match="is no folder"):
        list(receive_folder(home, tmp_path / "none", US))


# -- HTTPS


@dataclass(frozen=True)
class Market:
    """Who has which keys."""

    authority: Authority
    server: Issued
    operator: Issued

    def address(self, port: int, kind: str, by: Issued | None = None) -> Address:
        """Give the address of our server for a sender."""
        keys = self.authority.keys(by or self.operator)
        return Address(BRP, kind, f"https://localhost:{port}/", *keys)

    @property
    def keys(self) -> Keys:
        """The keys of our server."""
        return self.authority.keys(self.server)


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> Market:
    authority = Authority(tmp_path_factory.mktemp("pki"), "authority")
    server = authority.issue("server", "localhost", serial=BRP)
    return Market(authority, server, authority.issue("operator", OPERATOR))


def over(home: Home, market: Market, act: Callable[[int], Any]) -> Any:
    """Do something while a server receives in a home."""

    async def run() -> Any:
        server = Server(home, US, market.keys)
        async with server.open("localhost", 0, at=at(AT)) as (_, port):
            return await asyncio.to_thread(act, port)

    return asyncio.run(run())


@pytest.mark.parametrize("kind", ["https", "soap"])
def test_two_homes_talk_over_https(home: Home, market: Market, kind: str) -> None:
    sent = [document(process) for process in documents.PROCESSES]

    def act(port: int) -> list[bytes | None]:
        address = market.address(port, kind)
        first = [send(address, one) for one in sent]
        assert [send(address, one) for one in sent] == first
        return first

    answers = [dutch.read_acknowledgement(answer) for answer in over(home, market, act)]
    assert [one.of for one in answers] == [one.id for one in sent]
    assert all(one.accepted for one in answers)
    assert sorted(kept(home), key=lambda one: one.process) == sent
    assert len(receptions(home)) == len(sent)


@pytest.mark.parametrize("kind", ["https", "soap"])
def test_what_a_certificate_says_is_who_sends(home: Home, market: Market, kind: str) -> None:
    other = market.authority.issue("other", OTHER_OPERATOR)

    def act(port: int) -> bytes | None:
        address = market.address(port, kind, other)
        name = document("N111").id
        envelope = Envelope(name, "", OTHER_OPERATOR, BRP, "", "application/xml")
        content = dutch.write(document("N111"))
        return asyncio.run(transport.send(address, envelope, content, 30, at=AT))

    said = dutch.read_acknowledgement(over(home, market, act))
    assert [reason.code for reason in said.reasons] == ["780"]
    assert receptions(home) == []


def test_while_another_writes_it_may_be_sent_again(home: Home, market: Market) -> None:
    def act(port: int) -> None:
        address = market.address(port, "https")
        with (
            Home(home.root).writing(),
            pytest.raises(transport.NotDelivered, match="503"),
        ):
            send(address, document("N111"))
        assert send(address, document("N111"))

    over(home, market, act)
    assert kept(home) == (document("N111"),)


def test_what_cannot_be_stored_is_told_its_receiver_and_not_its_sender(
    home: Home, market: Market, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []

    def full(*arguments: Any, **named: Any) -> None:
        raise HomeError("the disk of the home is full")

    async def run() -> None:
        server = Server(home, US, market.keys, warn=told.append)
        async with server.open("localhost", 0, at=at(AT)) as (_, port):
            address = market.address(port, "https")
            with monkeypatch.context() as patch:
                patch.setattr(Home, "deliver", full)
                with pytest.raises(transport.NotDelivered, match="503") as said:
                    await asyncio.to_thread(send, address, document("N111"))
            assert "disk" not in str(said.value)
            assert await asyncio.to_thread(send, address, document("N111"))

    asyncio.run(run())
    assert told == ["the disk of the home is full"]


def test_documents_that_come_at_once_are_each_received(home: Home, market: Market) -> None:
    sent = [document(process) for process in documents.PROCESSES] * 3

    async def all_of_them(port: int) -> list[bytes | None]:
        address = market.address(port, "https")
        envelopes = [Envelope(d.id, "", OPERATOR, BRP, "", "application/xml") for d in sent]
        return list(
            await asyncio.gather(
                *(
                    transport.send(address, envelope, dutch.write(one), 60, at=AT)
                    for envelope, one in zip(envelopes, sent, strict=True)
                )
            )
        )

    answers = over(home, market, lambda port: asyncio.run(all_of_them(port)))
    assert all(dutch.read_acknowledgement(answer).accepted for answer in answers)
    assert len(set(answers)) == len(documents.PROCESSES)
    assert len(receptions(home)) == len(documents.PROCESSES)


# -- the command


@contextmanager
def listening(
    home: Path, market: Market, *more: str
) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """Start `kwartier receive --listen` as a process of its own."""
    keys = market.keys
    asked = ["--listen", "localhost:0", "--party", BRP, "--home", str(home)]
    asked += ["--certificate", keys.certificate, "--key", keys.key, "--authority", keys.authority]
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.receiver", str(AT), *asked, *more],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stderr is not None
        line = process.stderr.readline()
        assert line.startswith("Listening"), line + process.stderr.read()
        yield process, int(line.split("port ")[1].split(";")[0])
    finally:
        process.kill()
        process.communicate()


def test_two_kwartiers_talk_until_one_is_stopped(tmp_path: Path, market: Market) -> None:
    with listening(tmp_path / "home", market) as (process, port):
        for kind, one in (("https", document("N111")), ("soap", document("N151"))):
            answer = send(market.address(port, kind), one)
            assert answer is not None
            assert dutch.read_acknowledgement(answer).accepted
        process.send_signal(signal.SIGTERM)
        out, errors = process.communicate()
    assert process.returncode == 0, errors
    assert [line.split()[0] for line in out.splitlines()] == ["N111", "N151"]
    home = Home(tmp_path / "home")
    assert kept(home) == (document("N111"), document("N151"))


def test_killed_after_its_answer_it_answers_the_same_when_it_is_there_again(
    tmp_path: Path, market: Market
) -> None:
    answers = []
    for _ in range(2):
        with listening(tmp_path / "home", market, "--json") as (process, port):
            answers.append(send(market.address(port, "https"), document("N111")))
            process.kill()
    assert answers[0] == answers[1]
    assert len(receptions(Home(tmp_path / "home"))) == 1


def test_a_pinned_certificate_is_named_on_the_command(tmp_path: Path, market: Market) -> None:
    platform = market.authority.issue("platform", "platform.example")
    pin = f"{OPERATOR}={transport.fingerprint(platform.certificate).upper()}"
    with listening(tmp_path / "home", market, "--pin", pin) as (_, port):
        assert send(market.address(port, "https", platform), document("N111"))
        with pytest.raises(Undeliverable, match="403"):
            send(market.address(port, "https"), document("N121"))


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[int, str, str]]:
    monkeypatch.setattr(moments, "time", SimpleNamespace(time=lambda: AT))
    monkeypatch.setenv("COLUMNS", "200")

    def command(*words: str) -> tuple[int, str, str]:
        done = CliRunner().invoke(cli.app, [*words, "--home", str(tmp_path / "home")])
        return done.exit_code, done.stdout, done.stderr

    return command


def test_the_command_receives_a_folder_and_shows_what_came(
    run: Callable[..., tuple[int, str, str]], drop: Path, tmp_path: Path
) -> None:
    address = Address(BRP, "folder", str(drop))
    send(address, document("N111"))
    send(address, document("N101"))
    send(address, later("N121", receiver=OTHER_BRP))
    code, out, errors = run("receive", "--folder", str(drop), "--party", BRP)
    assert code == 0
    assert [line.split()[0] for line in sorted(out.splitlines())] == ["N101", "N111"]
    assert errors.startswith("N121 of 2026-01-14 from 8716871000002, message ")
    assert "refused: 745 the receiver in the header is another" in errors
    assert run("receive", "--folder", str(drop), "--party", BRP)[1] == "Nothing lies there.\n"

    code, out, errors = run("receive", "--status")
    assert (code, out.count("N111"), errors.count("745")) == (0, 1, 1)
    code, out, _ = run("receive", "--status", "--day", str(DAY), "--json")
    assert [(one["process"], one["accepted"]) for one in json.loads(out)] == [
        ("N111", True),
        ("N101", True),
        ("N121", False),
    ]
    code, out, _ = run("show", "received", "--day", str(DAY))
    assert code == 0
    assert "N111" in out
    assert "4,656" in out  # 1 + 2 + … + 96
    code, out, _ = run("show", "received", "--day", str(DAY), "--json")
    assert len(json.loads(out)) == 6
    csv = tmp_path / "received.csv"
    assert run("export", "received", "--day", str(DAY), "--out", str(csv))[0] == 0
    lines = csv.read_text("utf-8").splitlines()
    assert len(lines) == 1 + 6 * 96


WRONG = [
    ["receive"],
    ["receive", "--status", "--folder", "in"],
    ["receive", "--folder", "in"],
    ["receive", "--folder", "in", "--party", "8712423014023"],
    ["receive", "--folder", "in", "--party", BRP, "--role", "DDM"],
    ["receive", "--folder", "in", "--party", BRP, "--key", "k"],
    ["receive", "--folder", "in", "--party", BRP, "--day", "2026-01-14"],
    ["receive", "--listen", "8443", "--party", BRP],
    ["receive", "--listen", "localhost:99999", "--party", BRP],
    ["receive", "--listen", "localhost:1", "--party", BRP, "--pin", "1=2"],
    ["show", "received", "--run", "1f0c"],
]


@pytest.mark.parametrize("words", WRONG, ids=" ".join)
def test_a_command_that_is_written_wrong_is_refused(
    run: Callable[..., tuple[int, str, str]], words: list[str]
) -> None:
    run("receive", "--folder", str(ROOT / "docs"), "--party", BRP)
    assert run(*words)[0] == 2


def test_what_cannot_be_done_is_told(
    run: Callable[..., tuple[int, str, str]], market: Market, tmp_path: Path
) -> None:
    code, _, errors = run("receive", "--folder", str(tmp_path / "none"), "--party", BRP)
    assert (code, "is no folder" in errors) == (1, True)
    code, _, errors = run("receive", "--listen", "localhost:0", "--party", BRP)
    assert (code, "are needed" in errors) == (1, True)
    keys = market.keys
    with listening(tmp_path / "other", market) as (_, port):
        code, _, errors = run(
            *("receive", "--listen", f"localhost:{port}", "--party", BRP),
            *("--certificate", keys.certificate, "--key", keys.key, "--authority", keys.authority),
        )
    assert (code, f"localhost:{port}: " in errors) == (1, True)


# -- other formats, and what the home itself knows


def test_an_answer_is_in_the_format_of_the_document(home: Home) -> None:
    ours = {"receiver": BRP, "sender": OPERATOR, "created_at": CREATED}
    sums = international.document("E31", market_day=DAY, **ours)
    sums = replace(sums, series=[replace(one, brp=BRP) for one in sums.series])
    for name in ("rsm014-xml", "rsm014-json"):
        one = replace(sums, id=name, series=[replace(s, id=f"{name}{s.id}") for s in sums.series])
        taken = Reader(home, US).take(FORMATS[name].write(one), bearer=OPERATOR, at=AT)
        said = acknowledgement.read(taken.answer)
        assert (said.of, said.accepted, said.receiver) == (name, True, OPERATOR), said.reasons
    assert {one.final for one in kept(home)} == {False}
    known_again = Reader(home, US).take(FORMATS["rsm014-json"].write(one), bearer=OPERATOR, at=AT)
    assert known_again.again
    refused = Reader(home, US).take(
        FORMATS["rsm014-xml"].write(replace(one, id="other", receiver=OTHER_BRP)),
        bearer=OPERATOR,
        at=AT,
    )
    assert {one.code for one in acknowledgement.read(refused.answer).reasons} == {"670", "745"}


@pytest.mark.parametrize("bearer", [None, OPERATOR])
def test_what_is_half_a_document_is_refused_in_its_own_format(
    home: Home, bearer: str | None
) -> None:
    for name in ("rsm014-xml", "rsm014-json"):
        content = FORMATS[name].write(international.document("E31"))
        taken = Reader(home, US).take(content[:-50], bearer=bearer, at=AT)
        said = acknowledgement.read(taken.answer)
        assert (said.of, said.receiver) == ("", bearer or "0" * 13)
        assert [reason.code for reason in said.reasons] == ["999"]


def test_an_id_that_no_acknowledgement_can_name_is_not_read(home: Home) -> None:
    content = FORMATS["rsm014-json"].write(international.document("E31", id="i" * 60))
    longer = content.replace(b"i" * 60, b"i" * 61)
    taken = Reader(home, US).take(longer, bearer=OPERATOR, at=AT)
    (reason,) = acknowledgement.read(taken.answer).reasons
    assert (reason.code, "1 to 60 characters" in reason.text) == ("999", True)


def test_an_area_that_the_home_does_not_settle_is_refused(home: Home, tmp_path: Path) -> None:
    own = tmp_path / "own.yaml"
    areas = "settlement_areas: {values: {1900-01-01: ['871687120000050009']}}"
    own.write_text(areas, "utf-8")
    take_parameters(home, own, recorded_at=at(CREATED - 86_400))
    tso = Us(TSO, "EZ")
    one = document("N102", receiver=TSO, receiver_role="EZ")
    assert codes_of(take(home, one, us=tso)) == ["777"]


def test_a_party_without_points_in_the_homes_register_is_refused(tmp_path: Path) -> None:
    home = Home(tmp_path / "own", create=True)
    columns = {name: [value] for name, value in point(brp=BRP, remote_reading="off").items()}
    take_register(home, [pa.table(columns)], recorded_at=at(CREATED - 86_400))
    assert codes_of(take(home, document("N111"))) == ["761"]
    assert codes_of(take(home, document("N121"))) == ["000"]
    elsewhere = [replace(one, grid_area=messages.OTHER_AREA) for one in messages.whole("N121")]
    one = document("N121", *elsewhere, id=messages.named("elsewhere"))
    assert "761" not in codes_of(take(home, one))


def test_smart_meters_that_nobody_could_read_are_told_by_profile(tmp_path: Path) -> None:
    home = Home(tmp_path / "own", create=True)
    columns = {name: [value] for name, value in point(brp=BRP, remote_reading="on").items()}
    take_register(home, [pa.table(columns)], recorded_at=at(CREATED - 86_400))
    for process in ("N111", "N121"):  # after days without a reading a point falls back
        assert codes_of(take(home, document(process))) == ["000"]
    assert codes_of(take(home, document("N102"))) == ["761"]
