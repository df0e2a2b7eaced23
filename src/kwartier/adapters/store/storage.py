"""Where the tables of a home lie: in a folder, or on an object store that pyarrow can reach.

In a folder a file is written under another name, synced and renamed. On an object store an object
appears whole or not at all, so it is written under its own name. Neither counts until a manifest or
the ledger names it. Who may reach a store is said in its usual environment variables, and nowhere
else. Source: decisions §27.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import urlsplit

import pyarrow as pa
from pyarrow import fs

UNFINISHED = ".unfinished"
_SCHEMES = ("s3", "gs", "abfs", "abfss")
_COPIED = 8 << 20  # bytes at a time
# What a store says went wrong; the rest of its text may hold more than may be shown.
_CODE = re.compile(r"(?:AWS Error|google::cloud::Status|Azure Error)\W*(\w+)")


class HomeError(Exception):
    """The home cannot do what was asked; the text says why and what to do."""


class Busy(HomeError):
    """Another process is writing in the home; ask again when it is done."""


@contextmanager
def reading(name: str | Path) -> Iterator[None]:
    """Say which file or object cannot be read."""
    try:
        yield
    except FileNotFoundError:
        raise HomeError(f"{name} is missing, and the home needs it; put it back") from None
    except (pa.ArrowException, OSError, ValueError) as error:
        _refused(name, "read", error)
        kind = type(error).__name__  # its text may show what is in the file
        raise HomeError(f"{name} is damaged ({kind}); put back a good copy of it") from None


def _refused(name: str | Path, act: str, error: Exception) -> None:
    """Tell of a store that did not do what was asked."""
    code = _CODE.search(str(error))
    if code:
        raise HomeError(
            f"{name} cannot be {act}: the store says {code[1]}; see that it is there, and that the "
            "environment says who may reach it"
        ) from None


class Hashed:
    """A file that is written, and the SHA-256 of what was written."""

    closed = False

    def __init__(self, file: Any) -> None:
        self._file = file
        self._digest = hashlib.sha256()

    def write(self, content: bytes) -> int:
        """Write bytes."""
        self._digest.update(content)
        self._file.write(content)
        return len(content)

    def flush(self) -> None:
        """Wait for the end; what was written is flushed when it is closed."""

    def sha256(self) -> str:
        """Give the SHA-256 of what was written."""
        return self._digest.hexdigest()


@dataclass(frozen=True)
class Folder:
    """A folder of this machine, or of a network file system; places are paths in it."""

    root: Path
    pre_buffer: ClassVar = False  # the system reads ahead by itself

    def __reduce__(self) -> tuple[Any, ...]:
        """Be found from another working directory too."""
        return Folder, (self.root.resolve(),)

    def name(self, place: str) -> str:
        """Give what a user calls a place."""
        return str(self.root / place)

    def source(self, place: str) -> Path:
        """Give what Parquet is read from."""
        return self.root / place

    @contextmanager
    def writing(self, place: str) -> Iterator[Hashed]:
        """Write a file, whole or not at all."""
        path = self.root / place
        unfinished = path.with_name(path.name + UNFINISHED)
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with unfinished.open("wb") as file:
                yield Hashed(file)
        except BaseException:
            unfinished.unlink(missing_ok=True)
            raise
        sync(unfinished)
        os.replace(unfinished, path)
        sync(path.parent)

    def content(self, place: str) -> bytes | None:
        """Read a small file as a whole; None where it is not there."""
        path = self.root / place
        return path.read_bytes() if path.exists() else None

    def places(self, part: str) -> list[str]:
        """List all files under a place, in order."""
        found = (path for path in sorted((self.root / part).rglob("*")) if path.is_file())
        return [path.relative_to(self.root).as_posix() for path in found]

    def folders(self, place: str) -> list[str]:
        """List the folders in a place, in order."""
        found = (path for path in sorted((self.root / place).glob("*")) if path.is_dir())
        return [path.relative_to(self.root).as_posix() for path in found]

    def delete(self, place: str) -> None:
        """Take away a file."""
        (self.root / place).unlink()

    def delete_folder(self, place: str) -> None:
        """Take away a folder with all that is in it, where it is there."""
        if (self.root / place).exists():
            shutil.rmtree(self.root / place)


@dataclass(frozen=True)
class Objects:
    """A place on an object store; places are keys under it."""

    uri: str
    pre_buffer: ClassVar = True  # all columns of a row group in one request

    def __reduce__(self) -> tuple[Any, ...]:
        """Open the store anew where it comes to, as the environment there says."""
        return Objects, (self.uri,)

    @cached_property
    def _store(self) -> tuple[fs.FileSystem, str]:
        with self._asking("reached"):
            store, base = fs.FileSystem.from_uri(self.uri)
        return store, base

    @contextmanager
    def _asking(self, act: str, place: str = "") -> Iterator[None]:
        try:
            yield
        except (pa.ArrowException, OSError) as error:
            name = self.name(place) if place else self.uri
            _refused(name, act, error)
            raise HomeError(f"{name} cannot be {act} ({type(error).__name__})") from None

    def _at(self, place: str) -> tuple[fs.FileSystem, str]:
        store, base = self._store
        return store, f"{base}/{place}"

    def name(self, place: str) -> str:
        """Give what a user calls a place."""
        return f"{self.uri}/{place}"

    def source(self, place: str) -> pa.NativeFile:
        """Give what Parquet is read from; only what is asked of it is fetched."""
        store, key = self._at(place)
        return store.open_input_file(key)

    @contextmanager
    def writing(self, place: str) -> Iterator[Hashed]:
        """Write an object, whole or not at all."""
        store, key = self._at(place)
        with self._asking("written", place):
            stream = store.open_output_stream(key)
            try:
                yield Hashed(stream)
            except BaseException:
                with suppress(OSError):
                    stream.close()
                    store.delete_file(key)
                raise
            stream.close()

    def content(self, place: str) -> bytes | None:
        """Read a small object as a whole; None where it is not there."""
        store, key = self._at(place)
        with self._asking("read", place):
            if store.get_file_info(key).type is fs.FileType.NotFound:
                return None
            with store.open_input_file(key) as file:
                content: bytes = file.read()
                return content

    def fetch(self, place: str, to: Path) -> None:
        """Copy an object to a file, where there is one."""
        store, key = self._at(place)
        with self._asking("read", place):
            if store.get_file_info(key).type is fs.FileType.File:
                with store.open_input_stream(key) as source, to.open("wb") as file:
                    shutil.copyfileobj(source, file, _COPIED)

    def _listed(self, place: str, *, recursive: bool) -> list[fs.FileInfo]:
        store, key = self._at(place)
        with self._asking("listed", place):
            asked = fs.FileSelector(key, allow_not_found=True, recursive=recursive)
            return sorted(store.get_file_info(asked), key=lambda info: str(info.path))

    def places(self, part: str) -> list[str]:
        """List all objects under a place, in order."""
        base = self._store[1]
        found = self._listed(part, recursive=True)
        return [info.path.removeprefix(base + "/") for info in found if info.is_file]

    def folders(self, place: str) -> list[str]:
        """List the folders in a place, in order."""
        base = self._store[1]
        found = self._listed(place, recursive=False)
        return [info.path.removeprefix(base + "/") for info in found if not info.is_file]

    def delete(self, place: str) -> None:
        """Take away an object."""
        store, key = self._at(place)
        with self._asking("deleted", place):
            store.delete_file(key)

    def delete_folder(self, place: str) -> None:
        """Take away all objects under a place, where there are any."""
        store, key = self._at(place)
        with self._asking("deleted", place):
            if store.get_file_info(key).type is fs.FileType.Directory:
                store.delete_dir(key)


Storage = Folder | Objects


def storage_of(uri: str) -> Storage:
    """Give the storage that a URI names.

    Raises
    ------
    HomeError : not the URI of a storage, or one that says who may reach it.
    """
    parts = urlsplit(uri)
    # On Azure the name before the @ is that of the container.
    named = parts.username is not None and not parts.scheme.startswith("abfs")
    if named or parts.password is not None or parts.query or parts.fragment:
        raise HomeError(
            "a storage is named without user, key or options; those go in the environment, as "
            "AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_ENDPOINT_URL"
        )
    if parts.scheme == "file" and parts.path.startswith("/") and not parts.netloc:
        return Folder(Path(parts.path))
    if parts.scheme not in _SCHEMES or not parts.netloc:
        raise HomeError(
            "a storage is named as s3://bucket/path, gs://bucket/path, "
            "abfss://container@account.dfs.core.windows.net/path or file:///path"
        )
    return Objects(uri.rstrip("/"))


def fetched(uri: str, folder: Path) -> Path:
    """Copy a file of an object store into a folder; where it is not there, nothing is.

    Raises
    ------
    HomeError : not the URI of a file on a storage, or the store cannot be reached.
    """
    place, _, name = uri.rpartition("/")
    storage = storage_of(place)
    if isinstance(storage, Folder):
        return storage.root / name
    folder.mkdir(parents=True, exist_ok=True)
    storage.fetch(name, folder / name)
    return folder / name


def sync(path: Path) -> None:
    """Wait until a file or folder is on disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
