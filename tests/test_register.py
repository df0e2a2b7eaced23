"""The register by grid area: a point that moves counts in one area on every day, at every moment.

Each area is asked by itself. An oracle in plain Python knows all rows and does not part them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from random import Random

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kwartier import Home, HomeError, allocate, codes, parameters, tables, take_register
from kwartier.adapters.store import registers
from kwartier.runs.moments import register_of
from tests.market import (
    AREA,
    DAY,
    FLAT,
    ONE_DAY,
    OTHER_AREA,
    POINT,
    START,
    Market,
    ean,
    flat,
    point,
    read,
)

THIRD_AREA = codes.ean(codes.with_check_digit(87168690000000000))
AREAS = (AREA, OTHER_AREA, THIRD_AREA)
FIRST_DAY = date(2026, 1, 1)
BEGUN = datetime(2026, 1, 1, 12, tzinfo=UTC)


@dataclass(frozen=True)
class Row:
    """A row of the register, in days and hours since the beginning."""

    number: int
    area: str
    start: int
    end: int | None
    recorded: int

    def cells(self) -> dict[str, object]:
        return point(
            self.number,
            grid_area=self.area,
            valid_from=FIRST_DAY + timedelta(days=self.start),
            valid_to=None if self.end is None else FIRST_DAY + timedelta(days=self.end),
            recorded_at=BEGUN + timedelta(hours=self.recorded),
        )


def where(rows: Sequence[Row], number: int, day: int, hour: int) -> str | None:
    """Give the area in which a point lies on a day, as known at an hour."""
    known = [row for row in rows if row.number == number and row.recorded <= hour]
    newest = {row.start: max(r.recorded for r in known if r.start == row.start) for row in known}
    holding = [
        row
        for row in known
        if row.recorded == newest[row.start]
        and row.start <= day
        and (row.end is None or day < row.end)
    ]
    last = max(holding, key=lambda row: (row.recorded, row.start), default=None)
    return None if last is None else last.area


def taken(home: Home, rows: Sequence[Row], hour: int) -> None:
    table = pa.Table.from_pylist([row.cells() for row in rows])
    take_register(home, [table], recorded_at=BEGUN + timedelta(hours=hour))


def points(home: Home, area: str, day: int, hour: int) -> list[int]:
    """List the points of an area on a day as known at an hour, read from that area alone."""
    known_at = int((BEGUN + timedelta(hours=hour)).timestamp())
    on = FIRST_DAY + timedelta(days=day)
    register = register_of(home, area, known_at)
    found = register.on(on, parameters.load(on)).points.number.tolist()
    assert register.has(on) == bool(found)
    return [int(number) for number in found]


def random_rows(random: Random, hour: int, numbers: int) -> list[Row]:
    """Draw rows of a delivery; of a point and start there is one, for two would be an overlap."""
    drawn: dict[tuple[int, int], Row] = {}
    for _ in range(random.randrange(1, 8)):
        number, start = ean(random.randrange(numbers)), random.randrange(6)
        end = random.choice([None, None, start + random.randrange(1, 4)])
        drawn[number, start] = Row(number, random.choice(AREAS), start, end, hour)
    return list(drawn.values())


@settings(max_examples=30)
@given(seed=st.integers(0, 2**32 - 1), deliveries=st.integers(1, 4), numbers=st.integers(1, 4))
def test_each_area_by_itself_has_the_points_that_all_rows_give_it(
    tmp_path_factory: pytest.TempPathFactory, seed: int, deliveries: int, numbers: int
) -> None:
    random, rows = Random(seed), list[Row]()
    home = Home(tmp_path_factory.mktemp("home"), create=True)
    for hour in range(deliveries):
        new = random_rows(random, hour, numbers)
        taken(home, new, hour)
        rows += new
    for hour in range(deliveries):
        for day in range(7):
            lies = {ean(n): where(rows, ean(n), day, hour) for n in range(numbers)}
            for area in registers.areas(home, int((BEGUN + timedelta(hours=hour)).timestamp())):
                expected = sorted(number for number, on in lies.items() if on == area)
                assert points(home, area, day, hour) == expected, (area, day, hour, rows)
            assert {on for on in lies.values() if on} <= set(registers.areas(home))


def test_a_later_register_that_lays_a_point_elsewhere_takes_it_from_its_area(
    tmp_path: Path,
) -> None:
    """The same start, so the first row is replaced; before that was known it counts."""
    home = Home(tmp_path / "home", create=True)
    taken(home, [Row(POINT, AREA, 0, None, 0)], 0)
    taken(home, [Row(POINT, OTHER_AREA, 0, None, 5)], 5)
    assert (points(home, AREA, 3, 4), points(home, OTHER_AREA, 3, 4)) == ([POINT], [])
    assert (points(home, AREA, 3, 5), points(home, OTHER_AREA, 3, 5)) == ([], [POINT])


def test_a_point_that_is_gone_between_two_areas_is_missing_in_the_first(tmp_path: Path) -> None:
    home = Home(tmp_path / "home", create=True)
    taken(home, [Row(POINT, AREA, 0, 2, 0), Row(POINT, OTHER_AREA, 4, None, 0)], 0)
    known_at = int((BEGUN + timedelta(hours=1)).timestamp())
    on = FIRST_DAY + timedelta(days=3)
    found = {
        area: len(register_of(home, area, known_at).on(on, parameters.load(on)).found)
        for area in (AREA, OTHER_AREA)
    }
    assert found == {AREA: 1, OTHER_AREA: 0}


def test_a_register_that_moves_points_is_taken_in_in_order(tmp_path: Path) -> None:
    home = Home(tmp_path / "home", create=True)
    taken(home, [Row(POINT, AREA, 0, None, 5)], 5)
    before = home.deliveries()
    with pytest.raises(HomeError, match="take registers in, in order"):
        taken(home, [Row(POINT, OTHER_AREA, 0, None, 3)], 3)
    assert home.deliveries() == before
    # Other points, and the same ones in the same area, may come in any order.
    taken(home, [Row(ean(2), OTHER_AREA, 0, None, 3), Row(POINT, AREA, 1, None, 3)], 3)
    assert points(home, OTHER_AREA, 2, 6) == [ean(2)]


def test_a_move_is_allocated_in_one_area_on_each_day(tmp_path: Path) -> None:
    market = Market(tmp_path)
    market.register(
        point(POINT, valid_to=DAY),
        point(POINT, grid_area=OTHER_AREA, valid_from=DAY),
        point(ean(2)),
        point(ean(3), grid_area=OTHER_AREA),
    )
    quarters = len(flat(DAY)) - 1
    for day, start in ((DAY - ONE_DAY, START), (DAY, START + quarters * FLAT)):
        every = [read(flat(day, start=start), n, day=day) for n in (POINT, ean(2), ean(3))]
        market.deliver(*every, recorded_at=datetime(2026, 1, 16, 6, tzinfo=UTC))
    made = {
        (run.market_day, run.grid_area): run
        for run in allocate(market.home, [DAY - ONE_DAY, DAY], threads=1)
    }
    for day, of_area in (
        (DAY - ONE_DAY, {AREA: 2, OTHER_AREA: 1}),
        (DAY, {AREA: 1, OTHER_AREA: 2}),
    ):
        for area, count in of_area.items():
            run = made[day, area]
            place = market.home.root / market.home.run_place(day, area, run.run)
            sums = pq.read_table(place / "allocation.parquet").to_pylist()
            assert sum(row["volume_wh"] for row in sums) == count * quarters * FLAT


def test_what_is_kept_of_a_row_is_all_that_it_says() -> None:
    said = point(
        POINT,
        capacity="3x80",
        consent=True,
        digits=6,
        technically_readable="39.1",
        annual_offtake_normal_wh=3_000_000,
        holder="h-1",
        valid_to=DAY,
        recorded_at=BEGUN,
    )
    rows = [
        {column.name: row.get(column.name, column.default) for column in tables.REGISTER.columns}
        for row in (said, point(ean(2), recorded_at=BEGUN), point(ean(3), recorded_at=BEGUN))
    ]
    table = pa.Table.from_pylist(rows, schema=tables.REGISTER.schema)
    kept = registers.folded(table)
    assert len(kept["connection"].combine_chunks().dictionary) == 2  # the last two say the same
    assert registers.unfolded(kept).equals(table)
    assert registers.unfolded(kept, ["group", "brp"]).equals(table.select(["group", "brp"]))


def test_of_many_registers_what_they_hold_is_kept_as_one(tmp_path: Path) -> None:
    """Each of forty deliveries changes a point; where the point lies is as by all of their rows."""
    home, rows = Home(tmp_path / "home", create=True), list[Row]()
    random = Random(1)
    for hour in range(40):
        new = [Row(ean(n), AREAS[(n + hour) % 2], 0, None, hour) for n in (hour % 3, 3 + hour % 2)]
        new += [Row(ean(9), AREA, random.randrange(6), None, hour)]
        taken(home, new, hour)
        rows += new
    kept = sorted((home.root / "kept/register").rglob("*.parquet"))
    assert [path.name.split("-")[0] for path in kept] == ["000016", "000032"] * 2
    assert len(list((home.root / "register").rglob("*.parquet"))) == 80

    def asked() -> dict[tuple[str, int, int], list[int]]:
        return {
            (area, day, hour): points(home, area, day, hour)
            for area in (AREA, OTHER_AREA)
            for day in (0, 3)
            for hour in (0, 14, 15, 16, 31, 32, 39)
        }

    found = asked()
    for (area, day, hour), numbers in found.items():
        lies = {ean(n): where(rows, ean(n), day, hour) for n in range(10)}
        assert numbers == sorted(number for number, on in lies.items() if on == area)
    pieces = registers.pieces(home, AREA)
    assert len(pieces) == 1 + 40 % 16
    for path in kept:
        path.unlink()
    assert asked() == found
    assert len(registers.pieces(home, AREA)) == 40


def test_of_what_many_registers_hold_the_last_two_stay(tmp_path: Path) -> None:
    home = Home(tmp_path / "home", create=True)
    for hour in range(48):
        taken(home, [Row(POINT, AREA, 0, None, hour)], hour)
    taken(home, [Row(ean(2), OTHER_AREA, 0, None, 48)], 48)
    kept = sorted((home.root / "kept/register").rglob("*.parquet"))
    assert [path.name.split("-")[0] for path in kept] == ["000032", "000048"]
    made = [path.stat().st_ino for path in kept]
    taken(home, [Row(ean(2), OTHER_AREA, 0, None, 49)], 49)
    assert [path.stat().st_ino for path in kept] == made, "kept again, and nothing came"
    assert points(home, AREA, 1, 49) == [POINT]


def test_a_home_with_a_register_of_all_areas_is_of_an_older_form(tmp_path: Path) -> None:
    home = Home(tmp_path / "home", create=True)
    files = [home.add(tables.REGISTER.empty(), "register/all.parquet")]
    home.deliver("register", 1, id="all", inputs=[], files=files, rows_in=0)
    with pytest.raises(HomeError, match="made by an older kwartier; make a new home"):
        allocate(home, [DAY])
    with pytest.raises(HomeError, match="made by an older kwartier"):
        taken(home, [Row(POINT, AREA, 0, None, 0)], 0)
    # So is one whose rows say what they say in columns of their own.
    other = Home(tmp_path / "other", create=True)
    files = [other.add(tables.REGISTER.empty(), registers.place(AREA, "all"))]
    other.deliver("register", 1, id="all", inputs=[], files=files, rows_in=0)
    with pytest.raises(HomeError, match="made by an older kwartier"):
        points(other, AREA, 0, 0)
