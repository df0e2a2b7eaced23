"""The engine in one process: the same bytes with several threads, and by either look."""

from __future__ import annotations

import shutil
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kwartier import Home, allocate, ingest, kernels, simulate, take_register
from tests.engines import worlds

KNOWN = datetime(2026, 3, 30, 6, tzinfo=UTC)


@pytest.mark.parametrize("seed", [worlds.SPRING, worlds.AUTUMN, worlds.WINTER])
def test_same_bytes(tmp_path: Path, seed: int) -> None:
    worlds.same_bytes(tmp_path, seed, 1, threads=2)


@pytest.mark.parametrize(("day", "defects"), [(date(2026, 3, 28), 0.0), (date(2026, 3, 29), 0.3)])
def test_the_second_look_gives_what_the_first_visit_gave(
    tmp_path: Path, day: date, defects: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Points that the first visit sums are looked at as if they were doubtful."""
    made = simulate(points=300, days=[day], seed=day.day, defect_share=defects)
    files = made.write(tmp_path / "delivery")
    usual = Home(tmp_path / "usual", create=True)
    take_register(usual, [files.register], recorded_at=KNOWN)
    ingest(usual, files.readings, recorded_at=KNOWN)
    doubting = Home(shutil.copytree(usual.root, tmp_path / "doubting"))
    visit, visited, doubted = kernels.first_visit, [], []

    def counting(number: Any, *of: Any) -> int:
        filled: int = visit(number, *of)
        visited.append(len(number) - filled)
        return filled

    def doubting_all(number: Any, *of: Any) -> int:
        doubted.append(len(number))
        of[-1][:] = np.arange(len(number))
        return len(number)

    def tables(home: Home) -> list[dict[str, bytes]]:
        made = allocate(home, [day], known_at=KNOWN, threads=1)
        return [worlds.tables_of(home, run) for run in made]

    monkeypatch.setattr(kernels, "first_visit", counting)
    expected = tables(usual)
    monkeypatch.setattr(kernels, "first_visit", doubting_all)
    assert tables(doubting) == expected
    assert sum(visited) > 100  # rows; else it would show nothing
    assert sum(doubted) > sum(visited)
