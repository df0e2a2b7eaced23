"""What was measured, as a page of Markdown: the table with its targets, and where it stands."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from benchmarks.measuring import Work

NAMES = {
    "floor": "floor: pyarrow decodes the stored day rows",
    "kwartier": "**kwartier allocate**, the command",
    "allocate": "**kwartier**, from Python, first call",
    "allocate_again": "**kwartier**, from Python, second call",
    "duckdb_as_it_lies": "DuckDB, trusting the order of the file",
    "duckdb_by_meter": "DuckDB, ordering by meter",
    "polars_as_it_lies": "Polars, trusting the order of the file",
    "polars_by_meter": "Polars, ordering by meter",
    "ingest csv": "**kwartier ingest**, CSV",
    "duckdb_copy csv": "DuckDB, CSV → Parquet as it lies",
    "duckdb_copy_ordered csv": "DuckDB, CSV → Parquet, ordered",
    "ingest parquet": "**kwartier ingest**, Parquet",
    "duckdb_copy parquet": "DuckDB, Parquet → Parquet as it lies",
    "duckdb_copy_ordered parquet": "DuckDB, Parquet → Parquet, ordered",
}
INSIDE = ("allocate", "allocate_again")
_BAR = 40  # characters of the longest bar


class Measured(NamedTuple):
    """All that a run of the benchmarks measured."""

    machine: str
    versions: str
    load: float
    points: int
    readings: int
    doubtful: float
    rounds: int
    way: Mapping[str, Work]
    first_ever: Work
    smaller: Mapping[str, Work]  # a day of a quarter of the points
    shares: Mapping[float, Mapping[str, Work]]
    ingest_points: int
    ingest_rows: int
    taken_in: Mapping[str, Work]
    stored: int  # bytes of day rows


class Target(NamedTuple):
    """A row of the table of targets."""

    work: str
    reference: str
    target: str
    measured: str
    reached: bool | None


def write(measured: Measured) -> str:
    """Write the page."""
    parts = [
        f"{measured.points:,} points × 2 registers, {measured.readings:,} readings,"
        f" {measured.doubtful:.0%} of the points doubtful; medians of {measured.rounds} interleaved"
        " runs, each a fresh process, files in the page cache.",
        f"{measured.machine}.  \n{measured.versions}.  \n"
        f"Load average of the machine while measuring: {measured.load:.1f}.",
        "### Against the targets\n\n" + _targets_table(measured),
        "### What each took\n\n" + _costs(measured.way),
        _same_sums(measured.way),
        _chart(measured.way),
        f"The first run on a machine compiles the kernels: "
        f"{measured.first_ever.middle():.1f} s instead of "
        f"{measured.way['kwartier'].middle():.1f} s, once.",
    ]
    if len(measured.shares) > 1:
        parts.append("### Doubtful points\n\n" + _shares(measured))
    if measured.taken_in:
        parts.append(
            f"### Taking in\n\n{measured.ingest_points:,} points,"
            f" {measured.ingest_rows:,} rows in long form.\n\n" + _costs(measured.taken_in)
        )
        kept = [cost.told.get("rows_kept") for w in measured.taken_in.values() for cost in w.costs]
        if {rows for rows in kept if rows is not None} != {measured.ingest_rows}:
            parts.append("**kwartier did not keep every row**, so these are not comparable.")
    return "\n\n".join(parts)


def _targets(m: Measured) -> list[Target]:
    way = m.way
    whole, again, floor = (
        way[name].middle("inside") for name in ("allocate", "allocate_again", "floor")
    )
    processes = way["kwartier"].middle() / way["floor"].middle()
    rows = [
        Target(
            "the whole way, from Python",
            f"floor, {floor:.3f} s",
            "≤ 1.5 ×",
            f"{whole / floor:.1f} × (second call {again / floor:.1f} ×)",
            whole <= 1.5 * floor,
        ),
        Target(
            "the whole way, as processes",
            f"floor, {way['floor'].middle():.2f} s",
            "—",
            f"{processes:.1f} ×",
            None,
        ),
    ]
    for name, wanted in (("duckdb", 4), ("polars", 6)):
        best = min((f"{name}_as_it_lies", f"{name}_by_meter"), key=lambda n: way[n].middle())
        ratio = way[best].middle() / way["kwartier"].middle()
        cpu = way[best].middle("cpu") / way["kwartier"].middle("cpu")
        inside = way[best].middle("inside") / whole
        rows.append(
            Target(
                "the whole way, as processes",
                f"{NAMES[best]}: differences, limits, sums",
                f"≥ {wanted} × faster",
                f"{ratio:.1f} × (CPU {cpu:.1f} ×, without start-up {inside:.1f} ×)",
                ratio >= wanted,
            )
        )
    linear = 4 * m.smaller["allocate_again"].middle("inside")
    of_a_country = m.points >= 8_500_000  # what the two targets are meant for
    rows += [
        Target(
            f"growth {m.points // 4:,} → {m.points:,} points",
            "linear",
            "≤ 1.05 × (1 M → 8.5 M)",
            f"{again / linear:.2f} × (second calls)",
            again <= 1.05 * linear if of_a_country else None,
        ),
        Target(
            "peak memory",
            f"{m.smaller['kwartier'].middle('peak') / 1e6:.0f} MB at {m.points // 4:,} points",
            "≤ 2 GB and flat",
            f"{way['kwartier'].middle('peak') / 1e6:.0f} MB",
            way["kwartier"].middle("peak") <= 2e9 if of_a_country else None,
        ),
        Target("1 % late readings", "full run", "≤ 5 %", "blocks kept; not measured here", None),
    ]
    for form in ("csv", "parquet") if m.taken_in else ():
        ratio = m.taken_in[f"ingest {form}"].middle() / m.taken_in[f"duckdb_copy {form}"].middle()
        ordered = (
            m.taken_in[f"ingest {form}"].middle()
            / m.taken_in[f"duckdb_copy_ordered {form}"].middle()
        )
        rows.append(
            Target(
                f"taking in {form.upper() if form == 'csv' else 'Parquet'}",
                "DuckDB, the same file → Parquet",
                "≤ 1 ×",
                f"{ratio:.1f} × (ordered: {ordered:.1f} ×)",
                ratio <= 1,
            )
        )
    size = m.stored / m.readings
    rows.append(Target("storage", "—", "≤ 1.0 B a reading", f"{size:.2f} B", size <= 1.0))
    return rows


def _targets_table(measured: Measured) -> str:
    told = {True: "reached", False: "not yet", None: "—"}
    return _table(
        ["work", "reference", "to reach", "measured", "stands"],
        [[*row[:4], told[row.reached]] for row in _targets(measured)],
    )


def _costs(works: Mapping[str, Work]) -> str:
    rows = []
    for name, work in works.items():
        # Called from Python there is more around the way than its own start-up.
        process = name not in INSIDE
        rows.append(
            [
                NAMES[name],
                f"{work.middle():.2f}" if process else "—",
                f"{work.middle('inside'):.3f}" if "seconds" in work.costs[0].told else "—",
                f"{work.middle('cpu'):.2f}" if process else "—",
                f"{work.middle('peak') / 1e6:.0f}",
            ]
        )
    return _table(["", "wall s", "without start-up s", "CPU s", "peak MB"], rows)


def _same_sums(works: Mapping[str, Work]) -> str:
    digests = {name: work.costs[-1].told.get("sums") for name, work in works.items()}
    digests = {name: digest for name, digest in digests.items() if digest}
    wh = works["allocate"].costs[-1].told["wh"]
    if len(set(digests.values())) == 1:
        return f"All {len(digests)} give the same measured sums to the Wh: {wh:,} Wh in all."
    differ = [NAMES[n] for n, digest in digests.items() if digest != digests["allocate"]]
    return "**The measured sums differ** from kwartier's: " + "; ".join(differ) + "."


def _chart(works: Mapping[str, Work]) -> str:
    shown = {name: work for name, work in works.items() if name not in INSIDE}
    longest = max(work.middle() for work in shown.values())
    lines = []
    for name, work in shown.items():
        bar = "█" * max(1, round(_BAR * work.middle() / longest))
        lines.append(f"{NAMES[name].replace('*', ''):<46}{bar} {work.middle():.2f} s")
    return "```text\n" + "\n".join(lines) + "\n```"


def _shares(measured: Measured) -> str:
    rows = []
    for share, works in measured.shares.items():
        floor, whole = works["floor"].middle("inside"), works["allocate"].middle("inside")
        peak = works["allocate"].middle("peak") / 1e6
        rows.append(
            [
                f"{share:.0%}",
                f"{floor:.3f}",
                f"{whole:.3f}",
                f"{whole / floor:.1f} ×",
                f"{peak:.0f}",
            ]
        )
    return _table(["doubtful", "floor s", "whole way s", "ratio", "peak MB"], rows)


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)
