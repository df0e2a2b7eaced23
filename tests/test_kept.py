"""What blocks added up to is kept: a later run computes what was touched, and gives the same bytes.

Every run is held against one of a home that took in the same and has nothing kept.
"""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from kwartier import Home, HomeError, allocate
from kwartier.adapters.ledger import Run
from kwartier.adapters.store import day_rows, kept
from tests import areas, homes
from tests.closing import LATER, hour
from tests.market import (
    AREA,
    DAY,
    ONE_DAY,
    OTHER_BRP,
    OTHER_SUPPLIER,
    Market,
    but,
    ean,
    flat,
    lighting,
    point,
    read,
)
from tests.test_against_oracle_area import kept_home, real_parameters

POINTS, A_BLOCK = 200, 16  # a point has one register, so one row
BLOCKS = -(-POINTS // A_BLOCK)
FIRST = hour(DAY + ONE_DAY, 6)
READ = [n for n in range(1, POINTS + 3) if n not in (70, 71)]  # two are read later


@pytest.fixture(scope="module")
def taken_in(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with an area of several blocks, and a first run of it."""
    folder = tmp_path_factory.mktemp("kept")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(day_rows, "ROW_GROUP", A_BLOCK)
        market = Market(folder)
        market.register(*[point(ean(n)) for n in range(1, POINTS + 3)])
        market.deliver(*[of_point(n) for n in READ], recorded_at=FIRST)
    return folder


@pytest.fixture
def market(taken_in: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Market:
    """A copy of the home, with a run of which everything is kept."""
    monkeypatch.setattr(day_rows, "ROW_GROUP", A_BLOCK)
    monkeypatch.setattr(day_rows, "BLOCKS", 1)
    shutil.copytree(taken_in, tmp_path, dirs_exist_ok=True)
    market = Market(tmp_path)
    (run,) = market.allocate(known_at=FIRST)
    assert (run.blocks, run.blocks_computed) == (BLOCKS, BLOCKS)
    return market


def of_point(number: int, wh: int = 100) -> list[dict]:
    """Give the readings of a point, but that of the first midnight, which is of two days."""
    return read(but(flat(DAY, wh + number % 7), {0: None}), ean(number))


def tables_of(home: Home, run: Run) -> dict[str, bytes]:
    folder = home.run_folder(run.market_day, run.grid_area, run.run)
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def afresh(home: Home, folder: Path, days: list[date], at: datetime) -> list[dict[str, bytes]]:
    """Give the tables of runs in a home that took in the same, and never ran."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for part in ("deliveries", *homes.TAKEN_IN):
        if (home.root / part).exists():
            shutil.copytree(home.root / part, folder / part)
    bare = Home(folder)
    made = allocate(bare, days, known_at=at, threads=1, afresh=True)
    assert all(run.blocks == run.blocks_computed for run in made)
    return [tables_of(bare, run) for run in made]


@pytest.mark.parametrize(
    ("stretches", "least", "computed"), [(1, 1, 14), (4, 1, 5), (13, 1, 2), (32, 1, 2), (32, 3, 4)]
)
def test_what_is_computed_again_is_a_stretch(
    market: Market, monkeypatch: pytest.MonkeyPatch, stretches: int, least: int, computed: int
) -> None:
    monkeypatch.setattr(day_rows, "STRETCHES", stretches)
    monkeypatch.setattr(day_rows, "BLOCKS", least)
    market.allocate(known_at=FIRST)
    market.deliver(of_point(40, 300), recorded_at=FIRST + LATER)
    (run,) = market.allocate(known_at=FIRST + 20 * LATER)
    assert (run.blocks, run.blocks_computed) == (BLOCKS + 1, computed)
    at = FIRST + 20 * LATER
    assert [tables_of(market.home, run)] == afresh(
        market.home, market.home.root.parent / "afresh", [DAY], at
    )


def again(market: Market, threads: int = 1) -> Run:
    """Run once more, as known later, and see that the bytes are those of a run afresh."""
    at = FIRST + 10 * LATER
    (run,) = market.allocate(known_at=at, threads=threads)
    assert run.blocks is not None
    assert run.known_at == at.timestamp()  # not found to be the same as the first run
    folder = market.home.root.parent / "afresh"
    assert [tables_of(market.home, run)] == afresh(market.home, folder, [DAY], at)
    return run


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize(
    ("late", "touched"),
    [
        ([70, 71], 0),  # unread before: no block had them
        ([40, 41], 1),  # corrected: two of one block
        ([40, 140], 2),
    ],
)
def test_late_readings_touch_their_own_blocks(
    market: Market, late: list[int], touched: int, threads: int
) -> None:
    rows = [of_point(number, 300) for number in late]
    market.deliver(*rows, recorded_at=FIRST + LATER)
    run = again(market, threads)
    # The late readings are a block of their own.
    assert (run.blocks, run.blocks_computed) == (BLOCKS + 1, touched + 1)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("number", [40, 70])
def test_a_switch_of_supplier_touches_the_block_around_the_point(
    market: Market, number: int, threads: int
) -> None:
    """A block is named by all points from its first to its last, also those that were not read."""
    switched = {"brp": OTHER_BRP, "supplier": OTHER_SUPPLIER, "valid_from": DAY}
    market.register(point(ean(number), **switched), recorded_at=FIRST + LATER)
    run = again(market, threads)
    assert (run.blocks, run.blocks_computed) == (BLOCKS, 1)


def test_a_new_point_beyond_every_block_touches_none(market: Market) -> None:
    market.register(point(ean(POINTS + 500)), recorded_at=FIRST + LATER)
    run = again(market)
    assert (run.blocks, run.blocks_computed) == (BLOCKS, 0)


def test_a_parameter_touches_every_block(market: Market) -> None:
    market.parameters("outlier_factor: {values: {2020-01-01: 9}}\n", recorded_at=FIRST + LATER)
    run = again(market)
    assert (run.blocks, run.blocks_computed) == (BLOCKS, BLOCKS)


def test_a_parameter_of_later_days_touches_none(market: Market) -> None:
    text = f"outlier_factor: {{values: {{{DAY + ONE_DAY}: 9}}}}\n"
    market.parameters(text, recorded_at=FIRST + LATER)
    run = again(market)
    assert (run.blocks, run.blocks_computed) == (BLOCKS, 0)


def _nothing(content: bytes) -> bytes:
    return b""


def _half(content: bytes) -> bytes:
    return content[: len(content) // 2]


def _a_bit(content: bytes) -> bytes:
    return content[:-9] + bytes([content[-9] ^ 1]) + content[-8:]


def _zeros(content: bytes) -> bytes:
    return bytes(len(content))


@pytest.mark.parametrize("damage", [_nothing, _half, _a_bit, _zeros])
def test_what_is_damaged_is_computed_again(
    market: Market, damage: Callable[[bytes], bytes]
) -> None:
    files = sorted(market.home.kept(DAY, AREA).iterdir())
    assert len(files) == BLOCKS
    for path in files[:3]:
        path.write_bytes(damage(path.read_bytes()))
    files[3].unlink()
    market.fractions(lighting("lamps", 1), recorded_at=FIRST + LATER)  # or it is the same run
    run = again(market)
    assert (run.blocks, run.blocks_computed) == (BLOCKS, 4)
    assert sorted(market.home.kept(DAY, AREA).iterdir()) == files


def test_what_no_block_asks_for_is_let_go(market: Market) -> None:
    before = set(market.home.kept(DAY, AREA).iterdir())
    (market.home.kept(DAY, AREA) / "0123-77-78").write_bytes(b"half")  # of a killed process
    market.deliver(of_point(40, 300), recorded_at=FIRST + LATER)
    again(market)
    after = set(market.home.kept(DAY, AREA).iterdir())
    assert len(after) == BLOCKS + 1
    assert len(before & after) == BLOCKS - 1


def test_what_another_run_of_the_day_lets_go_does_no_harm(
    market: Market, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two runs at once, as known at different moments: each sweeps what the other keeps."""
    usual = kept.os.replace

    # It is the `replace` of everybody: numba, which keeps what it compiled, moves files by it too.
    def swept(unfinished: str | Path, path: str | Path) -> None:
        if "kept" in Path(unfinished).parts:
            Path(unfinished).unlink()
        usual(unfinished, path)

    monkeypatch.setattr(kept.os, "replace", swept)
    market.deliver(of_point(40, 300), recorded_at=FIRST + LATER)
    assert again(market).blocks_computed == 2


def check(world: areas.World, folder: Path, rows: int, threads: int, seed: int) -> None:
    """Run after each delivery with what was kept, also back in time, and afresh."""
    world = world.but(parameters=real_parameters(world))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(day_rows, "ROW_GROUP", rows)
        patch.setattr(day_rows, "STRETCHES", 1 + seed % 5)
        patch.setattr(day_rows, "BLOCKS", 1)
        home = kept_home(folder, world, random.Random(seed))
        recorded = {
            datetime.fromtimestamp(d["recorded_at"], FIRST.tzinfo) for d in home.deliveries()
        }
        moments = sorted(recorded)[-4:]
        for at in [*moments, moments[0]]:
            home = Home(home.root)
            try:
                made = allocate(home, world.days, known_at=at, threads=threads)
            except HomeError:  # no readings were known yet
                continue
            found = [tables_of(home, run) for run in made]
            assert found == afresh(home, folder / "afresh", world.days, at), (
                f"{seed}: as known at {at}"
            )


def _check_of(seed: int, count: int, days: int, rows: int, threads: int, tmp: Path) -> None:
    folder = tmp / f"{seed}-{count}-{days}-{rows}-{threads}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    first = areas.DAYS[seed % len(areas.DAYS)]
    world = areas.make(seed, [first + timedelta(days=k) for k in range(days)], count, False)
    check(world, folder, rows, threads, seed)
    shutil.rmtree(folder)


ANY = {
    "seed": st.integers(0, 2**32 - 1),
    "count": st.integers(1, 2),
    "days": st.integers(1, 2),
    "rows": st.sampled_from([3, 8, 50]),
    "threads": st.sampled_from([1, 2]),
}
QUIET = {
    "phases": [Phase.explicit, Phase.reuse, Phase.generate],
    "suppress_health_check": list(HealthCheck),
}


@settings(max_examples=2, **QUIET)
@given(**ANY)
def test_what_is_kept_changes_no_byte(
    tmp_path_factory: pytest.TempPathFactory,
    seed: int,
    count: int,
    days: int,
    rows: int,
    threads: int,
) -> None:
    _check_of(seed, count, days, rows, threads, tmp_path_factory.mktemp("some"))


@pytest.mark.slow
@settings(max_examples=25, **QUIET)
@given(**ANY)
def test_what_is_kept_changes_no_byte_of_many_areas(
    tmp_path_factory: pytest.TempPathFactory,
    seed: int,
    count: int,
    days: int,
    rows: int,
    threads: int,
) -> None:
    _check_of(seed, count, days, rows, threads, tmp_path_factory.mktemp("many"))
