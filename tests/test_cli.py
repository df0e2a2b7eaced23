"""The command line: every command, right and wrong; what it says, and what it never says."""

from __future__ import annotations

import csv
import json
import os
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from kwartier import Home, codes, findings, ingest, runs
from kwartier.apps.cli import app
from tests import homes, market
from tests.market import DAY, ONE_DAY, OTHER, POINT, Market, but, ean, flat, point, read

COMMANDS = ["register", "couplings", "ingest", "volumes", "fractions", "parameters"]
COMMANDS += ["allocate", "run", "runs", "show", "export", "demo"]
COMMANDS += ["programmes", "prices", "settle", "statement", "compare"]
COMMANDS += ["parties", "publish", "receive"]
RECORDED = "2026-01-16T06:00:00Z"
BEFORE = "2025-06-01T12:00:00Z"
SECRET = 7_654_321
LOW = codes.with_check_digit(123_456_789)  # an EAN with zeros in front
DONE, CANNOT, WRITTEN_WRONG, REFUSED = 0, 1, 2, 3


class Told:
    """What a command answered."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err
        self.all = out + err


def tell(*words: str | Path, env: dict[str, str | None] | None = None) -> Told:
    """Give the command line some words; nothing it says may be a traceback or a point's EAN."""
    usual = {"KWARTIER_HOME": None, "COLUMNS": "200", "NO_COLOR": "1", "TERM": "dumb"}
    answer = CliRunner().invoke(app, [str(word) for word in words], env=usual | (env or {}))
    told = Told(answer.exit_code, answer.stdout, answer.stderr)
    if answer.exception and not isinstance(answer.exception, SystemExit):
        raise answer.exception
    discreet(told.all)
    return told


def discreet(text: str) -> None:
    """Check that a text holds no traceback, no EAN of a point and no reading."""
    assert "Traceback" not in text
    eans = {POINT, OTHER, ean(3), ean(4), LOW, POINT + 1}
    for number in eans:
        assert str(number) not in text
    assert str(SECRET) not in text
    assert f"{SECRET:,}" not in text


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a folder with a register and readings, good and broken."""
    folder = tmp_path_factory.mktemp("files")
    points = [
        point(POINT),
        point(OTHER, grid_area=market.OTHER_AREA, brp=market.OTHER_BRP),
        point(ean(3), remote_reading="off"),
        point(LOW),
    ]
    defaults = {"remote_reading": "on"}
    homes.write_register([defaults | row for row in points], folder / "points.csv")
    rows = [
        *read(flat(start=SECRET)),
        *read(but(flat(start=SECRET), {40: SECRET - 5}), OTHER),
        *read(flat(start=SECRET), ean(3)),
        *read(flat(start=SECRET), ean(4)),
        *read(flat(start=SECRET)[:90], LOW),
    ]
    homes.write(rows, folder / "day.csv")
    homes.write(read(flat(DAY + ONE_DAY), day=DAY + ONE_DAY), folder / "next.parquet")
    text = (folder / "day.csv").read_text("utf-8")
    last = text.splitlines()[-1].replace(str(LOW), str(POINT + 1))
    (folder / "broken.csv").write_text(text + last + "\n", "utf-8")
    values = ",".join([str(POINT), '"1.8.0"', RECORDED, f"{SECRET}x", "", ""])
    (folder / "value.csv").write_text(text + values + "\n", "utf-8")
    local = text.replace('Z"', '"')
    (folder / "local.csv").write_text(local, "utf-8")
    (folder / "folder.csv").mkdir()
    return folder


@pytest.fixture(scope="module")
def home(files: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a home with a day that is allocated."""
    root = tmp_path_factory.mktemp("cli") / "home"
    for words in (
        ["register", files / "points.csv", "--recorded-at", BEFORE],
        ["ingest", files / "day.csv", "--recorded-at", RECORDED],
        ["allocate", "--day", f"{DAY}"],
    ):
        assert tell(*words, "--home", root).code == DONE
    return root


@pytest.fixture
def empty(files: Path, tmp_path: Path) -> Path:
    """Give a home with a register and no readings."""
    root = tmp_path / "home"
    assert tell("register", files / "points.csv", "--home", root, "--recorded-at", BEFORE).code == 0
    return root


# ---- what is right -------------------------------------------------------------------------------
def test_the_main_job_on_the_command_line(files: Path, tmp_path: Path) -> None:
    root = tmp_path / "home"
    told = tell("register", files / "points.csv", "--home", root, "--recorded-at", BEFORE)
    assert (told.code, told.out) == (DONE, "4 rows in, 4 kept\n")
    told = tell("ingest", files / "day.csv", "--home", root, "--recorded-at", RECORDED)
    assert told.code == DONE
    assert told.out.splitlines() == [
        "478 readings in, 284 kept",
        f"          97 not kept: not_eligible ({findings.RULES['not_eligible'].meaning})",
        f"          97 not kept: unknown_point ({findings.RULES['unknown_point'].meaning})",
        "market days 2026-01-13 to 2026-01-15",
    ]
    told = tell("allocate", "--day", f"{DAY}", "--home", root)
    assert told.code == DONE
    assert re.fullmatch(
        r"(2026-01-14  \d{18}  trial       run [0-9a-f-]{36}  complete\n){2}", told.out
    )
    told = tell("allocate", "--day", f"{DAY}", "--area", market.AREA, "--home", root)
    assert told.out.count("complete") == 1
    told = tell("ingest", files / "day.csv", "--home", root)
    assert (told.code, told.out) == (DONE, "day.csv: taken in before, skipped\n")


@pytest.mark.parametrize("table", ["allocation", "coverage", "findings"])
def test_results_are_shown(home: Path, table: str) -> None:
    told = tell("show", table, "--day", f"{DAY}", "--home", home)
    assert told.code == DONE
    assert table in told.out
    assert "2026-01-14" in told.out
    told = tell("show", table, "--day", f"{DAY}", "--home", home, "--area", market.OTHER_AREA)
    assert told.code == DONE
    if table != "findings":
        assert market.OTHER_AREA in told.out
        assert market.AREA not in told.out


def test_energy_is_shown_in_kwh_with_its_three_decimals(home: Path) -> None:
    told = tell("show", "allocation", "--day", f"{DAY}", "--home", home)
    lines = [line.split() for line in told.out.splitlines() if market.OTHER_BRP in line]
    measured = {(line[-3], line[-2]): line[-1] for line in lines}
    assert measured["E17", "MSR"] == "9.400"
    assert measured["E17", "CLC"] == "0.200"


def _json(*words: str | Path) -> Any:
    answer = CliRunner().invoke(app, [str(word) for word in words])
    assert answer.exit_code == DONE, answer.output
    return json.loads(answer.stdout)


def test_json_is_json(home: Path, files: Path, tmp_path: Path) -> None:
    root = tmp_path / "home"
    said = _json(
        "register", files / "points.csv", "--home", root, "--json", "--recorded-at", BEFORE
    )
    assert (said["rows_in"], said["rows_kept"], said["skipped"]) == (4, 4, [])
    said = _json("ingest", files / "day.csv", "--home", root, "--json", "--recorded-at", RECORDED)
    assert said["rows_in"] == said["rows_kept"] + sum(said["found"].values()) == 478
    assert said["days"] == ["2026-01-13", "2026-01-14", "2026-01-15"]
    said = _json("ingest", files / "day.csv", "--home", root, "--json")
    assert said["skipped"] == ["day.csv"]
    assert said["delivery"] is None
    said = _json("allocate", "--day", f"{DAY}", "--home", root, "--json")
    assert [(run["market_day"], run["grid_area"]) for run in said] == [
        (f"{DAY}", area) for area in sorted([market.AREA, market.OTHER_AREA])
    ]
    rows = _json("show", "allocation", "--day", f"{DAY}", "--home", home, "--json")
    # Four series of smart meters in each area, and both directions of a profiled point.
    assert len(rows) == (2 * 4 + 2) * 96
    assert rows[0]["market_day"] == f"{DAY}"
    assert rows[0]["period_start"] == "2026-01-13T23:00:00+00:00"
    assert all(isinstance(row["volume_wh"], int) for row in rows)
    found = _json("show", "findings", "--day", f"{DAY}", "--home", home, "--json")
    assert f"{LOW:018}" in {row["accounting_point"] for row in found}, "text: no float holds it"
    for table in ("findings", "coverage"):
        assert _json("show", table, "--day", f"{DAY}", "--home", home, "--json")


def test_the_home_can_be_named_in_the_environment(home: Path, tmp_path: Path) -> None:
    words = ["show", "coverage", "--day", f"{DAY}"]
    assert tell(*words, env={"KWARTIER_HOME": str(home)}).code == DONE
    assert tell(*words, env={"KWARTIER_HOME": str(tmp_path / "nowhere")}).code == CANNOT
    other = {"KWARTIER_HOME": str(tmp_path / "nowhere")}
    assert tell(*words, "--home", home, env=other).code == DONE, "the option goes before"


@pytest.mark.parametrize("table", ["allocation", "coverage", "findings"])
def test_results_are_exported(home: Path, tmp_path: Path, table: str) -> None:
    for suffix in ("csv", "parquet"):
        out = tmp_path / f"{table}.{suffix}"
        told = tell("export", table, "--day", f"{DAY}", "--out", out, "--home", home)
        assert told.code == DONE
    rows = pq.read_table(tmp_path / f"{table}.parquet").to_pylist()
    assert rows
    with (tmp_path / f"{table}.csv").open(encoding="utf-8", newline="") as file:
        read_back = list(csv.DictReader(file))
    assert [list(row) for row in read_back[:1]] == [list(rows[0])]
    texts = [{name: _text(name, cell) for name, cell in row.items()} for row in rows]
    assert read_back == texts
    if table == "findings":
        assert f"{LOW:018}" in {row["accounting_point"] for row in read_back}
        assert f"{LOW:018}".startswith("000000")


def _text(name: str, cell: Any) -> str:
    if cell is None:
        return ""
    if name == "accounting_point":
        return f"{cell:018}"
    if isinstance(cell, datetime):
        return cell.strftime("%Y-%m-%dT%H:%M:%SZ")
    return str(cell).lower() if isinstance(cell, bool) else str(cell)


def test_a_run_as_known_before(home: Path, files: Path) -> None:
    told = tell("allocate", "--day", f"{DAY}", "--home", home, "--as-known-at", RECORDED)
    assert told.code == DONE
    told = tell(
        "allocate", "--day", f"{DAY}", "--home", home, "--as-known-at", "2026-01-16T05:59:59Z"
    )
    assert told.code == CANNOT
    assert "no readings of 2026-01-14" in told.err


# ---- what is wrong -------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["allocate", "--day", "2026-13-01"], WRITTEN_WRONG, "expected a day as 2026-03-29"),
        (["allocate", "--day", "yesterday"], WRITTEN_WRONG, "expected a day"),
        (["allocate"], WRITTEN_WRONG, "--day"),
        (["allocate", "--day", "2026-01-14", "--to", "2026-01-13"], WRITTEN_WRONG, "before --day"),
        (["show", "allocation", "--day", "2026-01-14", "--to", "2026-01-13"], 2, "before --day"),
        (["allocate", "--day", "2026-01-14", "--threads", "0"], WRITTEN_WRONG, "threads"),
        (["allocate", "--day", "2026-01-14", "--area", "871694600000002173"], CANNOT, "no such"),
        (["allocate", "--day", "2026-02-14"], CANNOT, "no readings of 2026-02-14"),
        (["allocate", "--day", "2026-01-14", "--as-known-at", "2026-01-14"], 2, "a moment as"),
        (["show", "allocation", "--day", "2026-02-14"], CANNOT, "no run of 2026-02-14"),
        (["show", "sums", "--day", "2026-01-14"], WRITTEN_WRONG, "sums"),
        (["show", "coverage", "--day", "2026-01-14", "--area", "1"], CANNOT, "no run"),
        (["export", "coverage", "--day", "2026-01-14", "--out", "a.xlsx"], 2, "FILE.csv or"),
        (["export", "coverage", "--day", "2026-01-14"], WRITTEN_WRONG, "--out"),
        (["ingest"], WRITTEN_WRONG, "FILE"),
        (["ingest", "nowhere.csv"], REFUSED, "nowhere.csv: expected a file, found nothing"),
        (["register", "nowhere.csv"], REFUSED, "nowhere.csv: expected a file, found nothing"),
        (["ingest", "x.csv", "--clock", "Europe/Paris"], WRITTEN_WRONG, "clock"),
        (["ingest", "x.csv", "--recorded-at", "2026-01-16T06:00:00"], 2, "a moment as"),
        (["demo", "--points", "3"], WRITTEN_WRONG, "points"),
        (["settle"], WRITTEN_WRONG, "settle"),
    ],
)
def test_what_is_wrong_is_told(home: Path, words: list[str], code: int, says: str) -> None:
    if words[0] not in ("demo", "settle"):
        words = [*words, "--home", str(home)]
    runs.ledger_of(Home(home)).runs()  # SQLite notes who reads it when it is opened
    before = homes.contents(home)
    told = tell(*words)
    assert told.code == code, told.all
    assert says in " ".join(re.sub(r"[│╭╮╰╯─]", " ", told.err).split())
    assert not told.out
    assert homes.contents(home) == before


@pytest.mark.parametrize("command", ["ingest", "allocate", "show", "export"])
def test_a_missing_home_is_told(tmp_path: Path, files: Path, command: str) -> None:
    words: dict[str, list[str | Path]] = {
        "ingest": [files / "day.csv"],
        "allocate": ["--day", "2026-01-14"],
        "show": ["coverage", "--day", "2026-01-14"],
        "export": ["coverage", "--day", "2026-01-14", "--out", tmp_path / "a.csv"],
    }
    told = tell(command, *words[command], "--home", tmp_path / "nowhere")
    assert told.code == CANNOT
    assert "kwartier: no home at" in told.err
    assert not (tmp_path / "nowhere").exists()


def test_a_home_that_is_a_file_is_told(files: Path) -> None:
    for words in (["register", files / "points.csv"], ["allocate", "--day", "2026-01-14"]):
        told = tell(*words, "--home", files / "day.csv")
        assert told.code == CANNOT
        assert "kwartier: " in told.err


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("broken.csv", "broken.csv, row 479, column accounting_point: expected an EAN of 18"),
        ("value.csv", "value.csv, row 479, column reading_wh: expected whole Wh"),
        ("local.csv", "local.csv, row 1, column read_at: expected a moment with UTC offset"),
        ("folder.csv", "folder.csv: expected a file"),
        ("points.csv", "points.csv"),
    ],
)
def test_a_broken_file_is_refused_with_file_row_and_column(
    empty: Path, files: Path, name: str, says: str
) -> None:
    before = homes.contents(empty)
    told = tell("ingest", files / "day.csv", files / name, "--home", empty)
    assert told.code == REFUSED
    assert says in told.err
    assert told.err.rstrip().endswith("Refused as a whole; nothing was kept.")
    assert len([line for line in told.err.splitlines() if name in line]) <= 20
    assert not told.out
    assert homes.contents(empty) == before


def test_a_clock_lets_local_times_in(empty: Path, files: Path) -> None:
    words = ["ingest", files / "local.csv", "--home", empty, "--recorded-at", RECORDED]
    told = tell(*words, "--clock", "UTC")
    assert told.code == DONE
    assert "478 readings in" in told.out


def test_a_second_writer_is_told(empty: Path, files: Path) -> None:
    with Home(empty).writing():
        told = tell("ingest", files / "day.csv", "--home", empty)
    assert told.code == CANNOT
    assert "another kwartier is writing" in told.err


def test_an_export_that_cannot_be_written_is_told(home: Path, tmp_path: Path) -> None:
    for suffix in ("csv", "parquet"):
        out = tmp_path / "nowhere" / f"a.{suffix}"
        told = tell("export", "coverage", "--day", f"{DAY}", "--out", out, "--home", home)
        assert told.code == CANNOT
        assert "nowhere" in told.err
        assert "None" not in told.err


def test_a_damaged_home_is_told(tmp_path: Path) -> None:
    def damaged(pattern: str, content: bytes) -> Told:
        folder = tmp_path / re.sub(r"\W", "", pattern)
        made = Market(folder)
        made.register(point(POINT))
        made.deliver(read(flat()))
        made.run()
        for path in made.home.root.glob(pattern):
            path.write_bytes(content)
        return tell("allocate", "--day", f"{DAY}", "--home", made.home.root)

    for pattern in (
        "readings/*/*/complete-*.parquet",
        "register/*/*.parquet",
        "deliveries/*.json",
    ):
        told = damaged(pattern, b"PAR1 half")
        assert told.code == CANNOT, pattern
        assert "damaged" in told.err, pattern
    told = damaged("parameters/*.yaml", b"")  # none there: nothing is damaged
    assert told.code == DONE


def test_couplings_volumes_fractions_and_parameters_are_taken_in(
    empty: Path, tmp_path: Path
) -> None:
    coupling = codes.with_check_digit(87168590000070001)
    moments = [f"{moment:%Y-%m-%dT%H:%MZ}" for moment in market.moments(DAY)[:-1]]
    written = {
        "couplings.csv": f"coupling,grid_area,valid_from\n{coupling},{market.AREA},2026-01-01\n",
        "volumes.csv": "accounting_point,direction,period_start,volume_wh\n"
        + "".join(f"{n},E18,{m},{SECRET}\n" for n in (coupling, POINT) for m in moments),
        "none.csv": "accounting_point,direction,period_start,volume_wh\n"
        f"{POINT},E17,{moments[0]},1\n",
        "lamps.csv": "profile,period_start,fraction\n"
        + "".join(f"lamps,{moment},0.0001\n" for moment in moments),
        "part.csv": "start_utc,E1B\n" + "".join(f"{moment},0.0001\n" for moment in moments),
        "own.yaml": "outlier_factor: {values: {2026-01-01: 9}}\n",
    }
    for name, content in written.items():
        (tmp_path / name).write_text(content, "utf-8")

    def take(*words: str) -> Told:
        return tell(*words, "--home", empty, "--recorded-at", RECORDED)

    told = take("couplings", f"{tmp_path / 'couplings.csv'}")
    assert (told.code, told.out) == (DONE, "1 rows in, 1 kept\n")
    told = take("volumes", f"{tmp_path / 'volumes.csv'}")
    assert told.code == DONE
    assert told.out.splitlines() == [
        "192 volumes in, 96 kept",
        f"          96 not kept: not_by_volumes ({findings.RULES['not_by_volumes'].meaning})",
        "market days 2026-01-14 to 2026-01-14",
    ]
    told = take("volumes", f"{tmp_path / 'none.csv'}")
    assert told.code == DONE
    assert "None of them was kept. Quarter volumes are taken of points of the groups" in told.err
    told = take("fractions", f"{tmp_path / 'lamps.csv'}")
    assert (told.code, told.out) == (
        DONE,
        "1 days of profiles in, 1 kept\nmarket days 2026-01-14 to 2026-01-14\n",
    )
    told = take("fractions", f"{tmp_path / 'part.csv'}", "--by-tariff", "E1B")
    assert (told.code, told.out) == (
        DONE,
        "1 days of profiles in, 1 kept\nmarket days 2026-01-14 to 2026-01-14\n",
    )
    told = take("parameters", f"{tmp_path / 'own.yaml'}")
    assert (told.code, told.out) == (DONE, "1 parameters in, 1 kept\n")
    for command, name in (
        ("couplings", "couplings.csv"),
        ("volumes", "volumes.csv"),
        ("fractions", "lamps.csv"),
        ("parameters", "own.yaml"),
    ):
        told = take(command, f"{tmp_path / name}")
        assert told.out.startswith(f"{name}: taken in before, skipped\n")
    told = take("volumes", f"{tmp_path / 'couplings.csv'}")
    assert told.code == REFUSED
    assert "which 'kwartier couplings' takes in" in told.err
    told = take("ingest", f"{tmp_path / 'volumes.csv'}")
    assert told.code == REFUSED
    assert "which 'kwartier volumes' takes in" in told.err
    told = take("fractions", f"{tmp_path / 'volumes.csv'}")
    assert told.code == REFUSED
    assert str(SECRET) not in told.err
    told = tell("volumes", tmp_path / "volumes.csv", "--home", tmp_path / "nowhere")
    assert told.code == CANNOT


def test_own_parameters_that_are_wrong_are_told(empty: Path, tmp_path: Path) -> None:
    own = tmp_path / "own.yaml"
    own.write_text("no_such_parameter: 3\n", "utf-8")
    told = tell("parameters", own, "--home", empty)
    assert told.code == CANNOT
    assert "own.yaml: no_such_parameter" in told.err


def test_no_number_is_cut_off_on_a_narrow_screen(home: Path) -> None:
    for table in ("allocation", "coverage", "findings"):
        words = ["show", table, "--day", f"{DAY}", "--home", home]
        wide, narrow = (tell(*words, env={"COLUMNS": columns}).out for columns in ("200", "40"))
        assert narrow.split() == wide.split()
        assert "…" not in narrow


def test_what_is_wrong_in_many_rows_is_told_once(empty: Path, files: Path) -> None:
    told = tell("ingest", files / "local.csv", "--home", empty)
    first, *rest = told.err.strip().splitlines()
    assert "local.csv, row 1, column read_at" in first
    assert first.endswith("; the same in 477 more: row 2, 3, 4, 5, …")
    assert rest == ["Refused as a whole; nothing was kept."]


def test_a_typing_error_in_a_column_is_guessed(empty: Path, files: Path) -> None:
    typo = empty.with_name("typo.csv")
    text = (files / "day.csv").read_text("utf-8")
    typo.write_text(text.replace("read_at", "readat", 1), "utf-8")
    told = tell("ingest", typo, "--home", empty)
    assert told.code == REFUSED
    assert "found unknown column; meant read_at?" in told.err


def test_a_file_at_the_wrong_door_is_shown_the_other(empty: Path, files: Path) -> None:
    told = tell("ingest", files / "points.csv", "--home", empty)
    assert (told.code, told.err.count("unknown column")) == (REFUSED, 1)
    assert "'kwartier register' takes in" in told.err
    told = tell("register", files / "day.csv", "--home", empty)
    assert (told.code, told.err.count("unknown column")) == (REFUSED, 1)
    assert "'kwartier ingest' takes in" in told.err


def test_a_delivery_of_which_nothing_is_kept_says_what_to_do(empty: Path, files: Path) -> None:
    told = tell("ingest", files / "day.csv", "--home", empty, "--recorded-at", BEFORE)
    assert told.code == DONE
    assert "None of them was kept. They are later than the moment of taking in" in told.err
    told = tell(
        "ingest", files / "next.parquet", "--home", empty, "--recorded-at", "2026-11-24T06:00:00Z"
    )
    assert (told.code, told.out.splitlines()[0]) == (DONE, "97 readings in, 0 kept")
    assert "None of them was kept. A day can be settled until 130 days after it" in told.err
    assert "kwartier ingest FILE --recorded-at MOMENT" in told.err
    told = tell("ingest", files / "next.parquet", "--home", empty, "--recorded-at", RECORDED)
    assert told.out.splitlines()[0] == "97 readings in, 97 kept"
    told = tell("ingest", files / "next.parquet", "--home", empty, "--recorded-at", RECORDED)
    assert "next.parquet: taken in before, skipped" in told.out
    assert "a later --recorded-at changes nothing" in told.out


def test_a_delivery_that_brings_nothing_new_is_told(empty: Path, files: Path) -> None:
    words = ["--home", empty, "--recorded-at", RECORDED]
    assert "nothing new" not in tell("ingest", files / "next.parquet", *words).out
    again = empty.with_name("again.csv")
    homes.write(read(flat(DAY + ONE_DAY), day=DAY + ONE_DAY), again)
    assert "nothing new: these readings were here already" in tell("ingest", again, *words).out


# ---- help, completion, version -------------------------------------------------------------------
@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_a_command_has_an_example(command: str) -> None:
    told = tell(command, "--help")
    assert told.code == DONE
    assert f"Example: kwartier {command}" in " ".join(told.out.split())
    assert tell(command, "-h").out == told.out


def test_help_names_every_command() -> None:
    told = tell("--help")
    assert told.code == DONE
    for command in COMMANDS:
        assert re.search(rf"\b{command}\b", told.out)
    assert len(app.registered_commands) == len(COMMANDS)


def test_the_version_is_told() -> None:
    assert re.fullmatch(r"kwartier \d+\.\d+\.\d+\n", tell("--version").out)


def program(*words: str | Path, **env: str) -> subprocess.CompletedProcess[str]:
    """Start kwartier as a shell does."""
    return subprocess.run(
        [Path(sys.executable).with_name("kwartier"), *map(str, words)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "KWARTIER_HOME": "", **env},
    )


def test_the_program_as_a_shell_starts_it(files: Path, tmp_path: Path) -> None:
    root = tmp_path / "home"
    done = program("register", files / "points.csv", "--home", root, "--recorded-at", BEFORE)
    assert (done.returncode, done.stderr) == (DONE, "")
    done = program("ingest", files / "broken.csv", "--home", root)
    assert done.returncode == REFUSED
    discreet(done.stdout + done.stderr)
    done = program("show", "allocation", "--day", f"{DAY}", "--home", root)
    assert (done.returncode, done.stdout) == (CANNOT, "")
    discreet(done.stderr)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_shell_completes(shell: str) -> None:
    script = program(_KWARTIER_COMPLETE=f"source_{shell}")
    assert script.returncode == DONE
    assert "_KWARTIER_COMPLETE" in script.stdout


def test_completion_offers_the_commands() -> None:
    offered = program(
        _KWARTIER_COMPLETE="complete_bash", COMP_WORDS="kwartier ", COMP_CWORD="1"
    ).stdout.split()
    assert offered == sorted(offered, key=offered.index)
    assert set(COMMANDS) <= set(offered)


def test_a_pipe_that_closes_is_no_error(home: Path) -> None:
    kwartier = Path(sys.executable).with_name("kwartier")
    words = f"{kwartier} show allocation --day {DAY} --json --home {home} | head -c 10"
    done = subprocess.run(["bash", "-c", words], capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr
    assert done.stdout.startswith("[{")
    words = f"{kwartier} show allocation --day {DAY} --home {home} | true"
    done = subprocess.run(["bash", "-c", words], capture_output=True, text=True, check=False)
    assert not done.stderr


# ---- the demo ------------------------------------------------------------------------------------
def test_the_demo_makes_a_report_that_needs_nothing_else(tmp_path: Path) -> None:
    out = tmp_path / "demo"
    (out / "files").mkdir(parents=True)
    (out / "notes.txt").write_text("mine", "utf-8")
    reports = []
    for _ in range(2):
        told = tell("demo", "--points", "150", "--out", out)
        assert told.code == DONE, told.all
        reports.append((out / "report.html").read_text("utf-8"))
    assert "energy per BRP" in told.out
    assert "coverage" in told.out
    assert "findings" in told.out
    report = reports[0]
    assert not re.findall(r"""(?:src|href)\s*=\s*["']?(?:https?:)?//""", report)
    assert not re.findall(r"(?:@import|url\()\s*[\"']?(?:https?:)?//", report)
    assert not re.findall(r"<link\b", report)
    assert "<script" in report
    assert (out / "notes.txt").read_text("utf-8") == "mine", "only its own work is removed"
    points = {row["accounting_point"] for row in _register_of(out)}
    for number in points:
        assert number not in told.all
        assert number not in report
    assert reports[0] == reports[1]


def _register_of(out: Path) -> list[dict[str, str]]:
    with (out / "files" / "register.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_households_that_are_not_there_are_told(tmp_path: Path) -> None:
    told = tell("demo", "--zonnedael", tmp_path, "--out", tmp_path / "demo")
    assert told.code == CANNOT
    assert told.err


# ---- what is said while it works -----------------------------------------------------------------
def test_nothing_is_logged(files: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    home = Market(tmp_path)
    home.register(point(POINT), point(ean(3), remote_reading="off"))
    with caplog.at_level(0):
        at = datetime(2026, 1, 16, 6, tzinfo=UTC) + timedelta(days=1)
        ingest(home.home, [files / "day.csv"], recorded_at=at)
        home.run()
    discreet(caplog.text)
