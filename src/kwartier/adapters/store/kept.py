"""What blocks added up to, kept beside the readings; whatever is lost here is computed again."""

from __future__ import annotations

import os
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from threading import get_native_id

_DIGEST = 32


def write(path: Path, content: bytes) -> None:
    """Keep something in a file. It is not synced: a file that is not whole is no file."""
    unfinished = path.with_name(f"{path.name}-{os.getpid()}-{get_native_id()}")
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished.write_bytes(sha256(content).digest() + content)
    with suppress(FileNotFoundError):  # another run of the day swept it away
        os.replace(unfinished, path)


def read(path: Path) -> bytes | None:
    """Read what was kept; None where there is nothing, or the file is not whole."""
    try:
        content = path.read_bytes()
    except OSError:
        return None
    body = content[_DIGEST:]
    whole = sha256(body).digest() == content[:_DIGEST]
    return body if whole else None
