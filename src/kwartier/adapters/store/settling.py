"""What is settled once for a home, and stays so: where its tables are, and where its ledger is."""

from __future__ import annotations

import fcntl
import hashlib
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from kwartier.adapters.store.storage import Folder, HomeError, Storage, storage_of
from kwartier.adapters.store.writing import read_json, write_json

_MARK = "home"  # names the home that a storage is of


@contextmanager
def settling(root: Path) -> Iterator[None]:
    """Be the only one who settles something of a home; others wait."""
    handle = os.open(root, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


class Named(NamedTuple):
    """The name by which a home and its ledger know each other, and where the ledger is.

    `elsewhere` : None while it was never opened.
    """

    name: str
    elsewhere: bool | None


def ledger_name(root: Path, new: str) -> Named:
    """Give the name that a home has for its ledger, while settling.

    new : the name of a home that has none yet; it is kept before any ledger knows it.
    """
    path = root / "ledger.json"
    if not path.exists():
        write_json(path, {"name": new, "elsewhere": None})
    content = read_json(path)
    return Named(str(content["name"]), content["elsewhere"])


def settle_ledger(root: Path, named: Named, *, elsewhere: bool) -> None:
    """Settle where the ledger is, once it is open and knows the home."""
    if named.elsewhere is None:
        write_json(root / "ledger.json", {"name": named.name, "elsewhere": elsewhere})


def storage_for(root: Path, uri: str | None, *, begun: bool) -> Storage:
    """Give the storage of a home: that of the URI, as it was first given, or the home itself.

    Parameters
    ----------
    begun : whether the home has taken something in.

    Raises
    ------
    HomeError : it is another one, or that of another home.
    """
    path = root / "storage.json"
    if uri is None:
        return storage_of(read_json(path)["storage"]) if path.exists() else Folder(root)
    storage = storage_of(uri)
    with settling(root):
        if path.exists():
            settled = read_json(path)["storage"]
            if storage_of(settled) != storage:
                raise HomeError(f"the tables of {root} are at {settled}, and stay there")
            return storage
        if begun:
            raise HomeError(f"the tables of {root} are in it, and stay there")
        if storage.content(_MARK) is not None:
            raise HomeError(f"{uri} is the storage of another home; name an empty place")
        # What names a home: the folder that was made for it, on this machine.
        made = root.stat()
        name = f"{socket.gethostname()} {root.resolve()} {made.st_ino} {made.st_ctime_ns}"
        name = hashlib.sha256(name.encode()).hexdigest()[:32]
        write_json(path, {"storage": uri, "home": name})
    return storage


def mark(root: Path, storage: Storage) -> None:
    """Mark a storage as that of a home; what is swept there may be of no other.

    Raises
    ------
    HomeError : it is that of another home.
    """
    path = root / "storage.json"
    if not path.exists():
        return
    name = str(read_json(path)["home"]).encode()
    found = storage.content(_MARK)
    if found is None:
        with storage.writing(_MARK) as file:
            file.write(name)
    elif found != name:
        raise HomeError(f"{storage.name(_MARK)} is of another home; nothing was written there")
