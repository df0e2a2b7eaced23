"""PURPOSE: what is written about kwartier is there, is true, and leads somewhere."""

from __future__ import annotations

import importlib.util
import inspect
import re
import subprocess
import sys
from datetime import date
from pathlib import Path
from types import ModuleType

import pytest
import typer

import kwartier
from kwartier import codes, findings, parameters, tables
from kwartier.adapters.ledger import letters, states
from kwartier.apps import cli

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
SOURCE = ROOT / "src" / "kwartier"
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.glob("*.md")])


def _read(name: str) -> str:
    return (DOCS / name).read_text("utf-8")


@pytest.fixture(scope="module")
def generate() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate", DOCS / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_no_generated_page_is_stale(generate: ModuleType) -> None:
    assert generate.stale() == []


def test_a_changed_page_is_stale(
    generate: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(generate, "DOCS", tmp_path)
    assert generate.main(["--check"]) == 1
    assert generate.main([]) == 0
    assert generate.main(["--check"]) == 0
    with (tmp_path / "rules.md").open("a", encoding="utf-8") as page:
        page.write("more")
    assert generate.stale() == ["rules.md"]


def test_every_table_and_column_is_documented() -> None:
    page = _read("tables.md")
    for table in tables.TABLES:
        part = page.split(f"\n## {table.name}\n")[1].split("\n## ")[0]
        assert [name for name in table.names if f"`{name}`" not in part] == []


def test_every_rule_is_documented() -> None:
    page = _read("rules.md")
    assert [name for name in findings.RULES if f"| `{name}` |" not in page] == []


def test_every_parameter_is_documented() -> None:
    page = _read("parameters.md")
    assert [name for name in parameters.market() if f"\n## `{name}`\n" not in page] == []


def test_every_command_and_option_is_documented(generate: ModuleType) -> None:
    page = _read("commands.md")
    for name, command in generate.commands_of(typer.main.get_command(cli.app)):
        part = page.split(f"\n## `{name}`\n")[1].split("\n## ")[0]
        options = [opt for param in command.params for opt in param.opts if opt.startswith("-")]
        assert [option for option in options if f"`{option}`" not in part] == []
        assert f"\nkwartier {name} " in part.split("Example:")[1]


def _anchor(heading: str) -> str:
    kept = re.sub(r"[^\w\- ]", "", heading.lower())
    return kept.strip().replace(" ", "-")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_link_is_dead(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text("utf-8"), flags=re.DOTALL)
    dead = []
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.exists():
            dead.append(link)
        elif anchor:
            headings = re.findall(r"^#+ (.+)$", target.read_text("utf-8"), flags=re.MULTILINE)
            if anchor not in map(_anchor, headings):
                dead.append(link)
    assert dead == []


def test_every_page_can_be_reached_from_the_index() -> None:
    index = _read("index.md")
    names = [page.name for page in DOCS.glob("*.md") if page.name != "index.md"]
    assert [name for name in names if f"({name})" not in index] == []


@pytest.mark.parametrize("name", kwartier.__all__)
def test_every_public_name_has_a_docstring(name: str) -> None:
    thing = getattr(kwartier, name)
    assert inspect.getdoc(thing)
    assert thing.__doc__
    if inspect.isclass(thing):
        public = [n for n, method in vars(thing).items() if callable(method) and n[0] != "_"]
        assert [n for n in public if not getattr(thing, n).__doc__] == []


def _blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", page.read_text("utf-8"), flags=re.DOTALL)


def test_the_example_in_the_readme_runs(tmp_path: Path) -> None:
    (example,) = _blocks(ROOT / "README.md", "python")
    done = subprocess.run(
        [sys.executable, "-c", example], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    series = {tuple(line.split()[:2]) for line in done.stdout.splitlines()}
    assert series == {(d, g) for d in codes.DIRECTIONS for g in codes.GROUPS} - {("E18", "NVL")}


def test_the_way_gives_the_numbers_of_its_page(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, DOCS / "way.py"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    page = DOCS / "the-way.md"
    assert "".join(block + "\n" for block in _blocks(page, "text")) == done.stdout
    words = re.sub(r"```.*?```", "", page.read_text("utf-8"), flags=re.DOTALL)
    for left, right, difference in re.findall(r"([\d,]+) − ([\d,]+) = ([\d,]+) Wh", words):
        assert _number(left) - _number(right) == _number(difference)
    reckoned = set(re.findall(r"= ([\d,]+) Wh", words))
    shown = set(re.findall(r"[\d,]+", done.stdout))
    assert set(re.findall(r"([\d,]+) Wh", words)) <= shown | reckoned


def _number(text: str) -> int:
    return int(text.replace(",", ""))


def test_the_way_names_every_step() -> None:
    page = _read("the-way.md")
    steps = [path.stem for path in (SOURCE / "steps").glob("*.py") if path.stem != "__init__"]
    assert [step for step in steps if f"`{step}`" not in page] == []


def test_the_page_of_runs_tells_every_state_event_and_kind() -> None:
    page = _read("runs.md")
    assert [state for state in states.STATES if state not in page] == []
    assert [event for event in states.EVENTS if event.replace("_", " ") not in page] == []
    calendar = parameters.load(date(2026, 3, 29)).run_calendar
    assert [run.kind for run in calendar if f"| {run.kind} |" not in page] == []


def test_the_page_of_the_exchange_tells_every_state_and_event() -> None:
    page = _read("exchange.md")
    assert [state for state in letters.STATES if state not in page] == []
    assert [event for event in letters.EVENTS if f"{event.replace('_', ' ')}:" not in page] == []


def _sources() -> list[Path]:
    return [p for p in sorted(SOURCE.rglob("*")) if p.suffix in (".py", ".yaml")]


def _cited(note: str, text: str) -> set[int]:
    """Find the paragraphs of a note that a text cites: §5; §2, §3; §6–§9; §4 to §11."""
    cited: set[int] = set()
    for run in re.findall(rf"{note}(?:\.md)?((?:[,–\s]|to|and|§\d+)*§\d+)", text):
        for first, last in re.findall(r"§(\d+)(?:(?:–| to )§(\d+))?", run):
            cited |= set(range(int(first), int(last or first) + 1))
    return cited


def test_citations_are_found() -> None:
    assert _cited("decisions", "a; decisions §2, §3. b decisions §6–§9.") == {2, 3, 6, 7, 8, 9}
    assert _cited("decisions", "(docs/decisions.md §14)") == {14}
    assert _cited("domain", "domain §5, §6; decisions §12") == {5, 6}


def test_every_decision_that_is_cited_exists() -> None:
    numbers = [int(n) for n in re.findall(r"^## §(\d+) ", _read("decisions.md"), re.MULTILINE)]
    assert numbers == list(range(1, len(numbers) + 1))
    texts = [path.read_text("utf-8") for path in [*_sources(), *PAGES]]
    cited = set().union(*(_cited("decisions", text) for text in texts))
    assert len(cited) > 10
    assert cited <= set(numbers)


def test_every_decision_says_choice_why_and_how_to_undo_it() -> None:
    for paragraph in re.split(r"^## ", _read("decisions.md"), flags=re.MULTILINE)[1:]:
        for part in ("Question", "Choice", "Why", "Undo"):
            assert paragraph.count(f"**{part}.**") == 1, paragraph.splitlines()[0]


def test_every_working_note_that_is_cited_has_its_place() -> None:
    page = _read("sources.md")
    for note in ("domain", "design"):
        cited = set().union(*(_cited(note, path.read_text("utf-8")) for path in _sources()))
        assert cited
        assert [n for n in sorted(cited) if f"| {note} §{n} |" not in page] == []


def test_the_map_in_the_readme_shows_every_room() -> None:
    text = (ROOT / "README.md").read_text("utf-8")
    rooms = text.split("## The rooms")[1].split("```")[1]
    here = [
        path.name + ("/" if path.is_dir() else "")
        for path in [*SOURCE.iterdir(), *(SOURCE / "steps").iterdir()]
        if not path.name.startswith("__") and (path.suffix == ".py" or path.is_dir())
    ]
    missing = [r for r in here if not re.search(rf"(^|[ │├└─]){re.escape(r)} ", rooms, re.M)]
    assert missing == []
    named = re.findall(r"[├└]── (\S+)", rooms)
    assert sorted(named) == sorted(here)
