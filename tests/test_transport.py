"""PURPOSE: a document reaches a party, or it is said why not and whether to try again."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from kwartier import codes
from kwartier.adapters import transport
from kwartier.adapters.transport import (
    Address,
    CertificateError,
    Envelope,
    NotDelivered,
    Undeliverable,
    certificates,
)
from tests.pki import EXPIRED, Authority, Issued

ROOT = Path(__file__).parents[1]
AT = 1_780_000_000
SENDER = str(codes.with_check_digit(871687100000))
RECEIVER = str(codes.with_check_digit(871688600000))
ENVELOPE = Envelope("7f0c-1", "", SENDER, RECEIVER, "", "application/xml")
CONTENT = b'<?xml version="1.0"?><document xmlns="urn:d"><a b="1">2</a></document>'


class Other:
    """The other party's server."""

    def __init__(self, port: int, log: Path, address: Address) -> None:
        self._port, self._log, self._address = port, log, address
        self._seen = 0

    def address(self, act: str, kind: str = "https", **changed: str) -> Address:
        """Give an address at which the server does something."""
        place = f"https://localhost:{self._port}/{act}"
        return replace(self._address, transport=kind, place=place, **changed)

    def seen(self) -> list[dict[str, Any]]:
        """Give what came since this was asked last."""
        lines = self._log.read_text("utf-8").splitlines() if self._log.exists() else []
        new, self._seen = lines[self._seen :], len(lines)
        return [json.loads(line) for line in new]


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("pki"), "authority")


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("strange"), "stranger")


@pytest.fixture(scope="module")
def client(authority: Authority) -> Issued:
    return authority.issue("client", "meters.example", serial=SENDER)


@pytest.fixture(scope="module")
def other(
    authority: Authority, client: Issued, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Other]:
    server, log = authority.issue("server", "localhost"), tmp_path_factory.mktemp("log") / "log"
    with started(server, authority, log) as port:
        keys = authority.keys(client)
        address = Address(RECEIVER, "https", "", keys.certificate, keys.key, keys.authority)
        yield Other(port, log, address)


class started:
    """Start the other party's server, and end it."""

    def __init__(self, server: Issued, authority: Authority, log: Path) -> None:
        asked = [str(path) for path in (server.path, server.key_path, authority.path, log)]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.counterparty", *asked],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> int:
        assert self._process.stdout is not None
        return int(self._process.stdout.readline())

    def __exit__(self, *error: object) -> None:
        self._process.kill()
        self._process.communicate()


def send(address: Address, envelope: Envelope = ENVELOPE, limit_s: float = 30) -> bytes | None:
    return asyncio.run(transport.send(address, envelope, CONTENT, limit_s, at=AT))


# -- HTTPS


@pytest.mark.parametrize("kind", ["https", "soap"])
def test_it_is_delivered_with_its_acknowledgement(other: Other, kind: str) -> None:
    assert send(other.address("ok", kind)) == b"<acknowledged/>"
    (came,) = other.seen()
    assert SENDER in came["subject"]
    assert came["covers"] == (["Body", "MessageAddressing", "Timestamp"] if kind == "soap" else [])
    assert came["type"].startswith("text/xml" if kind == "soap" else "application/xml")


@pytest.mark.parametrize("kind", ["https", "soap"])
def test_it_is_delivered_without_one(other: Other, kind: str) -> None:
    assert send(other.address("empty", kind)) is None


def test_the_answer_that_comes_twice_is_taken_once(other: Other) -> None:
    assert send(other.address("twice")) == b"<acknowledged/>"


@pytest.mark.parametrize("kind", ["https", "soap"])
@pytest.mark.parametrize("act", ["status/500", "status/503", "status/408", "status/425"])
def test_it_may_be_sent_again(other: Other, act: str, kind: str) -> None:
    with pytest.raises(NotDelivered, match=act[-3:]):
        send(other.address(act, kind))


def test_too_many_requests_may_be_sent_again(other: Other) -> None:
    with pytest.raises(NotDelivered):
        send(other.address("status/429"))


@pytest.mark.parametrize("act", ["status/400", "status/403", "status/404", "status/413"])
def test_it_can_never_be_delivered_so(other: Other, act: str) -> None:
    with pytest.raises(Undeliverable, match=act[-3:]):
        send(other.address(act))


def test_nothing_is_redirected(other: Other) -> None:
    other.seen()
    with pytest.raises(Undeliverable, match="307"):
        send(other.address("redirect"))
    assert [came["path"] for came in other.seen()] == ["/redirect"]


def test_an_answer_without_end_is_not_read(other: Other) -> None:
    with pytest.raises(Undeliverable, match="more than"):
        send(other.address("endless"))


def test_who_answers_too_late_did_not_answer(other: Other) -> None:
    with pytest.raises(NotDelivered, match=r"within 0\.2 s"):
        send(other.address("late"), limit_s=0.2)


def test_who_drops_the_connection_did_not_answer(other: Other) -> None:
    with pytest.raises(NotDelivered):
        send(other.address("drop"))


def test_who_is_not_there_did_not_answer(other: Other) -> None:
    nobody = replace(other.address(""), place="https://localhost:1/")
    with pytest.raises(NotDelivered):
        send(nobody)


def test_a_fault_of_ours_is_not_sent_again_and_one_of_theirs_is(other: Other) -> None:
    with pytest.raises(Undeliverable):
        send(other.address("fault/Client", "soap"))
    with pytest.raises(NotDelivered):
        send(other.address("fault/Server", "soap"))


def test_no_proxy_of_the_environment_is_used(other: Other, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert send(other.address("ok")) == b"<acknowledged/>"


# -- certificates


def test_a_server_of_a_strange_authority_gets_nothing(other: Other, stranger: Authority) -> None:
    other.seen()
    with pytest.raises(Undeliverable, match="authority"):
        send(other.address("ok", authority=str(stranger.path)))
    assert other.seen() == []


@pytest.mark.parametrize("what", ["strange", "expired"])
def test_a_server_that_does_not_accept_us_is_not_asked_again(
    other: Other, authority: Authority, stranger: Authority, what: str
) -> None:
    mine = (
        stranger.issue("mine", SENDER)
        if what == "strange"
        else authority.issue("old", SENDER, valid=EXPIRED)
    )
    with pytest.raises(Undeliverable, match="our certificate"):
        send(other.address("ok", certificate=str(mine.path), key=str(mine.key_path)))
    assert other.seen() == []


@pytest.mark.parametrize("wrong", [{"valid": EXPIRED}, {"host": "elsewhere.example"}])
def test_a_server_that_is_expired_or_of_another_host_gets_nothing(
    authority: Authority, other: Other, tmp_path: Path, wrong: dict[str, Any]
) -> None:
    server = authority.issue("wrong-server", "localhost", **wrong)
    with started(server, authority, tmp_path / "log") as port:
        address = replace(other.address("ok"), place=f"https://localhost:{port}/ok")
        with pytest.raises(Undeliverable, match="authority"):
            send(address)
    assert not (tmp_path / "log").exists()


def test_keys_come_from_the_environment_too(
    other: Other, client: Issued, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, path in (
        ("OUR_CERTIFICATE", client.path),
        ("OUR_KEY", client.key_path),
        ("THEIRS", authority.path),
    ):
        monkeypatch.setenv(name, path.read_text())
    named = {"certificate": "env:OUR_CERTIFICATE", "key": "env:OUR_KEY", "authority": "env:THEIRS"}
    assert send(other.address("ok", "soap", **named)) == b"<acknowledged/>"
    with pytest.raises(Undeliverable, match="env:NOT_THERE: there is no such"):
        send(other.address("ok", key="env:NOT_THERE"))


def test_a_key_may_have_a_password(
    other: Other, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    locked = authority.issue("locked", SENDER, password=b"its secret")
    at = {"certificate": str(locked.path), "key": str(locked.key_path)}
    monkeypatch.setenv("KWARTIER_KEY_PASSWORD", "its secret")
    assert send(other.address("ok", "soap", **at)) == b"<acknowledged/>"
    for wrong in ("another secret", None):
        if wrong is None:
            monkeypatch.delenv("KWARTIER_KEY_PASSWORD")
        else:
            monkeypatch.setenv("KWARTIER_KEY_PASSWORD", wrong)
        for kind in ("https", "soap"):
            with pytest.raises(Undeliverable) as refused:
                send(other.address("ok", kind, **at))
            assert "secret" not in str(refused.value)


def test_no_error_shows_what_a_key_or_certificate_holds(
    other: Other, client: Issued, tmp_path: Path
) -> None:
    broken = tmp_path / "broken.key"
    broken.write_text(client.key_path.read_text()[:-90])
    secret = client.key_path.read_text().splitlines()[3]
    for changed in ({"key": str(broken)}, {"certificate": str(broken)}, {"authority": str(broken)}):
        with pytest.raises(Undeliverable) as refused:
            send(other.address("ok", "soap", **changed))
        assert str(broken) in str(refused.value)
        assert secret not in str(refused.value)


@pytest.mark.parametrize(
    "url",
    [
        "http://localhost/",
        "https://user:s3cret@localhost/",
        "https://localhost/?token=s3cret",
        "https://localhost/#s3cret",
        "https://localhost:port/",
        "https:///s3cret",
        "file:///s3cret",
    ],
)
def test_an_address_that_is_no_plain_url_is_refused_and_not_shown(other: Other, url: str) -> None:
    with pytest.raises(Undeliverable, match="expected an https:// URL") as refused:
        send(replace(other.address(""), place=url))
    assert "s3cret" not in str(refused.value)


def test_an_address_of_no_transport_is_refused() -> None:
    with pytest.raises(Undeliverable, match="folder, https or soap"):
        send(Address(RECEIVER, "pigeon", "loft"))


def test_what_is_no_xml_cannot_go_in_an_envelope(other: Other) -> None:
    with pytest.raises(Undeliverable):
        asyncio.run(transport.send(other.address("ok", "soap"), ENVELOPE, b"{}", 30, at=AT))


# -- whom a certificate stands for


def test_a_certificate_stands_for_its_serial_number_or_its_common_name(
    authority: Authority,
) -> None:
    party = certificates.party_of
    assert party(authority.issue("a", "x", serial=SENDER).certificate, {}) == SENDER
    assert party(authority.issue("b", SENDER).certificate, {}) == SENDER
    both = authority.issue("c", SENDER, serial=RECEIVER).certificate
    assert party(both, {}) == RECEIVER
    wrong = SENDER[:-1] + str((int(SENDER[-1]) + 1) % 10)
    assert party(authority.issue("d", wrong).certificate, {}) is None
    assert party(authority.issue("e", "nobody.example").certificate, {}) is None


def test_a_pinned_certificate_goes_before_and_no_other_stands_for_its_party(
    authority: Authority,
) -> None:
    pinned = authority.issue("f", "platform.example").certificate
    pins = {certificates.fingerprint(pinned): SENDER}
    assert certificates.party_of(pinned, pins) == SENDER
    assert certificates.party_of(authority.issue("g", SENDER).certificate, pins) is None
    assert certificates.party_of(authority.issue("h", RECEIVER).certificate, pins) == RECEIVER


# -- a folder


@pytest.fixture
def drop(tmp_path: Path) -> Path:
    folder = tmp_path / "to-brp"
    folder.mkdir()
    return folder


def test_a_drop_is_one_file_however_often_it_is_dropped(drop: Path) -> None:
    address = Address(RECEIVER, "folder", str(drop))
    assert send(address) is None
    assert send(address) is None
    assert [path.name for path in drop.iterdir()] == ["7f0c-1.xml"]
    assert (drop / "7f0c-1.xml").read_bytes() == CONTENT


def test_an_acknowledgement_is_collected_from_the_folder_beside(drop: Path) -> None:
    address = Address(RECEIVER, "folder", str(drop))
    send(address)
    assert transport.collect(address, "7f0c-1") is None
    (path,) = transport.lying(drop)
    transport.answer(path, b"<acknowledged/>")
    assert transport.collect(address, "7f0c-1") == b"<acknowledged/>"
    assert list(drop.iterdir()) == []
    # Who sends it again may want another answer: it lies there again.
    assert send(address) == b"<acknowledged/>"
    assert [one.name for one in drop.iterdir()] == [path.name]


@pytest.mark.parametrize("message", ["../7f0c", "a/b", "", ".hidden", "a\0b", "x" * 101])
def test_no_id_leads_out_of_the_folder(drop: Path, message: str) -> None:
    address = Address(RECEIVER, "folder", str(drop))
    with pytest.raises(Undeliverable, match="name of a file"):
        send(address, replace(ENVELOPE, technical_message_id=message))
    with pytest.raises(Undeliverable, match="name of a file"):
        transport.collect(address, message)
    assert list(drop.parent.rglob("*")) == [drop]


def test_a_folder_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(Undeliverable, match="is no folder"):
        send(Address(RECEIVER, "folder", str(tmp_path / "none")))
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_written_whole_is_not_there(
    drop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(NotDelivered, match="No space left"):
        send(Address(RECEIVER, "folder", str(drop)))
    assert list(drop.iterdir()) == []


def test_only_whole_documents_lie_in_a_folder(drop: Path) -> None:
    for name in (".b.xml-1.unfinished", "a.txt", ".c.xml"):
        (drop / name).write_bytes(b"")
    (drop / "folder.xml").mkdir()
    (drop / "link.xml").symlink_to(drop / "a.txt")
    os.mkfifo(drop / "pipe.xml")
    (drop / "b.json").write_bytes(b"")
    (drop / "a.xml").write_bytes(b"")
    os.utime(drop / "a.xml", ns=(2, 2))
    os.utime(drop / "b.json", ns=(1, 1))
    assert [path.name for path in transport.lying(drop)] == ["b.json", "a.xml"]


def test_an_acknowledgement_that_is_too_large_is_not_read(drop: Path) -> None:
    beside = drop.with_name("to-brp-acknowledgements")
    beside.mkdir()
    with (beside / "7f0c-1.xml").open("wb") as file:
        file.truncate((1 << 20) + 1)
    with pytest.raises(Undeliverable, match="too large"):
        transport.collect(Address(RECEIVER, "folder", str(drop)), "7f0c-1")


def _raises(act: Callable[[], object]) -> str:
    with pytest.raises(CertificateError) as raised:
        act()
    return str(raised.value)


def test_what_is_missing_is_named(authority: Authority, client: Issued) -> None:
    keys = authority.keys(client)
    for make in (certificates.client_context, certificates.server_context):
        for field in keys._fields:
            told = _raises(partial(make, keys._replace(**{field: ""})))
            assert "are needed" in told
            told = _raises(partial(make, keys._replace(**{field: "/none.pem"})))
            assert "/none.pem cannot be read" in told
