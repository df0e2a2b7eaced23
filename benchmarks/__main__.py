"""Measure kwartier beside its references and print the table.

Nothing here can fail a build: what misses its target is said so, and that is all.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from collections.abc import Sequence
from functools import partial
from hashlib import sha256
from pathlib import Path

from benchmarks import page, plot
from benchmarks.measuring import (
    ROOT,
    Work,
    interleaved,
    kwartier,
    machine,
    measure,
    python,
    versions,
)
from benchmarks.references import spark_missing

DAY = "2026-03-11"
RECORDED = "2026-03-12T06:00:00Z"  # later, the readings would be too old to be kept
FEW = ("kwartier", "floor", "allocate", "allocate_again")
SUMMING = (
    "floor",
    "allocate",
    "allocate_again",
    "duckdb_as_it_lies",
    "duckdb_by_meter",
    "polars_as_it_lies",
    "polars_by_meter",
    "spark",
)
PARTS = ("references", "growth", "shares", "late", "taking_in")
MILLION = 1_000_000


def main() -> None:
    """Measure everything."""
    given = _arguments()
    few = min(given.points, given.reference_points)

    def day(points: int, doubtful: float = 0.0, *more: str) -> tuple[Path, int]:
        """Make a day."""
        print(f"making a day of {points:,} points, {doubtful:.0%} doubtful", file=sys.stderr)
        options = ["--points", points, "--doubtful", doubtful, "--threads", given.threads, *more]
        told = measure(python("benchmarks.data", given.folder, "--seed", given.seed, *options)).told
        return Path(told["at"]), int(told["readings"])

    at, readings = day(given.points)
    # Once before all else, so that kernels are compiled and files are in the cache.
    measure(_command(at, given.threads))
    whole = _works(at, given.threads, FEW)
    interleaved(whole, given.rounds)
    first_ever = _with_cold_kernels(at, given.threads)
    measured = page.Measured(
        machine=machine(given.threads),
        versions=versions(),
        load=0.0,
        points=given.points,
        readings=readings,
        rounds=given.rounds,
        whole=_named(whole),
        first_ever=first_ever,
        stored=sum(file.stat().st_size for file in (at / "home/readings").rglob("*.parquet")),
    )
    if "growth" in given.parts:
        smaller = MILLION if given.points > MILLION else given.points // 4
        growth = _works(day(smaller)[0], given.threads, FEW)
        interleaved(growth, given.rounds)
        measured = measured._replace(smaller=smaller, growth=_named(growth))
    if "late" in given.parts:
        late, same = _late(day(given.points, 0.0, "--late", "0.01")[0], given)
        measured = measured._replace(late=_named(late), late_same=same)
    if "references" in given.parts:
        missing = spark_missing()
        names = [name for name in ("kwartier", *SUMMING) if name != "spark" or not missing]
        works = _works(day(few, 0.0, "--long")[0], given.threads, names)
        interleaved(works, given.rounds)
        left_out = {"spark": missing} if missing else {}
        measured = measured._replace(few=few, references=_named(works), left_out=left_out)
    if "shares" in given.parts:
        shares = {}
        for share in given.doubtful:
            works = _works(day(few, share)[0], given.threads, FEW)
            interleaved(works, given.rounds)
            shares[share] = _named(works)
        measured = measured._replace(few=few, shares=shares)
    if "taking_in" in given.parts:
        source, rows = day(given.ingest_points, 0.0, "--csv")
        works = _taking_in(source, given)
        works[0].run()  # so that its kernels are compiled; this run does not count
        works[0].costs.clear()
        interleaved(works, given.rounds)
        measured = measured._replace(
            ingest_points=given.ingest_points, ingest_rows=rows, taken_in=_named(works)
        )
    measured = measured._replace(load=os.getloadavg()[2])
    text = page.write(measured)
    print(text)
    given.out.mkdir(parents=True, exist_ok=True)
    (given.out / "measured.md").write_text(text + "\n", "utf-8")
    (given.out / "measured.svg").write_text(plot.draw(page.bars(measured)), "utf-8")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--points", type=int, default=MILLION, help="accounting points")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--reference-points",
        type=int,
        default=200_000,
        help="the most points of the days for other software and for doubtful points",
    )
    parser.add_argument(
        "--doubtful",
        type=float,
        nargs="+",
        default=[0.0, 0.01, 0.1, 0.3],
        metavar="SHARE",
        help="shares of points with defects",
    )
    parser.add_argument(
        "--ingest-points", type=int, default=100_000, help="points of the taking in"
    )
    parser.add_argument("--rounds", type=int, default=3, help="runs of each; medians are told")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument(
        "--parts", nargs="*", choices=PARTS, default=PARTS, help="what to measure beside the whole"
    )
    parser.add_argument(
        "--folder",
        type=Path,
        default=Path(tempfile.gettempdir()) / "kwartier-benchmarks",
        help="where the days are kept, to be used again",
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=ROOT / "benchmarks/results",
        help="where measured.md and measured.svg go",
    )
    given = parser.parse_args()
    given.folder = given.folder.resolve()
    return given


def _named(works: Sequence[Work]) -> dict[str, Work]:
    return {work.name: work for work in works}


def _command(at: Path, threads: int, *more: str) -> list[str]:
    where = ("--day", DAY, "--home", at / "home", "--threads", threads)
    return kwartier("allocate", *where, *more)


def _works(at: Path, threads: int, names: Sequence[str]) -> list[Work]:
    """List what is measured of a day: kwartier's command, and references."""
    only = {"POLARS_MAX_THREADS": str(threads)}
    return [
        Work(name, _command(at, threads, "--afresh"))  # nothing that an earlier run kept
        if name == "kwartier"
        else Work(name, python("benchmarks.references", name, at, "--threads", threads), only)
        for name in names
    ]


def _late(at: Path, given: argparse.Namespace) -> tuple[list[Work], bool]:
    """Measure a day of which all but the late readings were allocated; tell if bytes are equal."""
    base = given.folder / "late"
    shutil.rmtree(base, ignore_errors=True)
    copied(at, base / "base")
    measure(_command(base / "base", given.threads, "--as-known-at", RECORDED))

    def fresh(name: str) -> None:
        for copy in ("first", "second"):
            shutil.rmtree(base / name / copy, ignore_errors=True)
            copied(base / "base", base / name / copy)

    works = [
        Work(
            name,
            python("benchmarks.references", name, base / name, "--threads", given.threads),
            before=partial(fresh, name),
        )
        for name in ("late", "late_afresh")
    ] + [
        Work(
            f"{name} command",
            _command(base / name / "first", given.threads, *more),
            before=partial(fresh, name),
        )
        for name, more in (("late", ()), ("late_afresh", ("--afresh",)))
    ]
    interleaved(works, given.rounds)
    late, afresh = (results_of(base / name / "first") for name in ("late", "late_afresh"))
    return works, late == afresh


def results_of(at: Path) -> list[str]:
    """Name the tables of all runs of a day's home, with the SHA-256 of each."""
    results = at / "home/results"
    return sorted(
        f"{path.relative_to(results).parts[1]} {path.name} {sha256(path.read_bytes()).hexdigest()}"
        for path in results.rglob("*.parquet")
    )


def copied(at: Path, to: Path) -> None:
    """Copy a day's home; what never changes is the same file."""

    def one(source: str, target: str) -> None:
        unchanging = "/home/readings/" in source or "/home/register/" in source
        (os.link if unchanging else shutil.copy2)(source, target)

    shutil.copytree(at / "home", to / "home", copy_function=one)


def _with_cold_kernels(at: Path, threads: int) -> Work:
    """Run the command once as on a machine that never compiled the kernels."""
    with tempfile.TemporaryDirectory() as empty:
        work = Work("first ever", _command(at, threads, "--afresh"), {"NUMBA_CACHE_DIR": empty})
        interleaved([work], 1)
    return work


def _taking_in(source: Path, given: argparse.Namespace) -> list[Work]:
    """List what is measured of taking in; each run begins with a home without readings."""
    scratch = given.folder / "scratch"
    home, copy = scratch / "home", scratch / "copy.parquet"
    works = []
    for form in ("csv", "parquet"):
        file = source / f"readings.{form}"

        def fresh() -> None:
            shutil.rmtree(scratch, ignore_errors=True)
            scratch.mkdir(parents=True)
            options = ("--points", given.ingest_points, "--seed", given.seed, "--fresh-home", home)
            measure(python("benchmarks.data", given.folder, *options))

        take_in = kwartier("ingest", file, "--home", home, "--recorded-at", RECORDED, "--json")
        works.append(Work(f"ingest {form}", take_in, {}, fresh))
        works += [
            Work(
                f"{name} {form}",
                python(
                    "benchmarks.references", name, file, "--out", copy, "--threads", given.threads
                ),
                {},
                fresh,
            )
            for name in ("duckdb_copy", "duckdb_copy_ordered")
        ]
    return works


if __name__ == "__main__":
    main()
