"""The benchmarks measure what they say: the references sum what kwartier sums. No timer."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from benchmarks import __main__ as benchmarks
from benchmarks import data, page, plot, references
from benchmarks.measuring import Cost, Work
from kwartier import runs
from kwartier.adapters.store import Home

POINTS = 400
SUMMING = ["duckdb_as_it_lies", "duckdb_by_meter", "polars_as_it_lies", "polars_by_meter"]


@pytest.fixture(scope="module", params=[0.0, 0.3], ids=["without defects", "with defects"])
def day(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return data.make(tmp_path_factory.mktemp("day"), POINTS, 1, request.param, csv=True)


@pytest.fixture(scope="module")
def sums(day: Path) -> list[references.Sum]:
    runs.allocate(Home(day / "home"), [data.DAY], threads=1)
    return references.comparable(references.allocated(day))


@pytest.mark.parametrize("name", SUMMING)
def test_a_reference_gives_the_same_measured_sums(name: str, day: Path, sums):
    _, rows = references.SUMMING[name](day, 2)
    assert references.comparable(rows) == sums
    assert sum(wh for *_, wh in sums) > 0


@pytest.mark.slow
def test_pyspark_gives_the_same_measured_sums(day: Path, sums):
    missing = references.spark_missing()
    if missing:
        pytest.skip(missing)
    _, rows = references.spark(day, 2)
    assert references.comparable(rows) == sums


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
    _, sums = references.floor(day, 2)
    assert sums is None


def test_a_day_is_made_once(day: Path):
    before = (day / "made.json").stat().st_mtime_ns
    share = json.loads((day / "made.json").read_text("utf-8"))["doubtful"]
    assert data.make(day.parent, POINTS, 1, share) == day
    assert (day / "made.json").stat().st_mtime_ns == before


def test_chunks_and_threads_change_no_byte(tmp_path, monkeypatch):
    made = []
    for name, chunk, threads in (("one", 8_192, 1), ("other", 33, 3)):
        monkeypatch.setattr(data, "CHUNK", chunk)
        at = data.make(tmp_path / name, POINTS, 1, 0.1, late=0.1, long=True, threads=threads)
        files = sorted((at / "home").rglob("*.parquet"))
        made.append({p.relative_to(at): hashlib.sha256(p.read_bytes()).digest() for p in files})
    assert made[0] == made[1]


def test_late_readings_are_computed_from_what_was_kept_to_the_same_bytes(tmp_path):
    at = data.make(tmp_path, POINTS, 1, 0.1, late=0.1)
    for name in ("late", "late_afresh"):
        for copy in ("first", "second"):
            benchmarks.copied(at, tmp_path / name / copy)
            home = Home(tmp_path / name / copy / "home")
            runs.allocate(home, [data.DAY], known_at=data.RECORDED, threads=1)
        references.SUMMING[name](tmp_path / name, 1)
    files = [benchmarks.results_of(tmp_path / name / "second") for name in ("late", "late_afresh")]
    assert files[0] == files[1]
    together = data.make(tmp_path, POINTS, 1, 0.1)
    runs.allocate(Home(together / "home"), [data.DAY], threads=1)
    late = references.comparable(references.allocated(tmp_path / "late/second"))
    assert late == references.comparable(references.allocated(together))


def _measured() -> page.Measured:
    told = {"seconds": 1.0, "sums": "0", "wh": 1, "rows_kept": 194}

    def works(*names: str) -> dict[str, Work]:
        return {name: Work(name, [], costs=[Cost(2.0, 3.0, 4_000_000, told)]) for name in names}

    return page.Measured(
        machine="a machine",
        versions="versions",
        load=0.0,
        points=400,
        readings=100,
        rounds=1,
        whole=works(*benchmarks.FEW),
        first_ever=works("first ever")["first ever"],
        stored=97,
        smaller=100,
        growth=works(*benchmarks.FEW),
        late=works("late", "late_afresh", "late command", "late_afresh command"),
        late_same=True,
        few=400,
        references=works("kwartier", *benchmarks.SUMMING),
        shares={0.0: works(*benchmarks.FEW), 0.3: works(*benchmarks.FEW)},
        ingest_points=1,
        ingest_rows=194,
        taken_in=works(*(name for name in page.NAMES if "ingest" in name or "copy" in name)),
    )


def test_the_page_has_every_row():
    text = page.write(_measured())
    for name in page.NAMES.values():
        assert f"| {name} |" in text
    assert page.NOT_MEASURED not in text
    assert "sums differ" not in text


def test_the_page_says_what_was_left_out():
    parts = {"references": {}, "growth": {}, "late": {}, "shares": {}, "taken_in": {}}
    text = page.write(_measured()._replace(**parts))
    rows = [line for line in text.splitlines() if page.NOT_MEASURED in line]
    assert len(rows) == 7
    assert "there is no Java" in page.write(
        _measured()._replace(
            references={
                name: work for name, work in _measured().references.items() if name != "spark"
            },
            left_out={"spark": "there is no Java"},
        )
    )


def test_the_page_says_where_sums_or_bytes_differ():
    measured = _measured()
    measured.references["floor"].costs[0] = Cost(2.0, 3.0, 4_000_000, {"seconds": 1.0, "sums": "1"})
    text = page.write(measured._replace(late_same=False))
    assert "**The measured sums differ**" in text
    assert "**other bytes**" in text


def test_the_plot_has_a_bar_for_every_process():
    bars = page.bars(_measured())
    assert len(bars) == len(benchmarks.SUMMING) - 1
    assert plot.draw(bars).count("<rect") == 1 + len(bars)
