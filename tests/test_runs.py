"""Runs by the calendar, corrections and trials: once each, repeatable, as known at a moment."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
import pytest

from kwartier import Home, HomeError, runs
from kwartier.adapters.ledger import Run
from kwartier.runs import allocating
from kwartier.runs.way import Way
from tests.closing import (
    LATER,
    METERED,
    NET,
    Clock,
    clock_of,
    closing,
    due,
    exchanged,
    hour,
    left_over,
    measured,
    parties,
    process,
    published,
    registered,
    tables_of,
)
from tests.market import (
    AREA,
    BRP,
    DAY,
    LOSS,
    ONE_DAY,
    OTHER,
    OTHER_AREA,
    OTHER_BRP,
    OTHER_SUPPLIER,
    POINT,
    SUPPLIER,
    TELEMETRY,
    Market,
    coupling,
    ean,
    flat,
    lighting,
    point,
    read,
    volumes,
)

N = 96
NOON = hour(DAY + ONE_DAY, 12)  # an hour after D+1 became due
TO_FIVE, TO_TEN = hour(DAY + 8 * ONE_DAY, 0), hour(DAY + 15 * ONE_DAY, 0)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return clock_of(monkeypatch)


@pytest.fixture
def market(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> Market:
    """A home with an area that closes on DAY, its ledger in a database of each kind."""
    monkeypatch.setenv("KWARTIER_LEDGER", database_url)
    return closing(tmp_path)


@pytest.fixture
def plain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clock: Clock) -> Market:
    """A home with an area that closes on DAY, and its ledger in it."""
    monkeypatch.delenv("KWARTIER_LEDGER", raising=False)
    return closing(tmp_path)


def states(market: Market) -> list[tuple[date, str, str]]:
    made = runs.ledger_of(market.home).runs()
    return [(run.market_day, run.kind, run.state) for run in made]


# ---- the calendar -------------------------------------------------------------------------------
def test_what_is_due_is_run_once(market: Market) -> None:
    assert due(market, NOON - 2 * LATER) == []
    (run,) = due(market, NOON)
    assert (run.market_day, run.grid_area, run.kind) == (DAY, AREA, "D+1")
    assert (run.state, run.publication, run.previous) == ("complete", 1, None)
    assert run.known_at == NOON.timestamp()
    assert due(market, NOON + LATER) == []
    assert published(market) == [(DAY, 1, run.run)]
    assert left_over(market) == []


def test_the_next_kind_follows_the_one_before(market: Market) -> None:
    (first,) = due(market, NOON)
    exchanged(market, DAY + ONE_DAY, TO_FIVE - LATER)
    second = next(run for run in due(market, TO_FIVE) if run.market_day == DAY)
    assert (second.kind, second.publication, second.previous) == ("D+5", 2, first.run)
    assert (DAY, "D+1", "missed") not in states(market)


def test_after_standstill_only_the_newest_kind_of_each_day_is_run(
    tmp_path: Path, clock: Clock
) -> None:
    days = (DAY, DAY + ONE_DAY)
    market = closing(tmp_path, *days)

    def made_at(at: datetime) -> list[tuple[date, str, str]]:
        return [(r.market_day, r.kind, r.state) for r in due(market, at) if r.market_day in days]

    # Of Wednesday the fifth working day has come; of Thursday it comes at noon.
    assert made_at(TO_FIVE) == [(days[0], "D+5", "complete"), (days[1], "D+1", "complete")]
    assert [s for s in states(market) if s[2] == "missed"] == [(days[0], "D+1", "missed")]
    assert made_at(TO_TEN) == [(day, "D+10", "complete") for day in days]
    missed = [s[:2] for s in states(market) if s[2] == "missed" and s[0] in days]
    assert missed == [(days[0], "D+1"), (days[1], "D+5")]
    assert [entry[:2] for entry in published(market)] == [(d, n) for d in days for n in (1, 2)]


def test_a_refused_run_is_tried_again_when_something_came(market: Market) -> None:
    late = DAY + ONE_DAY
    measured(market, late)
    at = hour(late + ONE_DAY, 12)
    made = [run for run in due(market, at) if run.market_day == late]
    # It would be refused again as long as nothing is known that was not known then.
    assert not [run for run in due(market, at + LATER) if run.market_day == late]
    measured(market, late, at + LATER, OTHER)
    made += [run for run in due(market, at + LATER) if run.market_day == late]
    assert [run.state for run in made] == ["refused", "refused"]
    assert "quarter volumes are missing" in str(made[1].reason)
    assert made[0].run != made[1].run
    assert runs.of_run(market.home, made[1], "findings").num_rows > 0
    exchanged(market, late, at + 2 * LATER)
    (last,) = [run for run in due(market, at + 2 * LATER) if run.market_day == late]
    assert (last.state, last.turn, last.publication) == ("complete", 3, 1)
    measured(market, late, at + 3 * LATER, OTHER, 300)
    assert not [run for run in due(market, at + 3 * LATER) if run.market_day == late]


def test_a_day_of_which_nothing_came_is_refused_too(plain: Market) -> None:
    (run,) = [r for r in due(plain, NOON + 2 * ONE_DAY) if r.market_day == DAY + 2 * ONE_DAY]
    assert run.state == "refused"


def test_when_nothing_is_due_the_next_is_known(plain: Market, tmp_path: Path) -> None:
    at = int((NOON - 2 * LATER).timestamp())
    following = runs.next_due_of(plain.home, at)
    assert following is not None
    assert (following.market_day, following.kind) == (DAY, "D+1")
    assert following.due_at == (NOON - LATER).timestamp()
    empty = Market(tmp_path / "empty")
    registered(empty)
    assert runs.next_due_of(empty.home, at) is None
    assert due(empty, NOON) == []


def test_a_file_that_is_lost_does_not_keep_other_areas_waiting(plain: Market) -> None:
    other = {"grid_area": OTHER_AREA}
    plain.register(point(LOSS, group="NVL", **other))
    plain.couplings(coupling(ean(951), **other))
    series = (volumes(ean(951), 500, "E18"), volumes(ean(951), 0), volumes(LOSS, 500))
    plain.volumes(*series, recorded_at=NOON - LATER)
    readings = plain.home.root / "readings" / f"market_day={DAY}" / f"grid_area={AREA}"
    kept = {path: path.read_bytes() for path in readings.iterdir()}
    for path in kept:
        path.write_bytes(b"damaged")
    made = {run.grid_area: run for run in due(plain, NOON) if run.market_day == DAY}
    assert {area: run.state for area, run in made.items()} == {
        AREA: "failed",
        OTHER_AREA: "complete",
    }
    assert "is damaged" in str(made[AREA].reason)
    for path, content in kept.items():
        path.write_bytes(content)
    home = Home(plain.home.root)
    again = runs.run_due(home, at=NOON + LATER, threads=1)
    (mended,) = [run for run in again if run.market_day == DAY]
    assert (mended.grid_area, mended.state, mended.publication) == (AREA, "complete", 1)


@pytest.mark.parametrize("threads", [1, 2])
def test_what_is_read_ahead_and_lost_fails_the_run_that_asks_for_it(
    plain: Market, threads: int
) -> None:
    first, second = AREA, OTHER_AREA  # the second has more points, and so comes last
    # The first area has shapes of its own, and asks for no other.
    plain.parameters("min_points_for_shape: {values: {2020-01-01: 1}}\n")
    many = [point(ean(701 + n), grid_area=second) for n in range(20)]
    plain.register(point(ean(700), consumption_type="AZI"), *many)
    both = [read(flat(DAY), ean(700), register=register) for register in ("1.8.0", "2.8.0")]
    plain.deliver(*both, read(flat(DAY), ean(701)), recorded_at=NOON)
    readings = plain.home.root / "readings" / f"market_day={DAY}" / f"grid_area={second}"
    kept = {path: path.read_bytes() for path in readings.iterdir()}
    for path, content in kept.items():
        path.write_bytes(content[:4] + bytes(200) + content[204:])  # its end is whole
    with pytest.raises(HomeError, match="is damaged"):
        plain.allocate(threads=threads)
    made = {run.grid_area: run.state for run in runs.ledger_of(plain.home).runs()}
    assert made == {first: "complete", second: "failed"}
    for path, content in kept.items():
        path.write_bytes(content)
    plain = Market(plain.home.root.parent)
    again = plain.allocate(threads=threads)
    assert [(run.grid_area, run.state) for run in again] == [
        (first, "complete"),
        (second, "complete"),
    ]


def test_what_was_read_ahead_and_not_asked_for_does_no_harm_to_another_day(plain: Market) -> None:
    """Another process made the run, or it was refused before it asked."""
    readings = plain.home.root / "readings" / f"market_day={DAY}" / f"grid_area={AREA}"
    for path in readings.iterdir():
        content = path.read_bytes()
        path.write_bytes(content[:4] + bytes(200) + content[204:])  # its end is whole
    known_at = int((NOON + LATER).timestamp())
    way = Way(plain.home, known_at, AREA, 1, False, lambda done: None, lambda: None)
    way.ahead(DAY, AREA)
    way._behind.shutdown()  # waits for it
    way.forget(DAY)
    with pytest.raises(HomeError, match="is damaged"):
        Way(plain.home, known_at, AREA, 1, False, lambda done: None, lambda: None).take(DAY, AREA)


def test_two_processes_make_each_due_run_once(market: Market) -> None:
    for day in (DAY + ONE_DAY, DAY + 2 * ONE_DAY):
        exchanged(market, day)
        measured(market, day)
    at = hour(DAY + 3 * ONE_DAY, 12)
    code = (
        "print('ready', flush=True); sys.stdin.readline()\n"
        "home, at = Home(sys.argv[1]), datetime.fromisoformat(sys.argv[2])\n"
        "made = runs.run_due(home, at=at, threads=1)\n"
        "print(*[run.run for run in made if run.state == 'complete'])\n"
    )
    both = [process(code, str(market.home.root), at.isoformat()) for _ in range(2)]
    for one in both:
        assert one.stdout is not None
        assert one.stdout.readline() == "ready\n"
    told = [one.communicate("go\n", timeout=60) for one in both]
    assert [one.returncode for one in both] == [0, 0], told
    made = sorted(run for out, _ in told for run in out.split())
    days = [DAY, DAY + ONE_DAY, DAY + 2 * ONE_DAY]
    assert [(day, number) for day, number, _ in published(market)] == [(day, 1) for day in days]
    assert made == sorted(run for *_, run in published(market))
    assert left_over(market) == []


# ---- corrections --------------------------------------------------------------------------------
def corrected(market: Market, clock: Clock, at: datetime) -> Run:
    clock(at)
    (run,) = runs.correct(market.home, [DAY], threads=1)
    assert (run.kind, run.state) == ("correction", "complete")
    return run


def test_a_chain_of_corrections(market: Market, clock: Clock) -> None:
    home = market.home
    made = due(market, NOON)
    at = NOON + LATER
    # Readings that came late: the other party was estimated until then.
    measured(market, at=at, number=OTHER, wh=200)
    made.append(corrected(market, clock, at + LATER / 2))
    # Telemetry that was mended.
    at += LATER
    market.volumes(volumes(TELEMETRY, METERED + 1_000), recorded_at=at)
    made.append(corrected(market, clock, at + LATER / 2))
    # A switch of supplier that was entered late, and holds since before the day.
    at += LATER
    switched = {"brp": OTHER_BRP, "supplier": OTHER_SUPPLIER, "valid_from": DAY - ONE_DAY}
    market.register(point(POINT, **switched), recorded_at=at)
    made.append(corrected(market, clock, at + LATER / 2))
    # A parameter that was set otherwise.
    at += LATER
    market.parameters("residual_assigned_to: {values: {2026-01-01: nobody}}\n", recorded_at=at)
    made.append(corrected(market, clock, at + LATER / 2))

    assert len({run.run for run in made}) == 5
    assert published(market) == [(DAY, n, run.run) for n, run in enumerate(made, start=1)]
    assert [run.previous for run in made] == [None, *[run.run for run in made[:-1]]]
    allocations = [runs.of_run(home, run, "allocation") for run in made]
    sums = [parties(table) for table in allocations]
    mine, theirs = (BRP, SUPPLIER), (OTHER_BRP, OTHER_SUPPLIER)
    profiled = (*mine, "PRF", "E17")
    # The first quarter has no reading at its beginning.
    assert sums[1][(*theirs, "SMA", "E17")][1:] == [200] * (N - 1)
    assert sums[1][profiled][1:] == [NET - METERED - 300] * (N - 1)
    assert sums[2][(*theirs, "TMT", "E17")] == [METERED + 1_000] * N
    assert sums[2][profiled][1:] == [NET - METERED - 1_300] * (N - 1)
    assert sums[3][(*theirs, "SMA", "E17")][1:] == [300] * (N - 1)

    live = [parties(table.filter(pc.invert(table["withdrawn"]))) for table in allocations]
    for n, run in enumerate(made):
        told = {
            (row["brp"], row["supplier"], row["group"], row["direction"]): row
            for row in runs.differences(home, run).to_pylist()
        }
        old, new = (live[n - 1] if n else {}), live[n]
        zeros = [0] * N
        expected = {
            key: [b - a for a, b in zip(old.get(key, zeros), new.get(key, zeros), strict=True)]
            for key in old | new
            if old.get(key) != new.get(key)
        }
        assert set(told) == set(expected)
        for key, row in told.items():
            assert row["changed_wh"] == sum(map(abs, expected[key]))
            assert row["quarters"] == sum(map(bool, expected[key]))
            assert (row["before_wh"], row["after_wh"]) == tuple(
                sum(s[key]) if key in s else None for s in (old, new)
            )
            assert row["withdrawn"] == (key in old and key not in new)
    by_telemetry = runs.differences(home, made[2]).to_pylist()
    assert {(r["group"], r["changed_wh"], r["quarters"]) for r in by_telemetry} == {
        ("TMT", 1_000 * N, N),
        ("PRF", 1_000 * N, N),
    }
    # The latest creation wins.
    newest = runs.result(home, "allocation", [DAY])
    assert newest.equals(allocations[-1])

    for run, table in zip(made, allocations, strict=True):
        trial = market.allocate(known_at=datetime.fromtimestamp(run.known_at, NOON.tzinfo))[0]
        own, again = tables_of(market, run), tables_of(market, trial)
        # Of a trial nothing leaves.
        assert {k: v for k, v in own.items() if k not in ("allocation", "disclosure")} == {
            k: v for k, v in again.items() if k != "allocation"
        }
        kept = table.filter(pc.invert(table["withdrawn"]))
        assert runs.of_run(home, trial, "allocation").equals(kept)


def test_a_party_that_went_away_is_withdrawn_in_every_later_run(
    market: Market, clock: Clock
) -> None:
    due(market, NOON)
    switched = {"brp": OTHER_BRP, "supplier": OTHER_SUPPLIER, "valid_from": DAY}
    market.register(point(POINT, **switched), recorded_at=NOON + LATER)
    gone = (BRP, SUPPLIER, "SMA")
    made = [corrected(market, clock, NOON + n * LATER) for n in (2, 3)]
    made += [run for run in due(market, TO_FIVE) if run.market_day == DAY]
    assert [run.kind for run in made] == ["correction", "correction", "D+5"]
    for n, run in enumerate(made):
        rows = [
            row
            for row in runs.of_run(market.home, run, "allocation").to_pylist()
            if (row["brp"], row["supplier"], row["group"]) == gone
        ]
        # Both directions, measured and calculated.
        assert len(rows) == 4 * N
        assert {(r["volume_wh"], r["points"], r["withdrawn"]) for r in rows} == {(0, 0, True)}
        told = [r["withdrawn"] for r in runs.differences(market.home, run).to_pylist()]
        assert any(told) == (n == 0)
    # Who comes back is no longer withdrawn.
    market.register(point(POINT, valid_from=DAY), recorded_at=TO_FIVE + LATER)
    back = runs.of_run(market.home, corrected(market, clock, TO_FIVE + 2 * LATER), "allocation")
    assert not [r for r in back.to_pylist() if r["withdrawn"] and r["brp"] == BRP]
    assert parties(back)[(*gone, "E17")][1:] == [100] * (N - 1)


def test_an_older_run_is_not_published_after_a_newer(
    market: Market, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = Home(market.home.root)
    newer: list[Run] = []

    def meanwhile(done: int, total: int | None) -> None:
        if not newer:
            newer.append(Run(**dict.fromkeys(Run.__annotations__)))  # no more than once
            clock(NOON + LATER)
            newer[:] = runs.correct(other, [DAY], threads=1)

    (older,) = due(market, NOON, progress=meanwhile)
    assert [run.state for run in newer] == ["complete"]
    assert older.state == "failed"
    assert newer[0].run in str(older.reason)
    assert "created later, was published before" in str(older.reason)
    assert published(market) == [(DAY, 1, newer[0].run)]
    assert left_over(market) == []
    # It is still asked; made anew it is the newest, and is held against what was published.
    (anew,) = due(market, NOON + 2 * LATER)
    assert (anew.publication, anew.previous, anew.turn) == (2, newer[0].run, 2)


def test_what_is_withdrawn_is_held_against_the_run_that_was_quicker(
    market: Market, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another run is published between the moment that a run looks back and the moment it ends."""
    first = due(market, NOON)[0]
    switched = {"brp": OTHER_BRP, "supplier": OTHER_SUPPLIER, "valid_from": DAY}
    market.register(point(POINT, **switched), recorded_at=NOON + LATER)
    usual, quicker = allocating.Runner._publish, []

    def publish(runner: Any, run: Run, *rest: Any) -> Run:
        if not quicker:
            quicker.append(run)
            # An older run than this one, which was begun before it and ends before it.
            monkeypatch.setattr(allocating.Runner, "_publish", usual)
            quicker[:] = [run for run in due(older, TO_FIVE) if run.market_day == DAY]
        return usual(runner, run, *rest)

    older = Market.__new__(Market)
    older.home = Home(market.home.root)
    held = runs.ledger_of(older.home)
    claim = allocating.Question(DAY, AREA, "D+5", int(TO_FIVE.timestamp()))
    worker = "gone"
    held.claim(claim, worker=worker, now=0, lease=1, gone=lambda _: True)
    monkeypatch.setattr(allocating.Runner, "_publish", publish)
    last = corrected(market, clock, TO_FIVE + LATER)
    assert [run.kind for run in quicker] == ["D+5"]
    assert [run for *_, run in published(market)] == [first.run, quicker[0].run, last.run]
    assert last.previous == quicker[0].run
    rows = runs.of_run(market.home, last, "allocation")
    assert pc.sum(rows["withdrawn"].cast("int64")).as_py() == 4 * N


# ---- the same question --------------------------------------------------------------------------
def test_the_same_question_gives_the_same_run(market: Market) -> None:
    first = market.allocate(known_at=NOON)
    again = market.allocate(known_at=NOON)
    assert again == first
    afresh = runs.allocate(market.home, [DAY], known_at=NOON, threads=2, afresh=True)
    assert afresh == first
    later = market.allocate(known_at=NOON + LATER)  # nothing came in between
    assert later == first
    made = runs.ledger_of(market.home).runs()
    assert [run.state for run in made] == ["complete", "unchanged", "unchanged", "unchanged"]
    assert {run.same_as for run in made[1:]} == {first[0].run}
    assert published(market) == []


def test_two_homes_that_took_in_the_same_give_the_same_bytes(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("KWARTIER_LEDGER", raising=False)
    made = []
    for name in ("one", "other"):
        clock(NOON)
        market = closing(tmp_path / name)
        own = due(market, NOON)
        switched = {"brp": OTHER_BRP, "supplier": OTHER_SUPPLIER, "valid_from": DAY}
        market.register(point(POINT, **switched), recorded_at=NOON + LATER)
        own.append(corrected(market, clock, NOON + 2 * LATER))
        made.append([(run.run, tables_of(market, run)) for run in own])
    for (one, its), (other, others) in zip(*made, strict=True):
        assert one != other
        assert its == others


def late_readings(market: Market, at: datetime) -> None:
    measured(market, at=at, number=OTHER, wh=200)


def late_register(market: Market, at: datetime) -> None:
    market.register(point(POINT, brp=OTHER_BRP, valid_from=DAY), recorded_at=at)


def late_telemetry(market: Market, at: datetime) -> None:
    market.volumes(volumes(TELEMETRY, 7), recorded_at=at)


def late_coupling(market: Market, at: datetime) -> None:
    market.couplings(coupling(ean(960)), recorded_at=at)
    market.volumes(volumes(ean(960), 1, "E18"), volumes(ean(960), 0), recorded_at=at)


def late_fractions(market: Market, at: datetime) -> None:
    market.fractions(lighting("lamps", 9_000), recorded_at=at)


def late_parameters(market: Market, at: datetime) -> None:
    market.parameters("residual_assigned_to: {values: {2026-01-01: nobody}}\n", recorded_at=at)


@pytest.mark.parametrize(
    "late",
    [
        late_readings,
        late_register,
        late_telemetry,
        late_coupling,
        late_fractions,
        late_parameters,
    ],
)
def test_what_came_later_does_not_change_what_was_known(
    plain: Market, late: Callable[[Market, datetime], None]
) -> None:
    lamps = {"group": "DIM", "dimensioned_profile": "lamps", "annual_offtake_normal_wh": 10**7}
    plain.register(point(ean(903), **lamps))
    plain.fractions(lighting("lamps", 5_000))
    (before,) = plain.allocate(known_at=NOON)
    late(plain, NOON + timedelta(seconds=1))
    home = Home(plain.home.root)
    (then,) = runs.allocate(home, [DAY], known_at=NOON, threads=1, afresh=True)
    assert then == before
    assert runs.ledger_of(home).runs()[-1].state == "unchanged"
    (now,) = runs.allocate(home, [DAY], known_at=NOON + LATER, threads=1)
    assert now.run != before.run
    assert tables_of(plain, now) != tables_of(plain, before)


# ---- what is of the content of a run ------------------------------------------------------------
def test_readings_of_long_ago_make_another_run_where_they_tell_who_was_unread(
    tmp_path: Path,
) -> None:
    """A point that was unread for long is profiled, once the home reaches back so far."""
    day = date(2026, 6, 9)
    market = closing(tmp_path, day)
    at = hour(day + ONE_DAY, 12)
    (before,) = market.allocate(day, known_at=at)
    long_ago = day - 30 * ONE_DAY
    # The point lies far from the unread one, so no file that is read for the day has changed.
    market.register(point(ean(70)), recorded_at=at - LATER)
    market.deliver(read(flat(long_ago), ean(70), day=long_ago), recorded_at=at + LATER)
    (known,) = market.allocate(day, known_at=at)
    (after,) = market.allocate(day, known_at=at + LATER)
    (again,) = market.allocate(day, known_at=at + LATER)
    fell = [
        "fell_back_to_profile" in runs.of_run(market.home, run, "findings")["rule"].to_pylist()
        for run in (before, known, after)
    ]
    assert fell == [False, False, True]
    assert again == after
    inputs = [runs.ledger_of(market.home).inputs(run) for run in (known, after)]
    assert inputs[0] == inputs[1]


def test_parameters_of_a_day_beside_make_another_run(plain: Market) -> None:
    """Where a gap reaches over midnight the day beside is judged by its own parameters."""
    (before,) = plain.allocate(known_at=NOON)
    text = "bracket_days: {values: {2020-01-01: 10}}\n"
    plain.parameters(text, recorded_at=NOON + LATER)
    (after,) = plain.allocate(known_at=NOON + LATER)
    inputs = runs.ledger_of(plain.home).inputs(after)
    assert after.run != before.run
    assert [path.split("/")[0] for path, _ in inputs].count("parameters") == 1
