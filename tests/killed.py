"""Do one thing in a home again and again, killed at a later step each time.

Run as `python -m tests.killed FOLDER ACT EVERY`: before the k-th step the process ends at once, as
if the power went, for every EVERY-th step; then the next start looks at what is there and does the
thing again. One line of JSON on standard output tells of each kill. Every try is a fork of one
process without threads.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sqlite3
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from kwartier import (
    Home,
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
from kwartier.adapters.ledger.database import Database
from kwartier.codecs import dutch
from kwartier.runs import allocating, correct, moments, run_due, take_parties
from kwartier.runs.receiving import Reader, Us
from kwartier.runs.running import Runner
from tests import exchanges, homes, messages
from tests.market import (
    AREA,
    BRP,
    DAY,
    ONE_DAY,
    OTHER,
    POINT,
    REGISTERED,
    but,
    ean,
    flat,
    point,
    read,
)
from tests.market import moments as moments_of

KILLED = 9
FIRST = datetime.combine(DAY + 2 * ONE_DAY, datetime.min.time(), UTC)
DUE = FIRST + timedelta(minutes=30)
SECOND, KNOWN_AT = FIRST + timedelta(hours=1), FIRST + timedelta(hours=2)
DAYS: list[date] = [DAY]
COUPLING = codes.with_check_digit(87168590000070001)


class Steps:
    """Counts what touches disk and ledger, and ends the process before the step that is chosen."""

    def __init__(self, fatal: int) -> None:
        self._left = fatal
        for owner, name in (
            (os, "fsync"),
            (os, "link"),
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
        self._around_transactions()

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

    def _around_transactions(self) -> None:
        """Let the ledger see a transaction that was not begun, not committed, or not told of."""
        usual = Database.writing

        @contextmanager
        def writing(database: Database) -> Iterator[Any]:
            self._step("transaction")
            with usual(database) as connection:
                yield connection
                self._step("commit")
            self._step("after a commit")

        Database.writing = writing  # type: ignore[method-assign]

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


def one_day(home: Home) -> None:
    """Take in a day without its first midnight, which would be of the day before too."""
    rows = homes.table(read(but(flat(), {0: None})) + read(but(flat(), {0: None, 40: None}), OTHER))
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
        for moment in moments_of(day)[:-1]
    ]
    ingest_volumes(home, [pa.Table.from_pylist(rows, _VOLUMES)], recorded_at=FIRST + ONE_DAY)


def energy(home: Home) -> None:
    """Take in what the area got from the national grid, so that it closes."""
    rows = [
        {
            "accounting_point": COUPLING,
            "direction": direction,
            "period_start": moment,
            "volume_wh": wh,
        }
        for direction, wh in (("E17", 0), ("E18", 5_000))
        for moment in moments_of(DAY)[:-1]
    ]
    ingest_volumes(home, [pa.Table.from_pylist(rows, _VOLUMES)], recorded_at=FIRST)


def due(home: Home) -> None:
    """Make what the calendar says is due: D+1 of the day."""
    run_due(home, at=DUE, threads=1)


def again(home: Home) -> None:
    """Correct the day, as known now."""
    correct(home, DAYS, threads=1)


def fractions(home: Home) -> None:
    """Take in a dimensioned profile of a day."""
    rows = [
        {"profile": "lamps", "period_start": moment, "fraction": 0.00002854}
        for moment in moments_of(DAY)[:-1]
    ]
    take_fractions(home, [pa.Table.from_pylist(rows)], recorded_at=REGISTERED)


_VOLUMES = pa.schema(
    [
        ("accounting_point", pa.int64()),
        ("direction", pa.string()),
        ("period_start", pa.timestamp("s", "UTC")),
        ("volume_wh", pa.int64()),
    ]
)


def parameters(home: Home) -> None:
    """Take in parameters of the home's own."""
    path = home.root.parent / "own.yaml"
    path.write_text("outlier_factor: {values: {2026-01-01: 9}}\n", "utf-8")
    take_parameters(home, path, recorded_at=REGISTERED)


def receive(home: Home) -> None:
    """Receive a document of another party, and give the answer that it always gets."""
    # Of a party that the home's own register knows.
    mine = messages.whole("N111", brp=BRP)
    content = dutch.write(messages.document("N111", *mine, receiver=BRP))
    reader = Reader(home, Us(BRP, "DDK"))
    at = messages.CREATED + 60
    assert reader.take(content, bearer=messages.OPERATOR, at=at).accepted


def parties(home: Home) -> None:
    """Take in whom the home sends to."""
    path = exchanges.parties(home.root.parent, BRP)
    take_parties(home, path, recorded_at=REGISTERED)


ACTS: dict[str, tuple[list[Callable[[Home], None]], Callable[[Home], None]]] = {
    "register": ([], register),
    "couplings": ([register], couplings),
    "volumes": ([register, couplings], volumes),
    "fractions": ([register], fractions),
    "parameters": ([register], parameters),
    "receive": ([register], receive),
    "ingest": ([register], first),
    "correct": ([register, first], second),
    "allocate": ([register, first, second], run),
    "allocate-again": ([register, first, second, run], run),
    "run-due": ([register, couplings, one_day, energy], due),
    "run-sends": ([register, couplings, one_day, energy, parties], due),
    "run-again": ([register, couplings, one_day, energy, due, second], again),
}


def clock(moment: datetime) -> None:
    """Let it be a moment."""
    moments.time = SimpleNamespace(time=moment.timestamp)  # type: ignore[assignment]


def in_ledger(root: Path, statement: str) -> list[tuple[Any, ...]]:
    """Ask the ledger of a home."""
    path = root / "ledger.sqlite"
    if not path.exists():
        return []
    with closing(sqlite3.connect(path)) as connection:
        if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'runs'").fetchall():
            return []
        return connection.execute(statement).fetchall()


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
    complete = in_ledger(
        root,
        "SELECT number, run, kind, digest, previous, publication FROM runs "
        "LEFT JOIN publications USING (run) WHERE state = 'complete'",
    )
    for number, run, *said in complete:
        kept[f"run {number}"] = repr(said).encode()
        # A run that was killed before it was claimed has another moment, so another id.
        for (path,) in in_ledger(root, f"SELECT path FROM results WHERE run = '{run}'"):
            kept[path.replace(run, str(number))] = found[path]
        # A message says when it was created; it must be there as the ledger knows it.
        asked = f"SELECT sequence, process, state, place, sha256 FROM messages WHERE run = '{run}'"
        for sequence, *said, place, sha256 in in_ledger(root, asked):
            whole = hashlib.sha256(found[place]).hexdigest() == sha256
            kept[f"message {number}/{sequence}"] = repr((*said, whole)).encode()
    return kept


def begun(root: Path, states: str) -> set[tuple[Any, ...]]:
    """Give the runs in some states, and the moment each is as known at."""
    return set(in_ledger(root, f"SELECT run, known_at FROM runs WHERE state IN ({states})"))


def answer(home: Home) -> Any:
    """Give what the home answers, if anything."""
    if not begun(home.root, "'complete'"):
        return None
    return result(home, "allocation", DAYS).to_pylist()


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


def main(folder: Path, name: str, every: int) -> None:
    """Kill at every step, or every so many."""
    before, act = ACTS[name]
    base, undisturbed = folder / "base", folder / "undisturbed"

    # A killed process, unlike a lost disk, needs no sync; it is counted as a step all the same.
    os.fsync = lambda handle: None
    moments.uuid4 = lambda: SimpleNamespace(hex="home of the tests")  # type: ignore[assignment]
    # Only a home with parties sends anything.
    allocating.Runner = partial(Runner, leaving=exchanges.leaving)  # type: ignore[attr-defined]
    clock(KNOWN_AT)
    warm = Home(folder / "warm", create=True)  # what is loaded once need not be in every fork
    for step in (register, couplings, one_day, energy, due, receive):
        step(warm)
    home = Home(base, create=True)
    for step in before:
        step(home)
    shutil.copytree(base, undisturbed)
    act(Home(undisturbed))
    old, new = named(base), named(undisturbed)
    answers = [answer(Home(base)), answer(Home(undisturbed))]
    code, fatal = KILLED, 1 - every
    while code == KILLED:
        fatal += every
        work = folder / "work"
        shutil.rmtree(work, ignore_errors=True)
        shutil.copytree(base, work)

        def killed(work: Path = work, fatal: int = fatal) -> None:
            Steps(fatal)
            act(Home(work))

        def look(work: Path = work) -> None:
            clock(KNOWN_AT + timedelta(minutes=1))
            home = Home(work)
            held_now, running = named(work), begun(work, "'running'")
            state = {name for name, held in (("old", old), ("new", new)) if held_now == held}
            told = answer(home) in answers
            # Who sees that a correction was made does not ask for another.
            if name != "run-again" or held_now != new:
                act(home)
            with home.writing(), home.present("looks"):
                pass
            left = {path.replace(*_ids(work)) for path in homes.contents(work)}
            left -= {path.replace(*_ids(undisturbed)) for path in homes.contents(undisturbed)}
            tell(
                {
                    "state": sorted(state),
                    "answers": told,
                    "redone": named(work) == new and answer(Home(work)) == answers[1],
                    "left": sorted(left),
                    "lost": sorted(running - begun(work, "'complete', 'unchanged'")),
                    "running": sorted(begun(work, "'running'")),
                }
            )

        code = forked(killed)
        if code == KILLED and forked(look):
            code = 1
    tell({"end": code, "tries": 1 + (fatal - 1) // every})


def _ids(root: Path) -> tuple[str, str]:
    """Give the id of the last complete run, and what stands for it."""
    found = in_ledger(root, "SELECT run FROM runs WHERE state = 'complete' ORDER BY number")
    return (found[-1][0] if found else "none"), "the last"


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
