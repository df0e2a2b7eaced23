"""Columns that a door knows, batches of their cells, and what was found wrong in them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from kwartier.adapters.files.cells import Faults, Kind

LISTED = 1000  # problems listed; the rest is counted
BATCH_ROWS = 1 << 17
# What pyarrow and the codecs raise on bytes that are not what they should be.
BROKEN = (pa.ArrowException, OSError, EOFError, ValueError, OverflowError, MemoryError)
_SAFE_NAME = re.compile(r"[A-Za-z_]{1,40}")


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong in a file; `row` 1 is the first row after the header."""

    file: str
    row: int | None
    column: str | None
    expected: str
    found: str

    def __str__(self) -> str:
        """Write the problem as one line."""
        row = "" if self.row is None else f", row {self.row}"
        column = "" if self.column is None else f", column {self.column}"
        return f"{self.file}{row}{column}: expected {self.expected}, found {self.found}"


class FileRefused(Exception):
    """Files that are refused as a whole; nothing of them may be kept.

    Attributes
    ----------
    problems : the first 1000 problems, in the order of files and rows.
    count : how many problems there are.
    """

    def __init__(self, problems: Sequence[Problem], count: int) -> None:
        self.problems = list(problems)
        self.count = count
        more = f"\n… and {count - len(self.problems)} more" if count > len(self.problems) else ""
        super().__init__("\n".join(str(problem) for problem in self.problems) + more)


@dataclass(frozen=True)
class Column:
    """A column that a door knows; `gives` names what it becomes (reading_kwh gives reading_wh)."""

    name: str
    kind: Kind
    gives: str
    required: bool = False
    empty: bool = False


class Troubles:
    """What was found wrong so far in the files of one call."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self.count = 0

    def add(
        self, path: Path, row: int | None, column: str | None, expected: str, found: str
    ) -> None:
        """Note one problem."""
        self.count += 1
        if len(self.problems) < LISTED:
            self.problems.append(Problem(str(path), row, column, expected, found))

    def add_faults(self, path: Path, first_row: int, column: Column, faults: Faults) -> None:
        """Note the faults of a column's cells."""
        for mask, found in faults:
            rows = np.flatnonzero(mask)
            for row in rows[: LISTED - len(self.problems)].tolist():
                expected = column.kind.expected
                self.problems.append(
                    Problem(str(path), first_row + row, column.name, expected, found)
                )
            self.count += len(rows)

    def refuse(self) -> None:
        """Raise FileRefused if anything was found wrong."""
        if self.count:
            raise FileRefused(self.problems, self.count)


@dataclass(frozen=True)
class Batch:
    """Some rows of a file: `first_row` counts from 1; `values` by what the columns give."""

    first_row: int
    rows: int
    values: dict[str, pa.Array]


def match(
    path: Path, header: Sequence[str], columns: Sequence[Column], troubles: Troubles
) -> list[Column] | None:
    """Find the columns of a header; None, and the problems noted, when they do not fit."""
    known = {column.name: column for column in columns}
    before = troubles.count
    for place, name in enumerate(header, 1):
        # A file without a header shows its first row here: a name that is no name is not repeated.
        shown = name if _SAFE_NAME.fullmatch(name) else f"number {place}"
        if name not in known:
            troubles.add(path, None, shown, "one of " + " ".join(known), "unknown column")
        elif name in header[: place - 1]:
            troubles.add(path, None, shown, "each column once", "the column twice")
    for gives in dict.fromkeys(column.gives for column in columns):
        ways = [column for column in columns if column.gives == gives]
        names = " or ".join(column.name for column in ways)
        there = sum(column.name in header for column in ways)
        if there > 1:
            troubles.add(path, None, names, "one of the two", "both columns")
        elif there == 0 and ways[0].required:
            troubles.add(path, None, names, "the column", "no such column")
    return None if troubles.count > before else [known[name] for name in header]


def empty_cells(column: Column, array: pa.Array) -> Faults:
    """Find the empty cells of a column that may have none."""
    if column.empty or array.null_count == 0:
        return []
    return [(array.is_null().to_numpy(zero_copy_only=False), "empty")]
