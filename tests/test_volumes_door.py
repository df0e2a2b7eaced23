"""Quarter volumes: every row is kept or in findings; each rule fires and stands on its edge."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from kwartier import FileRefused, Home, HomeError, codes, ingest_volumes, take_couplings
from kwartier.adapters.files import DOOR_RULES, VOLUME_BATCH, read_volumes
from kwartier.arrays import NOT_READ
from tests import homes, market
from tests.market import AREA, DAY, ONE_DAY, OTHER_AREA, REGISTERED, Market, ean, point
from tests.test_rules import fires, of, stands_still

TELEMETRY, LOSS, SMALL, UNKNOWN, LEFT = (ean(n) for n in (21, 22, 23, 24, 25))
COUPLING = codes.with_check_digit(87168590000070001)
RECORDED = datetime.combine(DAY + 2 * ONE_DAY, datetime.min.time(), UTC)
HOUR, QUARTER = timedelta(hours=1), timedelta(minutes=15)
TYPES = {
    "accounting_point": pa.int64(),
    "direction": pa.string(),
    "period_start": pa.timestamp("s", "UTC"),
    "volume_wh": pa.int64(),
    "origin": pa.string(),
    "validation_status": pa.string(),
    "method": pa.string(),
}
Row = dict[str, Any]


@pytest.fixture
def way(tmp_path: Path) -> Market:
    made = Market(tmp_path)
    made.register(
        point(TELEMETRY, group="TMT"),
        point(LOSS, group="NVL"),
        point(SMALL),
        point(LEFT, group="TMT", valid_to=DAY),
    )
    coupled = {"coupling": COUPLING, "grid_area": OTHER_AREA, "valid_from": date(2025, 1, 1)}
    take_couplings(made.home, [pa.Table.from_pylist([coupled])], recorded_at=REGISTERED)
    return made


def volumes(
    number: int = TELEMETRY,
    direction: str = "E17",
    day: date = DAY,
    wh: int | Sequence[int | None] = 100,
    **said: Any,
) -> list[Row]:
    """Give the volumes of a day as rows, by position."""
    starts = market.moments(day)[:-1]
    values = [wh] * len(starts) if isinstance(wh, int) else wh
    return [
        {
            "accounting_point": number,
            "direction": direction,
            "period_start": start,
            "volume_wh": value,
            "origin": "MSR",
            **said,
        }
        for start, value in zip(starts, values, strict=True)
    ]


def table(rows: Sequence[Row]) -> pa.Table:
    names = [name for name in TYPES if name in rows[0]]
    return pa.Table.from_pylist(list(rows), schema=pa.schema([(n, TYPES[n]) for n in names]))


def write(rows: Sequence[Row], path: Path) -> Path:
    made = table(rows)
    if path.suffix == ".parquet":
        pq.write_table(made, path)
        return path
    at = made.schema.get_field_index("period_start")
    moments = [moment.strftime("%Y-%m-%dT%H:%M:%SZ") for moment in made[at].to_pylist()]
    pyarrow.csv.write_csv(made.set_column(at, "period_start", pa.array(moments)), path)
    return path


def deliver(way: Market, rows: Sequence[Row], recorded_at: datetime = RECORDED) -> Any:
    intake = ingest_volumes(way.home, [table(rows)], recorded_at=recorded_at)
    assert intake.rows_in == len(rows) == intake.rows_kept + sum(intake.found.values())
    return intake


def kept(home: Home, day: date = DAY, known_at: datetime | None = None) -> dict[Any, int]:
    """Give the volumes that a home holds of a day: (point, direction, position) → Wh."""
    at = None if known_at is None else int(known_at.timestamp())
    held, _ = home.volumes(day, at)
    keys = list(zip(held.number.tolist(), held.direction.tolist(), strict=True))
    assert keys == sorted(set(keys))
    rows, columns = np.nonzero(held.volume != NOT_READ)
    return {
        (keys[row][0], codes.DIRECTIONS[keys[row][1]], column + 1): int(held.volume[row, column])
        for row, column in zip(rows.tolist(), columns.tolist(), strict=True)
    }


def doubts(home: Home) -> list[Row]:
    return [row for part in home.table_of("doubts") for row in part.to_pylist()]


# The form
HEAD = "accounting_point,direction,period_start,volume_wh\n"
ROW = f"{TELEMETRY},E17,2026-01-14T00:00:00+01:00,1234\n"


def read(*paths: Path) -> list[Row]:
    return [row for batch in read_volumes(paths) for row in batch.to_pylist()]


def refused(path: Path) -> list[tuple[int | None, str | None, str]]:
    with pytest.raises(FileRefused) as raised:
        read(path)
    assert str(TELEMETRY)[:15] not in str(raised.value)
    assert "--clock" not in str(raised.value)
    return [(p.row, p.column, p.found) for p in raised.value.problems]


def test_a_volume_is_read_with_what_a_file_leaves_out(tmp_path: Path) -> None:
    path = tmp_path / "v.csv"
    path.write_text(HEAD + ROW + ROW.replace("E17", "E18").replace("1234", ""), "utf-8")
    first, second = read(path)
    assert list(first) == VOLUME_BATCH.names
    assert first == {
        "accounting_point": TELEMETRY,
        "direction": 0,
        "period_start": int(datetime(2026, 1, 13, 23, tzinfo=UTC).timestamp()),
        "volume_wh": 1234,
        "origin": 1,
        "validation_status": 0,
        "method": 0,
        "file": 0,
        "row": 1,
        "rule": 0,
    }
    assert (second["direction"], second["volume_wh"]) == (1, None)
    assert DOOR_RULES[second["rule"]] == "no_value"


@pytest.mark.parametrize("form", ["a.csv", "a.parquet"])
def test_what_a_volume_says_of_itself_comes_along(tmp_path: Path, form: str) -> None:
    rows = [
        volumes(origin=origin, validation_status=status, method=method)[0]
        for origin, status, method in (
            ("MSR", None, None),
            ("CLC", "VLD", "CMR"),
            ("UMS", "NVD", "GMR"),
            ("NMS", None, "NCD"),
        )
    ]
    said = [
        (row["origin"], row["validation_status"], row["method"])
        for row in read(write(rows, tmp_path / form))
    ]
    assert said == [(1, 0, 0), (2, 1, 1), (3, 2, 2), (4, 0, 3)]


def test_kwh_are_whole_wh(tmp_path: Path) -> None:
    path = tmp_path / "v.csv"
    path.write_text((HEAD + ROW).replace("_wh", "_kwh").replace("1234", "1.234"), "utf-8")
    assert [row["volume_wh"] for row in read(path)] == [1234]


@pytest.mark.parametrize(
    ("cells", "column", "found"),
    [
        (f"{TELEMETRY + 1},E17,2026-01-14T00:00Z,1", "accounting_point", "check digit wrong"),
        (f"{TELEMETRY},E19,2026-01-14T00:00Z,1", "direction", "another word"),
        (f"{TELEMETRY},,2026-01-14T00:00Z,1", "direction", "empty"),
        (f"{TELEMETRY},E17,2026-01-14T00:00,1", "period_start", "no UTC offset"),
        (f"{TELEMETRY},E17,,1", "period_start", "empty"),
        (f"{TELEMETRY},E17,2026-01-14T00:00Z,-1", "volume_wh", "negative"),
        (f"{TELEMETRY},E17,2026-01-14T00:00Z,1.5", "volume_wh", "not a whole number"),
        (f"{TELEMETRY},E17,2026-01-14T00:00Z", None, "3"),
        (f'{TELEMETRY},E17,2026-01-14T00:00Z,"1', None, "others"),
    ],
)
def test_a_wrong_cell_is_named(tmp_path: Path, cells: str, column: str | None, found: str) -> None:
    path = tmp_path / "v.csv"
    path.write_text(HEAD + ROW * 2 + cells + "\n" + ROW, "utf-8")
    assert refused(path) == [(3, column, found)]


@pytest.mark.parametrize(
    ("cells", "column", "found"),
    [
        (",,", "origin", "empty"),
        ("XYZ,,", "origin", "another word"),
        ("MSR,YES,", "validation_status", "another word"),
        ("CLC,,ABC", "method", "another word"),
    ],
)
def test_a_wrong_code_is_named(tmp_path: Path, cells: str, column: str, found: str) -> None:
    path = tmp_path / "v.csv"
    head = HEAD.strip() + ",origin,validation_status,method\n"
    path.write_text(head + ROW.strip() + ",MSR,,\n" + ROW.strip() + f",{cells}\n", "utf-8")
    assert refused(path) == [(2, column, found)]


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (HEAD.replace("direction", "way"),
         [("way", "unknown column"), ("direction", "no such column")]),
        (HEAD.replace("volume_wh", "direction"),
         [("direction", "the column twice"), ("volume_wh or volume_kwh", "no such column")]),
        (HEAD.strip() + ",volume_kwh", [("volume_wh or volume_kwh", "both columns")]),
    ],
)  # fmt: skip
def test_a_wrong_header_is_named(
    tmp_path: Path, head: str, expected: list[tuple[str, str]]
) -> None:
    path = tmp_path / "v.csv"
    path.write_text(head.strip() + "\n" + ROW, "utf-8")
    assert [(column, found) for _, column, found in refused(path)] == expected


def test_a_broken_file_leaves_nothing_behind(way: Market, tmp_path: Path) -> None:
    deliver(way, volumes(), recorded_at=RECORDED - HOUR)
    before = homes.contents(way.home.root)
    good = write(volumes(wh=90), tmp_path / "good.csv")
    whole = write(volumes(), tmp_path / "whole.parquet").read_bytes()
    broken = {
        "row.csv": good.read_bytes() + b"871685900000000001,E17\n",
        "text.csv": good.read_bytes() + b"\xff\xfe\x00",
        "half.parquet": whole[: len(whole) // 2],
        "half.csv.gz": b"\x1f\x8b\x08",
        "empty.csv": b"",
        "other.txt": good.read_bytes() + b"\n",
    }
    for name, content in broken.items():
        path = tmp_path / name
        path.write_bytes(content)
        for sources in ([path], [good, path], [path, good]):
            with pytest.raises(FileRefused):
                ingest_volumes(Home(way.home.root), sources, recorded_at=RECORDED)
            assert homes.contents(way.home.root) == before, name
    assert ingest_volumes(way.home, [good], recorded_at=RECORDED).rows_kept == 96


# What is kept
def test_volumes_are_kept_on_their_day_and_position(way: Market) -> None:
    rows = volumes(wh=list(range(96))) + volumes(LOSS) + volumes(COUPLING, "E18")
    rows += volumes(COUPLING, wh=0) + volumes(day=DAY - ONE_DAY)
    intake = deliver(way, rows)
    assert intake.days == ((DAY - ONE_DAY).isoformat(), DAY.isoformat())
    assert kept(way.home) == {
        **{(TELEMETRY, "E17", k + 1): k for k in range(96)},
        **{(LOSS, "E17", k): 100 for k in range(1, 97)},
        **{(COUPLING, "E18", k): 100 for k in range(1, 97)},
        **{(COUPLING, "E17", k): 0 for k in range(1, 97)},
    }
    assert homes.whole(way.home)
    _, files = way.home.volumes(DAY)
    assert [(homes.sha256(way.home.root / path), path.split("/")[1]) for path, _ in files] == [
        (sha, f"market_day={DAY}") for _, sha in files
    ]


@pytest.mark.parametrize(("day", "count"), [(market.SPRING, 92), (market.AUTUMN, 100)])
def test_a_day_of_a_clock_change_has_its_own_periods(way: Market, day: date, count: int) -> None:
    deliver(way, volumes(day=day), datetime.combine(day + 2 * ONE_DAY, datetime.min.time(), UTC))
    assert sorted(position for _, _, position in kept(way.home, day)) == [*range(1, count + 1)]
    assert way.home.volumes(day)[0].volume.shape == (1, count)
    assert not kept(way.home, day - ONE_DAY)
    assert not kept(way.home, day + ONE_DAY)


def test_what_a_volume_says_of_itself_is_kept(way: Market) -> None:
    rows = volumes()[:95]
    rows[1] |= {"origin": "CLC", "validation_status": "VLD", "method": "GMR"}
    rows = [{"validation_status": None, "method": None} | row for row in rows]
    deliver(way, rows)
    held, _ = way.home.volumes(DAY)
    said = np.stack([held.origin[0], held.validation[0], held.method[0]], axis=1).tolist()
    assert said == [[1, 0, 0], [2, 1, 2], *[[1, 0, 0]] * 93, [0, 0, 0]]
    assert held.volume[0, 95] == NOT_READ


def test_a_later_delivery_corrects_period_by_period_and_the_older_stays_known(
    way: Market,
) -> None:
    deliver(way, volumes()[:90])
    before = homes.contents(way.home.root)
    late = volumes(wh=7)[88:92]
    late[0] |= {"origin": "CLC", "validation_status": "VLD"}
    deliver(way, [{"validation_status": None} | row for row in late], RECORDED + HOUR)
    after = homes.contents(way.home.root)
    assert {path: after[path] for path in before} == before, "an older file was changed"
    now, then = kept(way.home), kept(way.home, known_at=RECORDED)
    assert list(now.values()) == [100] * 88 + [7] * 4
    assert list(then.values()) == [100] * 90
    assert not kept(way.home, known_at=RECORDED - HOUR)
    held, files = way.home.volumes(DAY)
    assert held.origin[0].tolist() == [1] * 88 + [2] + [1] * 3 + [0] * 4
    assert held.validation[0].tolist() == [0] * 88 + [1] + [0] * 7
    assert len(files) == 2
    assert len(way.home.volumes(DAY, int(RECORDED.timestamp()))[1]) == 1


def test_a_missing_volume_in_a_later_delivery_takes_nothing_away(way: Market) -> None:
    deliver(way, volumes())
    intake = deliver(way, volumes(wh=[None] * 95 + [7]), RECORDED + HOUR)
    assert (intake.rows_kept, intake.found) == (1, {"no_value": 95})
    assert list(kept(way.home).values()) == [100] * 95 + [7]


def test_deliveries_come_in_order(way: Market) -> None:
    deliver(way, volumes())
    before = homes.contents(way.home.root)
    with pytest.raises(HomeError, match="volumes recorded later are here already"):
        deliver(way, volumes(wh=90), RECORDED - HOUR)
    assert homes.contents(way.home.root) == before
    deliver(way, volumes(wh=90), RECORDED)  # the same moment is in order
    assert set(kept(way.home).values()) == {90}


def test_the_same_file_twice_changes_nothing(way: Market, tmp_path: Path) -> None:
    file = write(volumes(), tmp_path / "v.csv")
    ingest_volumes(way.home, [file], recorded_at=RECORDED)
    before = homes.contents(way.home.root)
    intake = ingest_volumes(way.home, [file], recorded_at=RECORDED + HOUR)
    assert (intake.delivery, intake.skipped) == (None, ("v.csv",))
    assert homes.contents(way.home.root) == before


def test_a_file_is_looked_at_again_when_what_refused_it_has_changed(
    way: Market, tmp_path: Path
) -> None:
    file = write(volumes(UNKNOWN), tmp_path / "v.csv")
    small = write(volumes(SMALL), tmp_path / "small.csv")
    odd = write(volumes(origin="NMS", validation_status="VLD"), tmp_path / "odd.csv")
    for path, rule in (
        (file, "unknown_point"),
        (small, "not_by_volumes"),
        (odd, "triple_not_allowed"),
    ):
        assert ingest_volumes(way.home, [path], recorded_at=RECORDED).found == {rule: 96}
        assert ingest_volumes(way.home, [path], recorded_at=RECORDED).skipped == (path.name,)
    coupled = {"coupling": UNKNOWN, "grid_area": AREA, "valid_from": date(2025, 1, 1)}
    take_couplings(way.home, [pa.Table.from_pylist([coupled])], recorded_at=REGISTERED)
    way.register(point(SMALL, group="TMT"), recorded_at=REGISTERED + HOUR)
    way.parameters('telemetry_triples: {values: {2026-01-01: ["MSR - -", "NMS VLD -"]}}\n')
    intake = ingest_volumes(way.home, [file, small, odd], recorded_at=RECORDED)
    assert (intake.rows_kept, intake.found, intake.skipped) == (288, {}, ())


@pytest.mark.parametrize("order", [1, -1])
def test_form_order_and_number_of_files_change_no_byte(
    way: Market, tmp_path: Path, order: int
) -> None:
    rows = volumes() + volumes(LOSS) + volumes(COUPLING, "E18") + volumes()[3:5]
    rows = rows[::order]
    made = set()
    for number, sources in enumerate(
        (
            [table(rows)],
            [write(rows, tmp_path / "a.csv")],
            [write(rows[::2], tmp_path / "b.parquet"), write(rows[1::2], tmp_path / "c.csv")],
        )
    ):
        other = Market(tmp_path / str(number))
        other.register(point(TELEMETRY, group="TMT"), point(LOSS, group="NVL"))
        coupled = {"coupling": COUPLING, "grid_area": OTHER_AREA, "valid_from": DAY}
        take_couplings(other.home, [pa.Table.from_pylist([coupled])], recorded_at=REGISTERED)
        intake = ingest_volumes(other.home, sources, recorded_at=RECORDED)
        assert (intake.rows_kept, intake.found) == (288, {"duplicate_volume": 2})
        (path,) = (other.home.root / "volumes").rglob("*.parquet")
        made.add(path.read_bytes())
    assert len(made) == 1


def test_the_manifest_adds_up(way: Market) -> None:
    intake = deliver(way, volumes() + volumes(UNKNOWN)[:3] + volumes()[:2])
    (file,) = (way.home.root / "deliveries").glob(f"*{intake.delivery}.json")
    manifest = json.loads(file.read_text("utf-8"))
    assert (manifest["kind"], manifest["rows_in"], manifest["rows_kept"]) == ("volumes", 101, 96)
    assert manifest["rows_found"] == {"unknown_point": 3, "duplicate_volume": 2}


# The rules: each fires once, and stands still on its edge
def only(rows: Sequence[Row], **changed: Any) -> list[Row]:
    """Give the volumes of a day, the last of them changed."""
    return [*rows[:-1], rows[-1] | changed]


def found(way: Market, rows: Sequence[Row], recorded_at: datetime = RECORDED) -> list[Row]:
    """Give the findings that a delivery makes."""
    before = doubts(way.home)
    deliver(way, rows, recorded_at)
    return doubts(way.home)[len(before) :]


def test_a_row_without_a_volume_is_found(way: Market) -> None:
    assert found(way, only(volumes(), volume_wh=None)) == of(
        "no_value", "error", (0, 0), 1, 0, rows=1, number=TELEMETRY
    )
    assert found(way, only(volumes(), volume_wh=0), RECORDED + HOUR) == []
    assert kept(way.home)[TELEMETRY, "E17", 96] == 0


def test_a_point_that_no_register_knows_is_found(way: Market) -> None:
    assert found(way, volumes(UNKNOWN)) == of(
        "unknown_point", "error", (0, 0), 96, 0, rows=96, number=UNKNOWN, grid_area=None
    )
    assert found(way, volumes(COUPLING), RECORDED + HOUR) == []


def test_a_period_that_ends_later_is_found(way: Market) -> None:
    ends = market.moments(DAY)[-1]
    (row,) = of("in_future", "error", (0, 0), 1, 0, rows=1, number=TELEMETRY)
    assert found(way, volumes(), ends - timedelta(seconds=1)) == [row]
    assert found(way, volumes(), ends) == []


def test_a_period_off_the_quarter_is_found(way: Market) -> None:
    start = volumes()[-1]["period_start"]
    off = only(volumes(), period_start=start + timedelta(seconds=31))
    assert found(way, off) == of("off_quarter", "warning", (0, 0), 31, 30, rows=1, number=TELEMETRY)
    near = only(volumes(wh=9), period_start=start - timedelta(seconds=30))
    assert found(way, near, RECORDED + HOUR) == []
    assert kept(way.home)[TELEMETRY, "E17", 96] == 9


def test_a_day_that_can_no_longer_be_settled_is_found(way: Market) -> None:
    taken_in = datetime.combine(DAY + 130 * ONE_DAY, datetime.min.time(), UTC) + 12 * HOUR
    (late,) = found(way, volumes(), taken_in)
    assert late["rule"] == "late_telemetry"
    assert found(way, volumes(wh=9), taken_in + ONE_DAY) == of(
        "too_old", "warning", (0, 0), 131, 130, rows=96, number=TELEMETRY
    )


@fires("triple_not_allowed")
def test_codes_that_do_not_go_together_are_found(way: Market) -> None:
    rows = only(volumes(validation_status=None), validation_status="VLD", origin="UMS")
    assert found(way, rows) == of(
        "triple_not_allowed", "error", (0, 0), 1, 0, rows=1, number=TELEMETRY
    )


@stands_still("triple_not_allowed")
def test_codes_that_go_together_are_kept(way: Market) -> None:
    rows = volumes()
    for row, triple in zip(rows, _triples(), strict=False):
        row |= triple
    rows = [{"validation_status": None, "method": None} | row for row in rows]
    assert found(way, rows) == []


def _triples() -> list[Row]:
    text = """MSR - - MSR VLD - MSR NVD - UMS - - UMS NVD - NMS - - CLC - - CLC VLD - CLC - CMR
    CLC - GMR CLC - NCD CLC VLD CMR CLC VLD GMR CLC VLD NCD""".split()
    words = [None if word == "-" else word for word in text]
    names = ("origin", "validation_status", "method")
    return [dict(zip(names, words[k : k + 3], strict=True)) for k in range(0, len(words), 3)]


def test_which_codes_go_together_is_told_by_the_parameters_of_the_market_day(
    way: Market,
) -> None:
    way.parameters(f'telemetry_triples: {{values: {{{DAY}: ["MSR VLD -"]}}}}\n')
    rows = volumes(validation_status="VLD") + volumes(LOSS, validation_status=None)
    before = volumes(LOSS, day=DAY - ONE_DAY, validation_status=None)
    assert found(way, rows + before) == of(
        "triple_not_allowed", "error", (0, 0), 96, 0, rows=96, number=LOSS
    )


@fires("not_by_volumes")
@pytest.mark.parametrize(("number", "area"), [(SMALL, AREA), (LEFT, None)])
def test_a_point_that_is_not_measured_so_on_the_day_is_found(
    way: Market, number: int, area: str | None
) -> None:
    assert found(way, volumes(number)) == of(
        "not_by_volumes", "error", (0, 0), 96, 0, rows=96, number=number, grid_area=area
    )


def test_infeed_of_a_grid_loss_is_found_for_a_loss_is_offtake(way: Market) -> None:
    assert found(way, volumes(LOSS, direction="E18")) == of(
        "not_by_volumes", "error", (0, 0), 96, 0, rows=96, number=LOSS
    )


@stands_still("not_by_volumes")
def test_a_point_that_is_measured_so_on_the_day_is_kept(way: Market) -> None:
    rows = volumes(TELEMETRY) + volumes(LOSS) + volumes(LEFT, day=DAY - ONE_DAY)
    assert found(way, rows + volumes(COUPLING)) == []


@fires("duplicate_volume")
def test_the_same_volume_again_is_found_and_kept_once(way: Market) -> None:
    assert found(way, volumes() + volumes()[9:10] * 2) == of(
        "duplicate_volume", "info", (10, 10), 3, 1, register="E17", rows=2, number=TELEMETRY
    )
    assert len(kept(way.home)) == 96


@stands_still("duplicate_volume")
def test_the_same_volume_in_the_other_direction_is_another(way: Market) -> None:
    assert found(way, volumes() + volumes(direction="E18")) == []


@fires("conflicting_volumes")
@pytest.mark.parametrize("other", [{"volume_wh": 99}, {"origin": "CLC"}])
def test_volumes_that_contradict_each_other_are_found_and_not_kept(way: Market, other: Row) -> None:
    assert found(way, [*volumes(), volumes()[9] | other]) == of(
        "conflicting_volumes", "error", (10, 10), 2, 1, register="E17", rows=2, number=TELEMETRY
    )
    assert sorted(position for _, _, position in kept(way.home)) == [*range(1, 10), *range(11, 97)]


@stands_still("conflicting_volumes")
def test_another_volume_in_a_later_delivery_is_a_correction(way: Market) -> None:
    deliver(way, volumes())
    assert found(way, volumes(wh=99), RECORDED + HOUR) == []
    assert set(kept(way.home).values()) == {99}


# 14 January 2026 is a Wednesday: its 9th working day is Tuesday the 27th.
NINTH = datetime(2026, 1, 27, 22, 59, 59, tzinfo=UTC)


@fires("late_telemetry")
def test_telemetry_after_its_last_moment_of_correction_is_found_and_kept(way: Market) -> None:
    assert found(way, volumes(), NINTH + timedelta(seconds=1)) == of(
        "late_telemetry", "warning", (0, 0), 10, 9, number=TELEMETRY
    )
    assert len(kept(way.home)) == 96


@stands_still("late_telemetry")
def test_telemetry_until_midnight_of_the_ninth_working_day_is_in_time(way: Market) -> None:
    assert found(way, volumes(), NINTH) == []


def test_a_weekend_after_the_ninth_working_day_is_late(way: Market) -> None:
    day = DAY + 5 * ONE_DAY  # a Monday, whose 9th working day is Friday 30 January
    friday = datetime(2026, 1, 30, 12, tzinfo=UTC)
    assert found(way, volumes(day=day), friday) == []
    (row,) = found(way, volumes(day=day, wh=9), friday + ONE_DAY)
    assert (row["rule"], row["observed"]) == ("late_telemetry", 10)


def test_losses_and_couplings_are_never_late_telemetry(way: Market) -> None:
    assert found(way, volumes(LOSS) + volumes(COUPLING), NINTH + ONE_DAY) == []


RULES: list[tuple[str, Callable[[Row], Row]]] = [
    ("no_value", lambda row: {"volume_wh": None}),
    ("unknown_point", lambda row: {"accounting_point": UNKNOWN}),
    ("in_future", lambda row: {"period_start": RECORDED}),
    ("off_quarter", lambda row: {"period_start": row["period_start"] + timedelta(seconds=99)}),
    ("too_old", lambda row: {"period_start": row["period_start"] - 140 * ONE_DAY}),
    ("triple_not_allowed", lambda row: {"origin": "NMS", "validation_status": "VLD"}),
    ("not_by_volumes", lambda row: {"accounting_point": SMALL}),
]


@pytest.mark.parametrize("first", range(len(RULES) - 1))
def test_of_several_rules_the_first_counts(way: Market, first: int) -> None:
    rule, change = RULES[first]
    later = RULES[first + 1][1]
    row = volumes(validation_status=None)[5]
    spoilt = row | later(row)
    spoilt |= change(spoilt)
    if first == 2:  # what is in the future is off the quarter too
        spoilt["period_start"] += timedelta(seconds=99)
    if first == 3:
        spoilt["period_start"] = row["period_start"] - 140 * ONE_DAY + timedelta(seconds=99)
    if first == 4:
        spoilt |= {"origin": "NMS", "validation_status": "VLD"}
    assert deliver(way, [spoilt]).found == {rule: 1}
    assert not kept(way.home)


def test_volumes_before_any_register_say_so(tmp_path: Path) -> None:
    home = Home(tmp_path / "home", create=True)
    with pytest.raises(HomeError, match="no register of accounting points yet"):
        ingest_volumes(home, [table(volumes())], recorded_at=RECORDED)
