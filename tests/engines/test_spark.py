"""Apache Spark with processes of its own: the same bytes, whatever is killed in the middle."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from kwartier.engines.spark import Cluster
from tests.engines import failing, sessions, worlds


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with sessions.spark() as started:
        yield started


def test_same_bytes(tmp_path: Path, cluster: Cluster) -> None:
    worlds.same_bytes(tmp_path, worlds.AUTUMN, 1, cluster=cluster)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [worlds.SPRING, worlds.WINTER])
def test_same_bytes_in_levels(
    tmp_path: Path, seed: int, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    worlds.in_levels(monkeypatch)
    worlds.same_bytes(tmp_path, seed, 1, cluster=cluster)


@pytest.mark.slow
@pytest.mark.parametrize("damage", ["gone", "cut off"])
def test_a_block_that_cannot_be_read_fails_the_run_and_names_its_file(
    tmp_path: Path, cluster: Cluster, damage: str
) -> None:
    worlds.unreadable(tmp_path, cluster, damage)


@pytest.mark.slow
@pytest.mark.parametrize("act", failing.ACTS)
def test_what_is_killed_in_the_middle_of_a_job_is_made_again(
    tmp_path: Path, cluster: Cluster, act: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = worlds.world(worlds.AUTUMN)
    home = worlds.home_of(made, tmp_path / "home", worlds.AUTUMN)
    plain = worlds.home_of(made, tmp_path / "plain", worlds.AUTUMN)
    expected = worlds.allocated(plain, made, threads=1)
    failing.make_fail(monkeypatch, act, tmp_path / "mark")
    assert worlds.allocated(home, made, cluster=cluster) == expected
    assert (tmp_path / "mark").exists()
