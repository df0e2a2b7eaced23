"""Situations of the market as folders that a market expert can read and write.

`scenarios/given_<situation>/` holds PURPOSE.md, in a few lines, and

- when/: what is delivered, each file as a delivery at noon UTC of the date in its name, as in
  `readings_of_2026-01-20.csv`. Without a date in their names, register.csv, couplings.csv,
  fractions.csv and parameters.yaml were known long before; readings.csv and volumes.csv came two
  days after the last day that is held against anything. register, readings and volumes may come
  more than once.
- when/runs.csv: runs that are published, in order: `kind` and the moment `at` which they are made.
  A kind of the calendar is made because it is due then, a `correction` because someone asks.
- then/: what comes of it when all is known: totals.csv, every series with its sum of the day;
  allocation.csv, some of its rows; findings.csv, every finding, but of area_not_closed only where
  the file names it; coverage.csv, every row with points; balance.csv, the sum of the day of every
  line that is not 0, or, where it has a position, some of its rows; residual.csv, some of its
  rows; refused.csv, every area that is refused and how the reason begins. Any of them, with any
  of their columns; the days are those that they name.
- then_as_known_on_<date>/: the same, as known at 18:00 UTC of that date.
- then_of_run_<n>/: the same of the nth run of when/runs.csv, and differences.csv, every row.

So that files stay small, readings, volumes and fractions may name a `market_day` in place of the
moment. Such a row stands for every period of the day, or for those of its `position`: one, `13`, or
some, `13-16`. In readings it has `step_wh` in place of a reading: what each of the periods adds to
the register, which goes on from the row above; it begins at `start_wh` where that is given, else
first at 1000 kWh. Rows that are expected may have such a position as well.

Every area that has couplings must close: in each period as much comes in as goes out.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from kwartier import (
    Home,
    HomeError,
    allocate,
    correct,
    ingest,
    ingest_volumes,
    run_due,
    take_couplings,
    take_fractions,
    take_parameters,
    take_register,
)
from kwartier.adapters.ledger import Run
from kwartier.runs import allocating, of_run
from tests.market import REGISTERED, START, moments

SCENARIOS = sorted((Path(__file__).parent / "scenarios").glob("given_*"))
EVERYTHING_KNOWN = datetime(2027, 1, 1, tzinfo=UTC)
SERIES = (
    "market_day",
    "grid_area",
    "brp",
    "supplier",
    "group",
    "profile_category",
    "consumption_type",
    "direction",
    "origin",
    "withdrawn",
)
LINE = ("market_day", "grid_area", "line", "direction")
OF_RUN = "then_of_run_"
Row = dict[str, str]


class Given(NamedTuple):
    """A file of a folder: its columns and its rows."""

    names: list[str]
    rows: list[Row]


def at(day: date, hour: int) -> datetime:
    return datetime.combine(day, time(hour), UTC)


def read(path: Path) -> Given | None:
    if not path.exists():
        return None
    with path.open(newline="", encoding="utf-8") as file:
        rows = csv.DictReader(file)
        return Given(list(rows.fieldnames or ()), list(rows))


def positions(said: str, last: int) -> range:
    first, _, to = said.partition("-")
    return range(int(first or 1), int(to or first or last) + 1)


# -- what is delivered


def unfolded(path: Path, folder: Path) -> Path:
    """Give a file with a row for each moment; a new one in a folder where it names market days."""
    given = read(path)
    assert given is not None
    if "market_day" not in given.names:
        return path
    rows = list(readings(given.rows) if "step_wh" in given.names else periods(given.rows))
    names = [name for name in rows[0] if name not in ("market_day", "position")]
    made = folder / path.name
    with made.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, names, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
    return made


def periods(rows: Iterable[Row]) -> Iterator[Row]:
    for row in rows:
        starts = moments(date.fromisoformat(row["market_day"]))[:-1]
        for position in positions(row.get("position", ""), len(starts)):
            yield row | {"period_start": starts[position - 1].isoformat()}


def readings(rows: Iterable[Row]) -> Iterator[Row]:
    made: dict[tuple[str, str, datetime], int] = {}
    counted: dict[tuple[str, str], int] = {}
    for row in rows:
        of = (row["accounting_point"], row["register"])
        read_at = moments(date.fromisoformat(row["market_day"]))
        through = positions(row.get("position", ""), len(read_at) - 1)
        reading = int(row.get("start_wh") or counted.get(of, START))
        for j in range(through[0] - 1, through[-1] + 1):
            made[*of, read_at[j]] = reading
            counted[of] = reading
            reading += int(row["step_wh"])
    for (point, register, moment), reading in made.items():
        yield {
            "accounting_point": point,
            "register": register,
            "read_at": moment.isoformat(),
            "reading_wh": str(reading),
        }


def deliveries(
    scenario: Path, home: Home, folder: Path, last_day: date
) -> Iterator[tuple[datetime, Callable[[], Any]]]:
    """Give what is taken in, each with its moment."""
    known_long, after = REGISTERED, at(last_day + timedelta(days=2), 12)
    doors: tuple[tuple[str, Any, datetime], ...] = (
        ("register", take_register, known_long),
        ("couplings", take_couplings, known_long),
        ("fractions", take_fractions, known_long),
        ("readings", ingest, after),
        ("volumes", ingest_volumes, after),
    )
    parameters = scenario / "when" / "parameters.yaml"
    if parameters.exists():
        yield known_long, lambda: take_parameters(home, parameters, recorded_at=known_long)
    for name, take, undated in doors:
        for path in sorted((scenario / "when").glob(f"{name}*.csv")):
            _, _, said = path.stem.partition("_of_")
            moment = at(date.fromisoformat(said), 12) if said else undated

            def deliver(path: Path = path, take: Any = take, moment: datetime = moment) -> None:
                take(home, [unfolded(path, folder)], recorded_at=moment)

            yield moment, deliver


# -- what is run


def published(
    scenario: Path, home: Home, days: list[date], threads: int, made: list[list[Run]]
) -> Iterator[tuple[datetime, Callable[[], Any]]]:
    """Give the runs that are published, each with its moment; what they make goes into `made`."""
    given = read(scenario / "when" / "runs.csv")
    for row in given.rows if given else ():
        moment = datetime.fromisoformat(row["at"])

        def run(kind: str = row["kind"], moment: datetime = moment) -> None:
            if kind == "correction":
                with pytest.MonkeyPatch.context() as clock:
                    clock.setattr(allocating, "seconds", lambda _: int(moment.timestamp()))
                    runs = correct(home, days, threads=threads)
            else:
                runs = run_due(home, at=moment, threads=threads)
            runs = [run for run in runs if run.market_day in days]
            assert {run.kind for run in runs} == {kind}
            assert all((run.publication is not None) == (run.state == "complete") for run in runs)
            made.append(runs)

        yield moment, run


# -- what comes of it


def text(value: Any, name: str) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%dT%H:%M:%SZ")
    return f"{value:018d}" if name == "accounting_point" else str(value)


def texts(rows: Iterable[dict[str, Any]]) -> list[Row]:
    return [{name: text(value, name) for name, value in row.items()} for row in rows]


def totals(rows: list[dict[str, Any]], names: tuple[str, ...]) -> list[dict[str, Any]]:
    sums: Counter[tuple[Any, ...]] = Counter()
    for row in rows:
        sums[tuple(row[name] for name in names)] += row["volume_wh"]
    return [dict(zip(names, key, strict=True)) | {"volume_wh": wh} for key, wh in sums.items()]


def not_zero(rows: list[Row]) -> list[Row]:
    return [row for row in rows if row["volume_wh"] != "0"]


def same(rows: list[Row], then: Given) -> None:
    """Hold all rows against all that are expected, by the columns that are given."""
    assert Counter(tuple(row[n] for n in then.names) for row in rows) == Counter(
        tuple(row[n] for n in then.names) for row in then.rows
    )


def each_there(rows: list[Row], then: Given) -> None:
    """Find each row that is expected."""
    for said in then.rows:
        for position in positions(said["position"], 0):
            row = said | {"position": str(position)}
            found = [r for r in rows if row.items() <= r.items()]
            assert len(found) == 1, f"{len(found)} rows like {row}: {alike(rows, row)}"


def alike(rows: list[Row], row: Row) -> list[Row]:
    """Give the rows that differ from one least, for who reads that a scenario failed."""
    differ = [sum(r[name] != value for name, value in row.items()) for r in rows]
    return [r for r, count in zip(rows, differ, strict=True) if count == min(differ)]


def closes(allocation: list[dict[str, Any]], balance: list[dict[str, Any]]) -> None:
    """Prove of every area with a balance that as much comes in as goes out, in every period."""
    open_wh: Counter[tuple[Any, ...]] = Counter()
    areas = {(row["market_day"], row["grid_area"]) for row in balance}
    for row in chain(allocation, (row for row in balance if row["line"] in ("NKP", "RST"))):
        if (row["market_day"], row["grid_area"]) in areas:
            sign = 1 if row["direction"] == "E18" else -1
            key = (row["market_day"], row["grid_area"], row["position"])
            open_wh[key] += sign * row["volume_wh"]
    assert not any(open_wh.values())


def of_no_area(home: Home, runs: list[Run]) -> list[dict[str, Any]]:
    """Give what was found, when data were taken in, of points that lie in no area on the day."""
    days = {run.market_day for run in runs}
    doubts = home.table_of("doubts", max(run.known_at for run in runs))
    rows = [row for table in doubts for row in table.to_pylist()]
    return [row for row in rows if row["grid_area"] is None and row["market_day"] in days]


def hold(home: Home, then: Path, runs: list[Run]) -> None:
    """Hold what runs made against what is expected."""
    complete = [run for run in runs if run.state == "complete"]
    refused = [run for run in runs if run.state == "refused"]
    assert len(complete) + len(refused) == len(runs)

    def table(name: str, of: list[Run]) -> list[dict[str, Any]]:
        return [row for run in of for row in of_run(home, run, name).to_pylist()]

    allocation, balance = table("allocation", complete), table("balance", complete)
    findings = texts([*table("findings", runs), *of_no_area(home, runs)])
    closes(allocation, balance)
    given = {path.stem: read(path) for path in then.glob("*.csv")}
    said = given.get("findings")
    if said and "area_not_closed" not in {row["rule"] for row in said.rows}:
        findings = [row for row in findings if row["rule"] != "area_not_closed"]
    made = {
        "totals": texts(totals(allocation, SERIES)),
        "allocation": texts(allocation),
        "coverage": [row for row in texts(table("coverage", complete)) if row["points"] != "0"],
        "findings": findings,
        "residual": texts(table("residual", complete)),
    }
    said = given.get("balance")
    if said and "position" in said.names:
        made["balance"] = texts(balance)
    elif said:
        made["balance"] = not_zero(texts(totals(balance, LINE)))
    if "differences" in given:
        made["differences"] = texts(table("differences", complete))
    for name, rows in made.items():
        said = given.get(name)
        if said is not None and "position" in said.names:
            each_there(rows, said)
        elif said is not None:
            same(rows, said)
    expected = given.get("refused") or Given([], [])
    assert len(refused) == len(expected.rows)
    for row in expected.rows:
        (run,) = (
            run
            for run in refused
            if (str(run.market_day), run.grid_area) == (row["market_day"], row["grid_area"])
        )
        assert str(run.reason).startswith(row["reason"])
        with pytest.raises(HomeError, match="is refused and has no allocation"):
            of_run(home, run, "allocation")


def days_of(then: Path) -> list[date]:
    tables = [read(path) for path in sorted(then.glob("*.csv"))]
    rows = [row for given in tables if given for row in given.rows]
    return sorted({date.fromisoformat(row["market_day"]) for row in rows})


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda path: path.name)
def test_scenario(scenario: Path, threads: int, tmp_path: Path) -> None:
    thens = sorted(scenario.glob("then*"))
    days = sorted({day for then in thens for day in days_of(then)})
    home = Home(tmp_path / "home", create=True)
    made: list[list[Run]] = []
    happen = [
        *deliveries(scenario, home, tmp_path, days[-1]),
        *published(scenario, home, days, threads, made),
    ]
    for _, do in sorted(happen, key=lambda event: event[0]):
        do()
    for then in thens:
        if then.name.startswith(OF_RUN):
            runs = made[int(then.name.removeprefix(OF_RUN)) - 1]
        else:
            said = then.name.removeprefix("then").removeprefix("_as_known_on_")
            known_at = at(date.fromisoformat(said), 18) if said else EVERYTHING_KNOWN
            runs = allocate(home, days_of(then), known_at=known_at, threads=threads)
        hold(home, then, runs)


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda path: path.name)
def test_every_scenario_says_its_purpose_and_what_comes_of_it(scenario: Path) -> None:
    purpose = (scenario / "PURPOSE.md").read_text("utf-8").splitlines()
    assert 2 <= len(purpose) <= 4
    names = {path.stem for then in scenario.glob("then*") for path in then.iterdir()}
    assert "totals" in names
    assert names <= {
        *("totals", "allocation", "findings", "coverage"),
        *("balance", "residual", "refused", "differences"),
    }
    used = {path.name.partition("_of_")[0].removesuffix(".csv") for path in
            (scenario / "when").iterdir()}  # fmt: skip
    assert used <= {
        *("register", "couplings", "fractions", "readings", "volumes"),
        *("runs", "parameters.yaml"),
    }
    runs = read(scenario / "when" / "runs.csv")
    assert len(list(scenario.glob(f"{OF_RUN}*"))) == (len(runs.rows) if runs else 0)
