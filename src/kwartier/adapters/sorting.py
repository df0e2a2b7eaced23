"""Rows in order, also when they do not fit in memory.

Rows are gathered into lots. Of each lot is told in which order its rows would be, and that order is
cut into pieces: one place, so many bytes. When the lots held are too large, their pieces go to the
scratch folder. In the end the pieces of a place are taken in the order of their first numbers: what
lies before the next piece is whole. So no row is moved before it is wanted, and whoever wants the
rows of a place moves them, beside those of other places; rows that came in order are never moved.
"""

from __future__ import annotations

import errno
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.ipc

Int64s = npt.NDArray[np.int64]

LOT_BYTES = 32 << 20  # put in order at once
PIECE_BYTES = 4 << 20
PIECE_ROWS = 16_384  # short rows become long ones, of which so many fit in memory
HELD_BYTES = 256 << 20  # kept in memory before anything goes to the scratch folder


class _Piece(NamedTuple):
    """Rows of one place, in order: some of a lot that is in memory, or a batch of a file."""

    first: int
    lot: pa.RecordBatch | None
    some: Int64s | slice | None
    file: Any = None
    place_in_file: int = 0

    def read(self) -> pa.RecordBatch:
        if self.lot is None:
            return self.file.get_batch(self.place_in_file)
        if isinstance(self.some, slice):
            return self.lot[self.some]
        return self.lot.take(pa.array(self.some))


def ordered(
    batches: Iterable[pa.RecordBatch], by: Sequence[str], scratch: Path
) -> Iterator[tuple[int, Iterator[pa.RecordBatch]]]:
    """Put rows in order; what does not fit in memory goes to the scratch folder.

    All batches are read before it returns, so what is wrong with the input is raised before
    anything is made of it.

    Parameters
    ----------
    by : the columns that give the order, whole numbers; the first is the place, the second the
        number. Rows that are equal in all of them come in any order.

    Returns
    -------
    place, rows : of each place its rows in batches; all rows of a number are in one.

    Raises
    ------
    OSError : there is no room in the scratch folder.
    """
    pieces: dict[int, list[_Piece]] = {}
    held = files = 0
    for lot in _lots(batches):
        for place, piece in _pieces(lot, by):
            pieces.setdefault(place, []).append(piece)
        held += lot.nbytes
        if held > HELD_BYTES:
            _put_away(pieces.values(), scratch / f"rows-{files}.arrow")
            held, files = 0, files + 1
    return ((place, _merged(pieces.pop(place), by)) for place in sorted(pieces))


def _lots(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Join batches to lots."""
    held: list[pa.RecordBatch] = []
    size = 0
    for batch in batches:
        held.append(batch)
        size += batch.nbytes
        if size >= LOT_BYTES:
            yield pa.concat_batches(held)
            held, size = [], 0
    if size:
        yield pa.concat_batches(held)


def _order(rows: pa.RecordBatch, by: Sequence[str]) -> Int64s | None:
    """Tell in which order rows would be; None: they are."""
    # A column that is the same in all rows needs no look.
    keys = [key for key in (rows[name].to_numpy() for name in by) if (key[:1] != key).any()]
    if not keys:
        return None
    order = np.lexsort(keys[::-1])
    return None if (order[1:] > order[:-1]).all() else order


def _in_order(rows: pa.RecordBatch, by: Sequence[str]) -> pa.RecordBatch:
    order = _order(rows, by)
    return rows if order is None else rows.take(pa.array(order))


def _pieces(lot: pa.RecordBatch, by: Sequence[str]) -> Iterator[tuple[int, _Piece]]:
    """Cut a lot into pieces that are in order."""
    place, number = (lot[name].to_numpy() for name in by[:2])
    order = _order(lot, by)
    if order is not None:
        place, number = place[order], number[order]
    most = max(1, min(PIECE_ROWS, PIECE_BYTES * lot.num_rows // max(lot.nbytes, 1)))
    edges = [*np.flatnonzero(place[1:] != place[:-1]) + 1, lot.num_rows]
    begin = 0
    for edge in edges:
        for at in range(begin, edge, most):
            part = slice(at, min(at + most, edge))
            yield (
                int(place[at]),
                _Piece(int(number[at]), lot, part if order is None else order[part]),
            )
        begin = edge


def _put_away(pieces: Iterable[list[_Piece]], path: Path) -> None:
    """Write the pieces that are in memory to a file."""
    mine = [
        (of, at, piece) for of in pieces for at, piece in enumerate(of) if piece.lot is not None
    ]
    try:
        with (
            pa.OSFile(str(path), "wb") as sink,
            pa.ipc.new_file(sink, mine[0][2].read().schema) as writer,
        ):
            for *_, piece in mine:
                writer.write_batch(piece.read())
    except OSError:
        text = "no room to sort the rows, neither in memory nor here"
        raise OSError(errno.ENOSPC, text, str(path.parent)) from None
    file = pa.ipc.open_file(pa.OSFile(str(path)))
    for place_in_file, (of, at, piece) in enumerate(mine):
        of[at] = _Piece(piece.first, None, None, file, place_in_file)


def _merged(pieces: list[_Piece], by: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """Give the rows of a place in order, whole numbers together."""
    pieces.sort(key=lambda piece: piece.first)
    waiting: list[pa.RecordBatch] = []
    for piece, following in zip(pieces, [*pieces[1:], None], strict=True):
        waiting.append(piece.read())
        whole, rest = [], []
        for rows in waiting:
            number: Int64s = rows[by[1]].to_numpy()
            end = len(number)
            if following is not None:
                end = int(np.searchsorted(number, following.first))
            if end:
                whole.append(rows.slice(0, end))
            if end < len(number):
                rest.append(rows.slice(end))
        waiting = rest
        if whole:
            yield _in_order(pa.concat_batches(whole), by) if len(whole) > 1 else whole[0]
