"""The report of a run: one HTML file with tables and plots that loads nothing from anywhere.

Tables are written here, in Python, from int64 Wh; the plots are drawn in the browser from the same
sums. Where the chart library does not run, the tables remain. Sums per BRP go in, never a point.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from importlib import resources
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from kwartier import codes, periods
from kwartier.apps.report_sums import Run, class_names, count_by, pick, plot_data, sums_by
from kwartier.findings import ERROR, INFO, RULES, WARNING

METHOD_WORDS = {
    codes.MEASURED: "measured: the reading at both ends of the quarter is there",
    codes.FROM_REGISTERS: "calculated from the readings before and after the gap; adds up to them",
    codes.FROM_ANNUAL: "calculated from the annual volume and the fraction of the day",
    codes.FROM_NO_CURRENT: "the point is de-energised: zero",
}
DIRECTION_WORDS = {codes.OFFTAKE: "Offtake", codes.INFEED: "Infeed"}
SEVERITIES = (ERROR, WARNING, INFO)
_THIN = "\N{NARROW NO-BREAK SPACE}"


def write(
    path: Path | str,
    *,
    title: str,
    allocation: pa.Table,
    coverage: pa.Table,
    findings: pa.Table,
    comparison: pa.Table | None = None,
    comparison_name: str = "truth",
    notes: Sequence[str] = (),
) -> None:
    """Write the report of a run's days as one self-contained HTML file.

    Parameters
    ----------
    path : the file to write.
    title : the headline.
    allocation, coverage, findings : the tables of those names, all days of the run together.
    comparison : what the volumes really were: market_day, position, grid_area, brp, supplier,
        direction, volume_wh [Wh]; null where that is not known.
    comparison_name : what the comparison is called, such as "truth" or "source".
    notes : sentences about the run, one paragraph each.
    """
    run = Run(allocation, coverage, findings, comparison)
    parts = {
        "title": _text(title),
        "notes": "".join(f"<p>{_text(note)}</p>" for note in notes),
        "span": _span(run),
        "comparison_name": _text(comparison_name),
        "Comparison_name": _text(comparison_name[:1].upper() + comparison_name[1:]),
        "headline": _headline(run, comparison_name),
        "smallest": _smallest(run),
        "brp_table": _brp_table(run),
        "day_table": _day_table(run),
        "method_table": _method_table(run),
        "findings_table": _findings_table(run),
        "comparison_table": _comparison_table(run, comparison_name),
        "histogram_table": _histogram_table(run),
        "exact": _exact(run, comparison_name),
        "has": " ".join(
            name
            for name, there in (
                ("days", run.days),
                ("findings", run.findings.num_rows),
                ("comparison", run.compared is not None),
            )
            if there
        ),
        "data": _json(plot_data(run, comparison_name)),
        "css": _asset("report.css"),
        "library": _asset("echarts.common.min.js"),
        "script": _asset("report.js"),
    }
    # Only these two scripts may run: a name that would smuggle one in stays dead text.
    parts["hashes"] = " ".join(_hash(parts[name]) for name in ("library", "script"))
    page = re.sub(r"\{\{(\w+)\}\}", lambda hole: parts[hole[1]], _asset("report.html"))
    Path(path).write_text(page, encoding="utf-8", newline="\n")


# --- what is written in words and tables ---------------------------------------------------------


def _span(run: Run) -> str:
    if not run.days:
        return "no market day"
    odd = [
        f"{day} has {periods.count(day)} quarters" for day in run.days if periods.count(day) != 96
    ]
    days = f"{len(run.days)} market day{'s' if len(run.days) > 1 else ''}"
    span = str(run.days[0]) if len(run.days) == 1 else f"{run.days[0]} to {run.days[-1]}"
    areas = f"{len(run.areas)} grid area{'s' if len(run.areas) != 1 else ''}"
    clock = f" · clock change: {'; '.join(odd)}" if odd else ""
    return f"{span} · {days} · {areas} · {len(run.brps)} BRPs{clock}"


def _headline(run: Run, comparison_name: str) -> str:
    tiles = []
    for direction, word in DIRECTION_WORDS.items():
        volume = run.of(direction)
        tiles.append((word, f"{_number(volume, 6)} MWh", "exact to the Wh"))
    smart = run.points_by_day().get((), [])
    tiles.append(("Points by smart meter", _range(smart), "a day, allocated here"))
    profiled = run.coverage.filter(
        (pc.field("group") == codes.PROFILE) & (pc.field("direction") == codes.OFFTAKE)
    )
    counts = [points for _, points in sums_by(profiled, ["market_day"], ["points"])]
    counts += [0] * (len(run.days) - len(counts))
    tiles.append(("Points by profile", _range(counts), "a day, not allocated in this run"))
    measured = sum(run.of(d, codes.MEASURED) for d in codes.DIRECTIONS)
    energy = sum(run.of(d) for d in codes.DIRECTIONS)
    quarters = pick(run.point_quarters, codes.OFFTAKE, codes.MEASURED)
    share = _share(quarters, pick(run.point_quarters, codes.OFFTAKE))
    tiles.append(
        ("Measured", _share(measured, energy), f"of the energy; {share} of point-quarters")
    )
    severity = dict(count_by(run.findings, ["severity"]))
    words = ", ".join(f"{_number(severity.get(name, 0))} {name}" for name in SEVERITIES)
    tiles.append(("Findings", _number(run.findings.num_rows), words))
    if run.compared is not None:
        ours, true, absolute = run.compared.total()
        net = _share(ours - true, true, signed=True)
        tiles.append(
            (
                f"Against the {comparison_name}",
                net,
                f"net; {_share(absolute, true)} per BRP-quarter",
            )
        )
    return "".join(
        f"<div class=tile><h3>{_text(name)}</h3><b>{value}</b><span>{_text(sub)}</span></div>"
        for name, value, sub in tiles
    )


def _smallest(run: Run) -> str:
    fewest = min(
        (
            (count, word.lower())
            for direction, word in DIRECTION_WORDS.items()
            for days in run.points_by_day(["grid_area", "brp"], direction).values()
            for count in days
            if count > 0
        ),
        default=None,
    )
    if fewest is None:
        return ""
    points = f"{_number(fewest[0])} point{'s' if fewest[0] > 1 else ''}"
    return f"The smallest BRP × grid area in this report stands on {points} ({fewest[1]})."


def _brp_table(run: Run) -> str:
    points = run.points_by_day(["brp"])
    rows = []
    for brp in [*run.brps, None]:
        cells = [_kwh(run.of(d, o, brp)) for d in codes.DIRECTIONS for o in (*codes.ORIGINS, None)]
        number = _range(points.get((brp,), []) if brp else run.points_by_day().get((), []))
        rows.append([_text(brp) if brp else "All", number, *cells])
    heads = ["BRP", "points a day"]
    heads += [
        f"{d} {o}" for d in ("offtake", "infeed") for o in ("measured", "calculated", "in all")
    ]
    return _table(heads, rows, total=True)


def _day_table(run: Run) -> str:
    sums: dict[tuple[date, str, str], int] = defaultdict(int)
    for day, direction, origin, volume in sums_by(
        run.allocation, ["market_day", "direction", "origin"], ["volume_wh"]
    ):
        sums[day, direction, origin] = volume
    rows = [
        [f"{day} {day:%a}", str(periods.count(day))]
        + [_kwh(sums[day, d, o]) for d in codes.DIRECTIONS for o in codes.ORIGINS]
        for day in run.days
    ]
    heads = ["market day", "quarters"]
    heads += [f"{d} {o}" for d in ("offtake", "infeed") for o in ("measured", "calculated")]
    return _table(heads, rows)


def _method_table(run: Run) -> str:
    rows = []
    for origin, method, quarters, volume in sums_by(
        run.coverage.filter(pc.field("volume_wh").is_valid()),
        ["origin", "method"],
        ["periods", "volume_wh"],
    ):
        name = method or origin
        rows.append(
            [_text(name), METHOD_WORDS.get(name, "calculated"), _number(quarters), _kwh(volume)]
        )
    order = list(METHOD_WORDS)
    rows.sort(key=lambda row: (order.index(row[0]) if row[0] in order else len(order), row[0]))
    return _table(["method", "what it means", "point-quarters", "energy [kWh]"], rows, words=2)


def _findings_table(run: Run) -> str:
    if not run.findings.num_rows:
        return "<p>Nothing was found.</p>"
    days: dict[str, int] = Counter(
        rule for rule, _, _ in count_by(run.findings, ["rule", "market_day"])
    )
    rows = []
    for rule, severity, count in count_by(run.findings, ["rule", "severity"]):
        known = RULES.get(rule)
        said = [known.meaning, known.effect] if known else []
        meaning = "; ".join(words for words in said if words != "none")
        mark = severity if severity in SEVERITIES else ""
        label = f"<i class='dot {mark}'></i>{_text(severity)}"
        rows.append([_text(rule), label, _text(meaning), _number(count), _number(days[rule])])
    heads = ["rule", "severity", "what it means; what follows", "findings", "days"]
    return _table(heads, rows, words=3)


def _comparison_table(run: Run, name: str) -> str:
    if run.compared is None:
        return ""
    rows = []
    known = [(b, d) for b in run.brps for d in codes.DIRECTIONS if (b, d) in run.compared.by_brp]
    for brp, direction in known:
        rows.append(
            [_text(brp), DIRECTION_WORDS[direction], *_errors(run.compared.by_brp[brp, direction])]
        )
    for direction, word in DIRECTION_WORDS.items():
        rows.append(["All", word, *_errors(run.compared.total(direction))])
    heads = [
        "BRP",
        "direction",
        "allocated",
        name,
        "difference",
        "as a share",
        "quarter by quarter",
    ]
    return _table(heads, rows, words=2, total=len(DIRECTION_WORDS))


def _errors(sums: Sequence[int]) -> list[str]:
    ours, true, absolute = sums
    return [
        _kwh(ours),
        _kwh(true),
        _kwh(ours - true, signed=True),
        _share(ours - true, true, signed=True),
        _share(absolute, true),
    ]


def _histogram_table(run: Run) -> str:
    if run.compared is None:
        return ""
    counts = [run.compared.classes[direction] for direction in codes.DIRECTIONS]
    rows = [
        [name, *(_number(column[index]) for column in counts)]
        for index, name in enumerate(class_names())
    ]
    return _table(["error", *(word.lower() for word in DIRECTION_WORDS.values())], rows)


def _exact(run: Run, name: str) -> str:
    if run.compared is None:
        return ""
    cells = run.compared.cells.num_rows
    words = [f"{_number(run.compared.exact)} of {_number(cells)} sums are right to the Wh"]
    for (count, volume), what in (
        (run.compared.without_truth, f"have no {name} to compare with"),
        (run.compared.without_ours, f"of the {name} were not allocated"),
    ):
        if count:
            words.append(
                f"{_number(count)} sums ({_kwh(volume)}{_THIN}kWh) {what} and are left out"
            )
    return _text("; ".join(words) + ".")


def _number(value: int, decimals: int = 0, *, signed: bool = False) -> str:
    """Write a whole number, divided by a power of ten, without going through a float."""
    sign = "\N{MINUS SIGN}" if value < 0 else "+" if signed and value > 0 else ""
    whole, part = divmod(abs(value), 10**decimals)
    tail = f".{part:0{decimals}d}" if decimals else ""
    return f"{sign}{whole:,}".replace(",", _THIN) + tail


def _kwh(wh: int, *, signed: bool = False) -> str:
    return _number(wh, 3, signed=signed)


def _range(counts: Iterable[int]) -> str:
    found = sorted(set(counts))
    if not found:
        return "0"
    ends = [_number(found[0]), *([_number(found[-1])] if len(found) > 1 else [])]
    return "\N{EN DASH}".join(ends)


def _share(part: int, whole: int, *, signed: bool = False) -> str:
    """Write a share in per cent; never 0 or 100 unless it is."""
    if whole == 0:
        return "\N{EN DASH}"
    share = f"{100 * part / whole:{'+' if signed and part else ''}.2f}".replace(
        "-", "\N{MINUS SIGN}"
    )
    if part != 0 and share.endswith("0.00") and abs(part) * 100 < whole:
        share = "under 0.01"
    if 0 < part < whole and share == "100.00":
        share = "over 99.99"
    return f"{share}{_THIN}%"


def _table(
    heads: Sequence[str], rows: Iterable[Sequence[str]], words: int = 1, total: int = 0
) -> str:
    """Write a table of ready-made cells: `words` text columns, then numbers; `total` last rows."""
    kinds = ["" if index < words else " class=n" for index in range(len(heads))]
    head = "".join(f"<th{k}>{_text(h)}</th>" for k, h in zip(kinds, heads, strict=True))
    body = list(rows)
    lines = [
        ("<tr class=total>" if index >= len(body) - total else "<tr>")
        + "".join(f"<td{k}>{cell}</td>" for k, cell in zip(kinds, row, strict=True))
        + "</tr>"
        for index, row in enumerate(body)
    ]
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(lines)}</tbody></table>"
    return f"<div class=scroll>{table}</div>"


def _text(value: str | None) -> str:
    return html.escape(value or "\N{EN DASH}")


def _json(data: Mapping[str, Any]) -> str:
    # Nothing in it may end the script element or open a comment.
    text = json.dumps(data, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _hash(script: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"


def _asset(name: str) -> str:
    return (resources.files("kwartier.apps") / "assets" / name).read_text(encoding="utf-8")
