"""Homes of random areas, taken in twice alike, so that engines can be held against each other."""

from __future__ import annotations

import random
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from kwartier import Home, HomeError, allocate
from kwartier.adapters.ledger import Run
from kwartier.adapters.store import day_rows
from kwartier.engines import spark
from kwartier.runs import ledger_of, way
from tests import areas
from tests.test_against_oracle_area import kept_home, real_parameters

# Seeds of worlds of two areas, in which later deliveries hide points of earlier ones.
SPRING, AUTUMN, WINTER = 14, 28, 10


def world(seed: int, days: int = 1) -> areas.World:
    """Give two random areas, with all groups and defects."""
    first = areas.DAYS[seed % len(areas.DAYS)]
    made = areas.make(seed, [first + timedelta(days=k) for k in range(days)], 2, False)
    return made.but(parameters=real_parameters(made))


def home_of(made: areas.World, folder: Path, seed: int) -> Home:
    """Take areas in, in blocks of few rows."""
    folder.mkdir(parents=True, exist_ok=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(day_rows, "ROW_GROUP", 3)
        return kept_home(folder, made, random.Random(seed))


def tables_of(home: Home, run: Run) -> dict[str, bytes]:
    """Give every table of a run, byte for byte."""
    folder = home.run_folder(run.market_day, run.grid_area, run.run)
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def allocated(home: Home, made: areas.World, **engine: Any) -> list[tuple[str, dict[str, bytes]]]:
    """Allocate the days and give the state and the tables of each run."""
    runs = allocate(home, made.days, known_at=made.known_at, **engine)
    return [(run.state, tables_of(home, run)) for run in runs]


def same_bytes(folder: Path, seed: int, days: int, **engine: Any) -> None:
    """Allocate alike homes with one thread and with an engine."""
    made = world(seed, days)
    plain = home_of(made, folder / f"{seed}-plain", seed)
    home = home_of(made, folder / f"{seed}", seed)
    found = allocated(home, made, **engine)
    assert found == allocated(plain, made, threads=1)
    blocks = [block for day in made.days for area in made.areas for block in home.blocks(day, area)]
    # Else it would show nothing.
    assert len(blocks) > 2
    assert any(block.hidden is not None for block in blocks)
    assert "complete" in {state for state, _ in found}


def in_levels(patch: pytest.MonkeyPatch) -> None:
    """Make few blocks meet as many do: in a tree of levels, in several jobs, around a day too."""
    patch.setattr(way, "_A_TASK", 1)
    patch.setattr(spark, "_MET_BY_DRIVER", 2)
    patch.setattr(spark, "_BYTES_A_JOB", 6000)
    patch.setattr(way, "_FEW_BLOCKS", 0)


def unreadable(folder: Path, cluster: spark.Cluster, damage: str) -> None:
    """Damage a file when its blocks are known: the run fails. Put back, it gives the same."""
    made = world(AUTUMN)
    plain = home_of(made, folder / "plain", AUTUMN)
    home = home_of(made, folder / "home", AUTUMN)
    layer = home.blocks(made.days[0], made.areas[0])[0].layer
    path = home.root / layer.place
    whole = path.read_bytes()
    reading = Home.blocks

    def blocks(self: Home, *asked: Any) -> list[Any]:
        found = reading(self, *asked)
        if damage == "gone":
            path.unlink(missing_ok=True)
        else:
            path.write_bytes(whole[: len(whole) // 3] + bytes(100))
        return found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Home, "blocks", blocks)
        told = "is missing" if damage == "gone" else "is damaged"
        with pytest.raises(HomeError, match=f"{path.name} {told}"):
            allocate(home, made.days, known_at=made.known_at, cluster=cluster)
    assert [run.state for run in ledger_of(home).runs()] == ["failed"]
    path.write_bytes(whole)
    again = Home(home.root)
    assert allocated(again, made, cluster=cluster) == allocated(plain, made, threads=1)
