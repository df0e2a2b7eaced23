"""The engine on a cluster: Apache Spark, or Sail, which speaks the same protocol.

The driver sends references to stretches of blocks, each with what the register says of its points.
A task reads its blocks itself, from where they are kept, and gives what they add up to; that meets
in a tree, so the driver adds up few. Every level has the same columns. The driver holds against
each other which stretches it sent and which came back: a task that was made twice, or a result that
was lost, can never become a sum.

Source: decisions §26.
"""

from __future__ import annotations

import os
import pickle
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from math import isqrt
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

import kwartier
from kwartier import pipeline
from kwartier.arrays import Cell, Points, Rows
from kwartier.engines import Block, Stretch
from kwartier.parameters import Parameters

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

_MET_BY_DRIVER = 16  # parts; where there are more, they meet in one more level
_BYTES_A_JOB = 64 * 2**20  # a message of Spark Connect may have 128 MiB

_SENT = pa.schema([("ordinal", pa.int64()), ("points", pa.binary()), ("stretch", pa.binary())])
# Which stretches, what they give, or why one of them could not be read.
_PARTS = pa.schema(
    [("ordinals", pa.list_(pa.int64())), ("content", pa.binary()), ("unread", pa.string())]
)
_PARTS_IN_SPARK = "ordinals array<bigint>, content binary, unread string"


class ClusterError(Exception):
    """The cluster did not do what was asked; the text says what to do."""


class _Sums:
    """What stretches add up to, packed."""

    def of(self, blocks: Sequence[Block], part: pipeline.Day) -> bytes:
        made = pipeline.Partial.nothing(part)
        pipeline.wide((block.read() for block in blocks), part, made)
        return pipeline.to_bytes(pipeline.pack(part, made))

    def together(self, parts: Sequence[bytes], periods: int) -> bytes:
        packed = [pipeline.from_bytes(part, periods) for part in parts]
        return pipeline.to_bytes(pipeline.add_up(packed, periods))


@dataclass(frozen=True)
class _Visits:
    """The rows that a visit of blocks gives, one after another."""

    visit: Callable[[Rows, pipeline.Day], npt.NDArray[Any]]

    def of(self, blocks: Sequence[Block], part: pipeline.Day) -> bytes:
        made = [self.visit(block.read(), part) for block in blocks]
        return b"".join(np.ascontiguousarray(rows).tobytes() for rows in made)

    def together(self, parts: Sequence[bytes], periods: int) -> bytes:
        return b"".join(parts)


@dataclass(frozen=True)
class _Job:
    """What every task of a job is told.

    `unreadable` is raised by a block that cannot be read.
    """

    work: _Sums | _Visits
    day: date
    periods: int
    parameters: Parameters
    cells: tuple[Cell, ...]
    unreadable: type[Exception]
    version: str = kwartier.__version__

    def first(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Read the stretches that came to a task."""
        ordinals, parts = [], []
        for row in _rows(batches):
            ordinals.append(row["ordinal"])
            if kwartier.__version__ != self.version:
                yield _part(
                    ordinals,
                    unread=f"kwartier {kwartier.__version__} is on a worker of "
                    f"the cluster, and {self.version} here; install the same",
                )
                return
            with pa.input_stream(pa.BufferReader(row["points"]), compression="zstd") as packed:
                points: Points = pickle.load(packed)
            part = pipeline.Day(self.day, points._replace(cells=self.cells), self.parameters)
            stretch: Stretch = pickle.loads(row["stretch"])
            try:
                parts.append(self.work.of(stretch.blocks, part))
            except self.unreadable as error:
                # Told as data, since not every engine carries the text of what a task raises.
                yield _part(ordinals, unread=str(error))
                return
        if ordinals:
            yield _part(ordinals, self.work.together(parts, self.periods))

    def further(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Bring together the parts that came to a task."""
        ordinals, parts = [], []
        for row in _rows(batches):
            ordinals += row["ordinals"]
            if row["unread"] is not None:
                yield _part(ordinals, unread=row["unread"])
                return
            parts.append(row["content"])
        if ordinals:
            yield _part(ordinals, self.work.together(parts, self.periods))


def _rows(batches: Iterable[pa.RecordBatch]) -> Iterator[dict[str, Any]]:
    for batch in batches:
        yield from batch.to_pylist()


def _part(
    ordinals: list[int], content: bytes | None = None, unread: str | None = None
) -> pa.RecordBatch:
    row = {"ordinals": ordinals, "content": content, "unread": unread}
    return pa.RecordBatch.from_pylist([row], schema=_PARTS)


def _sent(stretch: Stretch, day: pipeline.Day) -> tuple[bytes, bytes]:
    """Pack what wide() asks of the points of a stretch, and the stretch."""
    part, _ = day.between(*stretch.range())
    points = part.points._replace(
        # Its blocks need neither; the cells are told once to every task.
        annual_low=part.points.annual_low[:0],
        annual_known=part.points.annual_known[:0],
        cells=(),
    )
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as packed:
        pickle.dump(points, packed, protocol=5)
    return sink.getvalue().to_pybytes(), pickle.dumps(stretch)


def _jobs(stretches: Sequence[Stretch], day: pipeline.Day) -> Iterator[pa.Table]:
    """Pack stretches, no more into a job than a message may hold."""
    rows: list[dict[str, Any]] = []
    size = 0
    for ordinal, stretch in enumerate(stretches):
        points, reference = _sent(stretch, day)
        if rows and size + len(points) + len(reference) > _BYTES_A_JOB:
            yield pa.Table.from_pylist(rows, schema=_SENT)
            rows, size = [], 0
        rows.append({"ordinal": ordinal, "points": points, "stretch": reference})
        size += len(points) + len(reference)
    if rows:
        yield pa.Table.from_pylist(rows, schema=_SENT)


def checked(
    sent: Iterable[int], came: Iterable[dict[str, Any]], unreadable: type[Exception]
) -> list[bytes]:
    """Give the parts that came back, when each stretch that was sent is in them once.

    Raises
    ------
    unreadable : a block could not be read.
    ClusterError : a stretch is in them twice or not at all.
    """
    parts = list(came)
    unread = sorted(part["unread"] for part in parts if part["unread"] is not None)
    if unread:
        raise unreadable(unread[0])
    asked = sorted(sent)
    given = sorted(ordinal for part in parts for ordinal in part["ordinals"])
    if given != asked:
        raise ClusterError(
            f"the cluster gave {len(given)} stretches, of which {len(set(given))} different, for "
            f"the {len(asked)} that it was asked; nothing of them counts. Ask again"
        )
    return [part["content"] for part in parts]


class Cluster:
    """A session on a cluster, which sums the blocks of areas.

    Every worker has the same kwartier, and can read where the blocks are kept.

    Parameters
    ----------
    session : a SparkSession, classic or of Spark Connect.
    """

    def __init__(self, session: SparkSession) -> None:
        self._session = session

    def reduce(
        self,
        stretches: Sequence[Stretch],
        day: pipeline.Day,
        *,
        unreadable: type[Exception],
    ) -> pipeline.Partial:
        """Send stretches of blocks through pipeline.wide() and sum what comes out.

        Parameters
        ----------
        unreadable : what a block raises that cannot be read; raised here too.

        Raises
        ------
        ClusterError : the cluster failed, or lost or doubled a stretch.
        """
        total = pipeline.Partial.nothing(day)
        for part in self._parts(_Sums(), stretches, day, unreadable):
            total.add(*pipeline.unpack(day, pipeline.from_bytes(part, day.periods)))
        return total

    def gather(
        self,
        stretches: Sequence[Stretch],
        day: pipeline.Day,
        visit: Callable[[Rows, pipeline.Day], npt.NDArray[Any]],
        dtype: npt.DTypeLike,
        *,
        unreadable: type[Exception],
    ) -> npt.NDArray[Any]:
        """Visit stretches of blocks and give all rows that come out, in any order.

        Parameters
        ----------
        visit : gives rows of a type; it is pickled.

        Others, and errors, as those of reduce().
        """
        return np.frombuffer(
            b"".join(self._parts(_Visits(visit), stretches, day, unreadable)), dtype
        )

    def _parts(
        self,
        work: _Sums | _Visits,
        stretches: Sequence[Stretch],
        day: pipeline.Day,
        unreadable: type[Exception],
    ) -> Iterator[bytes]:
        job = _Job(work, day.day, day.periods, day.parameters, day.points.cells, unreadable)
        for sent in _jobs(stretches, day):
            with _told():
                came = self._made(sent, job)
            yield from checked(sent["ordinal"].to_pylist(), came.to_pylist(), unreadable)

    def _made(self, sent: pa.Table, job: _Job) -> pa.Table:
        tasks = len(sent)
        frame = self._session.createDataFrame(sent).repartition(tasks)
        frame = frame.mapInArrow(job.first, _PARTS_IN_SPARK)
        while tasks > _MET_BY_DRIVER:
            tasks = isqrt(tasks)
            frame = frame.repartition(tasks).mapInArrow(job.further, _PARTS_IN_SPARK)
        return frame.toArrow()


@contextmanager
def _told() -> Iterator[None]:
    """Tell of what the cluster raises, whose text may hold anything, by its kind."""
    from py4j.protocol import Py4JError
    from pyspark.errors import PySparkException

    try:
        with warnings.catch_warnings():  # of a pandas that is newer than pyspark, and not asked
            warnings.simplefilter("ignore", FutureWarning)
            yield
    except (PySparkException, Py4JError, OSError) as error:
        raise ClusterError(
            f"the cluster failed ({type(error).__name__}), and nothing of this run counts; its log "
            "says why. Every worker needs the same kwartier, and the home's tables within reach"
        ) from error


@contextmanager
def connected(*, master: str | None = None, remote: str | None = None) -> Iterator[Cluster]:
    """Open a session on a cluster, and close it at the end.

    Parameters
    ----------
    master : of Apache Spark: local[*], local-cluster[…], spark://…, yarn, k8s://….
    remote : sc://…, of Spark Connect or Sail.

    Raises
    ------
    ClusterError : pyspark is not installed, or there is no such cluster.
    """
    try:
        from pyspark.sql import SparkSession
    except ImportError:
        raise ClusterError("pyspark is not installed; pip install 'kwartier[spark]'") from None
    builder = SparkSession.builder.appName("kwartier")
    if remote is not None:
        builder = builder.remote(remote)
    elif master is not None:
        if master.startswith("local"):  # else the cluster says which Python its workers have
            os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
        builder = builder.master(master).config("spark.ui.showConsoleProgress", "false")
    with _told():
        session = builder.getOrCreate()
    try:
        yield Cluster(session)
    finally:
        session.stop()
