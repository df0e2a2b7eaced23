"""The home: where the register, readings and results are kept.

    register/ID.parquet                                      rows of the register, as taken in
    readings/market_day=D/grid_area=A/complete-ID.parquet    day rows without holes
    readings/market_day=D/grid_area=A/partial-ID.parquet     day rows with holes or meter status
    doubts/ID.parquet                                        findings made when taking in
    deliveries/N-ID.json                                     the manifest that makes them exist
    results/market_day=D/grid_area=A/run=ID/                 tables and manifest of a run

Every file is written under another name, synced and renamed; a delivery exists from the moment its
manifest is renamed into place, and a run from the moment its folder is. What a killed process left
is not named by any manifest and is swept away by the next one that writes. A later delivery does
not change files: it holds, whole, the rows of every point that it changes, so the newest delivery
that holds a point counts, and an older one still answers what was known before.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from kwartier import codes
from kwartier.arrays import NOT_READ, Int64s, Rows

ROW_GROUP = 16_384
UNFINISHED = ".unfinished"
_LARGEST = np.iinfo(np.int32).max
_REGISTER = pa.field("register", pa.string(), nullable=False)
_POINT = pa.field("accounting_point", pa.int64(), nullable=False)
_METER = pa.field("meter", pa.string())
# Readings without holes decode fastest as 32-bit whole numbers that cannot be null.
_WHOLE = pa.field("reading_wh", pa.list_(pa.field("element", pa.int32(), nullable=False)), False)
_HOLED = pa.field("reading_wh", pa.list_(pa.int64()), nullable=False)
_STATUS = pa.field("status", pa.list_(pa.field("element", pa.int32(), nullable=False)))


class HomeError(Exception):
    """The home cannot do what was asked; the text says why and what to do."""


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Say which file of the home cannot be read."""
    try:
        yield
    except FileNotFoundError:
        raise HomeError(f"{path} is missing, and the home needs it; put it back") from None
    except (pa.ArrowException, OSError, ValueError) as error:
        kind = type(error).__name__  # its text may show what is in the file
        raise HomeError(f"{path} is damaged ({kind}); put back a good copy of it") from None


@dataclass(frozen=True)
class Layer:
    """The day rows that one delivery holds of a grid area and market day, in one file."""

    path: Path
    complete: bool
    order: int
    sha256: str

    @cached_property
    def metadata(self) -> pq.FileMetaData:
        """The footer of the file."""
        with _reading(self.path):
            return pq.read_metadata(self.path)

    def numbers(self) -> Int64s:
        """The points it holds, each once."""
        with _reading(self.path):
            column = pq.ParquetFile(self.path, metadata=self.metadata).read(["accounting_point"])
        return np.unique(column["accounting_point"].to_numpy())


@dataclass(frozen=True)
class Block:
    """A row group of a layer, less the points that a later delivery holds.

    `only` restricts it to some points; both are sorted.
    """

    layer: Layer
    row_group: int
    hidden: Int64s | None = None
    only: Int64s | None = None

    def range(self) -> tuple[int, int]:
        """The lowest and the highest point in it."""
        statistics = self.layer.metadata.row_group(self.row_group).column(0).statistics
        return statistics.min, statistics.max

    def read(self) -> Rows:
        """Read the rows, sorted by point, meter and register."""
        return self.read_named()[0]

    def read_named(self) -> tuple[Rows, dict[int, str]]:
        """Read the rows, and the name of each meter code among them."""
        with _reading(self.layer.path):
            file = pq.ParquetFile(
                self.layer.path, metadata=self.layer.metadata, read_dictionary=["register"]
            )
            table = file.read_row_group(self.row_group, use_threads=False)
        number = table["accounting_point"].to_numpy()
        keep = None
        for points, inside in ((self.hidden, False), (self.only, True)):
            if points is not None:
                at = np.minimum(np.searchsorted(points, number), max(len(points) - 1, 0))
                held = points[at] == number if len(points) else np.zeros(len(number), bool)
                keep = (held == inside) if keep is None else keep & (held == inside)
        if keep is not None and not keep.all():
            table = table.filter(pa.array(keep))
            number = number[keep]
        register = table["register"].combine_chunks()
        index = np.array(
            [codes.REGISTER_INDEX[obis] for obis in register.dictionary.to_pylist()], np.int64
        )
        meter, names = meter_codes(table["meter"].combine_chunks())
        rows = Rows(
            number=number,
            register=index[register.indices.to_numpy()] if len(number) else index[:0],
            meter=meter,
            reading=_matrix(table["reading_wh"]),
            status=_matrix(table["status"]) if "status" in table.column_names else None,
            complete=self.layer.complete,
        )
        return rows, names


def _matrix(column: pa.ChunkedArray) -> npt.NDArray[np.signedinteger]:
    lists = column.combine_chunks()
    values = lists.flatten()
    if values.null_count:
        values = values.fill_null(pa.scalar(int(NOT_READ), values.type))
    return values.to_numpy().reshape(len(lists), -1) if len(lists) else np.empty((0, 1), np.int64)


def meter_code(name: str) -> int:
    """Give the number that stands for a meter's name inside a run; 0 stands for no name."""
    digest = hashlib.blake2b(name.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True) or 1


def meter_codes(name: pa.Array) -> tuple[Int64s, dict[int, str]]:
    """Give the code of each meter's name, and the name of each code."""
    if name.null_count == len(name):
        return np.zeros(len(name), np.int64), {}
    encoded = name.dictionary_encode()
    names = {meter_code(word): word for word in encoded.dictionary.to_pylist()}
    of_word = np.array([*names, 0], np.int64)
    return of_word[encoded.indices.fill_null(len(names)).to_numpy()], names


class Home:
    """A directory with everything that kwartier keeps.

    Parameters
    ----------
    root : made when it does not exist and `create` is given.

    Raises
    ------
    HomeError : no such home.
    """

    def __init__(self, root: str | os.PathLike[str], *, create: bool = False) -> None:
        self.root = Path(root)
        self._manifests: dict[str, dict[str, Any]] = {}
        self._files: dict[str, list[tuple[dict[str, Any], dict[str, Any]]]] = {}
        if create:
            self.root.mkdir(parents=True, exist_ok=True)
        if not self.root.is_dir():
            raise HomeError(f"no home at {self.root}; 'kwartier register FILE' makes one")

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Be the only one who takes something in, and sweep what a killed process left."""
        with (self.root / "lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise HomeError(
                    f"another kwartier is writing in {self.root}; wait for it"
                ) from None
            self._sweep()
            try:
                yield
            finally:  # it may hold values that may not be kept
                self._clear_scratch()

    def _sweep(self) -> None:
        named = {self.root / f["path"] for d in self.deliveries() for f in d["files"]}
        for part in ("register", "readings", "doubts"):
            for path in sorted((self.root / part).rglob("*")):
                if path.is_file() and path not in named:
                    path.unlink()
        for path in sorted((self.root / "deliveries").glob("*" + UNFINISHED)):
            path.unlink()
        self._clear_scratch()

    def _clear_scratch(self) -> None:
        shutil.rmtree(self.root / "tmp", ignore_errors=True)

    def parameters_text(self) -> str | None:
        """Give the home's own parameters.yaml, where there is one."""
        path = self.root / "parameters.yaml"
        return path.read_text("utf-8") if path.is_file() else None

    def scratch(self) -> Path:
        """Give a folder for what is too large for memory; swept away afterwards."""
        path = self.root / "tmp"
        path.mkdir(exist_ok=True)
        return path

    # -- what was taken in

    def deliveries(self, known_at: int | None = None) -> list[dict[str, Any]]:
        """List the manifests of what was taken in, as known at a moment [s UTC], in order."""
        for path in sorted((self.root / "deliveries").glob("*.json")):
            if path.name not in self._manifests:  # a manifest never changes
                manifest = _read_json(path)
                self._manifests[path.name] = manifest
                for file in manifest["files"]:
                    place = str(Path(file["path"]).parent)
                    self._files.setdefault(place, []).append((manifest, file))
        found = [self._manifests[name] for name in sorted(self._manifests)]
        return [d for d in found if known_at is None or d["recorded_at"] <= known_at]

    def add(self, table: pa.Table, path: Path, **options: Any) -> dict[str, Any]:
        """Write a table to a path of the home; it exists once a manifest names it."""
        path.parent.mkdir(parents=True, exist_ok=True)
        with Writer(self, path, table.schema, **options) as writer:
            writer.write(table)
        return writer.entry()

    def deliver(self, kind: str, recorded_at: int, **manifest: Any) -> dict[str, Any]:
        """Make a delivery exist: write its manifest."""
        number = len(self.deliveries()) + 1
        entry = {"number": number, "kind": kind, "recorded_at": recorded_at, **manifest}
        write_json(self.root / "deliveries" / f"{number:08d}-{manifest['id']}.json", entry)
        return entry

    def table_of(self, part: str, known_at: int | None = None) -> list[pa.Table]:
        """Read the tables of one part, register or doubts, in order of delivery."""
        return [
            read_table(self.root / f["path"], words_as_codes=part == "register")
            for d in self.deliveries(known_at)
            for f in d["files"]
            if f["path"].startswith(part + "/")
        ]

    def layers(self, day: date, grid_area: str, known_at: int | None = None) -> list[Layer]:
        """List the layers of day rows of an area and day, the newest delivery first."""
        self.deliveries()
        place = f"readings/{_partition(day, grid_area)}"
        return [
            Layer(
                self.root / file["path"],
                Path(file["path"]).name.startswith("complete"),
                delivery["number"],
                file["sha256"],
            )
            for delivery, file in reversed(self._files.get(place, []))
            if known_at is None or delivery["recorded_at"] <= known_at
        ]

    def blocks(
        self,
        day: date,
        grid_area: str,
        known_at: int | None = None,
        only: Int64s | None = None,
    ) -> list[Block]:
        """List the blocks of an area and day as known at a moment; each point is in one block."""
        layers = self.layers(day, grid_area, known_at)
        several = len({layer.order for layer in layers}) > 1
        hidden: Int64s | None = None
        blocks = []
        for order in sorted({layer.order for layer in layers}, reverse=True):
            mine = [layer for layer in layers if layer.order == order]
            for layer in mine:
                for group in range(layer.metadata.num_row_groups):
                    block = Block(layer, group, hidden, only)
                    if only is not None:
                        first, last = block.range()
                        if np.searchsorted(only, first) == np.searchsorted(only, last, "right"):
                            continue
                    blocks.append(block)
            if several:
                held = [layer.numbers() for layer in mine]
                hidden = np.unique(np.concatenate([*held, *([] if hidden is None else [hidden])]))
        return blocks

    # -- what was made

    def _runs(self, day: date, grid_area: str) -> Path:
        return self.root / "results" / _partition(day, grid_area)

    def write_run(
        self,
        day: date,
        grid_area: str,
        run: str,
        tables: Mapping[str, pa.Table],
        manifest: Mapping[str, Any],
    ) -> None:
        """Write the tables of a run and its manifest; it exists when its folder has its name."""
        folder = self._runs(day, grid_area)
        folder.mkdir(parents=True, exist_ok=True)
        for left in folder.glob("*" + UNFINISHED):
            if _abandoned(left):
                shutil.rmtree(left, ignore_errors=True)
        unfinished = folder / f"run={run}-{os.getpid()}{UNFINISHED}"
        unfinished.mkdir()
        with (unfinished / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            entries = []
            for name, table in tables.items():
                entry = self.add(table, unfinished / f"{name}.parquet")
                entries.append({**entry, "path": f"{name}.parquet"})
            latest = self.latest_run(day, grid_area)
            order = 1 + (latest[1]["order"] if latest else 0)
            content = {**manifest, "run": run, "order": order, "files": entries}
            write_json(unfinished / "manifest.json", content)
            (unfinished / "lock").unlink()
            finished = folder / f"run={run}"
            if finished.exists():  # the same inputs gave the same bytes; only the order is newer
                os.replace(unfinished / "manifest.json", finished / "manifest.json")
                shutil.rmtree(unfinished)
            else:
                os.replace(unfinished, finished)
        _sync(folder)

    def latest_run(self, day: date, grid_area: str) -> tuple[Path, dict[str, Any]] | None:
        """Find the folder and manifest of the run of an area and day that was made last."""
        runs = [
            (path.parent, _read_json(path))
            for path in self._runs(day, grid_area).glob("run=*/manifest.json")
            if not path.parent.name.endswith(UNFINISHED)
        ]
        return max(runs, key=lambda run: (run[1]["order"], run[1]["run"]), default=None)

    def days(self) -> dict[str, list[str]]:
        """List the grid areas with readings of each market day, ISO."""
        found: dict[str, set[str]] = {}
        for delivery in self.deliveries():
            for file in delivery["files"]:
                parts = file["path"].split("/")
                if parts[0] == "readings":
                    day, area = (part.split("=")[1] for part in parts[1:3])
                    found.setdefault(day, set()).add(area)
        return {day: sorted(found[day]) for day in sorted(found)}


def _abandoned(unfinished: Path) -> bool:
    """Tell whether the process that made an unfinished run is gone: nobody holds its lock."""
    try:
        with (unfinished / "lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _partition(day: date, grid_area: str) -> str:
    return f"market_day={day.isoformat()}/grid_area={grid_area}"


class Writer:
    """Writes one Parquet file of the home under another name, syncs it and renames it."""

    def __init__(self, home: Home, path: Path, schema: pa.Schema, **options: Any) -> None:
        self._home, self._path = home, path
        self._unfinished = path.with_name(path.name + UNFINISHED)
        self._rows = 0
        path.parent.mkdir(parents=True, exist_ok=True)
        options = {"compression": "zstd", **options}
        self._writer = pq.ParquetWriter(self._unfinished, schema, **options)

    def write(self, table: pa.Table) -> None:
        """Write rows, each call as row groups of its own."""
        self._writer.write_table(table)
        self._rows += table.num_rows

    def __enter__(self) -> Writer:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        self._writer.close()
        if kind is None:
            _sync(self._unfinished)
            os.replace(self._unfinished, self._path)
            _sync(self._path.parent)
        else:
            self._unfinished.unlink(missing_ok=True)

    def entry(self) -> dict[str, Any]:
        """Give what a manifest says of the file."""
        return {
            "path": self._path.relative_to(self._home.root).as_posix(),
            "rows": self._rows,
            "sha256": sha256(self._path),
        }


class LayerWriter:
    """Writes the day rows of one delivery, area and day, points in rising order.

    Points of which every row is whole go to the complete file, all others to the partial one.
    """

    def __init__(self, home: Home, day: date, grid_area: str, delivery: str) -> None:
        self._home = home
        self._folder = home.root / "readings" / _partition(day, grid_area)
        self._delivery = delivery
        self._writers: dict[bool, Writer] = {}
        self._waiting: dict[bool, list[tuple[Rows, dict[int, str]]]] = {True: [], False: []}

    def write(self, rows: Rows, meters: Mapping[int, str]) -> None:
        """Write rows, sorted by point, meter and register; a point's rows come in one call."""
        whole = ((rows.reading >= 0) & (rows.reading <= _LARGEST)).all(axis=1)
        if rows.status is not None:
            whole &= (rows.status == 0).all(axis=1)
        starts = np.ones(len(rows.number), bool)
        starts[1:] = rows.number[1:] != rows.number[:-1]
        first = np.nonzero(starts)[0]
        if len(first):
            whole = np.logical_and.reduceat(whole, first)
            lowest = np.minimum.reduceat(rows.meter, first)
            whole &= lowest == np.maximum.reduceat(rows.meter, first)
            whole = np.repeat(whole, np.diff(np.append(first, len(rows.number))))
        for complete in (True, False):
            part = rows.take(whole == complete)
            self._waiting[complete].append((part, dict(meters)))
            if sum(len(p.number) for p, _ in self._waiting[complete]) >= ROW_GROUP:
                self._flush(complete)

    def _flush(self, complete: bool) -> None:
        parts, self._waiting[complete] = self._waiting[complete], []
        number = np.concatenate([p.number for p, _ in parts])
        if not len(number):
            return
        reading = np.concatenate([p.reading for p, _ in parts])
        meter = np.concatenate([p.meter for p, _ in parts])
        names = {code: name for _, m in parts for code, name in m.items()}
        register = np.concatenate([p.register for p, _ in parts])
        width = reading.shape[1]
        offsets = pa.array(np.arange(0, reading.size + 1, width, dtype=np.int32))
        columns = {
            _POINT: pa.array(number),
            _REGISTER: pa.array(codes.REGISTERS).take(pa.array(register)),
            _METER: pa.array([names.get(code) for code in meter.tolist()], pa.string()),
        }
        if complete:
            values = pa.array(reading.astype(np.int32).reshape(-1))
            columns[_WHOLE] = pa.ListArray.from_arrays(offsets, values, type=_WHOLE.type)
        else:
            flat = reading.reshape(-1)
            values = pa.array(flat, mask=flat == NOT_READ)
            columns[_HOLED] = pa.ListArray.from_arrays(offsets, values)
            status = np.concatenate(
                [
                    np.zeros(p.reading.shape, np.int32)
                    if p.status is None
                    else p.status.astype(np.int32)
                    for p, _ in parts
                ]
            )
            columns[_STATUS] = pa.ListArray.from_arrays(
                offsets, pa.array(status.reshape(-1)), type=_STATUS.type
            )
        table = pa.table(list(columns.values()), schema=pa.schema(list(columns)))
        if complete not in self._writers:
            name = "complete" if complete else "partial"
            path = self._folder / f"{name}-{self._delivery}.parquet"
            self._writers[complete] = Writer(self._home, path, table.schema, **LAYOUT)
        ends = np.append(np.nonzero(number[1:] != number[:-1])[0] + 1, len(number))
        at = 0
        while at < len(number):  # a row group holds whole points, at least one
            whole = np.searchsorted(ends, at + ROW_GROUP, "right") - 1
            end = int(ends[max(whole, np.searchsorted(ends, at, "right"))])
            self._writers[complete].write(table.slice(at, end - at))
            at = end

    def close(self) -> list[dict[str, Any]]:
        """Finish the files and give what a manifest says of them."""
        entries = []
        for complete in (True, False):
            if self._waiting[complete]:
                self._flush(complete)
            writer = self._writers.get(complete)
            if writer:
                with writer:
                    pass
                entries.append(writer.entry())
        return entries


# Chosen by measuring decode time and size (docs/decisions.md §14).
LAYOUT: dict[str, Any] = {
    "compression": "lz4",
    "use_dictionary": ["register"],
    "column_encoding": {
        "accounting_point": "DELTA_BINARY_PACKED",
        "reading_wh.list.element": "BYTE_STREAM_SPLIT",
    },
    "write_statistics": ["accounting_point"],
}


def read_table(path: Path, *, words_as_codes: bool = False) -> pa.Table:
    """Read a table of the home; Parquet has no whole seconds, so they are made again.

    words_as_codes : give text columns as dictionaries, which is quicker where words repeat.
    """
    with _reading(path):
        # Words that repeat stay as the codes they are stored with.
        words = [f.name for f in pq.read_schema(path) if pa.types.is_string(f.type)]
        table = pq.read_table(path, read_dictionary=words if words_as_codes else None)
    moments = {
        field.name: pa.timestamp("s", field.type.tz)
        for field in table.schema
        if pa.types.is_timestamp(field.type)
    }
    return table.cast(
        pa.schema([pa.field(f.name, moments.get(f.name, f.type)) for f in table.schema])
    )


def _read_json(path: Path) -> dict[str, Any]:
    """Read a manifest."""
    with _reading(path):
        content: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return content


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write a manifest under another name, sync it and rename it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(path.name + UNFINISHED)
    with unfinished.open("w", encoding="utf-8") as file:
        json.dump(content, file, indent=1, sort_keys=True)
        file.flush()
        os.fsync(file.fileno())
    os.replace(unfinished, path)
    _sync(path.parent)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sha256(path: Path) -> str:
    """Give the SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
