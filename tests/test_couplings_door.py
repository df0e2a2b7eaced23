"""The door of the couplings: what it takes, what it refuses, and from when it is known."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from kwartier import FileRefused, Home, codes, tables, take_couplings
from kwartier.adapters.files import read_couplings
from tests import homes
from tests.market import AREA, ONE_DAY, OTHER_AREA, REGISTERED

COUPLING = codes.with_check_digit(87168590000070001)
NOW = datetime(2026, 4, 1, 12, tzinfo=UTC)
HEAD = "coupling,grid_area,other_grid_area,valid_from,valid_to,recorded_at\n"
ROW = f"{COUPLING},{AREA},{OTHER_AREA},2026-01-01,,\n"

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def _write(content: str, name: str = "couplings.csv") -> Path:
        path = tmp_path / name
        path.write_text(content, "utf-8")
        return path

    return _write


def refused(*paths: Path) -> list[tuple[int | None, str | None, str]]:
    with pytest.raises(FileRefused) as raised:
        read_couplings(paths, NOW)
    assert str(COUPLING)[:15] not in str(raised.value)
    assert AREA not in str(raised.value)
    return [(p.row, p.column, p.found) for p in raised.value.problems]


def test_couplings_are_read_with_what_a_file_leaves_out(write: Write) -> None:
    rows = read_couplings([write(f"valid_from;coupling;grid_area\n2026-01-01;{COUPLING};{AREA}")],
                          NOW)  # fmt: skip
    assert rows.schema == tables.COUPLINGS.schema
    assert rows.to_pylist() == [
        {
            "coupling": COUPLING,
            "grid_area": AREA,
            "other_grid_area": None,
            "valid_from": date(2026, 1, 1),
            "valid_to": None,
            "recorded_at": NOW,
        }
    ]


def test_couplings_come_as_parquet_too(tmp_path: Path, write: Write) -> None:
    table = read_couplings([write(HEAD + ROW)], NOW)
    path = homes.write_register(table.to_pylist(), tmp_path / "couplings.parquet")
    assert read_couplings([path], NOW).equals(table)
    assert table["other_grid_area"].to_pylist() == [OTHER_AREA]


@pytest.mark.parametrize(
    ("row", "column", "found"),
    [
        (f"{COUPLING + 1},{AREA},{OTHER_AREA},2026-01-01,,", "coupling", "check digit wrong"),
        (f",{AREA},{OTHER_AREA},2026-01-01,,", "coupling", "empty"),
        (f"{COUPLING},,{OTHER_AREA},2026-01-01,,", "grid_area", "empty"),
        (f"{COUPLING},{AREA[:-1]},,2026-01-01,,", "grid_area", "not 18 digits"),
        (f"{COUPLING},{AREA},{OTHER_AREA[:-1]}3,2026-01-01,,", "other_grid_area",
         "check digit wrong"),
        (f"{COUPLING},{AREA},{AREA},2026-01-01,,", "other_grid_area", "the same"),
        (f"{COUPLING},{AREA},{OTHER_AREA},,,", "valid_from", "empty"),
        (f"{COUPLING},{AREA},{OTHER_AREA},2026-01-02,2026-01-01,", "valid_to", "none"),
        (f"{COUPLING},{AREA},{OTHER_AREA},2026-01-01,,2026-01-01T00:00", "recorded_at",
         "no UTC offset"),
        (f"{COUPLING},{AREA},{OTHER_AREA},2026-01-01,", None, "5"),
    ],
)  # fmt: skip
def test_a_wrong_cell_is_named(write: Write, row: str, column: str | None, found: str) -> None:
    other = f"{codes.with_check_digit(87168590000070002)},{AREA},,2026-01-01,,\n"
    assert refused(write(HEAD + other + row + "\n" + other)) == [(2, column, found)]


def test_the_same_day_withdraws_and_a_row_stated_twice_counts_once(write: Write) -> None:
    rows = read_couplings([write(HEAD + ROW.replace("01-01,,", "01-01,2026-01-01,") * 2)], NOW)
    assert rows.num_rows == 1


def test_a_coupling_stated_otherwise_is_refused(write: Write) -> None:
    one, two = write(HEAD + ROW), write(HEAD + ROW.replace(OTHER_AREA, ""), "two.csv")
    assert refused(one, two) == [(1, None, "a second one with other content")]
    with pytest.raises(FileRefused, match="one row for a coupling, valid_from and recorded_at"):
        read_couplings([one, two], NOW)


def test_couplings_are_known_from_when_they_were_recorded(tmp_path: Path, write: Write) -> None:
    home = Home(tmp_path / "home", create=True)
    first = take_couplings(home, [write(HEAD + ROW)], recorded_at=REGISTERED)
    assert (first.rows_in, first.rows_kept, first.found) == (1, 1, {})
    assert take_couplings(home, [write(HEAD + ROW, "again.csv")]).skipped == ("again.csv",)
    later = pa.Table.from_pylist(
        [{"coupling": COUPLING, "grid_area": AREA, "valid_from": date(2026, 1, 1)}]
    )
    take_couplings(home, [later], recorded_at=REGISTERED + ONE_DAY)
    at = int(REGISTERED.timestamp())
    assert [len(home.table_of("couplings", at + k * 86_400)) for k in (-1, 0, 1)] == [0, 1, 2]
    (_, newest) = home.table_of("couplings")
    assert newest["recorded_at"].to_pylist() == [REGISTERED + ONE_DAY]
    assert homes.whole(home)


def test_broken_couplings_leave_nothing_behind(tmp_path: Path, write: Write) -> None:
    home = Home(tmp_path / "home", create=True)
    take_couplings(home, [write(HEAD + ROW)], recorded_at=REGISTERED)
    before = homes.contents(home.root)
    good = write(HEAD + ROW.replace(OTHER_AREA, ""), "good.csv")
    for content in (ROW, HEAD + ROW + "x", HEAD + ROW.replace(OTHER_AREA, AREA)):
        with pytest.raises(FileRefused):
            take_couplings(home, [good, write(content, "bad.csv")], recorded_at=NOW)
        assert homes.contents(home.root) == before
    assert take_couplings(home, [good], recorded_at=NOW + timedelta(1)).rows_kept == 1
