"""Sail, as a cluster of workers: the same bytes, or a run that fails and says why."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from kwartier.engines.spark import Cluster, ClusterError, connected
from kwartier.runs import ledger_of
from tests.engines import failing, sessions, worlds


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with sessions.sail() as started:
        yield started


@pytest.fixture(scope="module")
def cluster(address: str) -> Iterator[Cluster]:
    with connected(remote=address) as opened:
        yield opened


@pytest.mark.parametrize("seed", [worlds.SPRING, worlds.AUTUMN])
def test_same_bytes(
    tmp_path: Path, seed: int, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    worlds.in_levels(monkeypatch)
    worlds.same_bytes(tmp_path, seed, 2, cluster=cluster)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1, 3, 7, 12, 26])
def test_same_bytes_of_many_areas(
    tmp_path: Path, seed: int, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    worlds.in_levels(monkeypatch)
    worlds.same_bytes(tmp_path, seed, 2, cluster=cluster)


def test_the_command_gives_the_same_bytes(tmp_path: Path, address: str) -> None:
    made = worlds.world(worlds.AUTUMN)
    home = worlds.home_of(made, tmp_path / "home", worlds.AUTUMN)
    plain = worlds.home_of(made, tmp_path / "plain", worlds.AUTUMN)
    (day,) = made.days
    words = ["allocate", "--day", str(day), "--as-known-at", made.known_at.isoformat()]
    kwartier = Path(sys.executable).with_name("kwartier")
    done = subprocess.run(
        [kwartier, *words, "--home", home.root, "--engine", "spark", "--remote", address],
        capture_output=True,
        text=True,
        check=False,
    )
    expected = worlds.allocated(plain, made, threads=1)
    assert done.returncode == (0 if {state for state, _ in expected} == {"complete"} else 1)
    found = [(run.state, worlds.tables_of(home, run)) for run in ledger_of(home).runs()]
    assert found == expected


@pytest.mark.parametrize("damage", ["gone", "cut off"])
def test_a_block_that_cannot_be_read_fails_the_run_and_names_its_file(
    tmp_path: Path, cluster: Cluster, damage: str
) -> None:
    worlds.unreadable(tmp_path, cluster, damage)


def test_a_task_that_fails_gives_the_same_or_fails_the_run(
    tmp_path: Path, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sail makes a task again only where nothing was given out of its job yet."""
    made = worlds.world(worlds.AUTUMN)
    home = worlds.home_of(made, tmp_path / "home", worlds.AUTUMN)
    plain = worlds.home_of(made, tmp_path / "plain", worlds.AUTUMN)
    expected = worlds.allocated(plain, made, threads=1)
    with monkeypatch.context() as patch:
        failing.make_fail(patch, "raises", tmp_path / "mark")
        try:
            assert worlds.allocated(home, made, cluster=cluster) == expected
        except ClusterError:
            assert [run.state for run in ledger_of(home).runs()] == ["failed"]
    assert (tmp_path / "mark").exists()
    assert worlds.allocated(home, made, cluster=cluster) == expected
