"""Do one thing in a home again and again, killed at a later step each time.

Run as `python -m tests.killed FOLDER ACT`: before the k-th write step the process ends at once, as
if the power went; then the next start looks at what is there and does the thing again. One line of
JSON on standard output tells of each kill. Every try is a fork of one process without threads.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import traceback
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from kwartier import (
    Home,
    HomeError,
    allocate,
    codes,
    ingest,
    ingest_volumes,
    result,
    take_couplings,
    take_fractions,
    take_parameters,
    take_register,
)
from tests import homes
from tests.market import (
    AREA,
    DAY,
    ONE_DAY,
    OTHER,
    POINT,
    REGISTERED,
    but,
    ean,
    flat,
    moments,
    point,
    read,
)

KILLED = 9
FIRST = datetime.combine(DAY + 2 * ONE_DAY, datetime.min.time(), UTC)
SECOND, KNOWN_AT = FIRST + timedelta(hours=1), FIRST + timedelta(hours=2)
DAYS: list[date] = [DAY]
COUPLING = codes.with_check_digit(87168590000070001)


class Steps:
    """Counts what touches the disk, and ends the process before the step that is chosen."""

    def __init__(self, fatal: int) -> None:
        self._left = fatal
        for owner, name in (
            (os, "fsync"),
            (os, "mkdir"),
            (os, "open"),
            (os, "replace"),
            (os, "rmdir"),
            (os, "unlink"),
            (pq.ParquetWriter, "__init__"),
            (pq.ParquetWriter, "write_table"),
            (pq.ParquetWriter, "close"),
        ):
            self._count(owner, name)
        self._halve_json()

    def _count(self, owner: Any, name: str) -> None:
        usual = getattr(owner, name)

        def counted(*arguments: Any, **options: Any) -> Any:
            self._step(name)
            return usual(*arguments, **options)

        setattr(owner, name, counted)

    def _step(self, name: str) -> None:
        self._left -= 1
        if not self._left:
            os.write(1, json.dumps({"step": name}).encode() + b"\n")
            os._exit(KILLED)

    def _halve_json(self) -> None:
        """Let half of a manifest reach the disk before the end."""

        def dump(content: Any, file: Any, **options: Any) -> None:
            text = json.dumps(content, **options)
            file.write(text[: len(text) // 2])
            file.flush()
            self._step("json")
            file.write(text[len(text) // 2 :])

        json.dump = dump


def register(home: Home) -> None:
    """Take in a register."""
    rows = [point(POINT), point(OTHER)]
    take_register(home, [pa.Table.from_pylist(rows)], recorded_at=REGISTERED)


def first(home: Home) -> None:
    """Take in a day."""
    rows = homes.table(read(flat()) + read(but(flat(), {40: None}), OTHER))
    ingest(home, [rows], recorded_at=FIRST)


def second(home: Home) -> None:
    """Take in a correction, a missing reading and a point that nobody knows."""
    late = read(flat(step=90)) + read(flat(), OTHER)[40:41] + read(flat(), ean(3))[:2]
    ingest(home, [homes.table(late)], recorded_at=SECOND)


def run(home: Home) -> None:
    """Allocate the day."""
    allocate(home, DAYS, known_at=KNOWN_AT, threads=1)


def couplings(home: Home) -> None:
    """Take in a coupling."""
    rows = [{"coupling": COUPLING, "grid_area": AREA, "valid_from": DAY}]
    take_couplings(home, [pa.Table.from_pylist(rows)], recorded_at=REGISTERED)


def volumes(home: Home) -> None:
    """Take in volumes of the coupling on two days, and of a point that nobody knows."""
    rows = [
        {
            "accounting_point": number,
            "direction": "E17",
            "period_start": moment,
            "volume_wh": 100,
        }
        for number, day in ((COUPLING, DAY), (COUPLING, DAY + ONE_DAY), (ean(3), DAY))
        for moment in moments(day)[:-1]
    ]
    schema = pa.schema(
        [
            ("accounting_point", pa.int64()),
            ("direction", pa.string()),
            ("period_start", pa.timestamp("s", "UTC")),
            ("volume_wh", pa.int64()),
        ]
    )
    ingest_volumes(home, [pa.Table.from_pylist(rows, schema)], recorded_at=FIRST + ONE_DAY)


def fractions(home: Home) -> None:
    """Take in a dimensioned profile of a day."""
    rows = [
        {"profile": "lamps", "period_start": moment, "fraction": 0.00002854}
        for moment in moments(DAY)[:-1]
    ]
    take_fractions(home, [pa.Table.from_pylist(rows)], recorded_at=REGISTERED)


def parameters(home: Home) -> None:
    """Take in parameters of the home's own."""
    path = home.root.parent / "own.yaml"
    path.write_text("outlier_factor: {values: {2026-01-01: 9}}\n", "utf-8")
    take_parameters(home, path, recorded_at=REGISTERED)


ACTS: dict[str, tuple[list[Callable[[Home], None]], Callable[[Home], None]]] = {
    "register": ([], register),
    "couplings": ([register], couplings),
    "volumes": ([register, couplings], volumes),
    "fractions": ([register], fractions),
    "parameters": ([register], parameters),
    "ingest": ([register], first),
    "correct": ([register, first], second),
    "allocate": ([register, first, second], run),
    "allocate-again": ([register, first, second, run], run),
}


def named(root: Path) -> dict[str, bytes]:
    """Give what the home counts as there: what manifests name, and runs that are complete."""
    found = homes.contents(root)
    kept = {
        path: found[path]
        for path in found
        if path.startswith("deliveries/") and not path.endswith(".unfinished")
    }
    for manifest in list(kept):
        for file in json.loads(kept[manifest])["files"]:
            kept[file["path"]] = found[file["path"]]
    runs = {p: c for p, c in found.items() if p.startswith("results/") and "unfinished" not in p}
    return kept | {p: _timeless(p, c) for p, c in runs.items()}


def _timeless(path: str, content: bytes) -> bytes:
    """Leave out of a run's manifest when, and as the how manieth, it was made."""
    if not path.endswith("manifest.json"):
        return content
    manifest = json.loads(content)
    return json.dumps({k: v for k, v in manifest.items() if k not in ("made_at", "order")}).encode()


def answer(home: Home) -> Any:
    """Give what the home answers, or why it does not."""
    try:
        return result(home, "allocation", DAYS).to_pylist()
    except HomeError as error:
        return str(error)


def forked(act: Callable[[], None]) -> int:
    """Do something in a process of its own, and give its exit code."""
    child = os.fork()
    if not child:
        code = 1
        try:
            act()
            code = 0
        except BaseException:
            traceback.print_exc()
            raise
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def tell(what: dict[str, Any]) -> None:
    """Print a line of JSON."""
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


def main(folder: Path, name: str) -> None:
    """Kill at every step."""
    before, act = ACTS[name]
    base, undisturbed = folder / "base", folder / "undisturbed"

    # A killed process, unlike a lost disk, needs no sync; it is counted as a step all the same.
    os.fsync = lambda handle: None
    warm = Home(folder / "warm", create=True)  # what is loaded once need not be in every fork
    for step in (register, first, run):
        step(warm)
    home = Home(base, create=True)
    for step in before:
        step(home)
    shutil.copytree(base, undisturbed)
    act(Home(undisturbed))
    old, new = named(base), named(undisturbed)
    answers = [answer(Home(base)), answer(Home(undisturbed))]
    code, fatal = KILLED, 0
    while code == KILLED:
        fatal += 1
        work = folder / "work"
        shutil.rmtree(work, ignore_errors=True)
        shutil.copytree(base, work)

        def killed(work: Path = work, fatal: int = fatal) -> None:
            Steps(fatal)
            act(Home(work))

        def look(work: Path = work) -> None:
            home = Home(work)
            state = {name for name, held in (("old", old), ("new", new)) if named(work) == held}
            told = answer(home) in answers
            act(home)
            with home.writing():
                pass
            left = set(homes.contents(work)) - set(homes.contents(undisturbed))
            tell(
                {
                    "state": sorted(state),
                    "answers": told,
                    "redone": named(work) == new and answer(Home(work)) == answers[1],
                    "left": sorted(left),
                }
            )

        code = forked(killed)
        if code == KILLED and forked(look):
            code = 1
    tell({"end": code, "tries": fatal})


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
