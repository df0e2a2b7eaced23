"""The file doors: what they take, what they refuse and how they say it; no row is ever lost."""

from __future__ import annotations

import gzip
import io
import itertools
import re
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kwartier import codes, findings, tables
from kwartier.adapters.files import (
    DAY_BATCH,
    DOOR_RULES,
    READING_BATCH,
    FileRefused,
    Problem,
    csv_form,
    read_couplings,
    read_fractions,
    read_readings,
    read_register,
    read_volumes,
)

POINT, OTHER = (codes.with_check_digit(87168590000000000 + n) for n in (1, 2))
AREA = "871685900000056162"
BRP, SUPPLIER = "8716871000002", "8716892000005"
NOW = datetime(2026, 4, 1, 12, tzinfo=UTC)
HEAD = "accounting_point,register,read_at,reading_wh\n"
REGISTER_HEAD = "accounting_point,grid_area,brp,supplier,valid_from"
REGISTER_ROW = f"{POINT},{AREA},{BRP},{SUPPLIER},2026-01-01"

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def _write(content: str | bytes, name: str = "readings.csv") -> Path:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return _write


def zstd(data: bytes) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as stream:
        stream.write(data)
    return sink.getvalue().to_pybytes()


def rows(*paths: Path, clock: str | None = None) -> list[dict]:
    return [row for batch in read_readings(paths, clock) for row in batch.to_pylist()]


def problems(read: Callable[[], object]) -> list[Problem]:
    with pytest.raises(FileRefused) as refused:
        read()
    assert refused.value.count == len(refused.value.problems)
    for text in (str(refused.value), *map(str, refused.value.problems)):
        assert not any(str(ean)[:15] in text for ean in (POINT, OTHER)), "an EAN in the text"
    return refused.value.problems


def refused(path: Path, clock: str | None = None) -> list[tuple[int | None, str | None, str]]:
    return [(p.row, p.column, p.found) for p in problems(lambda: rows(path, clock=clock))]


def register_refused(path: Path) -> list[tuple[int | None, str | None, str]]:
    return [(p.row, p.column, p.found) for p in problems(lambda: read_register([path], NOW))]


def seconds(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp())


# Readings: the forms


READING = f"{POINT},1.8.0,2026-03-01T00:15:00+01:00,1234\n"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("r.csv", (HEAD + READING).encode()),
        ("R.CSV", (HEAD + READING).encode()),
        ("r.csv.gz", gzip.compress((HEAD + READING).encode())),
        ("r.csv.zst", zstd((HEAD + READING).encode())),
        ("r.csv", (HEAD + READING).replace(",", ";").encode()),
        ("r.csv", b"\xef\xbb\xbf" + (HEAD + READING).encode()),
        ("r.csv", (HEAD + READING).replace("\n", "\r\n").encode()),
        ("r.csv", (HEAD + READING).replace("\n", "\r").encode()),
        ("r.csv", ("\n" + HEAD + "\n\n" + READING + "\n").encode()),
        ("r.csv", (HEAD + READING).rstrip("\n").encode()),
        ("r.csv", (HEAD + f'"{POINT}","1.8.0","2026-03-01T00:15:00+01:00","1234"\n').encode()),
        ("r.csv", (HEAD + READING.replace("1234", " 1234 ")).encode()),
    ],
)
def test_a_reading_is_the_same_in_every_form_of_csv(
    write: Write, name: str, content: bytes
) -> None:
    assert rows(write(content, name)) == [
        {
            "accounting_point": POINT,
            "register": 0,
            "read_at": seconds("2026-02-28T23:15:00Z"),
            "reading_wh": 1234,
            "meter": None,
            "status": None,
            "file": 0,
            "row": 1,
            "rule": 0,
        }
    ]


@pytest.mark.parametrize("size", [60, 500, 5_000])
@pytest.mark.parametrize("at", [0, 7, 39])
def test_a_line_may_be_so_long_and_no_longer(
    write: Write, monkeypatch: pytest.MonkeyPatch, size: int, at: int
) -> None:
    longest = 100
    monkeypatch.setattr(csv_form, "_PIECE_BYTES", size)
    monkeypatch.setattr(csv_form, "LINE_BYTES", longest)
    lines = [READING.strip()] * 40
    lines[at] = lines[at].replace("1234", "1234".rjust(longest - len(lines[at]) + 4))
    assert len(lines[at]) == longest
    assert len(rows(write("\n".join([HEAD.strip(), *lines, ""])))) == 40
    lines[at] += " "
    assert refused(write("\n".join([HEAD.strip(), *lines, ""]))) == [
        (at + 1, None, "a longer line")
    ]


@pytest.mark.parametrize("size", [1, 2, 7, 50, 1 << 20])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", "\n\n", "\r\n\r\n\n"])
def test_a_csv_file_is_the_same_however_it_is_cut_into_pieces(
    write: Write, monkeypatch: pytest.MonkeyPatch, size: int, end: str
) -> None:
    readings = [READING.replace("1234", str(n)).strip() for n in range(40)]
    monkeypatch.setattr(csv_form, "_PIECE_BYTES", size)
    for last in (end, "", 3 * end):
        read = rows(write(end.join([HEAD.strip(), *readings]) + last))
        assert [(row["row"], row["reading_wh"]) for row in read] == [(n + 1, n) for n in range(40)]
    readings[30] += "x"
    assert refused(write(end.join([HEAD.strip(), *readings]))) == [
        (31, "reading_wh", "not a whole number")
    ]
    assert rows(write(HEAD.strip() + 3 * end)) == []


@pytest.mark.parametrize(
    "text",
    [
        "2026-03-01T00:15:00+01:00",
        "2026-02-28 23:15:00Z",
        "2026-02-28T23:15Z",
        "2026-03-01T00:15+01",
        "2026-03-01T00:15:00.000+0100",
    ],
)
def test_a_moment_may_be_written_in_many_ways(write: Write, text: str) -> None:
    (row,) = rows(write(HEAD + f"{POINT},1.8.0,{text},1\n"))
    assert row["read_at"] == seconds("2026-02-28T23:15:00Z")


@pytest.mark.parametrize(
    ("text", "wh"), [("1.234", 1234), ("0", 0), ("5.", 5000), (".001", 1), ("9293.4880", 9293488)]
)
def test_kwh_become_whole_wh(write: Write, text: str, wh: int) -> None:
    head = HEAD.replace("_wh", "_kwh")
    (row,) = rows(write(head + f"{POINT},1.8.0,2026-03-01T00:15:00Z,{text}\n"))
    assert row["reading_wh"] == wh


def parquet(path: Path, **columns: Iterable[object]) -> Path:
    pq.write_table(pa.table(columns), path)
    return path


@pytest.mark.parametrize(
    "columns",
    [
        {"reading_wh": pa.array([1234], pa.int32())},
        {"reading_wh": pa.array([1234.0])},
        {"reading_kwh": pa.array([1.234])},
        {"reading_kwh": pa.array([Decimal("1.234")])},
        {"accounting_point": [str(POINT)]},
        {"accounting_point": pa.array([str(POINT)], pa.large_string())},
        {"register": pa.array(["1.8.0"]).dictionary_encode()},
        {"read_at": pa.array([datetime(2026, 2, 28, 23, 15)], pa.timestamp("ns", "Europe/Oslo"))},
        {"read_at": ["2026-03-01T00:15:00+01:00"]},
    ],
)
def test_parquet_readings_may_be_typed_in_many_ways(
    tmp_path: Path, columns: dict[str, Iterable[object]]
) -> None:
    base = {
        "accounting_point": [POINT],
        "register": ["1.8.0"],
        "read_at": pa.array([datetime(2026, 2, 28, 23, 15, tzinfo=UTC)]),
    }
    if "reading_kwh" not in columns:
        base["reading_wh"] = [1234]
    (row,) = rows(parquet(tmp_path / "r.parquet", **{**base, **columns}))
    assert (row["accounting_point"], row["register"], row["reading_wh"]) == (POINT, 0, 1234)
    assert row["read_at"] == seconds("2026-02-28T23:15:00Z")


def test_meter_and_status_come_along_and_files_and_rows_are_counted(write: Write) -> None:
    head = "reading_wh,status,meter,read_at,register,accounting_point\n"
    one = write(head + f"1,,E7,2026-03-01T00:00Z,2.8.2,{POINT}\n", "a.csv")
    two = write(head + f"2,8,,2026-03-01T00:15Z,1.8.1,{OTHER}\n" * 2, "b.csv")
    got = [
        (r["file"], r["row"], r["meter"], r["status"], codes.REGISTERS[r["register"]])
        for r in rows(one, two)
    ]
    assert got == [(0, 1, "E7", None, "2.8.2"), (1, 1, None, 8, "1.8.1"), (1, 2, None, 8, "1.8.1")]


def test_an_empty_reading_is_a_doubtful_row(write: Write) -> None:
    (row,) = rows(write(HEAD + f"{POINT},1.8.0,2026-03-01T00:15Z,\n"))
    assert (row["reading_wh"], DOOR_RULES[row["rule"]]) == (None, "no_value")


def test_a_file_with_only_a_header_has_no_rows(write: Write, tmp_path: Path) -> None:
    assert rows(write(HEAD)) == []
    assert rows(write(HEAD.strip())) == []
    empty = READING_BATCH.empty_table().select(["accounting_point", "read_at", "reading_wh"])
    empty = empty.set_column(1, "read_at", pa.array([], pa.timestamp("s", "UTC")))
    pq.write_table(
        empty.append_column("register", pa.array([], pa.string())), tmp_path / "e.parquet"
    )
    assert rows(tmp_path / "e.parquet") == []


def test_the_door_rules_are_rules() -> None:
    assert set(DOOR_RULES[1:]) <= set(findings.RULES)


# Readings: what is refused


@pytest.mark.parametrize(
    ("cells", "column", "found"),
    [
        (f"{POINT + 1},1.8.0,2026-03-01T00:15Z,1", "accounting_point", "check digit wrong"),
        (",1.8.0,2026-03-01T00:15Z,1", "accounting_point", "empty"),
        ("8.7E+17,1.8.0,2026-03-01T00:15Z,1", "accounting_point", "not a whole number"),
        (f"-{POINT},1.8.0,2026-03-01T00:15Z,1", "accounting_point", "too small"),
        (f"{POINT}0,1.8.0,2026-03-01T00:15Z,1", "accounting_point", "too large"),
        (f"{POINT},1.7.0,2026-03-01T00:15Z,1", "register", "another word"),
        (f"{POINT},,2026-03-01T00:15Z,1", "register", "empty"),
        (f"{POINT},1.8.0,,1", "read_at", "empty"),
        (f"{POINT},1.8.0,2026-03-01T00:15:00,1", "read_at", "no UTC offset"),
        (f"{POINT},1.8.0,1 March,1", "read_at", "not a moment"),
        (f"{POINT},1.8.0,2026-02-30T00:15Z,1", "read_at", "out of range"),
        (f"{POINT},1.8.0,2026-03-01T24:00Z,1", "read_at", "out of range"),
        (f"{POINT},1.8.0,0001-03-01T00:15Z,1", "read_at", "out of range"),
        (f"{POINT},1.8.0,9999-12-31T23:45Z,1", "read_at", "out of range"),
        (f"{POINT},1.8.0,2026-03-01T00:15:00.5Z,1", "read_at", "parts of a second"),
        (f"{POINT},1.8.0,2026-03-01T00:15Z,-1", "reading_wh", "negative"),
        (f"{POINT},1.8.0,2026-03-01T00:15Z,1.5", "reading_wh", "not a whole number"),
        (f"{POINT},1.8.0,2026-03-01T00:15Z,0x10", "reading_wh", "not a whole number"),
        (f"{POINT},1.8.0,2026-03-01T00:15Z,1\0", "reading_wh", "not a whole number"),
        (f"{POINT},1.8.0,2026-03-01T00:15Z,10000000000001", "reading_wh", "too large"),
        (f"{POINT},1.8.0,2026-03-01T00:15Z,{10**30}", "reading_wh", "out of range"),
        (f"{POINT},1.8.0,2026-03-01T00:15Z", None, "3"),
        (f"{POINT},1.8.0,2026-03-01T00:15Z,1,2", None, "5"),
        (f'{POINT},1.8.0,2026-03-01T00:15Z,"1', None, "others"),
    ],
)
def test_a_wrong_cell_is_named(write: Write, cells: str, column: str | None, found: str) -> None:
    path = write(HEAD + READING * 2 + cells + "\n" + READING)
    assert refused(path) == [(3, column, found)]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("1.0005", "more than 3 decimals"),
        ("-0.001", "negative"),
        ("1,5", None),
        ("NaN", "not a number"),
        ("10000000000.001", "too large"),
        ("1e99", "not a number"),
    ],
)
def test_a_wrong_kwh_is_named(write: Write, text: str, found: str | None) -> None:
    head = HEAD.replace("_wh", "_kwh").replace(",", ";")
    path = write(head + f"{POINT};1.8.0;2026-03-01T00:15Z;{text}\n")
    assert refused(path) == [(1, "reading_kwh", found or "not a number")]


@pytest.mark.parametrize(
    ("meter", "found"),
    [("x" * 101, "a longer text"), ("a\0b", "quotes or control characters")],
)
def test_a_wrong_meter_is_named(write: Write, meter: str, found: str) -> None:
    path = write(HEAD.strip() + ",meter\n" + READING.strip() + f",{meter}\n")
    assert refused(path) == [(1, "meter", found)]


def test_a_meter_may_look_like_a_hexadecimal_number(write: Write) -> None:
    (row,) = rows(write(HEAD.strip() + ",meter\n" + READING.strip() + ",E0X12\n"))
    assert row["meter"] == "E0X12"


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (HEAD.replace("register", "obis"),
         [("obis", "unknown column"), ("register", "no such column")]),
        (HEAD.replace("reading_wh", "read_at"),
         [("read_at", "the column twice"), ("reading_wh or reading_kwh", "no such column")]),
        (HEAD.strip() + ",reading_kwh", [("reading_wh or reading_kwh", "both columns")]),
        (f"{POINT},register,read_at,reading_wh",
         [("number 1", "unknown column"), ("accounting_point", "no such column")]),
    ],
)  # fmt: skip
def test_a_wrong_header_is_named(write: Write, head: str, expected: list[tuple[str, str]]) -> None:
    assert [(c, f) for _, c, f in refused(write(head.strip() + "\n" + READING))] == expected


def test_every_problem_of_every_file_is_named(write: Write) -> None:
    one = write(HEAD + READING + "x,y,z,w\n" + READING + f"{POINT},1.8.9,,\n", "a.csv")
    two = write(HEAD + f"{POINT},1.8.0,2026-03-01T00:15Z,-5\n", "b.csv")
    found = [(Path(p.file).name, p.row, p.column) for p in problems(lambda: rows(one, two))]
    assert found == [
        ("a.csv", 2, "accounting_point"),
        ("a.csv", 2, "register"),
        ("a.csv", 2, "read_at"),
        ("a.csv", 2, "reading_wh"),
        ("a.csv", 4, "register"),
        ("a.csv", 4, "read_at"),
        ("b.csv", 1, "reading_wh"),
    ]


def test_a_thousand_problems_are_listed_and_all_are_counted(write: Write) -> None:
    path = write(HEAD + f"{POINT},1.8.0,2026-03-01T00:15Z,-5\n" * 70_001)
    with pytest.raises(FileRefused) as caught:
        rows(path)
    assert (len(caught.value.problems), caught.value.count) == (1000, 70_001)
    assert str(caught.value).endswith("… and 69001 more")


BODY = (HEAD + READING * 3000).encode()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("empty.csv", b""),
        ("empty.parquet", b""),
        ("bytes.csv", b"\xff\xfe" + BODY.decode().encode("utf-16-le")),
        ("latin.csv", BODY + b"\xe9,1,1,1\n"),
        ("cut.csv.gz", gzip.compress(BODY)[:-9]),
        ("cut.csv.zst", zstd(BODY)[:-9]),
        ("plain.csv.gz", BODY),
        ("plain.csv.zst", BODY),
        ("plain.parquet", BODY),
        ("magic.parquet", b"PAR1" + bytes(100) + b"PAR1"),
        ("long.csv", HEAD.encode() + b"1" * 3_000_000),
        ("long_head.csv", b"a" * 3_000_000),
        ("long_quote.csv", HEAD.encode() + b'"' + BODY * 20),
        ("nul.csv", bytes(5000)),
        ("name.xlsx", BODY),
    ],
)
def test_broken_files_are_refused(write: Write, name: str, content: bytes) -> None:
    found = problems(lambda: rows(write(content, name)))
    assert found[0].file.endswith(name)
    assert problems(lambda: rows(write(content, name), clock="Europe/Amsterdam")) == found
    assert problems(lambda: read_register([write(content, name)], NOW))


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "dir.csv").mkdir()
    assert refused(tmp_path / "none.csv") == [(None, None, "none")]
    assert refused(tmp_path / "dir.csv") == [(None, None, "no file")]


def test_a_bomb_is_refused(write: Write, tmp_path: Path) -> None:
    path = write(gzip.compress(BODY), "bomb.csv.gz")
    assert len(BODY) > 100_000 > path.stat().st_size
    found = problems(lambda: list(read_readings([path], unpacked_bytes=100_000)))
    assert found[0].expected == "at most 100000 bytes when unpacked"
    big = parquet(tmp_path / "bomb.parquet", accounting_point=[POINT] * 50_000)
    found = problems(lambda: list(read_readings([big], unpacked_bytes=100_000)))
    assert found[0].expected == "at most 100000 bytes when unpacked"


@pytest.mark.parametrize(
    ("column", "values", "found"),
    [
        ("accounting_point", [POINT, POINT + 1], "check digit wrong"),
        ("accounting_point", [str(POINT), "x"], "not a whole number"),
        ("accounting_point", [POINT, None], "empty"),
        ("register", ["1.8.0", "9"], "another word"),
        ("read_at", pa.array([NOW, NOW + timedelta(milliseconds=1)]), "parts of a second"),
        ("read_at", pa.array([None, datetime(2026, 1, 1)]), "no UTC offset"),
        ("reading_wh", [1, -1], "negative"),
        ("reading_wh", [1.0, 1.5], "not a whole number"),
        ("reading_wh", [1.0, float("nan")], "not a whole number"),
    ],
)
def test_a_wrong_parquet_cell_is_named(
    tmp_path: Path, column: str, values: Iterable[object], found: str
) -> None:
    base = {"accounting_point": [POINT] * 2, "register": ["1.8.0"] * 2,
            "read_at": pa.array([NOW] * 2), "reading_wh": [1] * 2}  # fmt: skip
    path = parquet(tmp_path / "r.parquet", **{**base, column: values})
    assert (2, column, found) in refused(path)


def test_a_parquet_column_of_a_wrong_type_is_named(tmp_path: Path) -> None:
    path = parquet(tmp_path / "r.parquet", accounting_point=[True], register=["1.8.0"],
                   read_at=pa.array([NOW]), reading_wh=[1])  # fmt: skip
    assert refused(path) == [(None, "accounting_point", "type bool")]


# Readings: local time


def local_rows(
    write: Write, *stamps: str, clock: str = "Europe/Amsterdam"
) -> list[tuple[str, str]]:
    path = write(HEAD + "".join(f"{POINT},1.8.0,{stamp},5\n" for stamp in stamps))
    got = sorted(rows(path, clock=clock), key=lambda row: row["row"])
    return [
        (datetime.fromtimestamp(r["read_at"], UTC).strftime("%m-%dT%H:%M"), DOOR_RULES[r["rule"]])
        for r in got
    ]


def test_the_doubled_hour_is_told_apart_by_order(write: Write) -> None:
    hour = ["2026-10-25T02:00:00", "2026-10-25T02:30:00"]
    stamps = ["2026-10-25T01:45:00", *hour, *hour, "2026-10-25T03:00:00"]
    assert local_rows(write, *stamps) == [
        ("10-24T23:45", ""), ("10-25T00:00", ""), ("10-25T00:30", ""),
        ("10-25T01:00", ""), ("10-25T01:30", ""), ("10-25T02:00", ""),
    ]  # fmt: skip


def test_a_stamp_that_stands_still_begins_winter_time(write: Write) -> None:
    assert local_rows(write, *["2026-10-25 02:00"] * 2) == [
        ("10-25T00:00", ""),
        ("10-25T01:00", ""),
    ]


@pytest.mark.parametrize(
    "minutes", [["02:00", "02:15"], ["02:45"], ["02:30", "02:15", "02:00"], ["02:00"] * 3]
)
def test_a_doubled_hour_that_order_does_not_resolve_is_doubtful(
    write: Write, minutes: list[str]
) -> None:
    got = local_rows(write, *[f"2026-10-25T{m}:00" for m in minutes])
    assert {rule for _, rule in got} == {"ambiguous_time"}
    assert len(got) == len(minutes)


def test_the_doubled_hour_is_resolved_for_each_register_and_meter_apart(write: Write) -> None:
    head = HEAD.strip() + ",meter\n"
    lines = [
        f"{point},{register},2026-10-25T02:{minute}:00,1,{meter}\n"
        for _ in range(2)
        for minute in ("00", "45")
        for point, register, meter in (
            (POINT, "1.8.0", ""), (POINT, "2.8.0", ""), (POINT, "1.8.0", "E2"),
            (OTHER, "1.8.0", ""),
        )
    ]  # fmt: skip
    got = rows(write(head + "".join(lines)), clock="Europe/Amsterdam")
    assert len(got) == 16
    assert {row["rule"] for row in got} == {0}
    assert len({tuple(row[k] for k in ("accounting_point", "register", "meter", "read_at"))
                for row in got}) == 16  # fmt: skip


def test_the_hour_that_is_skipped_does_not_exist(write: Write) -> None:
    stamps = [f"2026-03-29T{t}:00" for t in ("01:45", "02:00", "02:45", "03:00")]
    assert local_rows(write, *stamps) == [
        ("03-29T00:45", ""),
        ("03-29T01:00", "nonexistent_time"),
        ("03-29T01:45", "nonexistent_time"),
        ("03-29T01:00", ""),
    ]


def test_a_clock_in_utc_doubles_and_skips_nothing(write: Write) -> None:
    stamps = ["2026-03-29T02:00:00", "2026-10-25T02:00:00"]
    assert local_rows(write, *stamps, clock="UTC") == [("03-29T02:00", ""), ("10-25T02:00", "")]


def test_the_clock_leaves_moments_with_an_offset_alone(write: Write) -> None:
    assert local_rows(write, "2026-10-25T02:00:00Z") == [("10-25T02:00", "")]
    mixed = write(HEAD + READING.replace("+01:00", "") + READING)
    assert refused(mixed, "Europe/Amsterdam") == [(2, "read_at", "a UTC offset")]


def test_a_year_of_the_clock_is_that_of_zoneinfo(tmp_path: Path) -> None:
    import zoneinfo

    start = datetime(2025, 12, 31, 22, tzinfo=UTC)
    moments = [start + timedelta(minutes=15 * n) for n in range(366 * 96)]
    zone = zoneinfo.ZoneInfo("Europe/Amsterdam")
    shown = [moment.astimezone(zone).replace(tzinfo=None) for moment in moments]
    count = len(moments)
    path = parquet(tmp_path / "year.parquet", accounting_point=[POINT] * count,
                   register=["1.8.0"] * count, read_at=pa.array(shown),
                   reading_wh=list(range(count)))  # fmt: skip
    got = sorted(rows(path, clock="Europe/Amsterdam"), key=lambda row: row["row"])
    assert [row["read_at"] for row in got] == [int(moment.timestamp()) for moment in moments]
    assert {row["rule"] for row in got} == {0}


def test_another_clock_is_no_clock(write: Write) -> None:
    with pytest.raises(ValueError, match="Europe/Amsterdam or UTC"):
        rows(write(HEAD), clock="Europe/Oslo")


# Day rows


def day_file(path: Path, **columns: Iterable[object]) -> Path:
    base: dict[str, Iterable[object]] = {
        "accounting_point": [POINT, POINT, OTHER],
        "market_day": [date(2026, 3, 29), date(2026, 10, 25), date(2026, 3, 1)],
        "register": ["1.8.0", "2.8.0", "1.8.1"],
        "reading_wh": [list(range(93)), [None, *range(100)], [None] * 97],
    }
    return parquet(path, **{**base, **columns})


def test_day_rows_come_as_they_are(tmp_path: Path) -> None:
    (batch,) = read_readings([day_file(tmp_path / "d.parquet")])
    assert batch.schema == DAY_BATCH
    got = batch.to_pylist()
    assert [row["rule"] for row in got] == [0, 0, 0]
    assert [row["row"] for row in got] == [1, 2, 3]
    assert got[1]["reading_wh"] == [None, *range(100)]
    assert [row["status"] for row in got] == [None] * 3


def test_a_day_row_of_a_wrong_length_is_doubtful(tmp_path: Path) -> None:
    values = [list(range(97)), None, list(range(97))]
    status = [None, None, [0] * 96]
    path = day_file(tmp_path / "d.parquet", reading_wh=values, status=status)
    got = [DOOR_RULES[row["rule"]] for row in rows(path)]
    assert got == ["wrong_count", "no_value", "wrong_count"]


def test_wrong_day_rows_are_refused(tmp_path: Path) -> None:
    values = [[0], [1, -1], [2]]
    found = refused(day_file(tmp_path / "d.parquet", reading_wh=values))
    assert found == [(2, "reading_wh", "negative")]
    days = [date(2026, 1, 1), None, date(1950, 1, 1)]
    found = refused(day_file(tmp_path / "d.parquet", market_day=days))
    assert found == [(2, "market_day", "empty"), (3, "market_day", "out of range")]


def test_day_rows_as_csv_are_refused(write: Write) -> None:
    found = refused(write("accounting_point,market_day,register,reading_wh\n"))
    assert ("market_day", "unknown column") in [(column, what) for _, column, what in found]


# The register


def register(*paths: Path) -> list[dict]:
    return read_register(paths, NOW).to_pylist()


def test_a_register_row_is_filled_with_the_defaults(write: Write) -> None:
    (row,) = register(write(f"{REGISTER_HEAD}\n{REGISTER_ROW}\n"))
    given_ = {"accounting_point": POINT, "grid_area": AREA, "brp": BRP, "supplier": SUPPLIER,
              "valid_from": date(2026, 1, 1), "recorded_at": NOW,
              "consumption_type": "AZI"}  # fmt: skip
    assert row == {c.name: given_.get(c.name, c.default) for c in tables.REGISTER.columns}


FULL = {
    "group": "PRF",
    "profile_category": "E1B",
    "market_segment": "KVB",
    "capacity": "1x35",
    "physical_status": "out_of_service",
    "remote_reading": "off",
    "remotely_readable": "false",
    "technically_readable": "39.2",
    "consent": "true",
    "annual_offtake_normal_wh": "1500000",
    "annual_offtake_low_kwh": "1700.5",
    "annual_infeed_normal_kwh": "0.001",
    "annual_infeed_low_wh": "",
    "multiplier": "40",
    "digits": "6",
    "valid_to": "9999-12-31",
    "recorded_at": "2026-01-05T10:00:00+01:00",
}


def full(**cells: str) -> str:
    row = {**FULL, **cells}
    return f"{REGISTER_HEAD},{','.join(row)}\n{REGISTER_ROW},{','.join(row.values())}\n"


def test_a_full_register_row_is_read(write: Write) -> None:
    table = read_register([write(full())], NOW)
    assert table.schema == tables.REGISTER.schema
    (row,) = table.to_pylist()
    assert row["consumption_type"] == "AMI"  # it has annual infeed
    assert (row["annual_offtake_low_wh"], row["annual_infeed_normal_wh"]) == (1_700_500, 1)
    assert (row["remote_reading"], row["remotely_readable"], row["consent"]) == (False, False, True)
    assert (row["multiplier"], row["digits"], row["annual_infeed_low_wh"]) == (40, 6, None)
    assert row["recorded_at"] == datetime(2026, 1, 5, 9, tzinfo=UTC)


def test_a_register_written_as_parquet_is_read_back(write: Write, tmp_path: Path) -> None:
    table = read_register([write(full())], NOW)
    pq.write_table(table, tmp_path / "register.parquet")
    assert read_register([tmp_path / "register.parquet"], NOW).equals(table)


@pytest.mark.parametrize(
    ("column", "cell", "found"),
    [
        *((name, "x", "another word") for name in (
            "group", "profile_category", "consumption_type", "market_segment", "capacity",
            "physical_status", "remote_reading", "remotely_readable", "technically_readable",
            "consent",
        )),
        *((name, "", "empty") for name in (
            "group", "capacity", "remote_reading", "consent", "multiplier",
        )),
        ("annual_offtake_normal_wh", "-1", "negative"),
        ("annual_offtake_low_kwh", "0.0001", "more than 3 decimals"),
        ("multiplier", "0", "too small"),
        ("digits", "13", "too large"),
        ("valid_to", "2026-1-2", "not a day"),
        ("valid_to", "2026-02-30", "out of range"),
        ("valid_to", "2025-12-31", "none"),
        ("recorded_at", "2026-01-05T10:00:00", "no UTC offset"),
    ],
)  # fmt: skip
def test_a_wrong_register_cell_is_named(write: Write, column: str, cell: str, found: str) -> None:
    assert register_refused(write(full(**{column: cell}))) == [(1, column, found)]


@pytest.mark.parametrize(
    ("old", "new", "column", "found"),
    [
        (AREA, AREA[:-1] + "3", "grid_area", "check digit wrong"),
        (AREA, AREA[1:], "grid_area", "not 18 digits"),
        (BRP, "8716871000003", "brp", "check digit wrong"),
        (SUPPLIER, "", "supplier", "empty"),
        (str(POINT), str(POINT + 1), "accounting_point", "check digit wrong"),
        ("2026-01-01", "", "valid_from", "empty"),
        ("2026-01-01", "1850-01-01", "valid_from", "out of range"),
    ],
)
def test_a_wrong_register_key_is_named(
    write: Write, old: str, new: str, column: str, found: str
) -> None:
    content = f"{REGISTER_HEAD}\n{REGISTER_ROW.replace(old, new)}\n"
    assert register_refused(write(content)) == [(1, column, found)]


def test_a_row_stated_twice_counts_once_and_must_not_differ(write: Write) -> None:
    one = write(f"{REGISTER_HEAD}\n{REGISTER_ROW}\n{REGISTER_ROW}\n", "one.csv")
    assert len(register(one)) == 1
    assert len(register(one, one)) == 1
    two = write(f"{REGISTER_HEAD},capacity\n{REGISTER_ROW},3x35\n", "two.csv")
    (problem,) = problems(lambda: register(one, two))
    assert (Path(problem.file).name, problem.row) == ("two.csv", 1)


def test_a_register_row_of_another_moment_is_another_row(write: Write) -> None:
    lines = [f"{REGISTER_ROW},{m}\n" for m in ("2026-01-05T10:00Z", "2026-01-05T10:00:01Z")]
    assert len(register(write(f"{REGISTER_HEAD},recorded_at\n{''.join(lines)}"))) == 2


def test_the_examples_of_the_docs_are_read(write: Write) -> None:
    page = Path(__file__).resolve().parent.parent / "docs" / "doors.md"
    first, second, *_ = re.findall(r"```\n(.*?)```", page.read_text(), re.DOTALL)
    assert [DOOR_RULES[row["rule"]] for row in rows(write(first))] == ["", "", "no_value"]
    assert [row["annual_offtake_normal_wh"] for row in register(write(second))] == [1_850_500]


@pytest.mark.parametrize(
    "column",
    [
        *tables.REGISTER.names,
        *tables.READINGS.names,
        *tables.COUPLINGS.names,
        *tables.VOLUMES.names,
    ],
)
def test_every_column_is_documented(column: str) -> None:
    page = Path(__file__).resolve().parent.parent / "docs" / "doors.md"
    assert f"`{column}`" in page.read_text()


# Whatever the bytes are


def mutations(content: bytes) -> st.SearchStrategy[bytes]:
    """Cut, flip and insert bytes of a valid file."""
    place = st.integers(0, len(content))
    special = st.sampled_from([b"\0", b'"', b"\n", b"\r", b",", b";", b"\xff", b"0x1", b"-", b" "])
    piece = st.one_of(st.binary(max_size=4), special)
    edit = st.tuples(place, place, piece)

    def apply(edits: list[tuple[int, int, bytes]]) -> bytes:
        data = content
        for start, length, new in edits:
            data = data[:start] + new + data[start + length % 5 :]
        return data

    return st.one_of(
        place.map(lambda end: content[:end]), st.lists(edit, min_size=1, max_size=4).map(apply)
    )


SMALL = (
    HEAD.strip() + ",meter,status\n"
    + "".join(f"{p},2.8.0,2026-10-25T02:{m}:00Z,{n},M1,0\n"
              for n, (p, m) in enumerate([(POINT, "00"), (OTHER, "15"), (POINT, "30")]))
).encode()  # fmt: skip
REGISTER_SMALL = (full() + full().split("\n")[1].replace(str(POINT), str(OTHER)) + "\n").encode()


def returns_or_refuses(read: Callable[[], int]) -> int | None:
    try:
        return read()
    except FileRefused as error:
        refusal = error
    assert refusal.count >= len(refusal.problems) > 0
    assert str(refusal)
    return None


@settings(max_examples=400)
@given(content=mutations(SMALL), clock=st.sampled_from([None, "Europe/Amsterdam"]))
def test_any_bytes_of_readings_are_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, clock: str | None
) -> None:
    path = tmp_path_factory.getbasetemp() / "fuzz.csv"
    path.write_bytes(content)
    count = returns_or_refuses(lambda: len(rows(path, clock=clock)))
    if count is not None:
        text = content.removeprefix(b"\xef\xbb\xbf")
        assert count == sum(1 for line in text.splitlines() if line) - 1, "a row was lost"


@settings(max_examples=250)
@given(content=mutations(REGISTER_SMALL))
def test_any_bytes_of_a_register_are_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "fuzz.csv"
    path.write_bytes(content)
    returns_or_refuses(lambda: read_register([path], NOW).num_rows)


def parquet_bytes(day_rows: bool) -> bytes:
    sink = io.BytesIO()
    columns: dict[str, object] = {"accounting_point": [POINT, OTHER] * 20,
                                  "register": ["1.8.0"] * 40}  # fmt: skip
    if day_rows:
        columns |= {"market_day": [date(2026, 3, 1)] * 40, "reading_wh": [list(range(97))] * 40}
    else:
        columns |= {"read_at": pa.array([NOW] * 40), "reading_wh": list(range(40))}
    pq.write_table(pa.table(columns), sink, write_page_checksum=True)
    return sink.getvalue()


@pytest.mark.parametrize("day_rows", [False, True])
@settings(max_examples=150)
@given(data=st.data())
def test_any_bytes_of_parquet_are_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, day_rows: bool, data: st.DataObject
) -> None:
    path = tmp_path_factory.getbasetemp() / "fuzz.parquet"
    path.write_bytes(data.draw(mutations(parquet_bytes(day_rows))))
    returns_or_refuses(lambda: len(rows(path)))


@settings(max_examples=100)
@given(content=mutations(gzip.compress(SMALL, mtime=0)), zipped=st.booleans())
def test_any_bytes_of_packed_files_are_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, zipped: bool
) -> None:
    path = tmp_path_factory.getbasetemp() / ("fuzz.csv.gz" if zipped else "fuzz.csv.zst")
    path.write_bytes(content)
    returns_or_refuses(lambda: len(rows(path)))


ONE_QUARTER = "2026-01-14T00:00Z"
OF_VOLUMES = (
    "accounting_point,direction,period_start,volume_wh,origin\n"
    + f"{POINT},E17,{ONE_QUARTER},5,MSR\n" * 3
)
OF_COUPLINGS = f"coupling,grid_area,valid_from\n{POINT},{AREA},2026-01-01\n"
OF_FRACTIONS = (
    f"start_utc,E1A,precision\n{ONE_QUARTER},3.992e-05,full\n",
    "Profielen;2026\nvan;tot;1.00_E1A_AZI_A\n14-01-2026 00:00;14-01-2026 00:15;0,00003\n",
    f"profile,period_start,fraction\nlamps,{ONE_QUARTER},0.00006512\n",
)


@pytest.mark.parametrize(
    ("small", "read"),
    [
        (OF_VOLUMES, lambda path: len(list(read_volumes([path])))),
        (OF_COUPLINGS, lambda path: read_couplings([path], NOW).num_rows),
        *((small, lambda path: read_fractions([path]).num_rows) for small in OF_FRACTIONS),
    ],
)
@settings(max_examples=150)
@given(data=st.data())
def test_any_bytes_of_other_files_are_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory,
    small: str,
    read: Callable[[Path], int],
    data: st.DataObject,
) -> None:
    path = tmp_path_factory.getbasetemp() / "fuzz.csv"
    path.write_bytes(data.draw(mutations(small.encode())))
    returns_or_refuses(lambda: read(path))


# The real thing


def test_a_real_local_clock_over_two_autumns(shared: Path, write: Write) -> None:
    """Hourly stamps of a home: each autumn its doubled hour was written once or twice."""
    source = shared / "home_exports"
    source = source if source.is_dir() else shared / "data" / "home_exports"
    lines = gzip.decompress((source / "p1mon_hourly_registers_kwh_2021_2024.csv.gz").read_bytes())
    cells = [line.split(",") for line in lines.decode().splitlines()[1:]]
    content = HEAD.replace("_wh", "_kwh") + "".join(
        f"{POINT},1.8.1,{cell[0]},{cell[1]}\n" for cell in cells
    )
    got = rows(write(content), clock="Europe/Amsterdam")
    assert len(got) == len(cells) == 24_822
    doubtful = [DOOR_RULES[row["rule"]] for row in got if row["rule"]]
    assert set(doubtful) <= {"ambiguous_time", "nonexistent_time"}
    assert len(doubtful) <= 8
    kept = [row["read_at"] for row in sorted(got, key=lambda r: r["row"]) if not row["rule"]]
    assert all(a < b for a, b in itertools.pairwise(kept))
