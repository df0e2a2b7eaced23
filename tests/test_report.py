"""The report of a run: it loads nothing, names no customer, and says what the tables say."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from datetime import date
from html.parser import HTMLParser
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from kwartier import codes, periods, tables
from kwartier.apps import report, report_cells

ORDINARY, SPRING, AUTUMN = date(2026, 3, 28), date(2026, 3, 29), date(2026, 10, 25)
AREA = "871687120000052782"
BRPS = ("8714000000001", "8714000000018")
SUPPLIER = "8716000000011"
POINTS = (871687120000900017, 871687120000900024)
TRUTH = pa.schema(
    [
        ("market_day", pa.date32()),
        ("position", pa.int32()),
        ("grid_area", pa.string()),
        ("brp", pa.string()),
        ("supplier", pa.string()),
        ("direction", pa.string()),
        ("volume_wh", pa.int64()),
    ]
)


def table(rows: list[tuple[Any, ...]], schema: pa.Schema) -> pa.Table:
    columns = list(zip(*rows, strict=True)) if rows else [[] for _ in schema]
    arrays = [pa.array(c, f.type) for c, f in zip(columns, schema, strict=True)]
    return pa.table(arrays, schema=schema)


def given_run(days: tuple[date, ...], brps: tuple[str, ...] = BRPS) -> dict[str, pa.Table]:
    """Make a run with odd numbers: 2 BRPs, both directions, measured, calculated and by profile."""
    chance = np.random.default_rng(7)
    allocation, coverage, findings = [], [], []
    for day in days:
        starts = periods.starts(day).tolist()
        n = len(starts)

        def series(
            cell: tuple[str, ...],
            kind: tuple[str | None, ...],
            low: int,
            points: int,
            day: date = day,
            starts: list[int] = starts,
        ) -> int:
            volumes = chance.integers(low, 9_999, len(starts)).tolist()
            for i, (start, volume) in enumerate(zip(starts, volumes, strict=True)):
                row = (*cell[:4], *kind, *cell[4:], volume, points, False)
                allocation.append((day, i + 1, start, *row))
            return sum(volumes)

        for brp in brps:
            for direction in codes.DIRECTIONS:
                for origin, points in (("MSR", 40), ("CLC", 2)):
                    cell = (AREA, brp, SUPPLIER, "SMA", direction, origin)
                    how = ("GMR", "DYN") if origin == "CLC" else (None, None)
                    whole = series(cell, (None, None), 0, points)
                    coverage.append((day, *cell, *how, points, points * n, whole))
            cell = (AREA, brp, SUPPLIER, "PRF", "E17", "CLC")
            whole = series(cell, ("E1A", "AZI"), -500, 11)  # profiled offtake may be below 0
            coverage.append((day, *cell, None, "DYN", 11, 11 * n, whole))
        for point in POINTS:
            findings.append((day, AREA, "reading_falls", "error", point, "1.8.0", 4, 4, -7, 0, 1))
    return {
        "allocation": table(allocation, tables.ALLOCATION.schema),
        "coverage": table(coverage, tables.COVERAGE.schema),
        "findings": table(findings, tables.FINDINGS.schema),
    }


def given_closing(days: tuple[date, ...], factor: int = 104_000) -> dict[str, pa.Table]:
    """Make a balance that closes, and a residual whose factor rises from quarter to quarter."""
    chance = np.random.default_rng(9)
    balance, residual = [], []
    for day in days:
        for i, start in enumerate(periods.starts(day).tolist()):
            at = (day, i + 1, start, AREA)
            smart, left, given, lost, spare = (int(x) for x in chance.integers(1, 9_999, 5))
            balance += [
                (*at, "SMA", "E17", smart),
                (*at, "SMA", "E18", given),
                (*at, "PRF", "E17", left),
                (*at, "NVL", "E17", lost),
                (*at, "TVB", "E17", spare),
                (*at, "NKP", "E18", smart + left + lost + spare - given),
            ]
            residual.append((*at, left, left - 7, 3, factor + 100 * i, 0))
    return {
        "balance": table(balance, tables.BALANCE.schema),
        "residual": table(residual, tables.RESIDUAL.schema),
    }


def truth_of(allocation: pa.Table) -> pa.Table:
    """Take the smart-meter group as what was true."""
    keys = TRUTH.names[:-1]
    allocation = allocation.filter(pc.field("group") == codes.SMART_METER)
    sums = allocation.group_by(keys).aggregate([("volume_wh", "sum")])
    return sums.rename_columns(TRUTH.names).cast(TRUTH)


def written(path: Path, run: dict[str, pa.Table], **more: Any) -> str:
    report.write(path / "report.html", **{"title": "A run", **run, **more})
    return (path / "report.html").read_text(encoding="utf-8")


class Page(HTMLParser):
    """The elements of a page and the text between them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.rows: list[list[str]] = []
        self.words = ""
        self.inside = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self.inside = tag
        if tag == "script":
            self.scripts.append("")
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        self.inside = "" if tag in ("script", "style", "td", "th", "tr") else self.inside

    def handle_data(self, data: str) -> None:
        if self.inside == "script":
            self.scripts[-1] += data
        elif self.inside != "style":
            self.words += data
            if self.inside in ("td", "th"):
                self.rows[-1][-1] += data

    @property
    def data(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.scripts[0])
        return found

    def row(self, first: str, width: int) -> list[str]:
        return next(row for row in self.rows if len(row) == width and row[0] == first)


def wh(shown: str) -> int:
    """Read energy back from the page: 1 234.567 kWh → 1 234 567 Wh."""
    assert re.fullmatch(r"[−+]?\d{1,3}(\u202f\d{3})*\.\d{3}", shown), shown
    return int(re.sub(r"[\u202f.+]", "", shown).replace("−", "-"))


def volume(table: pa.Table, **where: str) -> int:
    rows = table.to_pylist()
    return sum(r["volume_wh"] for r in rows if all(r[k] == v for k, v in where.items()))


def volume_of(table: pa.Table, column: str) -> int:
    found: int = pc.sum(table[column]).as_py()
    return found


def test_page_loads_nothing_and_forbids_to(tmp_path: Path) -> None:
    run = given_run((ORDINARY,))
    closing = given_closing((ORDINARY,))
    text = written(tmp_path, run, comparison=truth_of(run["allocation"]), **closing)
    page = Page(text)
    for tag, attributes in page.elements:
        assert tag not in ("link", "img", "iframe", "object", "embed", "base", "form", "a"), tag
        assert not {"src", "href", "srcset", "data", "action", "background"} & set(attributes)
        assert not [name for name in attributes if name.startswith("on")]
    style = text[text.index("<style>") : text.index("</style>")]
    assert "url(" not in style
    assert "@import" not in style
    policy = next(a["content"] for t, a in page.elements if t == "meta" and "http-equiv" in a)
    assert policy is not None
    assert policy.startswith("default-src 'none';")
    assert "http" not in policy


def test_only_the_two_scripts_of_the_page_may_run(tmp_path: Path) -> None:
    closing = given_closing((ORDINARY,))
    page = Page(written(tmp_path, given_run((ORDINARY,)), **closing))
    policy = next(a["content"] for t, a in page.elements if t == "meta" and "http-equiv" in a)
    allowed = re.search(r"script-src ([^;]*);", policy or "")
    assert allowed is not None
    _, *scripts = page.scripts
    hashes = [base64.b64encode(hashlib.sha256(s.encode()).digest()).decode() for s in scripts]
    assert allowed[1].split() == [f"'sha256-{h}'" for h in hashes]


def test_no_accounting_point_is_in_the_page(tmp_path: Path) -> None:
    days = (ORDINARY, SPRING)
    run, closing = given_run(days), given_closing(days)
    before = closing["residual"]
    truth = truth_of(run["allocation"])
    text = written(tmp_path, run, comparison=truth, residual_before=before, **closing)
    for point in POINTS:
        assert str(point) not in text
    # Nor any other EAN-18 than that of the grid area.
    body = text[: text.index("<script>")]
    assert set(re.findall(r"(?<!\d)\d{18}(?!\d)", body)) == {AREA}


def test_hostile_names_stay_text(tmp_path: Path) -> None:
    evil = "</script><script>alert(1)</script><!-- \" ' &{{data}}"
    run = given_run((ORDINARY,), brps=(evil,))
    rule = run["findings"].schema.get_field_index("rule")
    evils = pa.array([evil] * run["findings"].num_rows)
    run["findings"] = run["findings"].set_column(rule, "rule", evils)
    truth = truth_of(run["allocation"])
    page = Page(
        written(tmp_path, run, title=evil, comparison=truth, comparison_name=evil, notes=[evil])
    )
    assert len(page.scripts) == 3
    assert page.data["brps"] == [evil]
    assert page.words.count(evil) >= 4
    assert "<!--" not in page.scripts[0]


def test_sums_of_the_page_are_those_of_the_table(tmp_path: Path) -> None:
    run = given_run((ORDINARY, SPRING, AUTUMN))
    allocation = run["allocation"]
    page = Page(written(tmp_path, run))
    for brp in BRPS:
        cells = page.row(brp, 8)
        assert cells[1] == "42"
        expected = []
        for direction in codes.DIRECTIONS:
            parts = [
                volume(allocation, brp=brp, direction=direction, origin=o) for o in codes.ORIGINS
            ]
            expected += [*parts, sum(parts)]
        assert [wh(cell) for cell in cells[2:]] == expected
    whole = page.row("All", 8)
    assert [wh(whole[4]), wh(whole[7])] == [volume(allocation, direction=d) for d in ("E17", "E18")]
    methods = {
        row[0]: wh(row[3]) for row in page.rows if len(row) == 4 and row[0] in ("MSR", "GMR", "PRF")
    }
    assert methods == {
        "MSR": volume(allocation, origin="MSR"),
        "GMR": volume(allocation, origin="CLC", group="SMA"),
        "PRF": volume(allocation, group="PRF"),
    }
    groups = page.row("All", 4)
    series = [("SMA", "E17"), ("PRF", "E17"), ("SMA", "E18")]
    assert [wh(cell) for cell in groups[1:]] == [
        volume(allocation, group=g, direction=d) for g, d in series
    ]
    drawn = sum(sum(row[-1]) for row in page.data["volumes"])
    assert drawn == volume(allocation)
    assert sum(sum(row[-1]) for row in page.data["calculated"]) == volume(allocation, origin="CLC")


@pytest.mark.parametrize(("day", "count"), [(ORDINARY, 96), (SPRING, 92), (AUTUMN, 100)])
def test_a_day_has_its_own_number_of_quarters(tmp_path: Path, day: date, count: int) -> None:
    data = Page(written(tmp_path, given_run((day,)))).data
    assert {len(row[-1]) for row in data["volumes"]} == {count}
    (labels,) = data["clocks"]
    assert len(labels) == count == len(set(labels))


def test_axis_shows_the_wall_clock_of_a_clock_change(tmp_path: Path) -> None:
    data = Page(written(tmp_path, given_run((SPRING, AUTUMN)))).data
    spring, autumn = (data["clocks"][index] for index in data["clock"])
    assert spring[7:9] == ["01:45", "03:00"]
    assert autumn[7:9] == ["01:45", "02:00 CEST"]
    assert autumn[11:13] == ["02:45 CEST", "02:00 CET"]
    assert autumn[16] == "03:00"


def test_nothing_at_all_is_a_page_too(tmp_path: Path) -> None:
    run = {t.name: t.empty() for t in tables.RESULTS if t.name not in ("fractions", "individual")}
    page = Page(written(tmp_path, run, comparison=TRUTH.empty_table()))
    assert "Nothing was found." in page.words
    assert "no market day" in page.words
    assert page.data["days"] == []


def test_missing_quarter_is_a_hole_not_zero(tmp_path: Path) -> None:
    run = given_run((ORDINARY,))
    keep = [r["position"] != 5 for r in run["allocation"].to_pylist()]
    run["allocation"] = run["allocation"].filter(pa.array(keep))
    data = Page(written(tmp_path, run)).data
    assert all(row[-1][4] is None for row in data["volumes"])


def test_error_against_the_truth(tmp_path: Path) -> None:
    # GIVEN a truth that is the allocation but for two quarters, off by +30 and -10 Wh
    run = given_run((ORDINARY,))
    truth = truth_of(run["allocation"]).sort_by([(k, "ascending") for k in TRUTH.names[:-1]])
    rows = truth.to_pylist()
    chosen = [r for r in rows if r["brp"] == BRPS[0] and r["direction"] == "E17"]
    chosen[0]["volume_wh"] -= 30
    chosen[1]["volume_wh"] += 10
    # THEN the BRP's difference is 20 Wh, the drawn error of its quarters 40 Wh
    page = Page(written(tmp_path, run, comparison=pa.Table.from_pylist(rows, TRUTH)))
    cells = next(r for r in page.rows if r[:2] == [BRPS[0], "Offtake"])
    assert wh(cells[4]) == 20
    by_brp = {tuple(r[:2]): r[2:] for r in page.data["compared"]["by_brp"]}
    assert by_brp[BRPS[0], "E17"][2] == 40
    assert by_brp[BRPS[1], "E17"][2] == 0
    assert sum(page.data["compared"]["counts"]["E17"]) == 2
    assert "382 of 384 sums are right to the Wh" in page.words


def test_unknown_truth_is_left_out_and_said(tmp_path: Path) -> None:
    run = given_run((ORDINARY,))
    rows = truth_of(run["allocation"]).to_pylist()
    for row in rows:
        if row["brp"] == BRPS[1]:
            row["volume_wh"] = None
    rows.append({**rows[0], "supplier": "8716000000028", "volume_wh": 5})
    page = Page(
        written(
            tmp_path,
            run,
            comparison=pa.Table.from_pylist(rows, TRUTH),
            comparison_name="source",
        )
    )
    assert "192 of 192 sums are right to the Wh" in page.words
    assert "192 sums" in page.words
    assert "have no source to compare with and are left out" in page.words
    assert "1 sums (0.005\u202fkWh) of the source were not allocated" in page.words


def test_truth_of_zero_falls_in_the_outermost_class(tmp_path: Path) -> None:
    run = given_run((ORDINARY,))
    rows = [{**r, "volume_wh": 0} for r in truth_of(run["allocation"]).to_pylist()]
    counts = Page(written(tmp_path, run, comparison=pa.Table.from_pylist(rows, TRUTH))).data
    assert sum(counts["compared"]["counts"]["E17"][:-1]) == 0
    assert counts["compared"]["counts"]["E17"][-1] > 0


def test_order_of_rows_changes_no_byte(tmp_path: Path) -> None:
    run = {**given_run((ORDINARY, SPRING)), **given_closing((ORDINARY, SPRING))}
    truth = truth_of(run["allocation"])
    once = written(tmp_path, run, comparison=truth)
    turned = {name: t.take(list(range(t.num_rows))[::-1]) for name, t in run.items()}
    assert (
        written(tmp_path, turned, comparison=truth.take(list(range(truth.num_rows))[::-1])) == once
    )


def test_the_area_closes_on_the_page(tmp_path: Path) -> None:
    days = (ORDINARY, SPRING, AUTUMN)
    closing = given_closing(days)
    page = Page(written(tmp_path, given_run(days), **closing))
    assert "The area closes" in page.words
    assert "In 288 of 288 quarter-hours" in page.words
    # Both kinds of grid loss are one line.
    balance = closing["balance"]
    lost = volume(balance, line="NVL") + volume(balance, line="TVB")
    assert page.row("grid loss", 3)[1:] == [report_cells.kwh(lost), ""]
    whole = [volume(balance, direction=d) for d in codes.DIRECTIONS]
    assert whole[0] == whole[1]
    assert [wh(cell) for cell in page.row("All", 3)[1:]] == whole
    drawn = sum(sum(row[-1]) for row in page.data["closing"]["lines"])
    assert drawn == sum(whole)
    assert {len(row[-1]) for row in page.data["closing"]["lines"]} == {92, 96, 100}
    assert "before" not in page.data["closing"]


def test_an_area_that_does_not_close_is_not_said_to(tmp_path: Path) -> None:
    closing = given_closing((ORDINARY,))
    rows = closing["balance"].to_pylist()
    rows[0]["volume_wh"] += 1
    closing["balance"] = pa.Table.from_pylist(rows, tables.BALANCE.schema)
    page = Page(written(tmp_path, given_run((ORDINARY,)), **closing))
    assert "In 95 of 96 quarter-hours" in page.words


def test_the_factor_is_held_against_that_of_before(tmp_path: Path) -> None:
    # GIVEN factors from 1.04000 in steps of 0.00100, and before from 0.85000
    closing = given_closing((ORDINARY,))
    before = given_closing((ORDINARY,), factor=85_000)["residual"]
    page = Page(written(tmp_path, given_run((ORDINARY,)), residual_before=before, **closing))
    # THEN lowest, mean and highest of both stand in the table, and how many are outside 0.9 to 1.1
    states = {row[1]: row for row in page.rows if len(row) == 9 and row[0] == AREA}
    left = volume_of(closing["residual"], "residual_wh")
    assert wh(states["now"][2]) == wh(states["now"][3]) == left
    assert states["now"][5:] == ["1.04000", "1.08750", "1.13500", "35 of 96"]
    assert states["before"][5:] == ["0.85000", "0.89750", "0.94500", "50 of 96"]
    ((day, area, residual, _, factor),) = page.data["closing"]["before"]
    assert (day, area, sum(residual)) == (0, 0, left)
    assert factor == [85_000 + 100 * i for i in range(96)]
    assert page.data["closing"]["band"] == [0.9, 1.1]


def test_a_residual_below_zero_counts_by_its_size(tmp_path: Path) -> None:
    closing = given_closing((ORDINARY,))
    rows = closing["residual"].to_pylist()
    for row in rows[::2]:
        row["residual_wh"] *= -1
    closing["residual"] = pa.Table.from_pylist(rows, tables.RESIDUAL.schema)
    page = Page(written(tmp_path, given_run((ORDINARY,)), **closing))
    cells = page.row(AREA, 8)
    assert wh(cells[1]) == volume_of(closing["residual"], "residual_wh")
    assert wh(cells[2]) == sum(abs(row["residual_wh"]) for row in rows)


@pytest.mark.parametrize("missing", ["balance", "residual"])
def test_without_balance_or_residual_the_section_is_not_there(tmp_path: Path, missing: str) -> None:
    closing = given_closing((ORDINARY,))
    for instead in (None, closing[missing].slice(0, 0)):
        text = written(tmp_path, given_run((ORDINARY,)), **{**closing, missing: instead})
        page = Page(text)
        assert "The area closes" not in page.words
        assert page.data["closing"] is None
        assert "chart-balance" not in {a.get("id") for _, a in page.elements}


@pytest.mark.parametrize(
    ("part", "whole", "shown"),
    [
        (0, 0, "–"),
        (0, 5, "0.00\u202f%"),
        (5, 5, "100.00\u202f%"),
        (999_999, 1_000_000, "over 99.99\u202f%"),
        (1, 1_000_000, "under 0.01\u202f%"),
        (-1, 3, "−33.33\u202f%"),
    ],
)
def test_share_is_never_whole_unless_it_is(part: int, whole: int, shown: str) -> None:
    assert report_cells.share(part, whole, signed=part < 0) == shown


def test_chart_library_is_the_one_named() -> None:
    folder = resources.files("kwartier.apps") / "assets"
    library = (folder / "echarts.common.min.js").read_bytes()
    assert hashlib.sha256(library).hexdigest() in (folder / "SOURCE.md").read_text("utf-8")
    assert len(library) < 1_000_000
    for name in ("LICENSE", "NOTICE", "LICENSE-d3"):
        assert (folder / f"echarts.{name}").is_file()
