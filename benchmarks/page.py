"""What was measured, as a page of Markdown: the table with its targets, and where it stands."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from benchmarks.measuring import Work
from benchmarks.plot import Bar

NAMES = {
    "floor": "floor: pyarrow decodes the stored day rows",
    "kwartier": "**kwartier allocate**, the command",
    "allocate": "**kwartier**, from Python, first call",
    "allocate_again": "**kwartier**, from Python, second call",
    "duckdb_as_it_lies": "DuckDB, trusting the order of the file",
    "duckdb_by_meter": "DuckDB, ordering by meter",
    "polars_as_it_lies": "Polars, trusting the order of the file",
    "polars_by_meter": "Polars, ordering by meter",
    "spark": "PySpark SQL, exploding the lists",
    "late": "**kwartier**, what the late readings changed",
    "late_afresh": "**kwartier**, all of it",
    "late command": "**kwartier allocate**, the command, what changed",
    "late_afresh command": "**kwartier allocate --afresh**, the command",
    "ingest csv": "**kwartier ingest**, CSV",
    "duckdb_copy csv": "DuckDB, CSV → Parquet as it lies",
    "duckdb_copy_ordered csv": "DuckDB, CSV → Parquet, ordered",
    "ingest parquet": "**kwartier ingest**, Parquet",
    "duckdb_copy parquet": "DuckDB, Parquet → Parquet as it lies",
    "duckdb_copy_ordered parquet": "DuckDB, Parquet → Parquet, ordered",
}
INSIDE = ("allocate", "allocate_again", "late", "late_afresh")
COUNTRY = 8_500_000  # points; what the targets of growth and memory are meant for
NOT_MEASURED = "not measured"


class Measured(NamedTuple):
    """What a run of the benchmarks measured; a part that was left out is empty."""

    machine: str
    versions: str
    load: float
    points: int
    readings: int
    rounds: int
    whole: Mapping[str, Work]
    first_ever: Work
    stored: int  # bytes of day rows
    smaller: int = 0  # points
    growth: Mapping[str, Work] = {}
    late: Mapping[str, Work] = {}
    late_same: bool = False  # bytes of the results
    few: int = 0  # points of the references and the shares
    references: Mapping[str, Work] = {}
    left_out: Mapping[str, str] = {}
    shares: Mapping[float, Mapping[str, Work]] = {}
    ingest_points: int = 0
    ingest_rows: int = 0
    taken_in: Mapping[str, Work] = {}


class Target(NamedTuple):
    """A row of the table of targets."""

    work: str
    reference: str
    target: str
    measured: str
    reached: bool | None


def write(m: Measured) -> str:
    """Write the page."""
    parts = [
        "# Measured\n\nWritten by `make bench`;"
        " [Performance](performance.md) says what is compared.",
        f"{m.points:,} points × 2 registers in 17 grid areas, {m.readings:,} readings; medians of"
        f" {m.rounds} interleaved runs, each a fresh process, files in the page cache.",
        f"{m.machine}.  \n{m.versions}.  \n"
        f"Load average of the machine over the last quarter of an hour: {m.load:.1f}.",
        "## Against the targets\n\n" + _targets_table(m),
        "![Seconds of each](measured.svg)",
        f"## The whole way\n\n{m.points:,} points.\n\n" + _costs(m.whole),
        f"The first run on a machine compiles the kernels: {m.first_ever.middle():.1f} s instead "
        f"of {m.whole['kwartier'].middle():.1f} s, once.",
    ]
    if m.growth:
        parts.append(f"## Growth\n\n{m.smaller:,} points.\n\n" + _costs(m.growth))
    if m.late:
        parts.append(
            "## Late readings\n\nThe readings of 1 % of the points came after the others were "
            f"allocated; {m.points:,} points. From Python: second calls.\n\n" + _costs(m.late)
        )
    if m.references:
        parts.append(
            f"## References\n\n{m.few:,} points: the long form of more is not made.\n\n"
            + _costs(m.references)
        )
        parts += [f"{NAMES[name]}: left out, {why}." for name, why in m.left_out.items()]
        parts.append(_same_sums(m.references))
    if m.shares:
        parts.append(f"## Doubtful points\n\n{m.few:,} points.\n\n" + _shares(m.shares))
    if m.taken_in:
        parts.append(
            f"## Taking in\n\n{m.ingest_points:,} points, {m.ingest_rows:,} rows in long form.\n\n"
            + _costs(m.taken_in)
        )
        kept = [cost.told.get("rows_kept") for w in m.taken_in.values() for cost in w.costs]
        if {rows for rows in kept if rows is not None} != {m.ingest_rows}:
            parts.append("**kwartier did not keep every row**, so these are not comparable.")
    return "\n\n".join(parts)


def bars(m: Measured) -> list[Bar]:
    """Give what the plot shows: each process that sums the same readings."""
    works, points = (m.references, m.few) if m.references else (m.whole, m.points)
    own = works["kwartier"].middle()
    return [
        Bar(
            NAMES[name].replace("*", ""),
            work.middle(),
            f"{work.middle():.2f} s, {work.middle() / own:.1f} × ({points:,} points)",
            name == "kwartier",
        )
        for name, work in works.items()
        if name not in INSIDE
    ]


def _targets(m: Measured) -> list[Target]:
    whole, again, floor = (
        m.whole[name].middle("inside") for name in ("allocate", "allocate_again", "floor")
    )
    processes = m.whole["kwartier"].middle() / m.whole["floor"].middle()
    return [
        Target(
            "the whole way, from Python",
            f"floor, {floor:.3f} s",
            "≤ 1.5 ×",
            f"{whole / floor:.1f} × (second call {again / floor:.1f} ×)",
            whole <= 1.5 * floor,
        ),
        Target(
            "the whole way, as processes",
            f"floor, {m.whole['floor'].middle():.2f} s",
            "—",
            f"{processes:.1f} ×",
            None,
        ),
        *(
            _against(m, name, title, wanted)
            for name, title, wanted in (("duckdb", "DuckDB", 4), ("polars", "Polars", 6))
        ),
        _against(m, "spark", "PySpark SQL", None),
        *_growth(m),
        _late(m),
        *(_taken_in(m, form, title) for form, title in (("csv", "CSV"), ("parquet", "Parquet"))),
        Target(
            "storage",
            "—",
            "≤ 1.0 B a reading",
            f"{m.stored / m.readings:.2f} B",
            m.stored <= m.readings,
        ),
        *(_doubtful(m, share) for share in m.shares if share),
    ]


def _against(m: Measured, name: str, title: str, wanted: int | None) -> Target:
    work, to_reach = "the whole way, as processes", f"≥ {wanted} × faster" if wanted else "—"
    forms = [form for form in m.references if form.startswith(name)]
    if not forms:
        why = m.left_out.get(name, NOT_MEASURED)
        return Target(work, f"{title}: differences, limits, sums", to_reach, why, None)
    best = min(forms, key=lambda form: m.references[form].middle())
    own, other = m.references["kwartier"], m.references[best]
    ratio = other.middle() / own.middle()
    inside = other.middle("inside") / m.references["allocate"].middle("inside")
    # The processor time of the Java process is not counted.
    cpu = "" if name == "spark" else f"CPU {other.middle('cpu') / own.middle('cpu'):.1f} ×, "
    return Target(
        work,
        f"{NAMES[best]}: differences, limits, sums; {m.few:,} points",
        to_reach,
        f"{ratio:.1f} × ({cpu}without start-up {inside:.1f} ×)",
        ratio >= wanted if wanted else None,
    )


def _growth(m: Measured) -> list[Target]:
    if not m.growth:
        return [
            Target("growth", "linear", "≤ 1.05 × (1 M → 8.5 M)", NOT_MEASURED, None),
            Target(
                "peak memory",
                "—",
                "≤ 2 GB and flat",
                f"{m.whole['kwartier'].middle('peak') / 1e6:.0f} MB at {m.points:,} points",
                None,
            ),
        ]
    times = m.points / m.smaller
    linear = times * m.growth["allocate_again"].middle("inside")
    again = m.whole["allocate_again"].middle("inside")
    peak = m.whole["kwartier"].middle("peak")
    country = m.points >= COUNTRY
    return [
        Target(
            f"growth {m.smaller:,} → {m.points:,} points",
            "linear",
            "≤ 1.05 × (1 M → 8.5 M)",
            f"{again / linear:.2f} × (second calls)",
            again <= 1.05 * linear if country else None,
        ),
        Target(
            "peak memory",
            f"{m.growth['kwartier'].middle('peak') / 1e6:.0f} MB at {m.smaller:,} points",
            "≤ 2 GB and flat",
            f"{peak / 1e6:.0f} MB",
            peak <= 2e9 if country else None,
        ),
    ]


def _late(m: Measured) -> Target:
    if not m.late:
        return Target("1 % late readings", "full run", "≤ 5 %, same bytes", NOT_MEASURED, None)
    part = m.late["late"].middle("inside") / m.late["late_afresh"].middle("inside")
    processes = m.late["late command"].middle() / m.late["late_afresh command"].middle()
    bytes_ = "the same bytes" if m.late_same else "**other bytes**"
    return Target(
        "1 % late readings",
        f"full run, {m.late['late_afresh'].middle('inside'):.2f} s",
        "≤ 5 %, same bytes",
        f"{part:.0%}, {bytes_} (as processes {processes:.0%})",
        part <= 0.05 and m.late_same,
    )


def _taken_in(m: Measured, form: str, title: str) -> Target:
    work, reference = f"taking in {title}", "DuckDB, the same file → Parquet"
    if not m.taken_in:
        return Target(work, reference, "≤ 1 ×", NOT_MEASURED, None)
    own, plain, ordered = (
        m.taken_in[f"{name} {form}"].middle()
        for name in ("ingest", "duckdb_copy", "duckdb_copy_ordered")
    )
    told = f"{own / plain:.1f} × (ordered: {own / ordered:.1f} ×)"
    return Target(work, reference, "≤ 1 ×", told, own <= plain)


def _doubtful(m: Measured, share: float) -> Target:
    floor, again = (m.shares[share][name].middle("inside") for name in ("floor", "allocate_again"))
    work = f"{share:.0%} of the points doubtful, from Python"
    told = f"second call {again / floor:.1f} ×"
    return Target(work, f"floor of the same day, {m.few:,} points", "—", told, None)


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
        counted = process and name != "spark"  # the Java process is another one
        rows.append(
            [
                NAMES[name],
                f"{work.middle():.2f}" if process else "—",
                f"{work.middle('inside'):.3f}" if "seconds" in work.costs[0].told else "—",
                f"{work.middle('cpu'):.2f}" if counted else "—",
                f"{work.middle('peak') / 1e6:.0f}" if name != "spark" else "—",
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


def _shares(shares: Mapping[float, Mapping[str, Work]]) -> str:
    rows = []
    for share, works in shares.items():
        floor, first, again = (
            works[name].middle("inside") for name in ("floor", "allocate", "allocate_again")
        )
        rows.append(
            [
                f"{share:.0%}",
                f"{floor:.3f}",
                f"{first:.3f}",
                f"{again:.3f}",
                f"{again / floor:.1f} ×",
                f"{works['kwartier'].middle('peak') / 1e6:.0f}",
            ]
        )
    head = ["doubtful", "floor s", "first call s", "second call s", "second / floor", "peak MB"]
    return _table(head, rows)


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)
