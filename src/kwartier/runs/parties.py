"""Who the home is, and the parties it sends to: read from a file of its own, taken in as delivery.

Keys and certificates are named, never held: a path, or a variable of the environment as env:NAME.
No error shows a value of the file, because a secret may stand anywhere. Source: decisions §37.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from kwartier import codes, documents
from kwartier.adapters import files, store
from kwartier.adapters.files import Problem
from kwartier.adapters.store import Home
from kwartier.adapters.transport import Address
from kwartier.adapters.transport.addresses import FOLDER, TRANSPORTS
from kwartier.runs.deliveries import Intake, path_of
from kwartier.runs.moments import identity, seconds
from kwartier.steps.addressing import FORMATS

_RECEIVES = (documents.BALANCE_RESPONSIBLE, documents.SYSTEM_OPERATOR)
_KEYS = ("certificate", "key", "authority")
_OF_US = ("party", "role", *_KEYS)
_OF_PARTY = ("party", "name", "role", "transport", "place", "formats", *_KEYS)
_VARIABLE = re.compile(r"env:[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True)
class Party:
    """A party that receives: what it is called, its role, its address, and in which formats."""

    party: str
    name: str
    role: str
    address: Address
    formats: tuple[str, ...]


@dataclass(frozen=True)
class Parties:
    """Who the home is (GLN-13 and role), and whom it sends to, in the order of the file."""

    party: str
    role: str
    receivers: tuple[Party, ...]

    def get(self, party: str) -> Party | None:
        """Find a party by its GLN; None where it is not one of these."""
        return next((one for one in self.receivers if one.party == party), None)


def take_parties(home: Home, source: str | Path, *, recorded_at: datetime | None = None) -> Intake:
    """Take in who the home is and whom it sends to, in place of all that was said of it before.

    Parameters
    ----------
    source : a YAML file; docs/exchange.md shows one.
    recorded_at : from when it is known; now when not given.

    Raises
    ------
    FileRefused : something is wrong in the file; nothing of it is kept.
    """
    moment = seconds(recorded_at)
    with home.writing():
        path = path_of(home, source)
        inputs = [{"name": path.name, "sha256": store.sha256(path)}]
        try:
            text = path.read_text("utf-8")
        except UnicodeDecodeError:
            _refuse([Problem(path.name, None, None, "text in UTF-8", "something else")])
        parties = parse(text, path.name)
        newest = home.newest("parties", moment)
        # Taken in again after another one, the same file is a change.
        if newest and newest["inputs"][0]["sha256"] == inputs[0]["sha256"]:
            return Intake(None, skipped=(path.name,))
        name = identity([inputs, moment])
        entry = home.add_text(text, home.root / "parties" / f"{name}.yaml")
        count = len(parties.receivers)
        home.deliver("parties", moment, id=name, inputs=inputs, files=[entry], rows_in=count)
    return Intake(name, count, count)


def parties_of(home: Home, known_at: int) -> Parties | None:
    """Give the parties of a home as known at a moment [s UTC]; None: it sends nothing."""
    text = home.text_of("parties", known_at)
    return None if text is None else parse(text, "the home's parties")


def parse(text: str, name: str) -> Parties:
    """Read the text of a file of parties.

    Raises
    ------
    FileRefused : something is wrong in it; every problem is named.
    """
    try:
        content = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"line {mark.line + 1}" if mark else None
        _refuse([Problem(name, None, place, "YAML", "something else")])
    reader = _Reader(name)
    parties = reader.parties(content)
    if reader.problems:
        _refuse(reader.problems)
    return parties


def _refuse(problems: list[Problem]) -> None:
    raise files.FileRefused(problems, len(problems))


class _Reader:
    """Reads a file of parties, and gathers all that is wrong in it."""

    def __init__(self, name: str) -> None:
        self._name = name
        self.problems: list[Problem] = []

    def _wrong(self, place: str, expected: str, found: str = "something else") -> None:
        self.problems.append(Problem(self._name, None, place, expected, found))

    def parties(self, content: Any) -> Parties:
        """Read the whole."""
        whole = self._mapping(content, "the file", ("we", "receivers"))
        us = self._mapping(whole.get("we"), "we", _OF_US)
        own = self._gln(us, "we")
        role = self._one_of(us, "we", "role", (documents.OPERATOR,))
        ours = dict(self._keys(us, "we"))
        listed = whole.get("receivers")
        if not isinstance(listed, list) or not listed:
            self._wrong("receivers", "a list of parties")
            listed = []
        receivers = [
            self._party(one, f"receivers[{place}]", ours) for place, one in enumerate(listed, 1)
        ]
        for place, one in enumerate(receivers, 1):
            if one.party and one.party in {before.party for before in receivers[: place - 1]}:
                self._wrong(f"receivers[{place}].party", "each party once", f"{one.party} again")
        system_operators = [one for one in receivers if one.role == documents.SYSTEM_OPERATOR]
        if len(system_operators) > 1:
            self._wrong("receivers", f"one party of role {documents.SYSTEM_OPERATOR}", "more")
        return Parties(own, role, tuple(receivers))

    def _party(self, content: Any, at: str, ours: Mapping[str, str]) -> Party:
        said = self._mapping(content, at, _OF_PARTY)
        party = self._gln(said, at)
        role = self._one_of(said, at, "role", _RECEIVES)
        transport = self._one_of(said, at, "transport", TRANSPORTS)
        keys = {**ours, **dict(self._keys(said, at))}
        place = said.get("place")
        if not isinstance(place, str):
            self._wrong(f"{at}.place", "a folder or an https:// URL", "none")
            place = ""
        elif transport == FOLDER:
            keys = {}
            if not Path(place).is_absolute():
                self._wrong(f"{at}.place", "a folder, from the root on")
        elif transport:
            self._url(place, f"{at}.place")
            for name in _KEYS:
                if not keys.get(name):
                    self._wrong(
                        f"{at}.{name}", "a file or env:NAME; over HTTPS it is needed", "none"
                    )
        formats = said.get("formats")
        known = isinstance(formats, list) and set(map(str, formats)) <= set(FORMATS)
        if not known or not formats:
            self._wrong(f"{at}.formats", f"a list of {', '.join(FORMATS)}")
            formats = []
        name = said.get("name", party)
        address = Address(party, transport, place, **keys)
        return Party(party, str(name), role, address, tuple(dict.fromkeys(map(str, formats))))

    def _mapping(self, content: Any, at: str, names: tuple[str, ...]) -> dict[str, Any]:
        if not isinstance(content, dict):
            self._wrong(at, f"{', '.join(names)}", "none")
            return {}
        for name in content:
            if name not in names:
                self._wrong(at, f"only {', '.join(names)}", "another name")
        return content

    def _gln(self, said: Mapping[str, Any], at: str) -> str:
        text = str(said.get("party", ""))
        digits = len(text) == codes.GLN_DIGITS and text.isascii() and text.isdigit()
        if not digits or codes.with_check_digit(int(text[:-1])) != int(text):
            self._wrong(f"{at}.party", "a GLN of 13 digits with its check digit, in quotes")
            return ""
        return text

    def _one_of(self, said: Mapping[str, Any], at: str, name: str, words: tuple[str, ...]) -> str:
        if said.get(name) in words:
            return str(said[name])
        self._wrong(f"{at}.{name}", " or ".join(words))
        return ""

    def _keys(self, said: Mapping[str, Any], at: str) -> Iterator[tuple[str, str]]:
        for name in _KEYS:
            if name in said:
                place = said[name]
                path = isinstance(place, str) and "\n" not in place and Path(place).is_absolute()
                if path or (isinstance(place, str) and _VARIABLE.fullmatch(place)):
                    yield name, place
                else:
                    self._wrong(f"{at}.{name}", "where it is: a file from the root on, or env:NAME")

    def _url(self, place: str, at: str) -> None:
        try:
            parts = urlsplit(place)
            parts.port  # noqa: B018 - it is read, and may be none
            plain = parts.username is parts.password is None and not parts.query + parts.fragment
        except ValueError:
            plain = False
        # An empty part is one as well: https://@host/, https://host/?
        if not plain or set("@?#") & set(place) or not place.isascii() or not place.isprintable():
            self._wrong(at, "a URL without user, password, query and fragment")
        elif parts.scheme != "https" or not parts.hostname:
            self._wrong(at, "a URL that begins with https://")
