"""The door of the fractions: three forms, exact counts of 1e-8, whole market days only."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kwartier import FileRefused, Home, codes, tables, take_fractions
from kwartier.adapters.files import read_fractions
from tests import homes, market
from tests.market import AUTUMN, DAY, ONE_DAY, REGISTERED, SPRING

QUARTER = timedelta(minutes=15)
HOUR = timedelta(hours=1)
# One quarter of a flat year: 1e8 ÷ 35,040 is 2,853.9.
FLAT = 2854
DYNAMIC = ("E1A", "E1B", "E1C", "E2A", "E2B")
OTHERS = ("E3A", "E3B", "E3C", "E3D", "E4A")
COLUMNS = [f"{c}_{t}_{d}" for c in DYNAMIC for t in ("AZI", "AMI") for d in "AI"]
COLUMNS += [f"{c}_{d}" for c in OTHERS for d in "AI"]

Write = Callable[..., Path]
Row = dict[str, Any]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def _write(content: str | bytes, name: str = "fractions.csv") -> Path:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return _write


def refused(*paths: Path, by_tariff: Sequence[str] = ()) -> list[tuple[Any, ...]]:
    with pytest.raises(FileRefused) as raised:
        read_fractions(paths, by_tariff)
    assert "87168590000" not in str(raised.value)
    return [(p.row, p.column, p.found) for p in raised.value.problems]


def text(count: int) -> str:
    return f"{Decimal(count).scaleb(-8):f}"


def starts(day: date) -> list[datetime]:
    return market.moments(day)[:-1]


def by_key(rows: pa.Table) -> dict[tuple[str, str | None, str, date], Row]:
    names = ("profile", "consumption_type", "direction", "market_day")
    made = {tuple(row[n] for n in names): row for row in rows.to_pylist()}
    assert len(made) == rows.num_rows
    return made


# One column for each category
def netted(
    days: Sequence[date] = (DAY,), names: Sequence[str] = ("E1A",), count: int = FLAT
) -> str:
    """Give a file in which every fraction is the same."""
    lines = [",".join(["start_utc", *names])]
    for day in days:
        lines += [
            ",".join([f"{moment:%Y-%m-%dT%H:%MZ}", *[text(count)] * len(names)])
            for moment in starts(day)
        ]
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize(("day", "count"), [(DAY, 96), (SPRING, 92), (AUTUMN, 100)])
@pytest.mark.parametrize("name", ["f.csv", "f.csv.gz"])
def test_a_column_of_a_category_is_its_offtake_of_both_types(
    write: Write, day: date, count: int, name: str
) -> None:
    content = netted([day], ["E1A", "E4A"]).encode()
    rows = read_fractions([write(gzip.compress(content) if "gz" in name else content, name)])
    assert rows.schema == tables.STANDARD_FRACTIONS.schema
    assert rows.to_pylist() == [
        {
            "profile": profile,
            "consumption_type": None,
            "direction": "E17",
            "market_day": day,
            "fraction": [FLAT] * count,
            "by_tariff": False,
        }
        for profile in ("E1A", "E4A")
    ]


def test_rows_may_come_in_any_order_and_a_known_column_of_text_is_left_out(write: Write) -> None:
    head, *lines = netted().splitlines()
    lines[3] = lines[3].replace(text(FLAT), "1e-8")
    content = "\n".join([head + ",precision", *(f"{line},full" for line in lines[::-1])])
    (row,) = read_fractions([write(content)]).to_pylist()
    assert row["fraction"] == [FLAT] * 3 + [1] + [FLAT] * 92


@pytest.mark.parametrize(
    ("cell", "count"),
    [
        ("3.992e-05", 3992),
        ("3.992E-5", 3992),
        ("0.00003992", 3992),
        ("0", 0),
        ("1", 10**8),
        ("1.", 10**8),
        (".5", 5 * 10**7),
        ("0.000000005", 1),
        ("0.0000000049999999999999999999999999999999999999999999", 0),
        ("0.000000015", 2),
        ("0.000000025", 3),
        ("-0.0", 0),
        ("1e-300", 0),
        (" 0.5 ", 5 * 10**7),
    ],
)
def test_a_fraction_is_a_whole_count_rounded_half_up(write: Write, cell: str, count: int) -> None:
    path = write(netted().replace(text(FLAT), cell, 1))
    assert read_fractions([path])["fraction"][0].as_py()[0] == count


@given(st.decimals(0, 1, allow_nan=False, places=12))
def test_any_decimal_is_rounded_as_a_decimal(
    tmp_path_factory: pytest.TempPathFactory, value: Decimal
) -> None:
    path = tmp_path_factory.mktemp("any") / "f.csv"
    path.write_text(netted().replace(text(FLAT), str(value), 1), "utf-8")
    expected = int(value.scaleb(8).quantize(Decimal(1), ROUND_HALF_UP))
    assert read_fractions([path])["fraction"][0].as_py()[0] == expected


@pytest.mark.parametrize(
    ("cell", "found"),
    [
        ("-0.1", "negative"),
        ("-1e-300", "negative"),
        ("1.00000001", "too large"),
        ("1e99", "too large"),
        ("0,5", "2"),
        ("many", "not a number"),
        ("nan", "not a number"),
        ("1e", "not a number"),
        ("0x10", "not a number"),
        ("", "empty"),
    ],
)
def test_a_wrong_fraction_is_named(write: Write, cell: str, found: str) -> None:
    lines = netted(names=["E1A", "E2A"]).splitlines()
    stamp, *_ = lines[5].split(",")
    lines[5] = f"{stamp},{text(FLAT)},{cell}"
    column, found = (None, "4") if "," in cell else ("E2A", found)
    assert refused(write("\n".join(lines))) == [(5, column, found)]


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        ("start_utc,E1A,E9Z", [(None, "number 3", "unknown column")]),
        ("start_utc,E1A,E1A", [(None, "number 3", "the column twice")]),
        ("start_utc,precision", [(None, None, "none of them")]),
        ("moment,E1A", [(None, None, "another header")]),
        ("", [(None, None, "an empty file")]),
    ],
)
def test_a_wrong_header_is_named(write: Write, head: str, expected: list[Any]) -> None:
    width = head.count(",")
    cells = "".join(f"2026-01-14T00:00Z{',0.1' * width}\n" for _ in range(bool(head)))
    assert refused(write(f"{head}\n{cells}")) == expected


def test_only_whole_market_days_are_taken(write: Write) -> None:
    days = [DAY, DAY + ONE_DAY, DAY + 2 * ONE_DAY]
    lines = netted(days).splitlines()
    assert refused(write("\n".join(lines[:2] + lines[3:]))) == [(None, "start_utc", "95")]
    with pytest.raises(FileRefused, match=f"expected 96 periods on {days[1]}, found 48"):
        read_fractions([write("\n".join(lines[:97] + lines[145:]))])
    assert refused(write("\n".join([*lines, lines[-1]]))) == [(289, "start_utc", "a second one")]
    off = lines[1].replace(":00Z", ":01Z")
    assert refused(write("\n".join([lines[0], off, *lines[2:]]))) == [
        (1, "start_utc", "another moment")
    ]


def test_a_file_with_only_a_header_has_no_rows(write: Write) -> None:
    for head in ("start_utc,E1A", "tot;E1A_AZI_A", "profile,period_start,fraction"):
        assert read_fractions([write(head + "\n")]).num_rows == 0


# The market's columns of category, type and direction
def of_market(
    days: Sequence[date] = (DAY,),
    columns: Sequence[str] = ("E1A_AZI_A",),
    counts: Sequence[int] | Callable[[int], Sequence[int]] = (FLAT,),
    *,
    stamps: Sequence[str] = ("van", "tot"),
    form: str = "%d-%m-%Y %H:%M",
    above: int = 6,
    prefix: str = "1.00_",
) -> str:
    """Give a file as the market publishes it: UTC+1, some lines above the names."""
    lines = [f"Standaardprofielen elektriciteit;{k}" for k in range(above)]
    lines.append(";".join([*stamps, *(prefix + name for name in columns)]))
    at = 0
    for day in days:
        for moment in starts(day):
            shown = [moment.replace(tzinfo=None) + HOUR]
            ends = shown[0] + QUARTER
            shown = [*shown, ends] if len(stamps) > 1 else [ends]
            made = counts(at) if callable(counts) else counts
            lines.append(";".join([*(f"{s:{form}}" for s in shown), *map(text, made)]))
            at += 1
    return "\n".join(lines) + "\n"


YEAR = [date(2026, 1, 1) + k * ONE_DAY for k in range(365)]


def _of_row(row: int) -> list[int]:
    """Give each column of the year another fraction, and the tariffs of E1C a sum of 2."""
    made = [2800 + (row + k) % 100 for k in range(len(COLUMNS))]
    return [
        2 * count if name.startswith("E1C") else count
        for name, count in zip(COLUMNS, made, strict=True)
    ]


def test_a_year_of_the_market_becomes_market_days(write: Write) -> None:
    path = write(of_market(YEAR, COLUMNS, _of_row), "Standaardprofielen elektriciteit 2026.csv")
    rows = read_fractions([path])
    assert rows.num_rows == 30 * 365
    made = by_key(rows)
    for day, count in ((YEAR[0], 96), (SPRING, 92), (AUTUMN, 100), (YEAR[-1], 96)):
        before = sum(len(starts(d)) for d in YEAR if d < day)
        for k, name in enumerate(COLUMNS):
            category, *types, way = name.split("_")
            of_type = types[0] if types else None
            row = made[category, of_type, {"A": "E17", "I": "E18"}[way], day]
            assert row["fraction"] == [_of_row(before + t)[k] for t in range(count)]
            assert row["by_tariff"] == (category == "E1C")


@pytest.mark.parametrize(
    "form",
    [
        {"stamps": ["tot"]},
        {"stamps": ["Tot"]},
        {"stamps": ["timestamp"], "form": "%Y-%m-%d %H:%M"},
        {"stamps": ["VAN", "TOT"], "form": "%Y-%m-%dT%H:%M:%S"},
        {"form": "%Y-%m-%dT%H:%M+01:00"},
        {"above": 0},
        {"above": 12},
        {"prefix": ""},
        {"prefix": "2.10_"},
    ],
)
def test_the_market_s_form_may_vary(write: Write, form: dict[str, Any]) -> None:
    rows = read_fractions([write(of_market(columns=["E1A_AMI_I", "E3A_A"], counts=[5, 6], **form))])
    assert [(r["profile"], r["consumption_type"], r["direction"]) for r in rows.to_pylist()] == [
        ("E1A", "AMI", "E18"),
        ("E3A", None, "E17"),
    ]
    assert rows["fraction"].to_pylist() == [[5] * 96, [6] * 96]
    assert set(rows["market_day"].to_pylist()) == {DAY}


def test_a_day_may_end_at_24_hours_and_decimals_have_a_comma(write: Write) -> None:
    content = of_market().replace("15-01-2026 00:00", "14-01-2026 24:00").replace("0.000", "0,000")
    (row,) = read_fractions([write(content)]).to_pylist()
    assert row["fraction"] == [FLAT] * 96


def test_a_stamp_is_the_end_of_its_period(write: Write) -> None:
    content = of_market(counts=lambda row: [row], stamps=["tot"])
    (row,) = read_fractions([write(content)]).to_pylist()
    assert row["fraction"] == list(range(96))
    # A file of which the stamps were the starts would lack a quarter of its first day.
    shifted = [line.split(";") for line in content.splitlines()[7:]]
    moved = [
        f"{datetime.strptime(stamp, '%d-%m-%Y %H:%M') - QUARTER:%d-%m-%Y %H:%M};{cell}"
        for stamp, cell in shifted
    ]
    assert refused(write("\n".join(["tot;E1A_AZI_A", *moved]))) == [
        (None, "tot", "1"),
        (None, "tot", "95"),
    ]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("14-01-2026 00:45;14-01-2026 01:00", "14-01-2026 00:45;14-01-2026 01:15",
         [(4, "tot", "another moment")]),
        ("\n14-01-2026 00:45;", "\n1 January;", [(4, "van", "not a moment")]),
        ("\n14-01-2026 00:45;", "\n31-02-2026 00:45;", [(4, "van", "out of range")]),
        ("\n14-01-2026 00:45;", "\n14-01-2026 24:15;", [(4, "van", "out of range")]),
        ("\n14-01-2026 00:45;", "\n14-01-1926 00:45;", [(4, "van", "out of range")]),
        ("\n14-01-2026 00:45;", "\n;", [(4, "van", "empty")]),
        ("van;tot;", "begin;tot;", [(None, "begin", "unknown column")]),
        ("van;tot;", "begin;einde;", [(None, None, "no such column")]),
        ("1.00_E1A_AZI_A", "1.00_E1A_AZI_A;E9A_AZI_A", [(None, "number 4", "unknown column")]),
        ("1.00_E1A_AZI_A", "1.00_E1A_AZI_A;E1A_AZI_A",
         [(None, "1.00_E1A_AZI_A or E1A_AZI_A", "both columns")]),
    ],
)  # fmt: skip
def test_what_is_wrong_in_the_market_s_form_is_named(
    write: Write, old: str, new: str, expected: list[Any]
) -> None:
    content = of_market()
    assert old in content
    assert refused(write(content.replace(old, new))) == expected


@pytest.mark.parametrize(
    ("count", "by_tariff"),
    [(2569, False), (3139, False), (5651, True), (5764, True)],
)
def test_the_sum_of_a_year_tells_what_a_column_is_of(
    write: Write, count: int, by_tariff: bool
) -> None:
    rows = read_fractions([write(netted(YEAR, count=count))])
    assert set(rows["by_tariff"].to_pylist()) == {by_tariff}


@pytest.mark.parametrize(
    ("count", "total"),
    [(2568, "0.89982720"), (3140, "1.10025600"), (5650, "1.97976000"), (5765, "2.02005600")],
)
def test_a_year_that_sums_to_nothing_known_is_refused(write: Write, count: int, total: str) -> None:
    assert refused(write(netted(YEAR, count=count))) == [(None, "E1A", total)]


def test_where_no_year_is_whole_it_is_said_which_columns_are_by_tariff(write: Write) -> None:
    path = write(of_market(columns=["E1B_AZI_A", "E1A_AZI_A"], counts=[5, 6]))
    for said, expected in (((), [False, False]), (("E1B_AZI_A",), [False, True])):
        rows = read_fractions([path], said)
        assert rows["profile"].to_pylist() == ["E1A", "E1B"]
        assert rows["by_tariff"].to_pylist() == expected
    assert refused(path, by_tariff=["E1B"]) == [(None, "named as by tariff", "no such column")]
    # Of a whole year the sum tells.
    rows = read_fractions([write(netted(YEAR))], ["E1A"])
    assert set(rows["by_tariff"].to_pylist()) == {False}


# Profiles of one's own
OWN = "profile,period_start,fraction\n"


def own(name: str = "lamps", day: date = DAY, count: int = FLAT) -> list[Row]:
    return [
        {"profile": name, "period_start": moment, "fraction": Decimal(count).scaleb(-8)}
        for moment in starts(day)
    ]


def own_csv(rows: Sequence[Row]) -> str:
    lines = [f"{r['profile']},{r['period_start'].isoformat()},{r['fraction']:f}" for r in rows]
    return OWN + "\n".join(lines) + "\n"


def test_profiles_of_one_s_own_are_days_of_offtake(write: Write) -> None:
    rows = read_fractions([write(own_csv(own("traffic lights", AUTUMN, 7) + own()))])
    assert rows.to_pylist() == [
        {
            "profile": name,
            "consumption_type": None,
            "direction": "E17",
            "market_day": day,
            "fraction": fraction,
            "by_tariff": False,
        }
        for name, day, fraction in (
            ("lamps", DAY, [FLAT] * 96),
            ("traffic lights", AUTUMN, [7] * 100),
        )
    ]


@pytest.mark.parametrize(
    "fraction",
    [
        pa.array([0.00002854] * 96),
        pa.array([0.0000285400000001] * 96),
        pa.array([0.00002854] * 96, pa.float32()),
        pa.array([Decimal("0.0000285400")] * 96),
        pa.array(["0.00002854"] * 96),
    ],
)
def test_a_float_counts_as_the_nearest_number_of_8_decimals(
    tmp_path: Path, fraction: pa.Array
) -> None:
    path = tmp_path / "own.parquet"
    moments = pa.array(starts(DAY), pa.timestamp("s", "UTC"))
    names = pa.array(["lamps"] * 96)
    pq.write_table(
        pa.table({"profile": names, "period_start": moments, "fraction": fraction}), path
    )
    assert read_fractions([path])["fraction"].to_pylist() == [[FLAT] * 96]


@pytest.mark.parametrize(
    ("value", "found"),
    [(-1e-9, "negative"), (1.1, "too large"), (float("nan"), "not a number"), (None, "empty")],
)
def test_a_wrong_float_is_named(tmp_path: Path, value: float | None, found: str) -> None:
    path = tmp_path / "own.parquet"
    rows = [row | {"fraction": 0.1} for row in own()]
    rows[6]["fraction"] = value
    pq.write_table(pa.Table.from_pylist(rows), path)
    assert refused(path) == [(7, "fraction", found)]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("lamps,2026-01-14T05:00", "E1A,2026-01-14T05:00", (25, "profile", "a profile category")),
        ("lamps,2026-01-14T05:00", ",2026-01-14T05:00", (25, "profile", "empty")),
        ("05:00:00+00:00,0.00002854", "05:00:00+00:00,0.000028541",
         (25, "fraction", "more than 8 decimals")),
        ("05:00:00+00:00,", "05:00:00,", (25, "period_start", "no UTC offset")),
        ("05:00:00+00:00,", "05:00:01+00:00,", (25, "period_start", "another moment")),
        ("05:00:00+00:00,", "05:15:00+00:00,", (26, "period_start", "a second one")),
    ],
)  # fmt: skip
def test_what_is_wrong_in_a_profile_of_one_s_own_is_named(
    write: Write, old: str, new: str, expected: tuple[Any, ...]
) -> None:
    rows = [row | {"period_start": row["period_start"] + HOUR} for row in own()]
    content = own_csv([row | {"period_start": row["period_start"] - HOUR} for row in rows])
    assert old in content
    assert refused(write(content.replace(old, new))) == [expected]


def test_a_profile_and_its_day_are_named_but_no_ean(write: Write) -> None:
    lamps, ean = own(), own(str(market.ean(5)))
    with pytest.raises(FileRefused, match=f"96 periods of lamps on {DAY}, found 95"):
        read_fractions([write(own_csv(lamps[1:]))])
    with pytest.raises(FileRefused, match=f"96 periods of … on {DAY}, found 95"):
        read_fractions([write(own_csv(ean[1:]))])
    assert refused(write(own_csv(ean[1:]))) == [(None, "period_start", "95")]


def test_a_year_of_a_profile_of_one_s_own_sums_to_1(write: Write) -> None:
    year = [row for day in YEAR for row in own(day=day)]
    assert read_fractions([write(own_csv(year))]).num_rows == 365
    twice = [row | {"fraction": row["fraction"] * 2} for row in year]
    assert refused(write(own_csv(twice))) == [(None, "fraction", "2.00008320")]


# Several files
def test_a_day_stated_twice_counts_once_and_stated_otherwise_is_refused(write: Write) -> None:
    one, same = write(netted(), "one.csv"), write(netted() + "\n", "same.csv")
    assert read_fractions([one, same]).num_rows == 1
    other = write(netted(count=7), "other.csv")
    assert refused(one, other) == [(None, None, "a second one with other content")]
    both = read_fractions([one, write(of_market(), "two.csv"), write(own_csv(own()), "three.csv")])
    assert both["profile"].to_pylist() == ["E1A", "E1A", "lamps"]


@pytest.mark.parametrize("name", ["f.txt", "f.parquet", "f.csv.gz", "f.csv"])
def test_broken_files_are_refused(write: Write, name: str) -> None:
    assert len(refused(write(b"\xff\xfe\x00\x01" * 9, name))) == 1


# In a home
def test_fractions_are_known_from_when_they_were_recorded(tmp_path: Path, write: Write) -> None:
    home = Home(tmp_path / "home", create=True)
    first = take_fractions(home, [write(netted(names=["E1B"]))], recorded_at=REGISTERED)
    assert (first.rows_in, first.rows_kept) == (1, 1)
    later = REGISTERED + ONE_DAY
    take_fractions(home, [pa.Table.from_pylist(own())], recorded_at=later)
    at = int(REGISTERED.timestamp())
    assert [len(home.table_of("fractions", at + k * 86_400)) for k in (-1, 0, 1)] == [0, 1, 2]
    one, two = home.table_of("fractions")
    assert one.schema.names == [*tables.STANDARD_FRACTIONS.names, "recorded_at"]
    assert one["recorded_at"].to_pylist() == [REGISTERED]
    assert two["recorded_at"].to_pylist() == [later]
    assert two["fraction"].to_pylist() == [[FLAT] * 96]
    assert homes.whole(home)


def test_the_same_file_twice_changes_nothing_unless_it_is_said_otherwise(
    tmp_path: Path, write: Write
) -> None:
    home, path = Home(tmp_path / "home", create=True), write(netted(names=["E1B"]))
    take_fractions(home, [path], recorded_at=REGISTERED)
    before = homes.contents(home.root)
    assert take_fractions(home, [path]).skipped == (path.name,)
    assert homes.contents(home.root) == before
    said = take_fractions(home, [path], by_tariff=["E1B"], recorded_at=REGISTERED + HOUR)
    assert said.rows_kept == 1
    assert take_fractions(home, [path], by_tariff=["E1B"]).skipped == (path.name,)
    assert [t["by_tariff"].to_pylist() for t in home.table_of("fractions")] == [[False], [True]]


def test_broken_fractions_leave_nothing_behind(tmp_path: Path, write: Write) -> None:
    home, good = Home(tmp_path / "home", create=True), write(netted(), "good.csv")
    with home.writing():
        pass
    before = homes.contents(home.root)
    for content in (netted(count=-1), netted() + "x", netted()[:-60], "a,b\n1,2\n"):
        bad = write(content, "bad.csv")
        for sources in ([bad], [good, bad], [bad, good]):
            with pytest.raises(FileRefused):
                take_fractions(home, sources, recorded_at=datetime(2026, 4, 1, tzinfo=UTC))
            assert homes.contents(home.root) == before
    assert take_fractions(home, [good], recorded_at=REGISTERED).rows_kept == 1


# The market's real profiles
def test_the_real_profiles_of_2015_are_read(shared: Path) -> None:
    (file,) = shared.rglob("nedu_2015_15min_fractions.csv.gz")
    rows = read_fractions([file])
    assert rows.num_rows == 10 * 365
    made = by_key(rows)
    assert {key[:3] for key in made} == {(c, None, "E17") for c in codes.PROFILE_CATEGORIES}
    assert made["E1A", None, "E17", date(2015, 1, 1)]["fraction"][:2] == [3992, 3878]
    counts = {d: len(made["E1A", None, "E17", d]["fraction"]) for d in
              (date(2015, 3, 29), date(2015, 10, 25), date(2015, 12, 31))}  # fmt: skip
    assert list(counts.values()) == [92, 100, 96]
    assert made["E4A", None, "E17", date(2015, 12, 31)]["fraction"][-1] == 6024
    for category in codes.PROFILE_CATEGORIES:
        total = sum(sum(row["fraction"]) for key, row in made.items() if key[0] == category)
        assert abs(total - 10**8) < 2_000
    assert not any(row["by_tariff"] for row in made.values())


def test_the_real_profiles_of_part_of_2020_lack_hours_of_two_days(
    shared: Path, write: Write
) -> None:
    (file,) = shared.rglob("nedu_2020-08_2021-01_15min_fractions.csv.gz")
    days = read_fractions([file])["market_day"].to_pylist()
    assert (min(days), max(days)) == (date(2020, 8, 16), date(2021, 1, 29))
    head, *lines = gzip.decompress(file.read_bytes()).decode().splitlines()
    rows = read_fractions([write("\n".join([head, *lines[88:-44]]))])
    assert rows.num_rows == 10 * 167
    made = by_key(rows)
    assert len(made["E1A", None, "E17", date(2020, 10, 25)]["fraction"]) == 100
    assert made["E1A", None, "E17", date(2020, 8, 16)]["fraction"][0] > 0
