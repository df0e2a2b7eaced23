"""The way of grid areas and days, from what a home holds, as known at a moment."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress
from datetime import date, timedelta
from functools import lru_cache, partial
from hashlib import sha256
from threading import RLock
from typing import Any, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa

import kwartier
from kwartier import kernels, pipeline, tables
from kwartier.adapters import store
from kwartier.adapters.store import Home, HomeError, registers
from kwartier.arrays import END, MEASURABLE, Delivered, Ends, Int64s, Points, Rows
from kwartier.engines import embedded
from kwartier.engines.spark import Cluster
from kwartier.parameters import Parameters
from kwartier.runs.moments import identity, parameters_of, register_of
from kwartier.steps import profiles
from kwartier.steps.couplings import Exchanges
from kwartier.steps.register import OnDay, Register

_T = TypeVar("_T")
_KEPT_FRACTIONS = tables.STANDARD_FRACTIONS.schema.append(pa.field("recorded_at", tables.MOMENT))

_BEAT = 60.0  # seconds between signs of life
_A_TASK = 4  # blocks, at most, that a cluster reads as one
_MANY = 1 << 18  # points; to sum so many takes as long as to load kernels and libraries
# Around a day few blocks are looked at; below this many a job of a cluster takes longer.
_FEW_BLOCKS = 16


class Made(NamedTuple):
    """A result, and the files that it was made from: path in the home, SHA-256.

    `until` tells when the last rows of the registers and of the couplings became known [s UTC];
    `blocks` counts the blocks of readings that were needed, `computed` those not kept from before;
    `reaches_back` tells what was found where it was asked whether older readings are kept.
    """

    result: pipeline.Result
    inputs: list[tuple[str, str]]
    until: list[int]
    blocks: int
    computed: int
    reaches_back: bool | None


class _Visited(NamedTuple):
    """What the readings of an area and day add up to; how many blocks, and how many not kept."""

    partial: pipeline.Partial
    blocks: int
    computed: int


class _Closing(Exception):
    """What is being computed is not asked for any more."""


class Kept:
    """What the stretches of an area and day added up to in earlier runs.

    A stretch is computed again when a block in it, a point in it or a parameter has changed.

    Attributes
    ----------
    blocks, computed : how many blocks were asked for, and were not kept.
    """

    def __init__(self, home: Home, day: pipeline.Day, afresh: bool) -> None:
        self._folder = home.kept(day.day, day.points.grid_area)
        self._afresh = afresh
        self._names: dict[store.Stretch, str] = {}
        self._put: list[store.Stretch] = []

    @property
    def blocks(self) -> int:
        """Count the blocks that were asked for."""
        return sum(len(stretch.blocks) for stretch in self._names)

    @property
    def computed(self) -> int:
        """Count the blocks that were not kept."""
        return sum(len(stretch.blocks) for stretch in self._put)

    def get(self, stretch: store.Stretch, part: pipeline.Day) -> pipeline.Partial | None:
        """Give what a stretch, of the points of a part, adds up to; None: compute it."""
        name = sha256(stretch.name())
        name.update(pipeline.digest_of(part))
        name.update(kwartier.__version__.encode())
        self._names[stretch] = name.hexdigest()[:32]
        if self._afresh:
            return None
        held = store.kept.read(self._folder / self._names[stretch])
        if held is None:
            return None
        return pipeline.unpack(part, pipeline.from_bytes(held, part.periods))[0]

    def put(self, stretch: store.Stretch, part: pipeline.Day, partial: pipeline.Partial) -> None:
        """Keep what a stretch adds up to."""
        self._put.append(stretch)
        content = pipeline.to_bytes(pipeline.pack(part, partial))
        store.kept.write(self._folder / self._names[stretch], content)

    def sweep(self) -> None:
        """Let go of what no block of the day asks for any more."""
        if self._folder.is_dir():
            live = set(self._names.values())
            for path in sorted(self._folder.iterdir()):
                if path.name not in live:
                    path.unlink(missing_ok=True)


class Way:
    """The way of some days, as known at a moment; what one day made serves the others.

    Parameters
    ----------
    first : the area that is asked first, so that its register is read at once.
    on_block : called, from any thread, with how many blocks were done.
    alive : called from time to time while blocks are waited for.
    """

    def __init__(
        self,
        home: Home,
        known_at: int,
        first: str | None,
        threads: int | None,
        afresh: bool,
        on_block: Callable[[int], None],
        alive: Callable[[], None],
        cluster: Cluster | None = None,
    ) -> None:
        self._home, self._known_at = home, known_at
        self._areas = registers.known_areas(home, known_at)
        self._afresh, self._cluster = afresh, cluster
        self._on_block, self._alive = on_block, alive
        # Points are looked up while those before them are summed, and an area is closed meanwhile.
        # Two areas are summed at once, so that no worker waits for the last one of an area.
        self._before, self._behind = ThreadPoolExecutor(1), ThreadPoolExecutor(2)
        self._workers = embedded.Workers(threads)
        self._registers: dict[str, Register] = {}
        self._until: dict[str, int] = {}
        self._alone: defaultdict[str, RLock] = defaultdict(RLock)  # by area, for who reads it
        self._before.submit(self._register, first if first in self._areas else self.areas()[0])
        kernels.load()
        couplings = [tables.COUPLINGS.empty(), *home.table_of("couplings", known_at)]
        self._exchanges = Exchanges(pa.concat_tables(couplings), known_at)
        fractions = home.table_of("fractions", known_at)
        self._fractions = pa.concat_tables([_KEPT_FRACTIONS.empty_table(), *fractions])
        self._parameters = lru_cache(maxsize=None)(self._parameters_of)
        self._points: dict[tuple[date, str], OnDay] = {}
        self._measured: dict[tuple[date, str], Mapping[profiles.OfKind, profiles.Measured]] = {}
        self._visits: dict[tuple[date, str], Future[_Visited]] = {}
        self._closing = False
        self._delivered: dict[date, tuple[Delivered, list[tuple[str, str]]]] = {}
        self._layers: dict[tuple[date, str], set[store.Layer]] = {}
        self._read: set[store.Layer] = set()
        self._asked: set[str] = set()
        self._reaches_back: bool | None = None

    def _parameters_of(self, day: date) -> Parameters:
        return parameters_of(self._home, day, self._known_at)

    def until(self) -> list[int]:
        """Give the moments at which the last of the rows with two time axes became known."""
        return [registers.until(self._home, self._known_at), self._exchanges.until]

    def known(self) -> str:
        """Name all that is known: the same, and a run that was refused would be refused again."""
        deliveries = [manifest["id"] for manifest in self._home.deliveries(self._known_at)]
        return identity([deliveries, self.until(), kwartier.__version__])

    def areas(self) -> list[str]:
        """List the grid areas that the register names; those of few points come before others.

        So the points of the largest are looked up while others are summed. But the first is one
        that takes as long to sum as kernels and libraries take to load.
        """
        held = {area: registers.rows(self._home, area, self._known_at) for area in self._areas}
        rising = sorted(held, key=held.__getitem__)
        first = next((area for area in rising if held[area] >= _MANY), rising[0])
        return sorted(rising, key=lambda area: area != first)

    def has(self, day: date, grid_area: str) -> bool:
        """Tell whether an area has any point on a day."""
        return self._register(grid_area).has(day)

    def couplings(self, day: date, grid_area: str) -> int:
        """Count the couplings of an area on a day."""
        return len(self._exchanges.of(day, grid_area).number)

    def needs_readings(self, day: date, grid_area: str) -> bool:
        """Tell whether an area has points on a day that should have been read."""
        return bool((self._on(day, grid_area).points.state == MEASURABLE).any())

    def blocks(self, day: date, grid_area: str) -> int:
        """Count the blocks of readings of an area and day."""
        return len(self._home.blocks(day, grid_area, self._known_at))

    def _day(self, day: date, grid_area: str, among: Int64s | None = None) -> pipeline.Day:
        """Give a day with all points of an area, or only those of some numbers."""
        held = self._parameters(day)
        if among is None:
            return pipeline.Day(day, self._on(day, grid_area).points, held)
        return pipeline.Day(day, self._register(grid_area).some(day, among, held), held)

    def _register(self, grid_area: str) -> Register:
        with self._alone[grid_area]:
            if grid_area not in self._registers:
                register = register_of(self._home, grid_area, self._known_at)
                self._registers[grid_area] = register
                self._until[grid_area] = register.until
            return self._registers[grid_area]

    def _on(self, day: date, grid_area: str) -> OnDay:
        key = (day, grid_area)
        with self._alone[grid_area]:
            if key not in self._points:
                register = self._register(grid_area)
                self._points[key] = register.on(day, self._parameters(day))
            return self._points[key]

    def _blocks(self, day: date, grid_area: str, only: Int64s | None = None) -> list[store.Block]:
        blocks = self._home.blocks(day, grid_area, self._known_at, only)
        self._read |= {block.layer for block in blocks}
        return blocks

    def _reads(self, key: tuple[date, str]) -> None:
        """Name the layers of a day and area as inputs, also where another run read them first."""
        self._asked.add(key[1])
        if key not in self._layers:
            self._layers[key] = set(self._home.layers(*key, self._known_at))
        self._read |= self._layers[key]

    def ahead(self, day: date, grid_area: str) -> None:
        """Begin to sum the readings of an area and day while another is closed.

        A cluster does one thing after another; what fails is told where it is asked for.
        """
        if self._cluster is None:
            with suppress(HomeError):
                self._begin(day, grid_area)

    def close(self) -> None:
        """Let go of what was begun and is not asked for any more."""
        self._closing = True
        # What waits for the workers ends when they do, and begins nothing more.
        self._before.shutdown(wait=False, cancel_futures=True)
        self._behind.shutdown(wait=False, cancel_futures=True)
        self._workers.close()
        self._before.shutdown()
        self._behind.shutdown()

    def _begin(self, day: date, grid_area: str) -> Future[_Visited]:
        key = (day, grid_area)
        if key not in self._visits:
            blocks = self._blocks(day, grid_area)
            ready = self._before.submit(self._day, day, grid_area)
            self._visits[key] = self._behind.submit(self._sum, blocks, ready)
        return self._visits[key]

    def _visited(self, day: date, grid_area: str) -> _Visited:
        key = (day, grid_area)
        self._reads(key)
        try:
            return self._waited(self._begin(*key))
        except BaseException:
            self._visits.pop(key, None)  # it may be asked for again
            raise

    def _waited(self, begun: Future[_T]) -> _T:
        """Wait for what was begun, and show from time to time that the run is being made."""
        while wait([begun], _BEAT).not_done:
            self._alive()
        return begun.result()

    def _sum(self, blocks: list[store.Block], ready: Future[pipeline.Day]) -> _Visited:
        on = ready.result()
        if self._cluster is not None:
            sent = store.stretches(blocks, _A_TASK)
            partial = self._cluster.reduce(sent, on, unreadable=HomeError)
            self._on_block(len(blocks))
            return _Visited(partial, len(blocks), len(blocks))
        kept = Kept(self._home, on, self._afresh)
        partial = embedded.reduce(
            store.stretches(blocks), on, kept=kept, workers=self._workers, on_block=self._done
        )
        kept.sweep()
        return _Visited(partial, kept.blocks, kept.computed)

    def _done(self, blocks: int) -> None:
        if self._closing:
            raise _Closing
        self._on_block(blocks)

    def _gather(
        self,
        day: date,
        grid_area: str,
        numbers: Int64s,
        visit: Callable[[Rows, pipeline.Day], npt.NDArray[Any]],
        dtype: npt.DTypeLike,
    ) -> npt.NDArray[Any]:
        """Visit the blocks of another day that hold some points."""
        blocks = self._blocks(day, grid_area, numbers)
        on = self._day(day, grid_area, numbers)
        if self._cluster is not None and len(blocks) > _FEW_BLOCKS:
            sent = store.stretches(blocks, _A_TASK)
            begun = self._behind.submit(
                self._cluster.gather, sent, on, visit, dtype, unreadable=HomeError
            )
            return self._waited(begun)
        return np.concatenate([np.empty(0, dtype), *(visit(block.read(), on) for block in blocks)])

    def _measured_in(
        self, day: date, grid_area: str
    ) -> Mapping[profiles.OfKind, profiles.Measured]:
        key = (day, grid_area)
        self._reads(key)
        if key not in self._measured:
            self._measure(key, self._visited(day, grid_area))
        return self._measured[key]

    def _measure(self, key: tuple[date, str], visited: _Visited) -> None:
        self._measured[key] = pipeline.measured_of(self._day(*key), visited.partial)

    def _standards(self, day: date) -> profiles.Standards:
        held = self._parameters(day)
        return profiles.Standards(self._fractions, day, held)

    def _shapes(self, day: date) -> profiles.Shapes:
        """Give the shapes of a day; made for each run, which so names every area they need."""
        return profiles.Shapes(
            self._areas,
            lambda area: self._measured_in(day, area),
            self._standards(day),
            self._parameters(day),
        )

    def _volumes(self, day: date) -> tuple[Delivered, list[tuple[str, str]]]:
        if day not in self._delivered:
            self._delivered = {day: self._home.volumes(day, self._known_at)}
        return self._delivered[day]

    def made(self, day: date, grid_area: str, *, again: bool) -> None:
        """Let go of what only the run of an area and day needs, for memory costs time.

        again : whether the area is asked on another day.
        """
        self._forget(day, grid_area)
        for key in [key for key in self._points if key[1] == grid_area]:
            del self._points[key]
        if not again:
            self._registers.pop(grid_area, None)

    def forget(self, day: date) -> None:
        """Let go of what only the runs of a day and the days before it need."""
        for key in [key for key in self._visits if key[0] <= day]:
            self._forget(*key)

    def _forget(self, day: date, grid_area: str) -> None:
        visit = self._visits.pop((day, grid_area), None)
        if visit is None:
            return
        # What was begun ahead and not asked for, or failed, is of no use to another day.
        of_use = visit.done() and not visit.cancelled() and visit.exception() is None
        if of_use and (day, grid_area) not in self._measured:
            self._measure((day, grid_area), visit.result())
        visit.cancel()

    def take(self, day: date, grid_area: str) -> Made:
        """Take the whole way for an area and day."""
        self._read, self._asked = set(), {grid_area}
        self._reaches_back = None
        visited = self._visited(day, grid_area)
        delivered, files = self._volumes(day)
        area = pipeline.Area(
            self._on(day, grid_area).others,
            self._exchanges.of(day, grid_area),
            delivered,
            self._standards(day),
        )
        shapes: dict[date, profiles.Shapes] = {}

        def shapes_on(other: date) -> profiles.Shapes:
            return shapes.setdefault(other, self._shapes(other))

        result = pipeline.narrow(
            self._day(day, grid_area),
            visited.partial,
            area,
            self._around(day, grid_area, shapes_on),
            [self._on(day, grid_area).found],
        )
        needed = len(area.couplings.number) or any(g != "DIM" for g in area.others.group)
        layers = {(layer.place, layer.sha256) for layer in self._read}
        of_registers = {
            (file["path"], file["sha256"])
            for area in self._asked
            for file in registers.files(self._home, area, self._known_at)
        }
        inputs = sorted(layers | of_registers | set(files if needed else ()))
        until = [max(self._until[area] for area in self._asked), self._exchanges.until]
        return Made(result, inputs, until, visited.blocks, visited.computed, self._reaches_back)

    def _around(
        self, day: date, grid_area: str, shapes_on: Callable[[date], profiles.Shapes]
    ) -> pipeline.Around:
        def ends(other: date, numbers: Int64s, last: bool) -> Ends:
            # The day next to this one shares a midnight with it, of which this day's rows tell.
            next_to = abs((other - day).days) == 1
            visit = partial(pipeline.ends_of, last=last, but_edge=next_to)
            return self._gather(other, grid_area, numbers, visit, END)

        def read(other: date, numbers: Int64s) -> Int64s:
            return self._gather(other, grid_area, numbers, pipeline.read_of, np.int64)

        def reaches_back(away: int) -> bool:
            since = day - timedelta(days=away)
            self._reaches_back = self._home.reads_since(since, grid_area, self._known_at)
            return self._reaches_back

        def points_on(other: date, numbers: Int64s) -> Points:
            return self._day(other, grid_area, numbers).points

        return pipeline.Around(ends, read, points_on, shapes_on, reaches_back)
