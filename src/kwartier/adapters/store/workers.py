"""Who works in a home: each worker holds the lock of a file of its own while it lives."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def present(folder: Path, worker: str) -> Iterator[None]:
    """Show to others that a worker lives, until it ends, however it ends."""
    path = folder / worker
    folder.mkdir(exist_ok=True)
    for other in sorted(folder.iterdir()):
        _gone(other, take_away=True)
    while True:
        with path.open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            if not path.exists():  # swept away before it was locked
                continue
            try:
                yield
            finally:
                path.unlink(missing_ok=True)
            return


def gone(folder: Path, worker: str) -> bool:
    """Tell whether a worker is gone: nobody holds its lock."""
    return _gone(folder / worker, take_away=False)


def _gone(path: Path, *, take_away: bool) -> bool:
    """Tell whether nobody holds the lock of a worker; then its file can be taken away."""
    try:
        with path.open("r") as file:
            # Shared, so that two who ask do not take each other for the worker.
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            if take_away:
                path.unlink(missing_ok=True)
    except FileNotFoundError:
        return True
    except BlockingIOError:
        return False
    return True
