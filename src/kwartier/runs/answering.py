"""What others say of our messages: bytes → what the ledger is told.

Nothing of it is taken over as it stands but ids, codes and a short text, and in that text no number
that could be a customer's. Source: SD030 v4.0; domain §8; decisions §37.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable

from kwartier.adapters.ledger import Answer
from kwartier.codecs import Format, Unreadable
from kwartier.documents import Acknowledgement

# Longer than a GLN: it may be the EAN of a customer's point.
_LONG_NUMBER = re.compile(r"\d(?:[ .\-]?\d){13,}")
_MOST_WORDS, _MOST_CODES = 300, 20
_GLN, _CODE, _ID = (re.compile(text) for text in (r"\d{13}", r"[A-Z0-9]{1,5}", r"[\w.\-]{1,60}"))


def answer_of(content: bytes, formats: Iterable[Format], *, fresh: bool = False) -> Answer:
    """Read an acknowledgement, in one of some formats.

    Parameters
    ----------
    fresh : it came in answer to a sending of now, so the same bytes say it anew.

    Returns
    -------
    answer : without message where it cannot be read, or names none.
    """
    sha256 = hashlib.sha256(content).hexdigest()
    refused = "it is in no format that is known"
    for format_ in formats:
        try:
            said = format_.read_acknowledgement(content)
        except Unreadable as error:
            refused = f"it cannot be read: {error}"
        else:
            return _answer(sha256, said, fresh)
    return Answer(sha256, "", "", "", False, (), discreet(refused), fresh)


def _answer(sha256: str, said: Acknowledgement, fresh: bool) -> Answer:
    codes = [reason.code for reason in said.reasons if _CODE.fullmatch(reason.code)]
    codes = list(dict.fromkeys(codes))[:_MOST_CODES]
    words = "; ".join(reason.text for reason in said.reasons if reason.text)
    if not said.of:
        words = "it names no message"
    elif not said.reasons:
        words = "it says neither that nor why not"
    return Answer(
        sha256,
        said.of if _ID.fullmatch(said.of) else "",
        said.sender if _GLN.fullmatch(said.sender) else "",
        said.receiver if _GLN.fullmatch(said.receiver) else "",
        said.accepted,
        tuple(codes),
        discreet(words),
        fresh,
    )


def discreet(text: str) -> str:
    """Shorten what somebody said to a line in which no number could be a customer's."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    line = _LONG_NUMBER.sub("…", line)
    return line if len(line) <= _MOST_WORDS else line[: _MOST_WORDS - 1] + "…"
