"""What comes back from a cluster: each block once, or the run fails and nothing counts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from kwartier import Home, HomeError, allocate
from kwartier.engines import spark
from kwartier.engines.spark import ClusterError
from kwartier.runs import ledger_of
from tests import areas
from tests.engines import worlds


@pytest.fixture(scope="module")
def world() -> areas.World:
    return worlds.world(worlds.AUTUMN)


@pytest.fixture
def home(world: areas.World, tmp_path: Path) -> Home:
    return worlds.home_of(world, tmp_path, worlds.AUTUMN)


def part(*ordinals: int, unread: str | None = None) -> dict[str, Any]:
    return {"ordinals": list(ordinals), "content": bytes(ordinals), "unread": unread}


def test_each_stretch_came_once() -> None:
    parts = [part(2, 0), part(1)]
    assert spark.checked(range(3), parts, HomeError) == [bytes([2, 0]), bytes([1])]


@pytest.mark.parametrize(
    ("parts", "told"),
    [
        ([part(0, 1), part(1, 2)], "gave 4 stretches, of which 3 different, for the 3"),  # twice
        ([part(0, 1, 2), part(0, 1, 2)], "gave 6 stretches, of which 3 different"),
        ([part(0), part(2)], "gave 2 stretches, of which 2 different"),  # lost
        ([part(0, 1), part(3)], "gave 3 stretches, of which 3 different"),  # of another job
        ([], "gave 0 stretches"),
    ],
)
def test_a_stretch_that_came_twice_or_not_at_all_is_told(parts: list[dict], told: str) -> None:
    with pytest.raises(ClusterError, match=told):
        spark.checked(range(3), parts, HomeError)


def test_a_block_that_could_not_be_read_goes_before_all_else() -> None:
    with pytest.raises(HomeError, match="a is missing"):
        spark.checked(range(3), [part(0), part(1, unread="a is missing")], HomeError)


def test_a_worker_with_another_kwartier_is_told(
    home: Home, world: areas.World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every job reaches the workers as told by a driver of another version."""
    made = spark._Job.first

    def first(job: spark._Job, batches: Any) -> Iterator[pa.RecordBatch]:
        return made(replace(job, version="0.0.1"), batches)

    monkeypatch.setattr(spark._Job, "first", first)
    monkeypatch.setattr(spark.Cluster, "_made", in_this_process)
    with pytest.raises(HomeError, match=r"and 0\.0\.1 here; install the same"):
        allocate(home, world.days, known_at=world.known_at, cluster=spark.Cluster(None))


def in_this_process(_: spark.Cluster, sent: pa.Table, job: spark._Job) -> pa.Table:
    return pa.Table.from_batches(job.first(sent.to_batches()))


def test_a_cluster_that_doubles_a_task_fails_the_run(
    home: Home, world: areas.World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def doubled(cluster: spark.Cluster, sent: pa.Table, job: spark._Job) -> pa.Table:
        return in_this_process(cluster, pa.concat_tables([sent, sent.slice(0, 1)]), job)

    monkeypatch.setattr(spark.Cluster, "_made", doubled)
    with pytest.raises(ClusterError, match="nothing of them counts"):
        allocate(home, world.days, known_at=world.known_at, cluster=spark.Cluster(None))
    assert [run.state for run in ledger_of(home).runs()] == ["failed"]
    assert not list((home.root / "results").rglob("*.parquet"))
