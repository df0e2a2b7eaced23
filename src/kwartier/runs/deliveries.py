"""What every delivery shares: its files, which were taken in before, and what it brought."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from kwartier.adapters import files, store
from kwartier.adapters.store import Home, HomeError

# A path, the URI of a file on an object store, or an Arrow table (or what gives one out).
Source = Any


@dataclass(frozen=True)
class Intake:
    """What one delivery brought: rows in = rows kept + rows in findings."""

    delivery: str | None
    rows_in: int = 0
    rows_kept: int = 0
    skipped: tuple[str, ...] = ()
    found: Mapping[str, int] = field(default_factory=dict)
    days: tuple[str, ...] = ()


class NewFiles(NamedTuple):
    """The files to read, and the names of those that were left out.

    `told` gives what a manifest says of the files to read. It may have to read them for that, so it
    is asked beside the reading, or after it.
    """

    paths: list[Path]
    told: Callable[[], list[dict[str, Any]]]
    skipped: tuple[str, ...]


# What a later moment of taking in may say otherwise, and what later deliveries of other kinds.
_BY_MOMENT = {"in_future"}
_BY_KINDS = {
    "unknown_point": ("register", "couplings"),
    "not_eligible": ("register", "parameters"),
    "not_by_volumes": ("register", "couplings"),
    "triple_not_allowed": ("parameters",),
    "off_quarter": ("parameters",),
    "too_old": ("parameters",),
}


def _settled(delivery: Mapping[str, Any], moment: int, newest: Mapping[str, int]) -> bool:
    """Tell whether looking at the files of a delivery again, now, can bring nothing new.

    Parameters
    ----------
    moment : when they would be taken in [s UTC]; earlier than before, and more may be young enough.
    newest : the number of the newest delivery of each kind.
    """
    lost = {rule for rule, rows in delivery.get("rows_found", {}).items() if rows}
    before = delivery["recorded_at"]
    since = {kind for kind, number in newest.items() if number > delivery["number"]}
    return not (
        moment < before
        or (moment > before and lost & _BY_MOMENT)
        or any(since & set(_BY_KINDS.get(rule, ())) for rule in lost)
    )


def new_files(
    home: Home, sources: Sequence[Source], kind: str, moment: int, **said: object
) -> NewFiles:
    """Turn sources into files, and leave out those that were taken in before, by their content.

    A file of another size than all that came before is a new one, and is not looked through first.

    Parameters
    ----------
    said : what was said about the files; said otherwise, they are other files.
    """
    deliveries = home.deliveries()
    newest = {d["kind"]: d["number"] for d in deliveries}
    before = [
        entry
        for manifest in deliveries
        if manifest["kind"] == kind and _settled(manifest, moment, newest)
        for entry in manifest["inputs"]
    ]
    if isinstance(sources, str | Path) or hasattr(sources, "__arrow_c_stream__"):
        raise TypeError("sources: expected a list of files and tables, not one; write [source]")
    paths = [path_of(home, source, number) for number, source in enumerate(sources)]
    size_of = [path.stat().st_size for path in paths]
    sizes = Counter([*(entry.get("bytes") for entry in before), *size_of])
    known = [_content_of(entry) for entry in before]
    new: list[tuple[Path, dict[str, Any]]] = []
    skipped = []
    for path, size in zip(paths, size_of, strict=True):
        entry = {"name": path.name, "bytes": size, **said}
        if None in sizes or sizes[size] > 1:
            entry["sha256"] = store.sha256(path)
            if _content_of(entry) in known:
                skipped.append(path.name)
                continue
            known.append(_content_of(entry))
        new.append((path, entry))

    def told() -> list[dict[str, Any]]:
        for path, entry in new:
            if "sha256" not in entry:
                entry["sha256"] = store.sha256(path)
        return [entry for _, entry in new]

    return NewFiles([path for path, _ in new], told, tuple(skipped))


def _content_of(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Give what tells a file from others; the size of one that came before may not be known."""
    return {name: value for name, value in entry.items() if name not in ("name", "bytes")}


def path_of(home: Home, source: Source, number: int = 0) -> Path:
    """Give the file of a source; a table is written to one, and one of a store is fetched."""
    if isinstance(source, str) and "://" in source:
        path = store.fetched(source, home.scratch() / f"file-{number}")
    elif isinstance(source, str | Path):
        path = Path(source)
    elif not hasattr(source, "__arrow_c_stream__"):
        raise TypeError(
            "sources: expected a path or a table that Arrow can read (of pyarrow, pandas, "
            f"Polars, DuckDB), not {type(source).__name__}"
        )
    else:
        path = home.scratch() / f"table-{number}.parquet"
        pq.write_table(pa.table(source), path)
    if not path.is_file():
        problem = files.Problem(path.name, None, None, "a file", "nothing")
        raise files.FileRefused([problem], 1)
    return path


def in_order(home: Home, kind: str, moment: int) -> None:
    """Refuse a delivery that comes before one that is here already.

    Raises
    ------
    HomeError : a later delivery was taken in before.
    """
    # A delivery of which nothing was kept stands in nobody's way.
    earlier = [d["recorded_at"] for d in home.deliveries() if d["kind"] == kind and d["rows_kept"]]
    if earlier and moment < max(earlier):
        raise HomeError(f"{kind} recorded later are here already; take deliveries in, in order")


def deliver_rows(
    home: Home,
    kind: str,
    moment: int,
    name: str,
    inputs: Sequence[Mapping[str, Any]],
    skipped: tuple[str, ...],
    written: list[dict[str, Any]],
    doubts: pa.Table,
    rows_in: int,
    rows_kept: int,
) -> Intake:
    """Write what was doubtful, and make a delivery of rows exist.

    Parameters
    ----------
    written : what the manifest says of the files that hold the rows.
    """
    written = list(written)
    if doubts.num_rows:
        written.append(home.add(doubts.combine_chunks(), f"doubts/{name}.parquet"))
    lost = doubts.group_by("rule").aggregate([("rows", "sum")]).to_pylist()
    by_rule = {str(row["rule"]): int(row["rows_sum"]) for row in lost}
    home.deliver(
        kind,
        moment,
        id=name,
        inputs=inputs,
        files=written,
        rows_in=rows_in,
        rows_kept=rows_kept,
        rows_found=by_rule,
    )
    days = {part.split("=")[1] for f in written for part in f["path"].split("/") if "day=" in part}
    return Intake(name, rows_in, rows_kept, skipped, by_rule, tuple(sorted(days)))
