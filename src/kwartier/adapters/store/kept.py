"""What blocks added up to, kept beside the readings; whatever is lost here is computed again."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from threading import get_native_id
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.ipc

Arrays = Mapping[str, npt.NDArray[Any]]
_DIGEST = 32
_OPTIONS = pa.ipc.IpcWriteOptions(compression="lz4")


def write(path: Path, arrays: Arrays) -> None:
    """Keep arrays in a file. It is not synced: a file that is not whole is no file."""
    sink = pa.BufferOutputStream()
    columns = [pa.array([np.ascontiguousarray(a).tobytes()], pa.binary()) for a in arrays.values()]
    batch = pa.record_batch(columns, names=list(arrays))
    with pa.ipc.new_file(sink, batch.schema, options=_OPTIONS) as writer:
        writer.write_batch(batch)
    content = sink.getvalue().to_pybytes()
    unfinished = path.with_name(f"{path.name}-{os.getpid()}-{get_native_id()}")
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished.write_bytes(sha256(content).digest() + content)
    with suppress(FileNotFoundError):  # another run of the day swept it away
        os.replace(unfinished, path)


def read(path: Path, like: Mapping[str, tuple[np.dtype[Any], tuple[int, ...]]]) -> Arrays | None:
    """Read kept arrays; None where there are none, or the file is not whole.

    Parameters
    ----------
    like : type and shape of each, with -1 for a length that may vary.
    """
    try:
        content = path.read_bytes()
    except OSError:
        return None
    body = content[_DIGEST:]
    if sha256(body).digest() != content[:_DIGEST]:
        return None
    table = pa.ipc.open_file(pa.py_buffer(body)).read_all()
    if set(table.column_names) != set(like):
        return None
    return {
        name: np.frombuffer(table[name][0].as_py(), dtype).reshape(shape)
        for name, (dtype, shape) in like.items()
    }
