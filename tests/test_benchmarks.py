"""The benchmarks measure what they say: the references sum what kwartier sums. No timer."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks import data, references
from kwartier import runs
from kwartier.adapters.store import Home

SUMMING = ["duckdb_as_it_lies", "duckdb_by_meter", "polars_as_it_lies", "polars_by_meter"]


@pytest.fixture(scope="module", params=[0.0, 0.3], ids=["without defects", "with defects"])
def day(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return data.make(tmp_path_factory.mktemp("day"), 300, 1, request.param, csv=True)


@pytest.fixture(scope="module")
def sums(day: Path) -> list[references.Sum]:
    runs.allocate(Home(day / "home"), [data.DAY], threads=1)
    return references.comparable(references.allocated(day))


@pytest.mark.parametrize("name", SUMMING)
def test_a_reference_gives_the_same_measured_sums(name: str, day: Path, sums):
    _, rows = references.SUMMING[name](day, 2)
    assert references.comparable(rows) == sums
    assert sum(wh for *_, wh in sums) > 0


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_taking_in_keeps_every_row_and_gives_the_same_sums(form: str, day: Path, tmp_path, sums):
    data.fresh_home(day, tmp_path / "home")
    home = Home(tmp_path / "home")
    taken = runs.ingest(home, [day / f"readings.{form}"], recorded_at=data.RECORDED)
    made = json.loads((day / "made.json").read_text("utf-8"))
    assert taken.rows_kept == taken.rows_in == made["readings"]
    runs.allocate(home, [data.DAY], threads=1)
    assert references.comparable(references.allocated(tmp_path)) == sums


def test_the_floor_reads_what_is_stored(day: Path):
    seconds, sums = references.floor(day, 2)
    assert seconds > 0
    assert sums is None


def test_a_day_is_made_once(day: Path):
    before = (day / "made.json").stat().st_mtime_ns
    share = json.loads((day / "made.json").read_text("utf-8"))["doubtful"]
    assert data.make(day.parent, 300, 1, share) == day
    assert (day / "made.json").stat().st_mtime_ns == before
