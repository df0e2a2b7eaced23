"""Taking in: files → the home. One call is one delivery, and exists as a whole or not at all."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from kwartier import findings, periods, tables
from kwartier.adapters import files, sorting, store
from kwartier.adapters.store import Home, HomeError
from kwartier.arrays import MEASURABLE, Int64s, Rows
from kwartier.runs.moments import (
    Progress,
    identity,
    parameters_of,
    register_of,
    seconds,
    silent,
)
from kwartier.steps import delivery
from kwartier.steps.delivery import Readable

# A path, or an Arrow table (or what gives one out).
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


# What a later register may say otherwise.
_BY_REGISTER = {"unknown_point", "not_eligible"}


def _files(
    home: Home, sources: Sequence[Source], kind: str
) -> tuple[list[Path], list[dict[str, str]], list[str]]:
    """Turn sources into files, and leave out those that were taken in before, by their content.

    Readings that were refused for what the register said are looked at again once it says more.
    """
    deliveries = home.deliveries()
    register = max((d["number"] for d in deliveries if d["kind"] == "register"), default=0)
    known = {
        entry["sha256"]
        for manifest in deliveries
        if manifest["kind"] == kind
        and not (
            manifest["number"] < register
            and _BY_REGISTER
            & {rule for rule, rows in manifest.get("rows_found", {}).items() if rows}
        )
        for entry in manifest["inputs"]
    }
    paths, inputs, skipped = [], [], []
    for number, source in enumerate(sources):
        if isinstance(source, str | Path):
            path = Path(source)
        else:
            path = home.scratch() / f"table-{number}.parquet"
            pq.write_table(pa.table(source), path)
        if not path.is_file():
            problem = files.Problem(path.name, None, None, "a file", "nothing")
            raise files.FileRefused([problem], 1)
        entry = {"name": path.name, "sha256": store.sha256(path)}
        if entry["sha256"] in known:
            skipped.append(path.name)
        else:
            known.add(entry["sha256"])
            paths.append(path)
            inputs.append(entry)
    return paths, inputs, skipped


def take_register(
    home: Home, sources: Sequence[Source], *, recorded_at: datetime | None = None
) -> Intake:
    """Take in files (or Arrow tables) of the register of accounting points.

    Parameters
    ----------
    recorded_at : when rows that do not say so became known; now when not given.

    Raises
    ------
    FileRefused : something is wrong in the files; nothing of them is kept.
    """
    moment = seconds(recorded_at)
    with home.writing():
        paths, inputs, skipped = _files(home, sources, "register")
        if not paths:
            return Intake(None, skipped=tuple(skipped))
        rows = files.read_register(paths, datetime.fromtimestamp(moment, UTC))
        rows = rows.sort_by([(name, "ascending") for name in ("accounting_point", "valid_from")])
        name = identity(inputs)
        entry = home.add(rows, home.root / "register" / f"{name}.parquet")
        home.deliver("register", moment, id=name, inputs=inputs, files=[entry], rows_in=len(rows))
    return Intake(name, len(rows), len(rows), tuple(skipped))


_SORTED = pa.schema(
    [
        ("day", pa.int32()),
        ("area", pa.int32()),
        ("number", pa.int64()),
        ("meter", pa.string()),
        ("register", pa.int8()),
        ("position", pa.int16()),
        ("reading", pa.int64()),
        ("status", pa.int32()),
        ("counts", pa.bool_()),
    ]
)
_RULES = np.array([findings.RULE_INDEX.get(name, -1) for name in files.DOOR_RULES], np.int64)
# Of these the finding shows how far off the rows were; of the others how many there were.
_MEASURED = [findings.RULE_INDEX[n] for n in ("in_future", "off_quarter", "too_old", "wrong_count")]


class _Door:
    """Sends batches of readings on to their day and area, and counts what is not kept."""

    def __init__(self, home: Home, recorded_at: int, progress: Progress) -> None:
        self._recorded_at = recorded_at
        taken_in = periods.locate(np.array([recorded_at], np.int64))[0][0]
        self._parameters = parameters_of(home, periods.day_of_number(taken_in))
        self._register = register_of(home, recorded_at)
        self.areas = self._register.areas()
        self._known = self._register.numbers()
        self._readable = lru_cache(maxsize=None)(self._readable_on)
        self._home = home
        self._progress = progress
        self.doubts: list[pa.Table] = []
        self.rows_in = 0

    def _readable_on(self, day: date) -> Readable:
        points, _ = self._register.on(day, parameters_of(self._home, day))
        of_area = [points[area] for area in self.areas]
        number = np.concatenate([p.number for p in of_area])
        order = np.argsort(number)
        area = np.repeat(np.arange(len(of_area)), [len(p.number) for p in of_area])
        state = np.concatenate([p.state for p in of_area])
        return Readable(number[order], area[order], state[order] == MEASURABLE)

    def batches(self, read: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Give the readings that may be kept, each with its day, area and position."""
        for batch in read:
            if batch.schema.equals(files.DAY_BATCH):
                batch = self._of_day_rows(batch)
            self.rows_in += batch.num_rows
            self._progress(self.rows_in, None)
            number = batch["accounting_point"].to_numpy()
            placed, doubts = delivery.place(
                number,
                batch["read_at"].to_numpy(),
                _RULES[batch["rule"].to_numpy()],
                recorded_at=self._recorded_at,
                known=self._known,
                readable_on=self._readable,
                parameters=self._parameters,
            )
            self._doubt(doubts, np.ones(len(doubts.number), np.int64))
            row = pa.array(placed.row)
            yield pa.RecordBatch.from_arrays(
                [
                    pa.array(placed.day.astype(np.int32)),
                    pa.array(placed.area.astype(np.int32)),
                    batch["accounting_point"].take(row),
                    batch["meter"].take(row),
                    batch["register"].take(row),
                    pa.array(placed.position.astype(np.int16)),
                    batch["reading_wh"].take(row),
                    pc.fill_null(batch["status"].take(row), 0),
                    pa.array(placed.counts),
                ],
                schema=_SORTED,
            )

    def _doubt(self, doubts: delivery.Doubts, rows: Int64s) -> None:
        if not len(doubts.number):
            return
        table = pa.table({**doubts._asdict(), "rows": rows})
        self.doubts.append(_add_up(table))

    def _of_day_rows(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Unfold day rows into readings; of a row with a wrong count no reading is kept."""
        lengths = pc.list_value_length(batch["reading_wh"])
        wrong = batch["rule"].to_numpy() != 0
        days = batch["market_day"].cast(pa.int32()).to_numpy()
        number = batch["accounting_point"].to_numpy()
        count = np.array([periods.count(periods.day_of_number(d)) + 1 for d in days], np.int64)
        size = pc.fill_null(lengths, 0).to_numpy().astype(np.int64)
        self.rows_in += int(size[wrong].sum())
        self._doubt(
            delivery.Doubts(
                _RULES[batch["rule"].to_numpy()][wrong],
                number[wrong],
                days[wrong].astype(np.int64),
                size[wrong],
                count[wrong],
            ),
            size[wrong],
        )
        batch = batch.filter(pa.array(~wrong))
        parent = pc.list_parent_indices(batch["reading_wh"])
        starts = np.array([periods.day_start(periods.day_of_number(d)) for d in days[~wrong]])
        size = size[~wrong]
        position = np.arange(size.sum()) - np.repeat(np.cumsum(size) - size, size)
        values = batch["reading_wh"].flatten()
        status = batch["status"]
        bits = (
            pa.nulls(len(values), pa.int32())
            if status.null_count == len(status)
            else pc.list_flatten(status)
        )
        made = pa.RecordBatch.from_arrays(
            [
                batch["accounting_point"].take(parent),
                batch["register"].take(parent),
                pa.array(np.repeat(starts, size) + periods.SECONDS * position),
                values,
                batch["meter"].take(parent),
                bits,
                batch["file"].take(parent),
                batch["row"].take(parent),
                batch["rule"].take(parent),
            ],
            schema=files.READING_BATCH,
        )
        return made.filter(pc.is_valid(made["reading_wh"]))

    def doubt_table(self) -> pa.Table:
        """Make the findings of the rows that were not kept."""
        if not self.doubts:
            return tables.FINDINGS.empty()
        summed = _add_up(pa.concat_tables(self.doubts))
        made = []
        for day in sorted(set(summed["day"].to_pylist())):
            part = summed.filter(pc.equal(summed["day"], day))
            number, rows = part["number"].to_numpy(), part["rows"].to_numpy()
            rule = part["rule"].to_numpy()
            held = findings.records(findings.RULE_NAMES[0], number, rows=rows)
            held["rule"] = rule
            measured = np.isin(rule, _MEASURED)
            held["observed"] = np.where(measured, part["observed"].to_numpy(), rows)
            held["limit"] = np.where(measured, part["limit"].to_numpy(), 0)
            points = self._readable(periods.day_of_number(day))
            at = np.searchsorted(points.number, number)
            inside = at < len(points.number)
            inside[inside] = points.number[at[inside]] == number[inside]
            of_area = np.full(len(number), -1, np.int64)
            of_area[inside] = points.area[at[inside]]
            for area in np.unique(of_area).tolist():
                name = self.areas[area] if area >= 0 else None
                made.append(findings.table(held[of_area == area], day, name))
        return pa.concat_tables(made)


def _add_up(doubts: pa.Table) -> pa.Table:
    grouped = doubts.group_by(["rule", "number", "day"]).aggregate(
        [("observed", "max"), ("limit", "max"), ("rows", "sum")]
    )
    names = [name.split("_")[0] for name in grouped.column_names]
    return grouped.rename_columns(names)


def ingest(
    home: Home,
    sources: Sequence[Source],
    *,
    clock: str | None = None,
    recorded_at: datetime | None = None,
    progress: Progress = silent,
) -> Intake:
    """Take in files (or Arrow tables) of readings, as one delivery.

    Parameters
    ----------
    clock : what local times without UTC offset mean; None refuses them.
    recorded_at : the moment of taking in; now when not given.
    progress : called with the rows read so far.

    Raises
    ------
    FileRefused : something is wrong in the files; nothing of them is kept.
    HomeError : there is no register yet, or a later delivery was taken in before.
    """
    moment = seconds(recorded_at)
    with home.writing():
        paths, inputs, skipped = _files(home, sources, "readings")
        if not paths:
            return Intake(None, skipped=tuple(skipped))
        earlier = [d["recorded_at"] for d in home.deliveries() if d["kind"] == "readings"]
        if earlier and moment < max(earlier):
            raise HomeError(
                "readings recorded later are here already; take deliveries in, in order"
            )
        door = _Door(home, moment, progress)
        name = identity([inputs, moment])
        batches = door.batches(files.read_readings(paths, clock))
        rows = sorting.ordered(batches, _SORTED, _SORTED.names[:6], home.scratch())
        written, found, kept = _write_layers(home, rows, door.areas, name, moment)
        doubts = pa.concat_tables([door.doubt_table(), *found])
        if doubts.num_rows:
            path = home.root / "doubts" / f"{name}.parquet"
            written.append(home.add(doubts.combine_chunks(), path))
        lost = doubts.group_by("rule").aggregate([("rows", "sum")]).to_pylist()
        by_rule = {str(row["rule"]): int(row["rows_sum"]) for row in lost}
        home.deliver(
            "readings",
            moment,
            id=name,
            inputs=inputs,
            files=written,
            rows_in=door.rows_in,
            rows_kept=kept,
            rows_found=by_rule,
        )
    days = {part.split("=")[1] for f in written for part in f["path"].split("/") if "day=" in part}
    return Intake(name, door.rows_in, kept, tuple(skipped), by_rule, tuple(sorted(days)))


def _write_layers(
    home: Home, batches: Iterator[pa.RecordBatch], areas: Sequence[str], name: str, moment: int
) -> tuple[list[dict[str, Any]], list[pa.Table], int]:
    """Turn ordered readings into day rows and lay them over what is kept of the same points."""
    written: list[dict[str, Any]] = []
    found: list[pa.Table] = []
    kept = 0
    for (day, area), chunks in _by_day_and_area(batches):
        at = periods.day_of_number(day)
        writer = store.LayerWriter(home, at, areas[area], name)
        layers = bool(home.layers(at, areas[area], moment))
        records = []
        for chunk in chunks:
            encoded = chunk["meter"].combine_chunks().dictionary_encode()
            meters = {store.meter_code(word): word for word in encoded.dictionary.to_pylist()}
            of_word = np.array([*meters, 0], np.int64)
            index = pc.fill_null(encoded.indices, len(meters)).to_numpy()
            built = delivery.build(
                periods.count(at),
                chunk["number"].to_numpy(),
                of_word[index],
                chunk["register"].to_numpy().astype(np.int64),
                chunk["position"].to_numpy().astype(np.int64),
                chunk["reading"].to_numpy(),
                chunk["status"].to_numpy().astype(np.int64),
                chunk["counts"].to_numpy(),
            )
            kept += built.kept
            records.append(built.found)
            rows = built.rows
            if layers and len(rows.number):
                before, names = _kept_rows(home, at, areas[area], moment, np.unique(rows.number))
                rows = delivery.merge(before, rows)
                meters |= names
            # Meters came in the order of their names; rows are kept in the order of their codes.
            writer.write(rows.take(np.lexsort((rows.register, rows.meter, rows.number))), meters)
        written += writer.close()
        found.append(findings.table(np.concatenate(records), day, areas[area]))
    return written, found, kept


def _by_day_and_area(
    batches: Iterator[pa.RecordBatch],
) -> Iterator[tuple[tuple[int, int], Iterator[pa.Table]]]:
    """Cut ordered readings by day and area, in chunks that hold whole points."""
    waiting: pa.Table | None = None
    source = iter(batches)

    def chunks(key: tuple[int, int]) -> Iterator[pa.Table]:
        nonlocal waiting
        while waiting is not None:
            day, area = waiting["day"].to_numpy(), waiting["area"].to_numpy()
            mine = int(np.argmin(np.append((day == key[0]) & (area == key[1]), False)))
            rest = waiting.slice(mine)
            following = next(source, None) if not rest.num_rows else None
            whole = mine
            if following is not None:  # the last point may go on in the next batch
                number = waiting["number"].to_numpy()
                whole = int(np.searchsorted(number[:mine], number[mine - 1]))
                rest = pa.concat_tables([waiting.slice(whole), pa.table(following)])
            part = waiting.slice(0, whole)
            waiting = rest.combine_chunks() if rest.num_rows else None
            if part.num_rows:
                yield part.combine_chunks()
            if following is None:
                return

    first = next(source, None)
    waiting = None if first is None else pa.Table.from_batches([first])
    while waiting is not None and waiting.num_rows:
        key = (int(waiting["day"][0].as_py()), int(waiting["area"][0].as_py()))
        yield key, chunks(key)


def _kept_rows(
    home: Home, day: date, grid_area: str, moment: int, only: Int64s
) -> tuple[Rows, dict[int, str]]:
    """Read what is kept of some points."""
    none = np.empty(0, np.int64)
    empty = np.empty((0, periods.count(day) + 1), np.int64)
    rows = Rows(none, none, none, empty, None, False)
    names: dict[int, str] = {}
    for block in home.blocks(day, grid_area, moment, only):
        part, named = block.read_named()
        names |= named
        if len(part.number):
            rows = rows.followed_by(part)
    return rows, names
