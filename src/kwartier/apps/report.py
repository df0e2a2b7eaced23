"""The report of a run: one HTML file with tables and plots that loads nothing from anywhere.

Tables are written here, in Python, from int64 Wh; the plots are drawn in the browser from the same
sums. Where the chart library does not run, the tables remain. Sums per BRP go in, never a point.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from kwartier import codes, periods
from kwartier.apps.page import as_json, asset, filled, hash_of
from kwartier.apps.report_cells import THIN, ends, kwh, number, share, table, text
from kwartier.apps.report_closing import GROUP_WORDS, Closing
from kwartier.apps.report_sums import (
    BY_METHOD,
    Run,
    class_names,
    count_by,
    of_method,
    pick,
    plot_data,
    sums_by,
)
from kwartier.findings import ERROR, INFO, RULES, WARNING

# How energy was made: of the smart-meter group the method, of the others the group.
METHOD_WORDS = {
    codes.MEASURED: "measured: the reading at both ends of the quarter is there",
    codes.FROM_REGISTERS: "calculated from the readings before and after the gap; adds up to them",
    codes.FROM_ANNUAL: "calculated from the annual volume and the fraction of the day",
    codes.FROM_NO_CURRENT: "the point is de-energised: zero",
    codes.PROFILE: "by profile: annual volume × fraction, and of offtake × the residual factor",
    codes.TELEMETRY: "telemetry: the quarter volumes that were delivered of large connections",
    codes.UNMETERED: "unmetered: annual volume × dimensioned profile, such as street lighting",
    codes.GRID_LOSS: "grid loss: the quarter volumes that the grid operator delivered",
}
DIRECTION_WORDS = {codes.OFFTAKE: "Offtake", codes.INFEED: "Infeed"}
SEVERITIES = (ERROR, WARNING, INFO)


def write(
    path: Path | str,
    *,
    title: str,
    allocation: pa.Table,
    coverage: pa.Table,
    findings: pa.Table,
    comparison: pa.Table | None = None,
    comparison_name: str = "truth",
    balance: pa.Table | None = None,
    residual: pa.Table | None = None,
    residual_before: pa.Table | None = None,
    notes: Sequence[str] = (),
) -> None:
    """Write the report of a run's days as one self-contained HTML file.

    Parameters
    ----------
    path : the file to write.
    title : the headline.
    allocation, coverage, findings : the tables of those names, all days of the run together.
    comparison : what the volumes of the smart-meter group really were: market_day, position,
        grid_area, brp, supplier, direction, volume_wh [Wh]; null where that is not known.
    comparison_name : what the comparison is called, such as "truth" or "source".
    balance, residual : the tables of those names; without rows in both, the page says nothing of
        how the area closes.
    residual_before : the residual of the same days from an earlier state to hold this one against,
        such as before more meters could be read.
    notes : sentences about the run, one paragraph each.
    """
    run = Run(allocation, coverage, findings, comparison)
    closing = None
    if balance is not None and residual is not None and balance.num_rows and residual.num_rows:
        closing = Closing(balance, residual, residual_before, run.days, run.areas)
    parts = {
        "title": text(title),
        "notes": "".join(f"<p>{text(note)}</p>" for note in notes),
        "span": _span(run),
        "comparison_name": text(comparison_name),
        "Comparison_name": text(comparison_name[:1].upper() + comparison_name[1:]),
        "headline": _headline(run, comparison_name),
        "smallest": _smallest(run),
        "brp_table": _brp_table(run),
        "day_table": _day_table(run),
        "group_table": _group_table(run),
        "closing": filled("closing.html", closing.words()) if closing else "",
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
                ("closing", closing is not None),
            )
            if there
        ),
        "data": as_json(
            {
                **plot_data(run, comparison_name),
                "closing": closing.plot_data() if closing else None,
            }
        ),
        "css": asset("report.css"),
        "library": asset("echarts.common.min.js"),
        "script": asset("report.js"),
    }
    # Only these two scripts may run: a name that would smuggle one in stays dead text.
    parts["hashes"] = " ".join(hash_of(parts[name]) for name in ("library", "script"))
    Path(path).write_text(filled("report.html", parts), encoding="utf-8", newline="\n")


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
        tiles.append((word, f"{number(volume, 6)} MWh", "exact to the Wh"))
    smart = run.points_by_day().get((), [])
    tiles.append(("Points by smart meter", ends(smart), "a day, read or estimated"))
    profiled = run.coverage.filter(
        (pc.field("group") == codes.PROFILE) & (pc.field("direction") == codes.OFFTAKE)
    )
    counts = [points for _, points in sums_by(profiled, ["market_day"], ["points"])]
    counts += [0] * (len(run.days) - len(counts))
    tiles.append(("Points by profile", ends(counts), "a day, not read or not readable"))
    measured = sum(run.of(d, codes.MEASURED) for d in codes.DIRECTIONS)
    energy = sum(run.of(d) for d in codes.DIRECTIONS)
    quarters = pick(run.point_quarters, codes.OFFTAKE, codes.MEASURED)
    of_quarters = share(quarters, pick(run.point_quarters, codes.OFFTAKE))
    tiles.append(
        ("Measured", share(measured, energy), f"of the energy; {of_quarters} of point-quarters")
    )
    severity = dict(count_by(run.findings, ["severity"]))
    words = ", ".join(f"{number(severity.get(name, 0))} {name}" for name in SEVERITIES)
    tiles.append(("Findings", number(run.findings.num_rows), words))
    if run.compared is not None:
        ours, true, absolute = run.compared.total()
        net = share(ours - true, true, signed=True)
        tiles.append(
            (
                f"Against the {comparison_name}",
                net,
                f"net; {share(absolute, true)} per BRP-quarter",
            )
        )
    return "".join(
        f"<div class=tile><h3>{text(name)}</h3><b>{value}</b><span>{text(sub)}</span></div>"
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
    points = f"{number(fewest[0])} point{'s' if fewest[0] > 1 else ''}"
    return f"The smallest BRP × grid area in this report stands on {points} ({fewest[1]})."


def _brp_table(run: Run) -> str:
    points = run.points_by_day(["brp"])
    rows = []
    for brp in [*run.brps, None]:
        cells = []
        for direction in codes.DIRECTIONS:
            measured = run.of(direction, codes.MEASURED, brp)
            whole = run.of(direction, brp=brp)
            cells += [kwh(measured), kwh(whole - measured), kwh(whole)]
        counted = ends(points.get((brp,), []) if brp else run.points_by_day().get((), []))
        rows.append([text(brp) if brp else "All", counted, *cells])
    heads = ["BRP", "points a day"]
    heads += [
        f"{d} {o}" for d in ("offtake", "infeed") for o in ("measured", "calculated", "in all")
    ]
    return table(heads, rows, total=1)


def _day_table(run: Run) -> str:
    sums: dict[tuple[date, str, str], int] = defaultdict(int)
    for day, direction, origin, volume in sums_by(
        run.allocation, ["market_day", "direction", "origin"], ["volume_wh"]
    ):
        made = origin if origin == codes.MEASURED else codes.CALCULATED
        sums[day, direction, made] += volume
    rows = [
        [f"{day} {day:%a}", str(periods.count(day))]
        + [kwh(sums[day, d, o]) for d in codes.DIRECTIONS for o in codes.ORIGINS]
        for day in run.days
    ]
    heads = ["market day", "quarters"]
    heads += [f"{d} {o}" for d in ("offtake", "infeed") for o in ("measured", "calculated")]
    return table(heads, rows)


def _group_table(run: Run) -> str:
    sums: dict[tuple[str, str, str], int] = defaultdict(int)
    for brp, group, direction, volume in sums_by(
        run.allocation, ["brp", "group", "direction"], ["volume_wh"]
    ):
        sums[brp, group, direction] = volume
    there = {(group, direction) for _, group, direction in sums}
    series = [(g, d) for d in codes.DIRECTIONS for g in codes.GROUPS if (g, d) in there]
    rows = [[text(brp), *(kwh(sums[brp, g, d]) for g, d in series)] for brp in run.brps]
    rows.append(["All", *(kwh(sum(sums[brp, g, d] for brp in run.brps)) for g, d in series)])
    heads = ["BRP", *(f"{DIRECTION_WORDS[d].lower()} {GROUP_WORDS[g]}" for g, d in series)]
    return table(heads, rows, total=1)


def _method_table(run: Run) -> str:
    rows = []
    for name, quarters, volume in sums_by(
        of_method(run.coverage), [BY_METHOD], ["periods", "volume_wh"]
    ):
        rows.append(
            [text(name), METHOD_WORDS.get(name, "calculated"), number(quarters), kwh(volume)]
        )
    order = list(METHOD_WORDS)
    rows.sort(key=lambda row: (order.index(row[0]) if row[0] in order else len(order), row[0]))
    return table(["method", "what it means", "point-quarters", "energy [kWh]"], rows, words=2)


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
        label = f"<i class='dot {mark}'></i>{text(severity)}"
        rows.append([text(rule), label, text(meaning), number(count), number(days[rule])])
    heads = ["rule", "severity", "what it means; what follows", "findings", "days"]
    return table(heads, rows, words=3)


def _comparison_table(run: Run, name: str) -> str:
    if run.compared is None:
        return ""
    rows = []
    known = [(b, d) for b in run.brps for d in codes.DIRECTIONS if (b, d) in run.compared.by_brp]
    for brp, direction in known:
        rows.append(
            [text(brp), DIRECTION_WORDS[direction], *_errors(run.compared.by_brp[brp, direction])]
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
    return table(heads, rows, words=2, total=len(DIRECTION_WORDS))


def _errors(sums: Sequence[int]) -> list[str]:
    ours, true, absolute = sums
    return [
        kwh(ours),
        kwh(true),
        kwh(ours - true, signed=True),
        share(ours - true, true, signed=True),
        share(absolute, true),
    ]


def _histogram_table(run: Run) -> str:
    if run.compared is None:
        return ""
    counts = [run.compared.classes[direction] for direction in codes.DIRECTIONS]
    rows = [
        [name, *(number(column[index]) for column in counts)]
        for index, name in enumerate(class_names())
    ]
    return table(["error", *(word.lower() for word in DIRECTION_WORDS.values())], rows)


def _exact(run: Run, name: str) -> str:
    if run.compared is None:
        return ""
    cells = run.compared.cells.num_rows
    words = [f"{number(run.compared.exact)} of {number(cells)} sums are right to the Wh"]
    for (count, volume), what in (
        (run.compared.without_truth, f"have no {name} to compare with"),
        (run.compared.without_ours, f"of the {name} were not allocated"),
    ):
        if count:
            words.append(f"{number(count)} sums ({kwh(volume)}{THIN}kWh) {what} and are left out")
    return text("; ".join(words) + ".")
