"""Measure kwartier beside its references and print the table.

Nothing here can fail a build: what misses its target is said so, and that is all.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

from benchmarks import page
from benchmarks.measuring import Work, interleaved, kwartier, machine, measure, python, versions

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
)


def main() -> None:
    """Measure everything."""
    given = _arguments()
    made: dict[tuple[int, float], tuple[Path, int]] = {}

    def day(points: int, doubtful: float, *more: str) -> tuple[Path, int]:
        """Make a day; allocated once, so that kernels are compiled and files are in the cache."""
        key = (points, doubtful)
        if key not in made:
            print(f"making a day of {points:,} points, {doubtful:.0%} doubtful", file=sys.stderr)
        if key not in made or more:
            options = ["--points", points, "--seed", given.seed, "--doubtful", doubtful, *more]
            told = measure(python("benchmarks.data", given.folder, *options)).told
            if key not in made:
                measure(_way(Path(told["at"]), given.threads)[0].argv)
            made[key] = (Path(told["at"]), int(told["readings"]))
        return made[key]

    first = given.doubtful[0]
    at, readings = day(given.points, first)
    way = _way(at, given.threads)
    interleaved(way, given.rounds)
    first_ever = _with_cold_kernels(at, given.threads)
    smaller, _ = day(given.points // 4, first)
    growth = _few(smaller, given.threads)
    interleaved(growth, given.rounds)
    shares = {first: [work for work in way if work.name in ("floor", "allocate")]}
    for share in given.doubtful[1:]:
        shares[share] = _few(day(given.points, share)[0], given.threads)
        interleaved(shares[share], given.rounds)
    taken_in: list[Work] = []
    if given.ingest_points:
        source, rows = day(given.ingest_points, 0.0, "--csv")
        taken_in = _taking_in(source, given, partial(day, given.ingest_points, 0.0))
        interleaved(taken_in, given.ingest_rounds)

    stored = sum(path.stat().st_size for path in (at / "home/readings").rglob("*.parquet"))
    text = page.write(
        page.Measured(
            machine=machine(given.threads),
            versions=versions(),
            load=os.getloadavg()[2],
            points=given.points,
            readings=readings,
            doubtful=first,
            rounds=given.rounds,
            way={work.name: work for work in way},
            first_ever=first_ever,
            smaller={work.name: work for work in growth},
            shares={share: {work.name: work for work in works} for share, works in shares.items()},
            ingest_points=given.ingest_points,
            ingest_rows=rows if given.ingest_points else 0,
            taken_in={work.name: work for work in taken_in},
            stored=stored,
        )
    )
    print(text)
    if given.out:
        given.out.write_text(text + "\n", "utf-8")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--points", type=int, default=200_000, help="accounting points")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--doubtful",
        type=float,
        nargs="+",
        default=[0.0],
        metavar="SHARE",
        help="share of points with defects; the table is of the first, more are measured beside it",
    )
    parser.add_argument("--rounds", type=int, default=5, help="runs of each; medians are told")
    parser.add_argument(
        "--ingest-points", type=int, default=20_000, help="points of the taking in; 0: leave out"
    )
    parser.add_argument("--ingest-rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument(
        "--folder",
        type=Path,
        default=Path(tempfile.gettempdir()) / "kwartier-benchmarks",
        help="where the days are kept, to be used again",
    )
    parser.add_argument("--out", type=Path, help="also write the page as Markdown")
    given = parser.parse_args()
    given.folder = given.folder.resolve()
    return given


def _way(at: Path, threads: int) -> list[Work]:
    """List what is measured of a day: kwartier's command, and the references."""
    home = ("--day", DAY, "--home", at / "home", "--threads", threads)
    command = kwartier("allocate", *home, "--afresh")  # nothing that an earlier run kept
    only = {"POLARS_MAX_THREADS": str(threads)}
    return [
        Work("kwartier", command),
        *(
            Work(name, python("benchmarks.references", name, at, "--threads", threads), only)
            for name in SUMMING
        ),
    ]


def _few(at: Path, threads: int) -> list[Work]:
    return [work for work in _way(at, threads) if work.name in FEW]


def _with_cold_kernels(at: Path, threads: int) -> Work:
    """Run the command once as on a machine that never compiled the kernels."""
    with tempfile.TemporaryDirectory() as empty:
        work = Work("first ever", _way(at, threads)[0].argv, {"NUMBA_CACHE_DIR": empty})
        interleaved([work], 1)
    return work


def _taking_in(source: Path, given: argparse.Namespace, day: Callable[..., object]) -> list[Work]:
    """List what is measured of taking in; each run begins with a home without readings."""
    scratch = given.folder / "scratch"
    home, copy = scratch / "home", scratch / "copy.parquet"
    works = []
    for form in ("csv", "parquet"):
        file = source / f"readings.{form}"

        def fresh() -> None:
            shutil.rmtree(scratch, ignore_errors=True)
            scratch.mkdir(parents=True)
            day("--fresh-home", str(home))

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
