"""The home: what deliveries bring in any order is the same home, and what was known stays known."""

from __future__ import annotations

import itertools
import shutil
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from kwartier import (
    FileRefused,
    Home,
    HomeError,
    allocate,
    ingest,
    ingest_volumes,
    result,
    simulate,
    tables,
    take_couplings,
    take_fractions,
    take_parameters,
    take_register,
)
from kwartier.adapters import sorting
from kwartier.adapters.store import day_rows
from kwartier.adapters.store import home as store_home
from kwartier.arrays import NOT_READ, Rows
from kwartier.parameters import ParameterError
from kwartier.runs import ledger_of
from kwartier.runs.moments import parameters_of
from tests import homes, market
from tests.market import DAY, ONE_DAY, OTHER, POINT, REGISTERED, Market, flat, point, read

DAYS = [DAY - ONE_DAY, DAY, DAY + ONE_DAY]
LATER = datetime.combine(DAY + 3 * ONE_DAY, datetime.min.time(), UTC)
HOUR = timedelta(hours=1)
END = 96


@pytest.fixture
def way(tmp_path: Path) -> Market:
    made = Market(tmp_path)
    made.register(point(POINT), point(OTHER))
    return made


def whole_days(number: int = POINT, days: list[date] = DAYS) -> list[dict[str, Any]]:
    """Give the readings of days that follow each other, each midnight once."""
    rows: dict[datetime, dict[str, Any]] = {}
    for k, day in enumerate(days):
        for row in read(flat(day, start=1_000_000 + k * 9_600), number, day=day):
            rows[row["read_at"]] = row
    return list(rows.values())


# ---- midnight ------------------------------------------------------------------------------------
def test_a_midnight_reading_serves_both_days_whichever_file_brings_it(
    way: Market, tmp_path: Path
) -> None:
    rows = whole_days()
    midnights = {market.moments(day)[0] for day in [*DAYS, DAYS[-1] + ONE_DAY]}
    parts = [[row for row in rows if (row["read_at"] in midnights) is at] for at in (True, False)]
    of_day = [[row for row in parts[1] if row["read_at"] in market.moments(d)] for d in DAYS]
    files = [
        homes.write(part, tmp_path / f"{name}.csv")
        for name, part in zip("abcd", [parts[0], *of_day], strict=True)
    ]
    ingest(way.home, [homes.table(rows)], recorded_at=LATER)
    expected = [homes.kept(way.home, day) for day in DAYS]
    assert [len(day) for day in expected] == [97, 97, 97]
    for number, order in enumerate(itertools.permutations(files)):
        other = Market(tmp_path / str(number))
        other.register(point(POINT), point(OTHER))
        for step, file in enumerate(order):
            ingest(other.home, [file], recorded_at=LATER + step * HOUR)
        assert [homes.kept(other.home, day) for day in DAYS] == expected
        if number % 8 == 0:
            assert other.run(DAY).measured() == [100] * 96


def test_the_days_beside_a_day_hold_its_midnights(way: Market) -> None:
    intake = way.deliver(read(flat()))
    assert intake.days == tuple(day.isoformat() for day in DAYS)
    assert (intake.rows_in, intake.rows_kept) == (97, 97)
    assert homes.kept(way.home, DAYS[0]) == {(POINT, "1.8.0", END): 1_000_000}
    assert homes.kept(way.home, DAYS[2]) == {(POINT, "1.8.0", 0): 1_009_600}


@pytest.mark.parametrize(("day", "last"), [(market.SPRING, 92), (market.AUTUMN, 100)])
def test_the_midnights_of_a_clock_change_stand_at_the_ends(
    way: Market, day: date, last: int
) -> None:
    way.deliver(read(flat(day), day=day))
    positions = sorted(position for _, _, position in homes.kept(way.home, day))
    assert positions == list(range(last + 1))
    assert [p for _, _, p in homes.kept(way.home, day - ONE_DAY)] == [END]


# ---- forms, orders and files ---------------------------------------------------------------------
def _deliveries(tmp_path: Path) -> Iterator[tuple[str, list[Any]]]:
    rows = whole_days() + whole_days(OTHER)
    backwards = rows[::-1]
    mixed = sorted(rows, key=lambda row: (row["reading_wh"] * 7919 % 1009, row["accounting_point"]))
    yield "csv", [homes.write(rows, tmp_path / "a.csv")]
    yield "parquet", [homes.write(rows, tmp_path / "a.parquet")]
    yield "table", [homes.table(rows)]
    yield "backwards", [homes.write(backwards, tmp_path / "b.csv")]
    yield "mixed", [homes.write(mixed, tmp_path / "c.parquet")]
    yield (
        "several files",
        [homes.write(mixed[:200], tmp_path / "d.csv"), homes.table(mixed[200:])],
    )
    yield (
        "interleaved files",
        [homes.write(mixed[1::2], tmp_path / "e.parquet"), homes.table(mixed[::2])],
    )
    stated_twice = [*rows, *backwards[:50]]
    yield "stated twice", [homes.table(stated_twice)]


def _layers(home: Home) -> dict[str, bytes]:
    """Give the bytes of the day rows; their names hold what they were made of."""
    return {
        path.rsplit("-", 1)[0]: content
        for path, content in homes.contents(home.root).items()
        if path.startswith("readings/")
    }


def test_form_order_and_number_of_files_change_no_byte(tmp_path: Path) -> None:
    made = {}
    for number, (name, sources) in enumerate(_deliveries(tmp_path)):
        way = Market(tmp_path / str(number))
        way.register(point(POINT), point(OTHER))
        ingest(way.home, sources, recorded_at=LATER)
        (run,) = allocate(way.home, [DAY], known_at=LATER, threads=1)
        folder = _folder(way.home, run)
        results = {n: (folder / f"{n}.parquet").read_bytes() for n in ("allocation", "coverage")}
        made[name] = _layers(way.home) | results
    names = list(made)
    for name in names[1:]:
        assert made[name] == made[names[0]], name


def _folder(home: Home, run: Any) -> Path:
    place = f"results/market_day={run.market_day}/grid_area={run.grid_area}/run={run.run}"
    return home.root / place


def test_the_same_file_twice_changes_nothing(way: Market, tmp_path: Path) -> None:
    file = homes.write(whole_days(), tmp_path / "day.csv")
    again = homes.write(whole_days(), tmp_path / "the same by another name.csv")
    ingest(way.home, [file], recorded_at=LATER)
    before = homes.contents(way.home.root)
    for sources in ([file], [again], [file, again], [str(file)]):
        intake = ingest(Home(way.home.root), sources, recorded_at=LATER + HOUR)
        assert intake.delivery is None
        assert intake.skipped == tuple(Path(source).name for source in sources)
        assert homes.contents(way.home.root) == before
    register = homes.write_register([point()], tmp_path / "register.csv")
    take_register(way.home, [register], recorded_at=REGISTERED)
    before = homes.contents(way.home.root)
    assert take_register(way.home, [register]).skipped == ("register.csv",)
    assert homes.contents(way.home.root) == before


def test_a_known_file_beside_a_new_one_is_skipped_alone(way: Market, tmp_path: Path) -> None:
    known = homes.write(whole_days(), tmp_path / "known.csv")
    new = homes.write(whole_days(OTHER), tmp_path / "new.csv")
    ingest(way.home, [known], recorded_at=LATER)
    intake = ingest(way.home, [known, new], recorded_at=LATER + HOUR)
    assert intake.skipped == ("known.csv",)
    assert intake.rows_in == intake.rows_kept == 3 * 96 + 1
    assert len(homes.kept(way.home)) == 2 * 97


# ---- corrections ---------------------------------------------------------------------------------
def test_a_later_delivery_corrects_and_the_older_stays_known(way: Market) -> None:
    first = way.deliver(read(flat(step=100)), read(flat(), OTHER))
    before = homes.contents(way.home.root)
    way.deliver(read(flat(step=90)), recorded_at=LATER)
    after = homes.contents(way.home.root)
    assert {path: after[path] for path in before} == before, "an older file was changed"
    assert first.delivery
    assert way.run(known_at=LATER).measured() == [190] * 96
    assert way.run(known_at=LATER - HOUR).measured() == [200] * 96
    at = int((LATER - HOUR).timestamp())
    assert homes.kept(way.home, known_at=at)[POINT, "1.8.0", 1] == 1_000_100
    assert homes.kept(way.home)[POINT, "1.8.0", 1] == 1_000_090


def test_a_later_delivery_of_one_missing_reading_makes_the_day_whole(way: Market) -> None:
    holed = market.but(flat(), {40: None})
    way.deliver(read(holed), read(holed, OTHER))
    assert sum(way.run().calculated()) == 2 * 200
    (late,) = [row for row in read(flat()) if row["read_at"] == market.moments(DAY)[40]]
    intake = way.deliver([late], recorded_at=LATER)
    assert (intake.rows_in, intake.rows_kept, intake.days) == (1, 1, (DAY.isoformat(),))
    outcome = way.run()
    assert sum(outcome.measured()) == 2 * 9_600 - 200
    assert sum(outcome.calculated()) == 200
    assert homes.kept(way.home)[POINT, "1.8.0", 40] == 1_004_000
    layers = way.home.layers(DAY, market.AREA)
    assert [(layer.order, layer.complete) for layer in layers] == [(3, True), (2, False)]
    assert layers[0].numbers().tolist() == [POINT], "more than what changed was written again"


def test_a_delivery_that_brings_nothing_new_writes_no_day_rows(way: Market) -> None:
    way.deliver(read(flat()), read(flat(), OTHER))
    before = _layers(way.home)
    intake = way.deliver(read(flat())[10:20], recorded_at=LATER)
    assert intake.rows_kept == 10
    assert _layers(way.home) == before


def test_a_status_that_a_later_delivery_mends_is_mended(way: Market) -> None:
    way.deliver(read(flat(), status={40: 4}))
    assert way.run().found("status_invalid")
    way.deliver(read(flat()), recorded_at=LATER)
    outcome = way.run()
    assert not outcome.found("status_invalid")
    assert outcome.measured() == [100] * 96


def test_deliveries_come_in_order(way: Market) -> None:
    way.deliver(read(flat()), recorded_at=LATER)
    before = homes.contents(way.home.root)
    with pytest.raises(HomeError, match="in order"):
        way.deliver(read(flat(step=90)), recorded_at=LATER - HOUR)
    assert homes.contents(way.home.root) == before
    way.deliver(read(flat(step=90)), recorded_at=LATER)  # the same moment is in order
    assert way.run().measured() == [90] * 96


def test_readings_before_any_register_is_known_say_so(tmp_path: Path) -> None:
    home = Home(tmp_path / "home", create=True)
    rows = homes.table(read(flat()))
    with pytest.raises(HomeError, match="no register of accounting points yet"):
        ingest(home, [rows], recorded_at=LATER)
    take_register(home, [pa.Table.from_pylist([point()])], recorded_at=LATER + HOUR)
    with pytest.raises(HomeError, match=r"no register .* known at 2026-01-17T00:00:00Z"):
        ingest(home, [rows], recorded_at=LATER)
    with pytest.raises(HomeError, match=r"no register .* known at 2026-01-17T00:00:00Z"):
        allocate(home, [DAY], known_at=LATER)


# ---- refusals ------------------------------------------------------------------------------------
SECRET = 7_654_321  # a value that would be found if it was kept anywhere


def _values(home: Home) -> set[int]:
    """Give every whole number in every Parquet file of a home, its leftovers too."""
    found: set[int] = set()
    for path in home.root.rglob("*.parquet*"):
        for column in pq.read_table(path).itercolumns():
            if pa.types.is_list(column.type):
                column = pc.list_flatten(column)
            if pa.types.is_integer(column.type):
                found |= set(pc.unique(column.cast(pa.int64())).to_pylist())
    return found


@pytest.mark.parametrize(
    "why",
    [
        {"remote_reading": "off"},
        {"remotely_readable": False},
        {"market_segment": "GVB"},
        {"group": "PRF"},
    ],
)
@pytest.mark.parametrize("form", ["readings.csv", "readings.parquet", None])
def test_the_values_of_a_point_that_may_not_be_read_are_nowhere(
    tmp_path: Path, why: dict[str, Any], form: str | None
) -> None:
    way = Market(tmp_path)
    way.register(point(POINT, **why), point(OTHER))
    rows = read(flat(step=0, start=SECRET)) + read(flat(step=0, start=1_234_567), OTHER)
    source = homes.write(rows, tmp_path / form) if form else homes.table(rows)
    intake = ingest(way.home, [source], recorded_at=LATER)
    assert intake.found == {"not_eligible": 97}
    outcome = way.run()
    assert 1_234_567 in _values(way.home)
    assert SECRET not in _values(way.home)
    for path, content in homes.contents(way.home.root).items():
        assert str(SECRET).encode() not in content, path
        assert SECRET.to_bytes(8, "little") not in content, path
    facts = outcome.found("not_eligible")
    assert [row["accounting_point"] for row in facts] == [POINT]
    assert sum(row["rows"] for row in facts) == 96  # the closing midnight is of the next day
    assert not list(way.home.root.glob("tmp/*"))


def test_before_the_legal_ground_only_consent_lets_values_in(tmp_path: Path) -> None:
    way = Market(tmp_path)
    way.register(point(POINT), point(OTHER, consent=True))
    day = date(2025, 12, 31)
    intake = way.deliver(read(flat(day), day=day), read(flat(day), OTHER, day=day))
    # The closing midnight is the opening one of the first day of the legal ground.
    assert intake.found == {"not_eligible": 96}
    assert set(homes.kept(way.home, day + ONE_DAY)) == {(n, "1.8.0", 0) for n in (POINT, OTHER)}
    assert {n for n, _, _ in homes.kept(way.home, day)} == {OTHER}


def test_a_refusal_known_after_the_delivery_takes_effect_at_once(way: Market) -> None:
    way.deliver(read(flat()), read(flat(step=90), OTHER))
    way.register(point(POINT, remote_reading="off"), recorded_at=LATER)
    assert way.run(known_at=LATER - HOUR).measured() == [190] * 96
    outcome = way.run(known_at=LATER)
    assert outcome.measured() == [90] * 96
    assert sum(outcome.calculated()) == 0
    assert {row["points"] for row in outcome.coverage if row["group"] == "PRF"} == {1}


# ---- one writer ----------------------------------------------------------------------------------
def test_a_second_writer_is_told(way: Market) -> None:
    before = homes.contents(way.home.root)
    with way.home.writing():
        for act in (
            lambda: ingest(Home(way.home.root), [homes.table(read(flat()))], recorded_at=LATER),
            lambda: take_register(Home(way.home.root), [pa.Table.from_pylist([point()])]),
        ):
            with pytest.raises(HomeError, match=r"another kwartier is writing in .*wait for it"):
                act()
    assert homes.contents(way.home.root) == before
    way.deliver(read(flat()))
    assert way.run().measured() == [100] * 96, "a writer that is done leaves the home free"


def test_a_home_may_be_read_while_it_is_written(way: Market) -> None:
    way.deliver(read(flat()))
    with way.home.writing():
        assert allocate(Home(way.home.root), [DAY], known_at=LATER)


def test_what_a_killed_process_left_is_swept(way: Market) -> None:
    way.deliver(read(flat()))
    way.run()
    before = homes.taken_in(way.home.root)
    area = f"market_day={DAY}/grid_area={market.AREA}"
    for name in (
        f"readings/{area}/complete-0123.parquet",
        f"readings/{area}/partial-0123.parquet.unfinished",
        "readings/market_day=2026-02-01/grid_area=1/complete-0123.parquet",
        "register/0123.parquet",
        "doubts/0123.parquet.unfinished",
        "deliveries/00000009-0123.json.unfinished",
        "tmp/duckdb_temp_storage-0.tmp",
        f"results/{area}/run=0123@host-77-0.unfinished/allocation.parquet",
    ):
        path = way.home.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"half")
    home = Home(way.home.root)
    assert result(home, "allocation", [DAY]).num_rows == 96 * 4
    with home.writing():
        pass
    way.deliver(read(flat(step=90)))  # a trial that gave nothing new would write nothing
    way.run()
    found = homes.taken_in(way.home.root)
    assert {path: found[path] for path in before} == before
    assert not [path for path in homes.contents(way.home.root) if "unfinished" in path]


# ---- the same bytes ------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def fleet() -> Any:
    return simulate(points=150, days=[DAY, DAY + ONE_DAY], seed=5, defect_share=0.3)


def _taken_in(fleet: Any, folder: Path) -> Home:
    home = Home(folder / "home", create=True)
    take_register(home, [fleet.register], recorded_at=REGISTERED)
    take_couplings(home, [fleet.couplings], recorded_at=REGISTERED)
    take_fractions(home, [fleet.fractions], recorded_at=REGISTERED)
    for day in fleet.days:
        at = datetime.combine(day + ONE_DAY, datetime.min.time(), UTC) + 6 * HOUR
        ingest(home, [fleet.readings(day)], recorded_at=at)
        ingest_volumes(home, [fleet.volumes(day)], recorded_at=at)
    return home


def _tables(home: Home, runs: list[Any]) -> dict[str, bytes]:
    return {
        f"{run.market_day} {run.grid_area} {name}": (
            _folder(home, run) / f"{name}.parquet"
        ).read_bytes()
        for run in runs
        for name in (table.name for table in tables.RESULTS)
    }


def test_threads_and_row_groups_change_no_byte(
    fleet: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known_at = LATER + 10 * ONE_DAY
    home = _taken_in(fleet, tmp_path / "usual")
    expected = _tables(home, allocate(home, fleet.days, known_at=known_at, threads=1))
    assert len(expected) == 2 * 2 * len(tables.RESULTS)
    monkeypatch.setattr(day_rows, "ROW_GROUP", 16)
    small = _taken_in(fleet, tmp_path / "small")
    areas = small.days()[DAY.isoformat()]
    assert sum(len(small.blocks(DAY, area)) for area in areas) > 10
    for threads in (1, 2, 4):
        # In one home the second run would be found to be the same, and nothing be written.
        own = tmp_path / str(threads)
        shutil.copytree(small.root, own)
        runs = allocate(Home(own), fleet.days, known_at=known_at, threads=threads)
        assert _tables(Home(own), runs) == expected, threads


def test_status_is_kept_where_there_is_any(tmp_path: Path) -> None:
    home = Home(tmp_path, create=True)
    number = np.arange(4)
    reading = np.arange(4 * 97).reshape(4, 97)
    reading[:3, 5] = NOT_READ
    status = np.zeros((4, 97), np.int64)
    status[1, 7] = status[3, 0] = 4
    for told in (status, None):
        writer = home.layer_writer(DAY, market.AREA, "all" if told is None else "some")
        rows = Rows(number, np.zeros(4, np.int64), np.zeros(4, np.int64), reading, told, False)
        writer.write(rows, {})
        files = writer.close()
        home.deliver(
            "readings",
            len(files),
            id=str(told is None),
            inputs=[],
            files=files,
            rows_in=0,
            rows_kept=0,
            rows_found={},
        )
        stored = [block.read() for block in home.blocks(DAY, market.AREA)]
        held = {
            int(n): row for rows in stored for n, row in zip(rows.number, rows.bits(), strict=True)
        }
        expected = np.zeros_like(status) if told is None else told
        assert all((held[n] == expected[n]).all() for n in range(4))


def test_how_rows_are_put_in_order_changes_no_byte(
    fleet: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = _layers(_taken_in(fleet, tmp_path / "usual"))
    for run, piece, held in ((20_000, 5_000, 100_000), (5_000, 1, 0), (1, 1, 1 << 30)):
        monkeypatch.setattr(sorting, "LOT_BYTES", run)
        monkeypatch.setattr(sorting, "PIECE_BYTES", piece)
        monkeypatch.setattr(sorting, "HELD_BYTES", held)
        assert _layers(_taken_in(fleet, tmp_path / str(run))) == expected, run


def test_a_run_is_the_same_alone_and_among_others(fleet: Any, tmp_path: Path) -> None:
    known_at = LATER + 10 * ONE_DAY
    home = _taken_in(fleet, tmp_path)
    together = allocate(home, fleet.days, known_at=known_at, threads=1)
    ledger = ledger_of(home)
    inputs = {run.run: ledger.inputs(run) for run in together}
    alone = [
        run
        for area in sorted({run.grid_area for run in together}, reverse=True)
        for day in reversed(fleet.days)
        for run in allocate(Home(home.root), [day], grid_area=area, known_at=known_at, threads=1)
    ]
    # Each is found to be the same as a run that was made among others.
    assert {run.run for run in alone} == set(inputs)
    assert {run.run: ledger.inputs(run) for run in alone} == inputs


def test_the_ledger_names_every_input_and_table_of_a_run_with_its_sum(
    fleet: Any, tmp_path: Path
) -> None:
    home = _taken_in(fleet, tmp_path)
    ledger = ledger_of(home)
    assert homes.whole(home)
    for run in allocate(home, [DAY], threads=1):
        inputs = dict(ledger.inputs(run))
        own = f"readings/market_day={DAY}/grid_area={run.grid_area}/"
        others = ("register/", "couplings/", "fractions/", f"volumes/market_day={DAY}/")
        named = {p for p in homes.contents(home.root) if p.startswith((own, *others))}
        assert named <= set(inputs)
        for path, sha256 in inputs.items():
            assert homes.sha256(home.root / path) == sha256
        written = ledger.tables(run)
        assert {name for name, *_ in written} == {table.name for table in tables.RESULTS}
        for _, path, _, sha256 in written:
            assert homes.sha256(home.root / path) == sha256
        assert ledger.parameters(run)
        assert run.version


def test_the_newest_run_is_the_result(way: Market) -> None:
    way.deliver(read(flat()))
    way.run()
    way.deliver(read(flat(step=90)), recorded_at=LATER)
    assert way.run().measured() == [90] * 96


@pytest.mark.parametrize(
    "ask",
    [
        lambda home: Home(home.root / "nowhere"),
        lambda home: allocate(home, [DAY], grid_area="871687120000052782"),
        lambda home: allocate(home, [DAY + 30 * ONE_DAY]),
        lambda home: allocate(home, [DAY, date(2019, 1, 1)]),
        lambda home: result(home, "allocation", [DAY]),
    ],
)
def test_what_cannot_be_done_is_told(way: Market, ask: Callable[[Home], Any]) -> None:
    way.deliver(read(flat()))
    with pytest.raises(
        HomeError, match=r"no home|no such grid area|no point on|no readings|no run of"
    ):
        ask(way.home)


# ---- the home's own parameters -------------------------------------------------------------------
OWN = "zero_run_periods: {{values: {{2026-01-01: {0}}}}}\n"


def _zero_run(home: Home, known_at: datetime) -> int:
    return parameters_of(home, DAY, int(known_at.timestamp())).zero_run_periods


def test_parameters_hold_from_when_they_are_known(way: Market) -> None:
    way.parameters(OWN.format(50), recorded_at=LATER)
    way.parameters(OWN.format(60), recorded_at=LATER + 2 * HOUR)
    markets = 32
    assert _zero_run(way.home, LATER - timedelta(seconds=1)) == markets
    assert _zero_run(way.home, LATER) == 50
    assert _zero_run(way.home, LATER + 2 * HOUR - timedelta(seconds=1)) == 50
    assert _zero_run(way.home, LATER + 2 * HOUR) == 60
    # One recorded between them, though taken in last, holds between them.
    way.parameters(OWN.format(55), recorded_at=LATER + HOUR)
    assert _zero_run(way.home, LATER + HOUR) == 55
    assert _zero_run(way.home, LATER + 2 * HOUR) == 60
    assert homes.whole(way.home)


def test_parameters_count_as_a_whole(way: Market) -> None:
    way.parameters(OWN.format(50) + "outlier_factor: {values: {2026-01-01: 9}}\n")
    way.parameters(OWN.format(60), recorded_at=LATER)
    held = parameters_of(way.home, DAY, int(LATER.timestamp()))
    assert (held.zero_run_periods, held.outlier_factor) == (60, 6)


def test_the_same_parameters_again_change_nothing_but_after_others_they_do(way: Market) -> None:
    way.parameters(OWN.format(50))
    before = homes.contents(way.home.root)
    way.parameters(OWN.format(50), recorded_at=LATER)
    assert homes.contents(way.home.root) == before
    way.parameters(OWN.format(60), recorded_at=LATER)
    way.parameters(OWN.format(50), recorded_at=LATER + HOUR)
    assert _zero_run(way.home, LATER + HOUR) == 50


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (b"no_such: {values: {2026-01-01: 1}}", "no_such: no such parameter"),
        (b"outlier_factor: 3", "outlier_factor: expected 'values"),
        (b"outlier_factor: {values: {2026-01-01: many}}", "2026-01-01 on cannot be read"),
        (b"outlier_factor: {values: {2126-01-01: many}}", "2126-01-01 on cannot be read"),
        (b"min_points_for_shape: {values: {2026-01-01: 0}}", "a whole number above 0"),
        (b"outlier_factor: {values: {1 March: 3}}", "dates are ISO"),
        (b"outlier_factor: {values: {1899-12-31: 3}}", "no value holds on 1899-12-31"),
        (b"outlier_factor: [", "not YAML"),
        (b"- 3", "expected parameter names"),
        (b"\xff\xfe", "expected text in UTF-8"),
    ],
)
def test_parameters_that_cannot_be_read_are_refused(
    way: Market, tmp_path: Path, text: bytes, told: str
) -> None:
    before = homes.contents(way.home.root)
    path = tmp_path / "own.yaml"
    path.write_bytes(text)
    with pytest.raises(ParameterError, match=f"own.yaml: .*{told}|{told}"):
        take_parameters(way.home, path)
    assert homes.contents(way.home.root) == before
    with pytest.raises(FileRefused, match="expected a file"):
        take_parameters(way.home, tmp_path / "none.yaml")


def test_threads_that_look_at_a_home_at_once_find_each_file_once(
    way: Market, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A layer that is named twice would count twice."""
    for _ in range(3):
        way.deliver(read(flat()))
    usual, threads = store_home.read_json, 8

    def slow(path: Path) -> dict[str, Any]:
        time.sleep(0.01)  # the others come by meanwhile
        return usual(path)

    monkeypatch.setattr(store_home, "read_json", slow)
    home = Home(way.home.root)
    with ThreadPoolExecutor(threads) as pool:
        found = list(pool.map(lambda _: len(home.layers(DAY, market.AREA)), range(threads)))
    assert found == [len(way.home.layers(DAY, market.AREA))] * threads


def test_a_run_as_known_before_takes_the_parameters_of_then(way: Market) -> None:
    way.deliver(read(flat(step=0, start=0)[:41] + flat(start=-4_000)[41:]))
    assert way.run(known_at=LATER).found("zero_run")
    way.parameters(OWN.format(90), recorded_at=LATER + HOUR)
    assert not way.run(known_at=LATER + HOUR).found("zero_run")
    assert way.run(known_at=LATER).found("zero_run")


def test_a_parameters_file_lying_in_a_home_is_told(way: Market) -> None:
    way.deliver(read(flat()))
    lying = way.home.root / "parameters.yaml"
    lying.write_text(OWN.format(50), "utf-8")
    with pytest.raises(HomeError, match=r"kwartier parameters parameters\.yaml"):
        way.run()
    take_parameters(way.home, lying, recorded_at=REGISTERED)
    lying.unlink()
    way.run()
    assert _zero_run(way.home, LATER) == 50
