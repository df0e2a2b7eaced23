"""The home: where the register, readings and results are kept.

On its storage, which is the home itself or a place elsewhere:

    register/grid_area=A/ID.parquet                          rows of the register, as taken in
    couplings/ID.parquet                                     rows of the couplings, as taken in
    fractions/ID.parquet                                     standard and dimensioned fractions
    volumes/market_day=D/ID.parquet                          quarter volumes, as taken in
    readings/market_day=D/grid_area=A/complete-ID.parquet    day rows without holes
    readings/market_day=D/grid_area=A/partial-ID.parquet     day rows with holes or meter status
    programmes/market_day=D/ID.parquet                       programmes of parties, as taken in
    prices/market_day=D/ID.parquet                           imbalance prices, as taken in
    doubts/ID.parquet                                        findings made when taking in
    received/market_day=D/ID.parquet                         series of a document of another party
    results/market_day=D/grid_area=A/run=ID/                 the tables of a run
    settlements/ID/market_day=D/                             the tables of a settlement
    open/market_day=D/grid_area=A/N-ID.parquet               what was published for everybody
    results/market_day=D/grid_area=A/run=ID/messages/        what it sends, as it is sent
    home                                                     of which home it is, where elsewhere

In the home itself:

    storage.json                                             where the storage is, where elsewhere
    parameters/ID.yaml                                       the home's own parameters
    parties/ID.yaml                                          who it is, and whom it sends to
    deliveries/N-ID.json                                     the manifest that makes them exist
    settlements/N-ID.json                                    the manifest that makes it exist
    kept/market_day=D/grid_area=A/NAME                       what blocks added up to; may be lost
    kept/register/grid_area=A/N-NAME.parquet                 what many files hold; may be lost
    workers/WORKER                                           locked while a worker lives
    ledger.json                                              how its ledger and it know each other
    ledger.sqlite                                            the ledger, where it is not elsewhere

Every file is written whole or not at all; a delivery exists from the moment its
manifest is renamed into place, and a run from the moment the ledger says that it is complete. What
a killed process left is not named by any manifest and is swept away by the next one that writes. A
later delivery does not change files: it holds, whole, the rows of every point that it changes, so
the newest delivery that holds a point counts, and an older one still answers what was known before.
Volumes are kept as they came; of those the newest delivery that has a volume of a period counts.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from datetime import date
from pathlib import Path
from threading import Lock
from types import MappingProxyType
from typing import Any

import numpy as np
import pyarrow as pa

from kwartier import periods
from kwartier.adapters.store import quarter_volumes, run_tables, settlements, workers
from kwartier.adapters.store.day_rows import Block, Layer, LayerWriter, partition
from kwartier.adapters.store.settling import mark, storage_for
from kwartier.adapters.store.storage import (
    UNFINISHED,
    Busy,
    Folder,
    HomeError,
)
from kwartier.adapters.store.writing import (
    read_json,
    read_table,
    read_text,
    sha256,
    write,
    write_json,
    write_text,
)
from kwartier.arrays import Delivered, Int64s
from kwartier.tables import OPEN_DATA

# The folders of what was taken in; a manifest names every file in them.
_PARTS = (
    *("register", "couplings", "fractions", "parameters", "parties"),
    *("readings", "volumes", "doubts", "programmes", "prices", "received"),
)
NO_MESSAGES: Mapping[str, bytes] = MappingProxyType({})


class Home:
    """A directory with everything that kwartier keeps.

    Parameters
    ----------
    root : made when it does not exist and `create` is given.
    storage : where its tables are kept, as s3://bucket/path; in the home when not given. It is said
        when a home is made, and stays so.

    Raises
    ------
    HomeError : no such home; or its storage is another one, or that of another home.
    """

    def __init__(
        self, root: str | os.PathLike[str], *, create: bool = False, storage: str | None = None
    ) -> None:
        self.root = Path(root)
        self._listing = Lock()
        self._manifests: dict[str, dict[str, Any]] = {}
        self._files: dict[str, list[tuple[dict[str, Any], dict[str, Any]]]] = {}
        if create:
            self.root.mkdir(parents=True, exist_ok=True)
        if not self.root.is_dir():
            raise HomeError(f"no home at {self.root}; 'kwartier register FILE' makes one")
        begun = storage is not None and bool(self.deliveries())
        self.storage = storage_for(self.root, storage, begun=begun)

    @contextmanager
    def writing(self, *, sweep: bool = True) -> Iterator[None]:
        """Be the only one who takes something in, and sweep what a killed process left.

        sweep : not for who takes in small things again and again and swept when he began, because
            it looks at every file that was taken in.
        """
        with (self.root / "lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise Busy(f"another kwartier is writing in {self.root}; wait for it") from None
            mark(self.root, self.storage)
            if sweep:
                self._sweep()
            try:
                yield
            finally:  # it may hold values that may not be kept
                self._clear_scratch()

    def _sweep(self) -> None:
        named = {f["path"] for d in self.deliveries() for f in d["files"]}
        for storage in {Folder(self.root), self.storage}:
            for part in _PARTS:
                for place in storage.places(part):
                    if place not in named:
                        storage.delete(place)
        for path in sorted((self.root / "deliveries").glob("*" + UNFINISHED)):
            path.unlink()
        self._clear_scratch()

    def _clear_scratch(self) -> None:
        shutil.rmtree(self.root / "tmp", ignore_errors=True)

    def scratch(self) -> Path:
        """Give a folder for what is too large for memory; swept away afterwards."""
        path = self.root / "tmp"
        path.mkdir(exist_ok=True)
        return path

    # -- what was taken in

    def deliveries(self, known_at: int | None = None) -> list[dict[str, Any]]:
        """List the manifests of what was taken in, as known at a moment [s UTC], in order."""
        folder = self.root / "deliveries"
        # Who receives documents has very many: only names are looked at again.
        names = sorted(os.listdir(folder)) if folder.is_dir() else []
        with self._listing:  # or two threads would name a file twice
            for name in names:
                if name not in self._manifests and name.endswith(
                    ".json"
                ):  # a manifest never changes
                    manifest = read_json(folder / name)
                    self._manifests[name] = manifest
                    for file in manifest["files"]:
                        place = str(Path(file["path"]).parent)
                        self._files.setdefault(place, []).append((manifest, file))
        found = [self._manifests[name] for name in names if name in self._manifests]
        return [d for d in found if known_at is None or d["recorded_at"] <= known_at]

    def newest(self, kind: str, known_at: int | None = None) -> dict[str, Any] | None:
        """Give the manifest that was recorded last of a kind, as known at a moment [s UTC]."""
        taken = [d for d in self.deliveries(known_at) if d["kind"] == kind]
        return max(taken, key=lambda d: (d["recorded_at"], d["number"]), default=None)

    def add(self, table: pa.Table, place: str) -> dict[str, Any]:
        """Write a table to a place of the storage; it exists once a manifest names it."""
        return write(self.storage, place, table)

    def add_text(self, text: str, path: Path) -> dict[str, Any]:
        """Write a text to a path of the home; it exists once a manifest names it."""
        write_text(path, text)
        return {"path": path.relative_to(self.root).as_posix(), "sha256": sha256(path)}

    def deliver(self, kind: str, recorded_at: int, **manifest: Any) -> dict[str, Any]:
        """Make a delivery exist: write its manifest."""
        number = len(self.deliveries()) + 1
        entry = {"number": number, "kind": kind, "recorded_at": recorded_at, **manifest}
        write_json(self.root / "deliveries" / f"{number:08d}-{manifest['id']}.json", entry)
        return entry

    def table_of(self, part: str, known_at: int | None = None) -> list[pa.Table]:
        """Read the tables of one part in order of delivery.

        part : couplings, fractions or doubts.
        """
        return [read_table(self.storage, place) for place in self.places_of(part, known_at)]

    def table_at(self, place: str) -> pa.Table:
        """Read a table that a manifest names."""
        return read_table(self.storage, place)

    def places_of(self, part: str, known_at: int | None = None) -> list[str]:
        """List the files of a part in order of delivery."""
        return [
            str(f["path"])
            for d in self.deliveries(known_at)
            for f in d["files"]
            if f["path"].startswith(part + "/")
        ]

    def files_in(
        self, folder: str, known_at: int | None
    ) -> list[tuple[dict[str, Any], dict[str, Any]]]:
        """List the files in a folder, each after the manifest that names it."""
        self.deliveries()
        held = self._files.get(folder, [])
        return [(d, f) for d, f in held if known_at is None or d["recorded_at"] <= known_at]

    def own_parameters(self, known_at: int | None = None) -> str | None:
        """Give the text of the home's own parameters, as known at a moment [s UTC]; None: none.

        Raises
        ------
        HomeError : a parameters.yaml lies in the home, where it was read from before.
        """
        lying = self.root / "parameters.yaml"
        if lying.exists():
            raise HomeError(
                f"{lying} is not read there; take it in with 'kwartier parameters parameters.yaml' "
                "and take it away"
            )
        return self.text_of("parameters", known_at)

    def text_of(self, kind: str, known_at: int | None = None) -> str | None:
        """Give the text that was recorded last of a kind, as known at a moment [s UTC].

        kind : parameters or parties.
        """
        newest = self.newest(kind, known_at)
        return None if newest is None else read_text(self.root / newest["files"][0]["path"])

    def add_volumes(self, rows: Delivered, day: date, delivery: str) -> dict[str, Any]:
        """Write the quarter volumes that a delivery brings of a day."""
        place = f"volumes/market_day={day.isoformat()}/{delivery}.parquet"
        return self.add(quarter_volumes.table(rows), place)

    def volumes(
        self, day: date, known_at: int | None = None
    ) -> tuple[Delivered, list[tuple[str, str]]]:
        """Give the quarter volumes of a day as known at a moment.

        Returns
        -------
        volumes : of each period the last delivered volume.
        files : what they were read from: path in the home, SHA-256.
        """
        files = [f for _, f in self.files_in(f"volumes/market_day={day.isoformat()}", known_at)]
        layers = [quarter_volumes.rows(read_table(self.storage, file["path"])) for file in files]
        merged = quarter_volumes.merged(layers, periods.count(day))
        return merged, [(file["path"], file["sha256"]) for file in files]

    def tables_of_day(
        self, part: str, day: date, known_at: int | None = None
    ) -> tuple[list[pa.Table], list[tuple[str, str]]]:
        """Read the tables of a part that is kept by day, in order of delivery.

        part : programmes or prices.

        Returns
        -------
        tables, files : and what they were read from: path on the storage, SHA-256.
        """
        files = [f for _, f in self.files_in(f"{part}/market_day={day.isoformat()}", known_at)]
        tables = [read_table(self.storage, file["path"]) for file in files]
        return tables, [(file["path"], file["sha256"]) for file in files]

    def layer_writer(self, day: date, grid_area: str, delivery: str) -> LayerWriter:
        """Begin to write the day rows that a delivery brings of an area and day."""
        return LayerWriter(self.storage, day, grid_area, delivery)

    def layers(self, day: date, grid_area: str, known_at: int | None = None) -> list[Layer]:
        """List the layers of day rows of an area and day, the newest delivery first."""
        held = self.files_in(f"readings/{partition(day, grid_area)}", known_at)
        return [
            Layer(
                self.storage,
                file["path"],
                Path(file["path"]).name.startswith("complete"),
                delivery["number"],
                file["sha256"],
            )
            for delivery, file in reversed(held)
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
        orders = sorted({layer.order for layer in layers}, reverse=True)
        hidden = np.empty(0, np.int64)
        blocks = []
        for order in orders:
            mine = [layer for layer in layers if layer.order == order]
            for layer in mine:
                for group in range(layer.metadata.num_row_groups):
                    first, last = layer.range(group)
                    asked = None if only is None else _between(only, first, last)
                    if asked is None or len(asked):
                        near = _between(hidden, first, last)
                        blocks.append(Block(layer, group, near if len(near) else None, asked))
            if order != orders[-1]:
                hidden = np.unique(np.concatenate([hidden, *(layer.numbers() for layer in mine)]))
        return blocks

    def kept(self, day: date, grid_area: str) -> Path:
        """Give the folder in which is kept what blocks of an area and day added up to."""
        return self.root / "kept" / partition(day, grid_area)

    def reads_since(self, day: date, grid_area: str, known_at: int | None = None) -> bool:
        """Tell whether readings of an area are kept of a day or of one before it."""
        self.deliveries()
        begin, end = "readings/market_day=", f"/grid_area={grid_area}"
        places = (p for p in self._files if p.startswith(begin) and p.endswith(end))
        days = [date.fromisoformat(p.removeprefix(begin).removesuffix(end)) for p in places]
        return any(self.layers(d, grid_area, known_at) for d in days if d <= day)

    # -- what was made

    def run_place(self, day: date, grid_area: str, run: str) -> str:
        """Give the place of the tables of a run."""
        return f"results/{partition(day, grid_area)}/run={run}"

    def run_folder(self, day: date, grid_area: str, run: str) -> Path:
        """Give the folder of the tables of a run, where the storage has folders."""
        return Path(self.storage.name(self.run_place(day, grid_area, run)))

    def table_of_run(self, day: date, grid_area: str, run: str, name: str) -> pa.Table:
        """Read a table of a run."""
        return read_table(self.storage, f"{self.run_place(day, grid_area, run)}/{name}.parquet")

    def write_run(
        self,
        day: date,
        grid_area: str,
        run: str,
        worker: str,
        tables: Mapping[str, pa.Table],
        messages: Mapping[str, bytes] = NO_MESSAGES,
    ) -> list[tuple[str, str, int, str]]:
        """Write the tables of a run; the run exists when the ledger says that it is complete.

        Parameters
        ----------
        messages : what it sends, by the name of each.

        Returns
        -------
        files : name, place on the storage, rows and SHA-256 of each table.
        """
        place = self.run_place(day, grid_area, run)
        entries = run_tables.write(self.storage, place, worker, tables, messages, self.gone)
        return [
            (name, f"{place}/{name}.parquet", entry["rows"], entry["sha256"])
            for name, entry in zip(tables, entries, strict=True)
        ]

    def message_place(self, day: date, grid_area: str, run: str, name: str) -> str:
        """Give the place of a message that a run sends."""
        return run_tables.message_place(self.run_place(day, grid_area, run), name)

    def message(self, place: str, sha256: str) -> bytes:
        """Read a message as it was written.

        Raises
        ------
        HomeError : it is missing, or is not what was written.
        """
        return run_tables.message(self.storage, place, sha256)

    def forget_run(self, day: date, grid_area: str, run: str) -> None:
        """Take away the tables of a run that did not come to be complete."""
        self.storage.delete_folder(self.run_place(day, grid_area, run))

    # -- what was published for everybody

    def add_open(self, table: pa.Table, day: date, grid_area: str, run: str) -> None:
        """Keep what is published of a run for everybody, as the last of the day and area."""
        number = len(self.open_runs(day, grid_area)) + 1
        self.add(table, f"open/{partition(day, grid_area)}/{number:08d}-{run}.parquet")

    def open_runs(self, day: date, grid_area: str) -> list[tuple[str, str]]:
        """List the runs that were published for everybody, in order: id and place."""
        end = ".parquet"
        places = sorted(self.storage.places(f"open/{partition(day, grid_area)}"))
        return [
            (place.removesuffix(end).rpartition("/")[2].partition("-")[2], place)
            for place in places
            if place.endswith(end)
        ]

    def open_table(self, place: str) -> pa.Table:
        """Read what was published for everybody at a place."""
        # Parquet knows no moments in whole seconds.
        return read_table(self.storage, place).cast(OPEN_DATA.schema)

    def a_run(self) -> str | None:
        """Give the id of a run of which tables are there; None where there are none."""
        return run_tables.any_run(self.storage)

    def settlements(self) -> list[dict[str, Any]]:
        """List the manifests of the settlements that were made, in order."""
        return settlements.manifests(self.root)

    def table_of_settlement(self, settlement: str, day: date, name: str) -> pa.Table:
        """Read a table of a settlement."""
        return read_table(self.storage, settlements.place(settlement, day, name))

    def write_settlement(
        self, settlement: str, made: Mapping[tuple[date, str], pa.Table], **manifest: Any
    ) -> None:
        """Write the tables of a settlement, by day and name; it exists once its manifest does."""
        settlements.sweep(self.root, self.storage)
        files = [
            self.add(table, settlements.place(settlement, day, name))
            for (day, name), table in made.items()
        ]
        settlements.finish(self.root, settlement, files=files, **manifest)

    # -- who works here

    def present(self, worker: str) -> AbstractContextManager[None]:
        """Show to others that a worker lives, until it ends, however it ends."""
        return workers.present(self.root / "workers", worker)

    def gone(self, worker: str) -> bool:
        """Tell whether a worker is gone: nobody holds its lock."""
        return workers.gone(self.root / "workers", worker)

    def days_with_volumes(self) -> list[date]:
        """List the market days of which quarter volumes were taken in."""
        self.deliveries()
        places = [place.split("/") for place in self._files if place.startswith("volumes/")]
        return sorted(date.fromisoformat(place[1].split("=")[1]) for place in places)

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


def _between(numbers: Int64s, first: int, last: int) -> Int64s:
    """Give the numbers, sorted, from one to another."""
    return numbers[np.searchsorted(numbers, first) : np.searchsorted(numbers, last, "right")]
