"""Taking in: rows in = rows kept + rows in findings, and a broken file leaves nothing behind."""

from __future__ import annotations

import json
import resource
import shutil
import tempfile
from collections import Counter, defaultdict
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kwartier import FileRefused, Home, ingest, result, take_register
from kwartier.adapters import sorting
from tests import homes, market
from tests.market import DAY, ONE_DAY, OTHER, POINT, REGISTERED, Market, ean, flat, point, read

UNKNOWN, REFUSED, ON_THE_DAY = ean(7), ean(8), ean(9)
RECORDED = datetime.combine(DAY + 2 * ONE_DAY, datetime.min.time(), UTC)
HOUR = timedelta(hours=1)
TOLERANCE, TOO_OLD = 30, 130  # parameters/market.yaml


@pytest.fixture
def way(tmp_path: Path) -> Market:
    return _registered(tmp_path)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _registered(tmp_path_factory.mktemp("registered")).home.root


def _registered(folder: Path) -> Market:
    made = Market(folder)
    made.register(
        point(POINT, consent=True),  # so it may be read before the legal ground too
        point(OTHER, grid_area=market.OTHER_AREA, consent=True),
        point(REFUSED, remote_reading="off"),
        point(ON_THE_DAY, valid_from=DAY, valid_to=DAY + ONE_DAY),
    )
    return made


# ---- what becomes of a row, in plain Python ------------------------------------------------------
class Plain:
    """What a home keeps of readings and why it does not keep others, one row after the other."""

    def __init__(self) -> None:
        self.cells: dict[tuple[date, int, str | None, str, int], int] = {}

    def take(self, rows: list[dict[str, Any]], recorded_at: datetime) -> tuple[int, Counter[str]]:
        found: Counter[str] = Counter()
        told: dict[tuple[Any, ...], list[int]] = defaultdict(list)
        for row in rows:
            rule = self.refused(row, recorded_at)
            if rule:
                found[rule] += 1
                continue
            moment = rounded(row["read_at"])
            told[row["accounting_point"], row["meter"], row["register"], moment].append(
                row["reading_wh"]
            )
        kept = 0
        for (number, meter, register, moment), values in told.items():
            if len(set(values)) > 1:
                found["conflicting_readings"] += len(values)
                continue
            kept += 1
            found["duplicate_reading"] += len(values) - 1
            for day, position in places(number, moment):
                self.cells[day, number, meter, register, position] = values[0]
        return kept, +found

    @staticmethod
    def refused(row: dict[str, Any], recorded_at: datetime) -> str | None:
        moment = rounded(row["read_at"])
        if row["reading_wh"] is None:
            return "no_value"
        if row["accounting_point"] == UNKNOWN:
            return "unknown_point"
        if row["read_at"] > recorded_at:
            return "in_future"
        if abs(row["read_at"] - moment) > timedelta(seconds=TOLERANCE):
            return "off_quarter"
        if (local(recorded_at).date() - local(moment).date()).days > TOO_OLD:
            return "too_old"
        return None if places(row["accounting_point"], moment) else "not_eligible"


def local(moment: datetime) -> datetime:
    return moment.astimezone(ZoneInfo("Europe/Amsterdam"))


def rounded(moment: datetime) -> datetime:
    seconds = int(moment.timestamp())
    return datetime.fromtimestamp((seconds + 450) // 900 * 900, UTC)


@cache
def _moments(day: date) -> list[datetime]:
    return market.moments(day)


def places(number: int, moment: datetime) -> list[tuple[date, int]]:
    """Give the days and positions that a reading serves, where the point may be read."""
    day = local(moment).date()
    found = [(d, _moments(d).index(moment)) for d in (day - ONE_DAY, day) if moment in _moments(d)]
    may = {
        POINT: found,
        OTHER: found,
        ON_THE_DAY: [place for place in found if place[0] == DAY],
    }
    return may.get(number, [])


def held(home: Home) -> dict[tuple[date, int, str | None, str, int], int]:
    """Give every reading that a home holds."""
    cells = {}
    for day, areas in home.days().items():
        for area in areas:
            for block in home.blocks(date.fromisoformat(day), area):
                rows, names = block.read_named()
                for number, meter, register, readings in zip(
                    rows.number, rows.meter, rows.register, rows.reading, strict=True
                ):
                    for position, reading in enumerate(readings.tolist()):
                        if reading != homes.NOT_READ:
                            register_name = homes.codes.REGISTERS[register]
                            name = names.get(int(meter))
                            key = (
                                date.fromisoformat(day),
                                int(number),
                                name,
                                register_name,
                                position,
                            )
                            cells[key] = reading
    return cells


# ---- deliveries with everything that can be doubtful ---------------------------------------------
QUARTERS = [_moments(DAY)[0] + k * timedelta(minutes=15) for k in (0, 0, 1, 2, 50, 95, 96, 96, 97)]
ROW = st.fixed_dictionaries(
    {
        "accounting_point": st.sampled_from([POINT, POINT, OTHER, UNKNOWN, REFUSED, ON_THE_DAY]),
        "register": st.sampled_from(["1.8.0", "1.8.0", "2.8.1"]),
        "read_at": st.builds(
            lambda moment, off: moment + off,
            st.sampled_from(
                [
                    *QUARTERS,
                    RECORDED - HOUR,
                    RECORDED,
                    RECORDED + HOUR,
                    _moments(DAY + 2 * ONE_DAY - TOO_OLD * ONE_DAY)[0],
                    _moments(DAY + 2 * ONE_DAY - TOO_OLD * ONE_DAY - ONE_DAY)[5],
                ]
            ),
            st.sampled_from([0, 0, 0, 0, 0, 30, -30, 31, -31, 449]).map(
                lambda s: timedelta(seconds=s)
            ),
        ),
        "reading_wh": st.sampled_from([5, 5, 5, 5, 6, 2**40, None]),
        "meter": st.sampled_from([None, None, "M1"]),
        "status": st.sampled_from([0, 0, 4]),
    }
)


@settings(max_examples=40)
@given(
    deliveries=st.lists(st.lists(ROW, min_size=1, max_size=40), min_size=1, max_size=3),
    suffix=st.sampled_from([".csv", ".parquet", None]),
    files=st.integers(1, 3),
)
def test_rows_in_are_rows_kept_and_rows_in_findings(
    base: Path,
    deliveries: list[list[dict[str, Any]]],
    suffix: str | None,
    files: int,
) -> None:
    home, plain = _copy(base), Plain()
    folder = home.root.parent
    for number, rows in enumerate(deliveries):
        recorded_at = RECORDED + number * timedelta(seconds=1)
        parts = [part for part in (rows[k::files] for k in range(files)) if part]
        sources = [
            homes.write(part, folder / f"{number}-{k}{suffix}") if suffix else homes.table(part)
            for k, part in enumerate(parts)
        ]
        taken = len(held(home))
        intake = ingest(home, sources, recorded_at=recorded_at)
        if intake.skipped:  # the same bytes were delivered before
            assert len(held(home)) >= taken
            return
        kept, found = plain.take(rows, recorded_at)
        assert intake.rows_in == len(rows)
        assert intake.rows_kept == kept
        assert {rule: n for rule, n in intake.found.items() if n} == dict(found)
        assert intake.rows_in == intake.rows_kept + sum(intake.found.values())
        assert held(home) == plain.cells
        assert _doubts(home, intake.delivery) == found
    assert homes.whole(home)
    shutil.rmtree(folder)


def _copy(base: Path) -> Home:
    """Give a home of its own to an example."""
    folder = Path(tempfile.mkdtemp(dir=base.parent))
    shutil.copytree(base, folder / "home")
    return Home(folder / "home")


def _doubts(home: Home, delivery: str | None) -> Counter[str]:
    """Add up the rows of the findings that a delivery made."""
    path = home.root / "doubts" / f"{delivery}.parquet"
    rows = pq.read_table(path).to_pylist() if path.exists() else []
    found: Counter[str] = Counter()
    for row in rows:
        found[row["rule"]] += row["rows"]
    return +found


LIST = st.lists(st.sampled_from([5, 6, None]), min_size=97, max_size=97)
DAY_ROW = st.fixed_dictionaries(
    {
        "accounting_point": st.sampled_from([POINT, OTHER, UNKNOWN, REFUSED, ON_THE_DAY]),
        "market_day": st.sampled_from([DAY - ONE_DAY, DAY, DAY + 5 * ONE_DAY, market.SPRING]),
        "register": st.just("1.8.0"),
        "reading_wh": LIST | LIST.map(lambda values: values[:-4]) | st.just([]) | st.none(),
        "meter": st.sampled_from([None, "M1"]),
        "statuses": st.sampled_from([None, 0, 4]),
    }
)


@settings(max_examples=40)
@given(rows=st.lists(DAY_ROW, min_size=1, max_size=8), with_status=st.booleans())
def test_readings_of_day_rows_are_kept_or_in_findings(
    base: Path, rows: list[dict[str, Any]], with_status: bool
) -> None:
    home, plain = _copy(base), Plain()
    folder = home.root.parent
    for row in rows:
        status, readings = row.pop("statuses"), row["reading_wh"]
        if with_status:
            row["status"] = None if status is None or readings is None else [status] * len(readings)
    columns = pa.schema(
        [
            ("accounting_point", pa.int64()),
            ("market_day", pa.date32()),
            ("register", pa.string()),
            ("reading_wh", pa.list_(pa.int64())),
            ("meter", pa.string()),
            *([("status", pa.list_(pa.int32()))] if with_status else []),
        ]
    )
    intake = ingest(home, [pa.Table.from_pylist(rows, schema=columns)], recorded_at=RECORDED)
    readings, wrong = [], 0
    for row in rows:
        values = row["reading_wh"] or []
        if len(values) != len(_moments(row["market_day"])):
            wrong += len(values)
            continue
        readings += [
            {**row, "read_at": moment, "reading_wh": value}
            for moment, value in zip(_moments(row["market_day"]), values, strict=True)
            if value is not None
        ]
    kept, found = plain.take(readings, RECORDED)
    assert intake.rows_in == len(readings) + wrong
    assert intake.rows_kept == kept
    lost = {rule: n for rule, n in intake.found.items() if n}
    assert lost == dict(found) | ({"wrong_count": wrong} if wrong else {})
    assert held(home) == plain.cells
    shutil.rmtree(folder)


def test_local_times_that_order_does_not_resolve_are_in_findings(tmp_path: Path) -> None:
    way = _registered(tmp_path)
    at = [f"2026-10-25T{hour:02}:{minute:02}:00" for hour in (1, 2) for minute in (0, 30)]
    order = [at[0], at[3], at[2], at[3], at[2], at[1]]  # the doubled hour falls back twice
    lines = [f"{POINT},1.8.0,{moment},{k}" for k, moment in enumerate(order)]
    path = tmp_path / "autumn.csv"
    path.write_text("accounting_point,register,read_at,reading_wh\n" + "\n".join(lines), "utf-8")
    at_noon = datetime(2026, 10, 27, 12, tzinfo=UTC)
    intake = ingest(way.home, [path], clock="Europe/Amsterdam", recorded_at=at_noon)
    assert intake.found["ambiguous_time"]
    assert intake.rows_in == 6 == intake.rows_kept + sum(intake.found.values())


def test_what_was_not_kept_is_in_the_findings_of_the_run(way: Market) -> None:
    rows = read(flat()) + read(flat(), UNKNOWN) + read(flat(), REFUSED) + read(flat())[5:8]
    way.deliver(rows)
    outcome = way.run()
    lost = {
        rule: sum(row["rows"] for row in outcome.found(rule))
        for rule in ("unknown_point", "not_eligible", "duplicate_reading")
    }
    assert lost == {"unknown_point": 96, "not_eligible": 96, "duplicate_reading": 3}
    assert {row["grid_area"] for row in outcome.found("unknown_point")} == {None}
    assert {row["grid_area"] for row in outcome.found("not_eligible")} == {market.AREA}
    of_area = result(way.home, "findings", [DAY], grid_area=market.OTHER_AREA).to_pylist()
    assert not [row for row in of_area if row["rule"] == "not_eligible"]


# ---- a broken file -------------------------------------------------------------------------------
GOOD = homes.table(read(flat()) + read(flat(), OTHER))


def _csv(tmp_path: Path) -> bytes:
    return homes.write(GOOD, tmp_path / "good.csv").read_bytes()


def _broken(tmp_path: Path) -> dict[str, Path]:
    """Give files that are good until their end."""
    good = _csv(tmp_path).decode()
    first = good.splitlines()[1].split(",")
    texts = {
        "a reading below zero": ",".join([*first[:3], "-1", *first[4:]]),
        "no number": ",".join([*first[:3], "many", *first[4:]]),
        "no such register": ",".join([first[0], '"1.8.7"', *first[2:]]),
        "a wrong check digit": ",".join([str(POINT + 1), *first[1:]]),
        "local time": ",".join([*first[:2], "2026-01-14T00:15:00", *first[3:]]),
        "too few cells": "871685900000000001,1.8.0",
        "too many cells": ",".join([*first, "9", "9"]),
        "an open quote": '"871685900000000001,1.8.0',
    }
    made = {}
    for number, (name, line) in enumerate(texts.items()):
        made[name] = tmp_path / f"broken-{number}.csv"
        made[name].write_text(good + line + "\n", "utf-8")
    made["no text"] = tmp_path / "broken.csv"
    made["no text"].write_bytes(good.encode() + b"\xff\xfe\x00")
    made["half a file"] = tmp_path / "half.parquet"
    whole = homes.write(GOOD, tmp_path / "whole.parquet").read_bytes()
    made["half a file"].write_bytes(whole[: len(whole) // 2])
    made["no file"] = tmp_path / "nowhere.csv"
    made["a folder"] = tmp_path / "folder.csv"
    made["a folder"].mkdir()
    made["empty"] = tmp_path / "empty.csv"
    made["empty"].write_bytes(b"")
    return made


def test_a_broken_file_leaves_nothing_behind(way: Market, tmp_path: Path) -> None:
    way.deliver(read(flat()), recorded_at=RECORDED - HOUR)
    before = homes.contents(way.home.root)
    good = homes.write(read(flat(step=90)), tmp_path / "other.csv")
    for name, path in _broken(tmp_path).items():
        for sources in ([path], [good, path], [path, good]):
            with pytest.raises(FileRefused) as refused:
                ingest(Home(way.home.root), sources, recorded_at=RECORDED)
            assert refused.value.count, name
            assert homes.contents(way.home.root) == before, name
    # The good file was not taken for delivered.
    assert ingest(way.home, [good], recorded_at=RECORDED).rows_kept == 97


def test_a_broken_register_leaves_nothing_behind(way: Market, tmp_path: Path) -> None:
    before = homes.contents(way.home.root)
    rows = [point(ean(20)), point(ean(21), brp="8716871000001")]
    with pytest.raises(FileRefused, match="brp"):
        take_register(way.home, [homes.write_register(rows, tmp_path / "points.csv")])
    with pytest.raises(FileRefused, match="brp"):
        take_register(way.home, [pa.Table.from_pylist(rows)])
    assert homes.contents(way.home.root) == before


def test_no_room_to_sort_leaves_nothing_behind(
    way: Market, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = homes.contents(way.home.root)
    rows = [row for k in range(40) for row in read(flat(), POINT, meter=f"M{k}")]
    delivered = tmp_path / "readings.parquet"
    pq.write_table(homes.table(rows), delivered)
    monkeypatch.setattr(sorting, "HELD_BYTES", 0)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))  # as of a disk that is full
    try:
        with pytest.raises(OSError, match="no room to sort"):
            ingest(way.home, [delivered], recorded_at=RECORDED)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert homes.contents(way.home.root) == before


@st.composite
def mutations(draw: st.DrawFn, length: int) -> list[tuple[int, int, bytes]]:
    """Give changes of a file: where, how much is cut, and what is put there."""
    return draw(
        st.lists(
            st.tuples(
                st.integers(0, length),
                st.integers(0, 30),
                st.sampled_from([b"", b"9", b"\n", b",", b'"', b"\x00", b"\xff", b"2.8.0", b"-"]),
            ),
            min_size=1,
            max_size=3,
        )
    )


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
@settings(max_examples=60)
@given(data=st.data())
def test_a_fuzzed_file_is_taken_in_whole_or_not_at_all(
    base: Path, suffix: str, data: st.DataObject
) -> None:
    home = _copy(base)
    folder = home.root.parent
    path = folder / f"fuzzed{suffix}"
    if suffix == ".csv":
        homes.write(GOOD.slice(90, 40), path)
    else:
        pq.write_table(GOOD, path, write_page_checksum=True)
    content = path.read_bytes()
    for at, cut, put in data.draw(mutations(len(content))):
        content = content[:at] + put + content[at + cut :]
    path.write_bytes(content)
    before = homes.contents(home.root)
    intake = None
    with suppress(FileRefused):
        intake = ingest(home, [path], recorded_at=RECORDED)
    if intake is None:
        assert homes.contents(home.root) == before
    else:
        assert intake.rows_in == intake.rows_kept + sum(intake.found.values())
        assert homes.whole(home)
        named = {p.name for p in (home.root / "deliveries").iterdir()}
        assert len(named) == 2
    assert not (home.root / "tmp").exists()
    shutil.rmtree(folder)


def test_the_manifest_of_a_delivery_adds_up(way: Market, tmp_path: Path) -> None:
    path = homes.write(read(flat()) + read(flat(), UNKNOWN)[:3], tmp_path / "readings.csv")
    intake = ingest(way.home, [path], recorded_at=RECORDED)
    (file,) = (way.home.root / "deliveries").glob(f"*{intake.delivery}.json")
    manifest = json.loads(file.read_text("utf-8"))
    assert manifest["rows_in"] == 100
    assert manifest["rows_kept"] + sum(manifest["rows_found"].values()) == 100
    assert manifest["recorded_at"] == int(RECORDED.timestamp())
    said = {"name": "readings.csv", "bytes": path.stat().st_size}
    assert manifest["inputs"] == [{**said, "sha256": homes.sha256(path)}]
    assert REGISTERED < RECORDED


def test_a_file_is_known_by_what_is_in_it_and_not_by_its_size(way: Market, tmp_path: Path) -> None:
    one, other, same = (
        homes.write(read(flat(start=start)), tmp_path / name)
        for start, name in ((100_000, "one.csv"), (200_000, "other.csv"), (100_000, "same.csv"))
    )
    assert one.stat().st_size == other.stat().st_size
    together = ingest(way.home, [one, other, same], recorded_at=RECORDED)
    assert (together.rows_in, together.skipped) == (2 * 97, ("same.csv",))
    later = RECORDED + timedelta(hours=1)
    assert ingest(way.home, [same], recorded_at=later).skipped == ("same.csv",)
    # As one that was taken in when sizes were not said.
    (file,) = (way.home.root / "deliveries").glob(f"*{together.delivery}.json")
    manifest = json.loads(file.read_text("utf-8"))
    for said in manifest["inputs"]:
        del said["bytes"]
    file.write_text(json.dumps(manifest), "utf-8")
    assert ingest(Home(way.home.root), [other], recorded_at=later).skipped == ("other.csv",)
