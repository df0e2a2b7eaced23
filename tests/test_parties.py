"""PURPOSE: a home knows whom it sends to, and no secret gets in by its file of parties."""

from __future__ import annotations

from pathlib import Path

import pytest

from kwartier import FileRefused, Home
from kwartier.adapters.transport import Address
from kwartier.runs import parties_of, take_parties
from kwartier.runs.parties import parse
from tests.exchanges import AT, MINUTE, TSO, US, parties
from tests.market import BRP, OTHER_BRP

WHOLE = f"""
we: {{party: "{US}", role: DDM, certificate: /own.pem, key: "env:OWN_KEY", authority: /ca.pem}}
receivers:
- {{party: "{TSO}", name: TenneT, role: EZ, transport: soap, place: "https://tso.example:8443/in",
   formats: [dutch, energy_account], certificate: /other.pem}}
- {{party: "{BRP}", role: DDK, transport: folder, place: /srv/brp, formats: [dutch]}}
"""


def test_a_file_of_parties_is_read() -> None:
    known = parse(WHOLE, "parties.yaml")
    assert (known.party, known.role) == (US, "DDM")
    tso, brp = known.receivers
    assert tso.address == Address(
        TSO, "soap", "https://tso.example:8443/in", "/other.pem", "env:OWN_KEY", "/ca.pem"
    )
    assert (tso.name, tso.role, tso.formats) == ("TenneT", "EZ", ("dutch", "energy_account"))
    assert brp.address == Address(BRP, "folder", "/srv/brp")  # needs no keys
    assert (known.get(BRP), known.get(OTHER_BRP)) == (brp, None)


@pytest.mark.parametrize(
    ("old", "new", "where"),
    [
        ("https://tso", "https://me:geheim@tso", "receivers[1].place"),
        ("https://tso", "https://@tso", "receivers[1].place"),
        ("/in", "/in?key=geheim", "receivers[1].place"),
        ("/in", "/in?", "receivers[1].place"),
        ("/in", "/in#geheim", "receivers[1].place"),
        ("https://tso", "http://tso", "receivers[1].place"),
        (":8443", ":geheim", "receivers[1].place"),
        ("tso.example:8443", "", "receivers[1].place"),
        ("/srv/brp", "srv/brp", "receivers[2].place"),
        ("/other.pem", '"-----BEGIN geheim"', "receivers[1].certificate"),
        ("/other.pem", r'"/a\ngeheim"', "receivers[1].certificate"),
        ("env:OWN_KEY", "geheim", "we.key"),
        ("env:OWN_KEY", "env:ge-heim", "we.key"),
        ('key: "env:OWN_KEY", ', "", "receivers[1].key"),
        (f'"{US}"', '"8716916000005"', "we.party"),
        (f'"{BRP}"', "871687100000", "receivers[2].party"),
        (f'"{BRP}"', f'"{TSO}"', "receivers[2].party"),
        ("role: DDK", "role: EZ", "receivers"),
        ("role: DDK", "role: DDQ", "receivers[2].role"),
        ("role: DDM", "role: DDK", "we.role"),
        ("transport: folder", "transport: geheim", "receivers[2].transport"),
        ("formats: [dutch]", "formats: [geheim]", "receivers[2].formats"),
        ("formats: [dutch]", "formats: []", "receivers[2].formats"),
        ("formats: [dutch]", "password: geheim", "receivers[2]"),
        ("we:", "geheim:", "the file"),
        ("receivers:", "receivers: geheim #", "line"),
    ],
)
def test_what_is_wrong_is_named_and_never_shown(old: str, new: str, where: str) -> None:
    assert old in WHOLE
    with pytest.raises(FileRefused) as refused:
        parse(WHOLE.replace(old, new), "parties.yaml")
    assert any((one.column or "").startswith(where) for one in refused.value.problems)
    assert "geheim" not in str(refused.value)
    assert "ge-heim" not in str(refused.value)


def test_all_that_is_wrong_is_named_at_once() -> None:
    with pytest.raises(FileRefused) as refused:
        parse("we: {role: x}\nreceivers: [{}, 3]\n", "parties.yaml")
    assert refused.value.count == len(refused.value.problems) >= 10


@pytest.mark.parametrize("text", ["", "[]", "a: &a [*a]", "!!python/object:os.system {}", "\t"])
def test_what_is_no_file_of_parties_is_refused(text: str) -> None:
    with pytest.raises(FileRefused):
        parse(text, "parties.yaml")


def test_parties_are_known_from_a_moment_on(tmp_path: Path) -> None:
    home = Home(tmp_path / "home", create=True)
    first, second = int(AT.timestamp()), int((AT + MINUTE).timestamp())
    path = parties(tmp_path, BRP)
    assert take_parties(home, path, recorded_at=AT).rows_kept == 1
    assert take_parties(home, path, recorded_at=AT).skipped == ("parties.yaml",)
    take_parties(home, parties(tmp_path, BRP, TSO, name="b.yaml"), recorded_at=AT + MINUTE)
    with home.writing():  # what is named is not swept away
        pass
    found = [parties_of(home, at) for at in (first - 1, first, second)]
    assert [known and len(known.receivers) for known in found] == [None, 1, 2]


def test_a_file_that_is_refused_is_not_kept(tmp_path: Path) -> None:
    home = Home(tmp_path / "home", create=True)
    path = tmp_path / "parties.yaml"
    for content in (WHOLE.replace("https:", "http:").encode(), b"\xff\xfe"):
        path.write_bytes(content)
        with pytest.raises(FileRefused):
            take_parties(home, path, recorded_at=AT)
    assert home.deliveries() == []
