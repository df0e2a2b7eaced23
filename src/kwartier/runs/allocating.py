"""Allocating: the home's readings → the way → results, marked complete last."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

import kwartier
from kwartier import pipeline, tables
from kwartier.adapters import store
from kwartier.adapters.store import Home, HomeError
from kwartier.arrays import END, Ends, Int64s
from kwartier.engines import embedded
from kwartier.runs.moments import (
    Progress,
    days_of,
    identity,
    parameters_of,
    register_of,
    seconds,
    silent,
)
from kwartier.steps import profiles


@dataclass(frozen=True)
class Run:
    """A run of one grid area and market day that is complete."""

    run: str
    market_day: date
    grid_area: str


class _Way:
    """The way of some days, as known at a moment; what one day made serves the others."""

    def __init__(
        self, home: Home, known_at: int, threads: int | None, on_block: Callable[[], None]
    ) -> None:
        self._home, self._known_at = home, known_at
        self._threads, self._on_block = threads, on_block
        self.register = register_of(home, known_at)
        empty = tables.FINDINGS.empty()
        self.doubts = pa.concat_tables([empty, *home.table_of("doubts", known_at)])
        self._days: dict[date, tuple[dict[str, pipeline.Day], dict[str, Any]]] = {}
        self._measured: dict[tuple[date, str], Mapping[profiles.OfKind, profiles.Measured]] = {}
        self._partials: dict[tuple[date, str], pipeline.Partial] = {}
        self._read: set[store.Layer] = set()

    def day(self, day: date, grid_area: str) -> pipeline.Day:
        """Give what wide() must know of an area and day."""
        return self._on(day)[0][grid_area]

    def _on(self, day: date) -> tuple[dict[str, pipeline.Day], dict[str, Any]]:
        if day not in self._days:
            if len(self._days) > 25:  # a day looks ten days back and forth
                del self._days[min(self._days)]
            held = parameters_of(self._home, day, self._known_at)
            points, found = self.register.on(day, held)
            days = {area: pipeline.Day(day, part, held) for area, part in points.items()}
            self._days[day] = (days, found)
        return self._days[day]

    def _blocks(self, day: date, grid_area: str, only: Int64s | None = None) -> list[store.Block]:
        blocks = self._home.blocks(day, grid_area, self._known_at, only)
        self._read |= {block.layer for block in blocks}
        return blocks

    def _visit(self, day: date, grid_area: str) -> pipeline.Partial:
        key = (day, grid_area)
        # What was read for another run is an input of this one too.
        self._read.update(self._home.layers(day, grid_area, self._known_at))
        if key not in self._partials:
            self._partials[key] = embedded.reduce(
                self._blocks(day, grid_area),
                self.day(day, grid_area),
                threads=self._threads,
                on_block=self._on_block,
            )
        return self._partials[key]

    def _measured_in(
        self, day: date, grid_area: str
    ) -> Mapping[profiles.OfKind, profiles.Measured]:
        key = (day, grid_area)
        self._read.update(self._home.layers(day, grid_area, self._known_at))
        if key not in self._measured:
            partial = self._visit(day, grid_area)
            self._measured[key] = pipeline.measured_of(self.day(day, grid_area), partial)
        return self._measured[key]

    def shapes(self, day: date) -> profiles.Shapes:
        """Give the shapes of a day; made for each run, which so names every area they need."""
        return profiles.Shapes(
            day,
            self.register.areas(),
            lambda area: self._measured_in(day, area),
            parameters_of(self._home, day, self._known_at),
        )

    def forget(self, day: date) -> None:
        """Let go of what only the day's own run needs."""
        for key in [key for key in self._partials if key[0] <= day]:
            self._measured_in(*key)
            del self._partials[key]

    def result(self, day: date, grid_area: str) -> tuple[pipeline.Result, list[store.Layer]]:
        """Take the whole way for an area and day; give also the layers that it read."""
        self._read = set()
        own = self.day(day, grid_area)
        partial = self._visit(day, grid_area)

        def ask(other: date, numbers: Int64s, last: bool) -> Ends:
            # The day next to this one shares a midnight with it, of which this day's rows tell.
            next_to = abs((other - day).days) == 1
            made = [
                pipeline.ends_of(
                    block.read(), self.day(other, grid_area), last=last, but_edge=next_to
                )
                for block in self._blocks(other, grid_area, numbers)
            ]
            return np.concatenate([np.empty(0, END), *made])

        result = pipeline.narrow(
            own,
            partial,
            ask,
            lambda other: self.day(other, grid_area),
            self.shapes,
            [self._on(day)[1][grid_area]],
        )
        return result, sorted(self._read, key=lambda layer: layer.path)


def allocate(
    home: Home,
    days: Sequence[date],
    *,
    grid_area: str | None = None,
    known_at: datetime | None = None,
    threads: int | None = None,
    progress: Progress = silent,
) -> list[Run]:
    """Allocate market days: one run for each day and grid area.

    Parameters
    ----------
    grid_area : only this one; every area of the register when not given.
    known_at : as known at this moment; now when not given.
    threads : how many work side by side; the cores of the machine when not given.
    progress : called with the blocks of readings done and to do.

    Raises
    ------
    HomeError : no register, no such area, or no readings of a day.
    """
    days = days_of(days)
    moment = seconds(known_at)
    done = 0
    total = 0

    def on_block() -> None:
        nonlocal done
        done += 1
        progress(min(done, total), total)

    way = _Way(home, moment, threads, on_block)
    areas = way.register.areas()
    if grid_area is not None and grid_area not in areas:
        raise HomeError("the register has no such grid area; it has: " + ", ".join(areas))
    wanted = [grid_area] if grid_area else areas
    blocks = {day: sum(len(home.blocks(day, a, moment)) for a in wanted) for day in days}
    empty = [day.isoformat() for day, count in blocks.items() if not count]
    if empty:
        raise HomeError(f"no readings of {', '.join(empty[:5])}; 'kwartier ingest FILE' first")
    total = sum(blocks.values())
    runs = []
    for day in sorted(blocks):
        for area in wanted:
            result, layers = way.result(day, area)
            runs.append(_write(home, way, day, area, result, layers, moment))
        way.forget(day)
    progress(total, total)
    return runs


def _write(
    home: Home,
    way: _Way,
    day: date,
    grid_area: str,
    result: pipeline.Result,
    layers: Sequence[store.Layer],
    known_at: int,
) -> Run:
    held = parameters_of(home, day, known_at)
    inputs = [
        {"path": layer.path.relative_to(home.root).as_posix(), "sha256": layer.sha256}
        for layer in layers
    ] + [
        {"path": file["path"], "sha256": file["sha256"]}
        for manifest in home.deliveries(known_at)
        for file in manifest["files"]
        if file["path"].startswith(("register/", "doubts/"))
    ]
    of_area = pc.and_(
        pc.equal(way.doubts["market_day"], day), pc.equal(way.doubts["grid_area"], grid_area)
    )
    doubts = way.doubts.filter(of_area)
    made_of = {
        "market_day": day.isoformat(),
        "grid_area": grid_area,
        "inputs": inputs,
        # A file of the register may hold rows that were not known yet.
        "register_until": way.register.until,
        "parameters": {
            name: {"from": since.isoformat(), "value": str(getattr(held, name))}
            for name, since in held.holding_since.items()
        },
        "version": kwartier.__version__,
    }
    run = identity(made_of)
    home.write_run(
        day,
        grid_area,
        run,
        {
            "allocation": result.allocation,
            "coverage": result.coverage,
            "findings": pa.concat_tables([result.findings, doubts]).combine_chunks(),
        },
        {**made_of, "known_at": known_at, "made_at": seconds(None)},
    )
    return Run(run, day, grid_area)


def result(
    home: Home, name: str, days: Sequence[date], *, grid_area: str | None = None
) -> pa.Table:
    """Give a result table of the newest runs: allocation, findings or coverage.

    Raises
    ------
    HomeError : no run of a day yet.
    ValueError : no such table.
    """
    schemas = {
        table.name: table.schema for table in (tables.ALLOCATION, tables.FINDINGS, tables.COVERAGE)
    }
    if name not in schemas:
        raise ValueError(f"expected one of {', '.join(schemas)}, not {name!r}")
    found: list[pa.Table] = []
    for day in days_of(days):
        areas = home.root / "results" / f"market_day={day.isoformat()}"
        made = [
            home.latest_run(day, path.name.split("=")[1])
            for path in sorted(areas.glob("grid_area=*"))
            if grid_area in (None, path.name.split("=")[1])
        ]
        runs = [run for run in made if run]
        if not runs:
            raise HomeError(f"no run of {day} yet; 'kwartier allocate --day {day}' first")
        found += [store.read_table(folder / f"{name}.parquet") for folder, _ in runs]
        if name == "findings":  # rows of points that lie in no known area
            known_at = max(manifest["known_at"] for _, manifest in runs)
            found += [
                table.filter(
                    pc.and_(pc.equal(table["market_day"], day), pc.is_null(table["grid_area"]))
                )
                for table in home.table_of("doubts", known_at)
            ]
    return pa.concat_tables([schemas[name].empty_table(), *found]).combine_chunks()
