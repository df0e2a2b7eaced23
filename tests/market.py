"""What tests of the market rules share: points, readings of a day, and a home to take them through.

Times come from the wall clock of Amsterdam by the standard library, not from kwartier.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa

from kwartier import (
    Home,
    allocate,
    codes,
    ingest,
    ingest_volumes,
    result,
    tables,
    take_couplings,
    take_fractions,
    take_parameters,
    take_register,
)
from kwartier.runs import of_run

AREA = "871685900000056162"
OTHER_AREA = "871687120000052782"
BRP, OTHER_BRP = "8716871000002", "8712423014022"
SUPPLIER, OTHER_SUPPLIER = "8716892000005", "8716916000004"
DAY = date(2026, 1, 14)
ONE_DAY = timedelta(days=1)
SPRING, AUTUMN = date(2026, 3, 29), date(2026, 10, 25)
REGISTERED = datetime(2025, 6, 1, 12, tzinfo=UTC)
LIMIT = 5175  # of 3x25, which a point has where nothing else is said [Wh per quarter]
START = 1_000_000
FLAT = 100


def ean(number: int) -> int:
    """Give the EAN of a point by a short number."""
    return codes.with_check_digit(87168590000000000 + number)


POINT, OTHER = ean(1), ean(2)


def point(number: int = POINT, **cells: Any) -> dict[str, Any]:
    """Give a row of the register: a household without infeed."""
    return {
        "accounting_point": number,
        "grid_area": AREA,
        "brp": BRP,
        "supplier": SUPPLIER,
        "valid_from": date(2025, 1, 1),
    } | cells


def moments(day: date) -> list[datetime]:
    """List the moments of the readings of a day: both midnights and every quarter between."""
    clock = ZoneInfo("Europe/Amsterdam")
    opens, closes = (
        datetime.combine(d, time(), clock).astimezone(UTC) for d in (day, day + ONE_DAY)
    )
    quarters = (closes - opens) // timedelta(minutes=15)
    return [opens + timedelta(minutes=15) * j for j in range(quarters + 1)]


def flat(day: date = DAY, step: int = FLAT, start: int = START) -> list[int | None]:
    """Give the readings of a day on which every quarter has the same energy."""
    return [start + step * j for j in range(len(moments(day)))]


def counted(volumes: Sequence[int], start: int = START) -> list[int | None]:
    """Give the readings of a register that counts these volumes."""
    readings: list[int | None] = [start]
    for volume in volumes:
        start += volume
        readings.append(start)
    return readings


def but(readings: Sequence[int | None], changed: dict[int, int | None]) -> list[int | None]:
    """Give the readings with some of them changed, by position."""
    return [changed.get(j, reading) for j, reading in enumerate(readings)]


def read(
    readings: Sequence[int | None],
    number: int = POINT,
    register: str = "1.8.0",
    day: date = DAY,
    meter: str | None = None,
    status: dict[int, int] | None = None,
) -> list[dict[str, Any]]:
    """Give the readings of a day as rows, by position; a reading that is None was not made."""
    return [
        {
            "accounting_point": number,
            "register": register,
            "read_at": moment,
            "reading_wh": reading,
            "meter": meter,
            "status": (status or {}).get(j, 0),
        }
        for j, (moment, reading) in enumerate(zip(moments(day), readings, strict=False))
        if reading is not None
    ]


COUPLING, TELEMETRY, LOSS, LIGHTING = (ean(900 + k) for k in range(4))


def coupling(number: int = COUPLING, **cells: Any) -> dict[str, Any]:
    """Give a coupling of the area with the national grid."""
    own = {"coupling": number, "grid_area": AREA, "other_grid_area": None}
    return own | {"valid_from": date(2025, 1, 1)} | cells


def volumes(
    number: int, wh: int | Sequence[int | None], direction: str = "E17", day: date = DAY
) -> list[dict[str, Any]]:
    """Give the quarter volumes of a day as rows, all alike or one by one."""
    starts = moments(day)[:-1]
    values = [wh] * len(starts) if isinstance(wh, int) else wh
    return [
        {
            "accounting_point": number,
            "direction": direction,
            "period_start": start,
            "volume_wh": value,
            "origin": "MSR",
            "validation_status": None,
            "method": None,
        }
        for start, value in zip(starts, values, strict=True)
    ]


def lighting(profile: str, count: int, day: date = DAY) -> list[dict[str, Any]]:
    """Give a dimensioned profile of a day, flat: so many 1e-8 of the year in each quarter."""
    return [
        {
            "profile": profile,
            "period_start": start.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "fraction": f"{count / 1e8:.8f}",
        }
        for start in moments(day)[:-1]
    ]


_READINGS = pa.schema(
    [
        ("accounting_point", pa.int64()),
        ("register", pa.string()),
        ("read_at", pa.timestamp("s", "UTC")),
        ("reading_wh", pa.int64()),
        ("meter", pa.string()),
        ("status", pa.int32()),
    ]
)


_VOLUMES = pa.schema(
    [
        ("accounting_point", pa.int64()),
        ("direction", pa.string()),
        ("period_start", pa.timestamp("s", "UTC")),
        ("volume_wh", pa.int64()),
        ("origin", pa.string()),
        ("validation_status", pa.string()),
        ("method", pa.string()),
    ]
)


@dataclass(frozen=True)
class Outcome:
    """The result tables of a day, as rows.

    The areas of most tests have no couplings; that this is found is left out of the findings.
    """

    allocation: list[dict[str, Any]]
    coverage: list[dict[str, Any]]
    findings: list[dict[str, Any]]
    balance: list[dict[str, Any]]
    residual: list[dict[str, Any]]

    def found(self, rule: str) -> list[dict[str, Any]]:
        """List what a rule found."""
        return [row for row in self.findings if row["rule"] == rule]

    def series(
        self, direction: str, origin: str, column: str = "volume_wh", group: str = "SMA"
    ) -> list[int]:
        """Give a series of a group by position, summed over the parties."""
        key = (group, direction, origin)
        rows = [r for r in self.allocation if (r["group"], r["direction"], r["origin"]) == key]
        days = sorted({(r["market_day"], r["position"]) for r in rows})
        return [
            sum(r[column] for r in rows if (r["market_day"], r["position"]) == at) for at in days
        ]

    def measured(self, direction: str = "E17") -> list[int]:
        """Give what was measured in each period [Wh]."""
        return self.series(direction, "MSR")

    def calculated(self, direction: str = "E17") -> list[int]:
        """Give what was calculated in each period [Wh]."""
        return self.series(direction, "CLC")

    def methods(self, direction: str = "E17") -> dict[str, tuple[int, int, int]]:
        """Give point-days, point-periods and Wh by the method of calculation."""
        sums: dict[str, tuple[int, int, int]] = {}
        for row in self.coverage:
            if row["direction"] == direction and row["method"]:
                points, periods, wh = sums.get(row["method"], (0, 0, 0))
                sums[row["method"]] = (
                    points + row["points"],
                    periods + row["periods"],
                    wh + row["volume_wh"],
                )
        return sums


class Market:
    """A home in an empty folder, and the three things that are done with it."""

    def __init__(self, folder: Path, parameters: str | None = None) -> None:
        self.home = Home(folder / "home", create=True)
        self._delivered = self._volumes = REGISTERED
        if parameters:
            self.parameters(parameters)

    def parameters(self, text: str, recorded_at: datetime = REGISTERED) -> None:
        """Take in parameters of the home's own, recorded at a moment."""
        path = self.home.root.parent / "own.yaml"
        path.write_text(text, "utf-8")
        take_parameters(self.home, path, recorded_at=recorded_at)

    def register(self, *rows: dict[str, Any], recorded_at: datetime = REGISTERED) -> None:
        """Take in rows of the register, recorded at a moment."""
        names = list(dict.fromkeys(name for row in rows for name in row))
        default = {column.name: column.default for column in tables.REGISTER.columns}
        default |= {"consumption_type": "AZI", "remote_reading": "on"}
        table = pa.table({n: [row.get(n, default[n]) for row in rows] for n in names})
        take_register(self.home, [table], recorded_at=recorded_at)

    def deliver(self, *days: list[dict[str, Any]], recorded_at: datetime | None = None) -> Any:
        """Take in readings as one delivery, two days after its last reading when not said."""
        rows = [row for day in days for row in day]
        last = max(row["read_at"] for row in rows)
        recorded_at = recorded_at or max(last + 2 * ONE_DAY, self._delivered + timedelta(hours=1))
        self._delivered = recorded_at
        table = pa.Table.from_pylist(rows, schema=_READINGS)
        return ingest(self.home, [table], recorded_at=recorded_at)

    def couplings(self, *rows: dict[str, Any], recorded_at: datetime = REGISTERED) -> None:
        """Take in couplings, recorded at a moment."""
        table = pa.Table.from_pylist(list(rows))
        take_couplings(self.home, [table], recorded_at=recorded_at)

    def volumes(self, *series: list[dict[str, Any]], recorded_at: datetime | None = None) -> Any:
        """Take in quarter volumes as one delivery, at noon two days later when not said."""
        rows = [row for one in series for row in one]
        last = max(row["period_start"] for row in rows)
        recorded_at = recorded_at or max(last + 2 * ONE_DAY, self._volumes + timedelta(hours=1))
        self._volumes = recorded_at
        table = pa.Table.from_pylist(rows, schema=_VOLUMES)
        return ingest_volumes(self.home, [table], recorded_at=recorded_at)

    def fractions(self, rows: list[dict[str, Any]], recorded_at: datetime = REGISTERED) -> None:
        """Take in a dimensioned profile."""
        path = self.home.root.parent / f"profile-{len(self.home.deliveries())}.csv"
        lines = [f"{r['profile']},{r['period_start']},{r['fraction']}" for r in rows]
        path.write_text("\n".join(["profile,period_start,fraction", *lines]) + "\n", "utf-8")
        take_fractions(self.home, [path], recorded_at=recorded_at)

    def allocate(
        self, *days: date, known_at: datetime | None = None, threads: int | None = 1
    ) -> list[Any]:
        """Allocate days, DAY when none is said, and give the runs."""
        days = days or (DAY,)
        # Far enough that all that a test delivers is known.
        known_at = known_at or datetime.combine(days[-1], time(), UTC) + 700 * ONE_DAY
        return allocate(self.home, days, known_at=known_at, threads=threads)

    def findings(self, run: Any) -> list[dict[str, Any]]:
        """Give the findings of a run, also of one that was refused."""
        found: list[dict[str, Any]] = of_run(self.home, run, "findings").to_pylist()
        return found

    def run(
        self,
        *days: date,
        known_at: datetime | None = None,
        threads: int | None = 1,
        with_open_areas: bool = False,
    ) -> Outcome:
        """Allocate days, DAY when none is said, and give the results."""
        days = days or (DAY,)
        self.allocate(*days, known_at=known_at, threads=threads)
        made = {
            name: result(self.home, name, days).to_pylist()
            for name in ("allocation", "coverage", "findings", "balance", "residual")
        }
        if not with_open_areas:
            made["findings"] = [r for r in made["findings"] if r["rule"] != "area_not_closed"]
        return Outcome(**made)
