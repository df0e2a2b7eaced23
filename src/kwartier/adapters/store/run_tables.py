"""What a run wrote, as it is kept: its tables, and the messages that it sends.

On a folder they appear whole, by a name that is given last; on an object store what a killed worker
left is overwritten by the next. A run exists when the ledger says that it is complete.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pyarrow as pa

from kwartier.adapters.store.storage import UNFINISHED, Folder, HomeError, Storage, reading, sync
from kwartier.adapters.store.writing import Writer

_AT_ONCE = 4  # tables that are written side by side
_MESSAGES = "messages"  # the folder, in that of a run, of what the run sends


def message_place(place: str, name: str) -> str:
    """Give the place of a message of the run at a place."""
    return f"{place}/{_MESSAGES}/{name}"


def write(
    storage: Storage,
    place: str,
    worker: str,
    tables: Mapping[str, pa.Table],
    messages: Mapping[str, bytes],
    gone: Callable[[str], bool],
) -> list[dict[str, Any]]:
    """Write the tables and messages of a run; give what each table became.

    Parameters
    ----------
    gone : tells whether a worker is gone, so that what it left may be swept.
    """
    if isinstance(storage, Folder):
        return _renamed(Path(storage.name(place)), worker, tables, messages, gone)
    storage.delete_folder(place)  # of a worker that was killed before it could say so
    return _written(storage, f"{place}/", tables, messages)


def _written(
    storage: Storage, prefix: str, tables: Mapping[str, pa.Table], messages: Mapping[str, bytes]
) -> list[dict[str, Any]]:
    def write(name: str) -> dict[str, Any]:
        with Writer(storage, f"{prefix}{name}.parquet", tables[name].schema) as writer:
            writer.write(tables[name])
        return writer.entry()

    # To compress is work for every core, and a disk or a store takes its time for each file.
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        entries = list(pool.map(write, tables))
    for name, content in messages.items():
        with storage.writing(f"{prefix}{_MESSAGES}/{name}") as file:
            file.write(content)
    return entries


def _renamed(
    finished: Path,
    worker: str,
    tables: Mapping[str, pa.Table],
    messages: Mapping[str, bytes],
    gone: Callable[[str], bool],
) -> list[dict[str, Any]]:
    """Write into a folder of the worker's own, and rename it."""
    finished.parent.mkdir(parents=True, exist_ok=True)
    for left in finished.parent.glob("*" + UNFINISHED):
        if gone(left.name.removesuffix(UNFINISHED).split("@")[1]):
            shutil.rmtree(left, ignore_errors=True)
    unfinished = finished.with_name(f"{finished.name}@{worker}{UNFINISHED}")
    shutil.rmtree(unfinished, ignore_errors=True)
    entries = _written(Folder(unfinished), "", tables, messages)
    if finished.exists():  # of a worker that was killed before it could say so
        shutil.rmtree(finished)
    os.replace(unfinished, finished)
    sync(finished.parent)
    return entries


def message(storage: Storage, place: str, sha256: str) -> bytes:
    """Read a message as it was written.

    Raises
    ------
    HomeError : it is missing, or is not what was written.
    """
    name = storage.name(place)
    with reading(name):
        content = storage.content(place)
    if content is None:
        raise HomeError(f"{name} is missing, and the home needs it; put it back")
    if hashlib.sha256(content).hexdigest() != sha256:
        raise HomeError(f"{name} is not what was written; put back a good copy of it")
    return content


def any_run(storage: Storage) -> str | None:
    """Give the id of a run of which tables are there; None where there are none."""
    for day in storage.folders("results"):
        for area in storage.folders(day):
            for run in storage.folders(area):
                name = run.rpartition("/")[2]
                if UNFINISHED not in name:
                    return name.removeprefix("run=")
    return None
