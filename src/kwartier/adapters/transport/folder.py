"""Documents that are dropped in a folder, and their acknowledgements in the folder beside it.

A document lies in `PLACE` under the id of its message, and what the receiver said of it under the
same name in `PLACE-acknowledgements`. What was received is moved to `PLACE-taken`. A file is
written under another name, synced and renamed, so nobody ever reads half of one.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from kwartier.adapters.transport.addresses import NotDelivered, Undeliverable

# What a message id may be made of to be the name of a file; not of a hidden one.
_ID = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,99}")
_SUFFIXES = {"application/json": ".json", "application/xml": ".xml", "text/xml": ".xml"}
_ACKNOWLEDGEMENT_MOST = 1 << 20  # bytes


def drop(place: str, message: str, content_type: str, content: bytes) -> bytes | None:
    """Put a document in a folder; put there again it is the same file, or received once more.

    Returns
    -------
    acknowledgement : None where there is none yet; `collect` it later.

    Raises
    ------
    NotDelivered : the folder cannot be written now.
    Undeliverable : there is no such folder, or the id cannot be the name of a file.
    """
    folder = Path(place)
    if not folder.is_dir():
        raise Undeliverable(f"{place} is no folder; make it, or correct the address")
    suffix = _SUFFIXES.get(content_type.partition(";")[0].strip().lower())
    if suffix is None:
        raise Undeliverable("expected a document in XML or JSON to drop in a folder")
    name = _named(message) + suffix
    try:
        write(folder / name, content)
    except OSError as error:
        raise NotDelivered(f"{place} cannot be written: {error.strerror}") from None
    return collect(place, message)


def collect(place: str, message: str) -> bytes | None:
    """Give what the receiver said of a message; None where it said nothing yet.

    Raises
    ------
    NotDelivered : it cannot be read now.
    Undeliverable : it is too large to be an acknowledgement.
    """
    name = _named(message)
    for suffix in sorted(set(_SUFFIXES.values())):
        path = beside(Path(place), "acknowledgements") / (name + suffix)
        try:
            if not path.is_file():
                continue
            if path.stat().st_size > _ACKNOWLEDGEMENT_MOST:
                raise Undeliverable(f"{path} is too large to be an acknowledgement")
            return path.read_bytes()
        except OSError as error:
            raise NotDelivered(f"{path} cannot be read: {error.strerror}") from None
    return None


def lying(folder: Path) -> Iterator[Path]:
    """List the documents that lie in a folder, in the order in which they came."""
    found = []
    for path in folder.iterdir():
        named = path.suffix in _SUFFIXES.values() and _ID.fullmatch(path.stem)
        if named and path.is_file() and not path.is_symlink():
            found.append((path.stat().st_mtime_ns, path))
    yield from (path for _, path in sorted(found))


def answer(path: Path, acknowledgement: bytes) -> None:
    """Say of a document that lay in a folder what is to be said, and put it away."""
    acknowledgements, taken = (beside(path.parent, what) for what in ("acknowledgements", "taken"))
    for folder in (acknowledgements, taken):
        folder.mkdir(exist_ok=True)
    write(acknowledgements / path.name, acknowledgement)
    os.replace(path, taken / path.name)
    _sync(taken)
    _sync(path.parent)


def beside(folder: Path, what: str) -> Path:
    """Name a folder that goes with another."""
    whole = folder.resolve()
    return whole.with_name(f"{whole.name}-{what}")


def write(path: Path, content: bytes) -> None:
    """Write a file under another name, sync and rename it."""
    unfinished = path.with_name(f".{path.name}-{os.getpid()}.unfinished")
    try:
        with unfinished.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(unfinished, path)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise
    _sync(path.parent)


def _named(message: str) -> str:
    if not _ID.fullmatch(message):
        raise Undeliverable(
            "the id of the message cannot be the name of a file; expected letters, digits, - . _"
        )
    return message


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
