"""Taking in what is small: the register, the couplings, fractions and the home's own parameters."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa

from kwartier import parameters, tables
from kwartier.adapters import files, store
from kwartier.adapters.store import Home, HomeError, registers
from kwartier.arrays import Int64s
from kwartier.parameters import ParameterError
from kwartier.runs.deliveries import Intake, Source, new_files, path_of
from kwartier.runs.moments import identity, seconds
from kwartier.steps import register

# The market's parameters hold from here on.
_FIRST_DAY = date(1900, 1, 1)
_POINT = "accounting_point"

# Parts the rows of a delivery, of a name and as known from a moment [s UTC], by where they go.
_Put = Callable[[Home, pa.Table, str, int], Mapping[str, pa.Table]]


def take_register(
    home: Home, sources: Sequence[Source], *, recorded_at: datetime | None = None
) -> Intake:
    """Take in files (or Arrow tables) of the register of accounting points.

    Parameters
    ----------
    recorded_at : when rows that do not say so became known; now when not given.

    Raises
    ------
    FileRefused : something is wrong in the files; nothing of them is kept.
    HomeError : points are in another grid area by a register that was recorded later.
    """
    return _take(home, sources, "register", seconds(recorded_at), files.read_register, _by_area)


def take_couplings(
    home: Home, sources: Sequence[Source], *, recorded_at: datetime | None = None
) -> Intake:
    """Take in files (or Arrow tables) of the couplings of grid areas.

    Parameters
    ----------
    recorded_at : when rows that do not say so became known; now when not given.

    Raises
    ------
    FileRefused : something is wrong in the files; nothing of them is kept.
    """
    put = _in_order_of("couplings", "coupling", "valid_from")
    return _take(home, sources, "couplings", seconds(recorded_at), files.read_couplings, put)


def _take(
    home: Home,
    sources: Sequence[Source],
    kind: str,
    moment: int,
    read: Callable[[Sequence[Path], datetime], pa.Table],
    put: _Put,
    **said: object,
) -> Intake:
    """Take in files as one table, and put it in its place or places."""
    with home.writing():
        new = new_files(home, sources, kind, moment, **said)
        if not new.paths:
            return Intake(None, skipped=new.skipped)
        rows = read(new.paths, datetime.fromtimestamp(moment, UTC))
        inputs = new.told()
        name = identity([inputs, moment])
        parted = put(home, rows, name, moment)
        written = [home.add(table, place) for place, table in parted.items()]
        home.deliver(kind, moment, id=name, inputs=inputs, files=written, rows_in=len(rows))
    days: tuple[str, ...] = ()
    if "market_day" in rows.column_names:
        days = tuple(str(day) for day in sorted(set(rows["market_day"].to_pylist())))
    return Intake(name, len(rows), len(rows), new.skipped, days=days)


def _in_order_of(kind: str, *columns: str) -> _Put:
    by = [(name, "ascending") for name in columns]
    return lambda home, rows, name, moment: {f"{kind}/{name}.parquet": rows.sort_by(by)}


def _by_area(home: Home, rows: pa.Table, name: str, moment: int) -> dict[str, pa.Table]:
    """Part rows of the register by grid area; points that move take their other rows along."""
    registers.gather(home)
    held = registers.areas(home)
    points = register.moved(rows, {area: _points_of(home, area) for area in held})
    before: dict[str, pa.Table] = {}
    if len(points):
        before = {area: _rows_of(home, area, points) for area in held}
        known = sum(len(_rows_of(home, area, points, moment)) for area in held)
        if known < sum(map(len, before.values())):
            raise HomeError(
                "points of this register lie in another grid area by one that was recorded later "
                "and is here already; take registers in, in order"
            )
    return {
        registers.place(area, name): registers.folded(part)
        for area, part in register.by_area(rows, points, before).items()
    }


def _points_of(home: Home, area: str) -> Int64s:
    pieces = registers.pieces(home, area)
    numbers = [piece.read([_POINT])[_POINT].to_numpy() for piece in pieces]
    return np.unique(np.concatenate(numbers))


def _rows_of(home: Home, area: str, points: Int64s, known_at: int | None = None) -> pa.Table:
    """Read the rows that an area holds of some points."""
    found = [tables.REGISTER.empty()]
    for piece in registers.pieces(home, area, known_at):
        here = np.isin(piece.read([_POINT])[_POINT].to_numpy(), points)
        if here.any():
            found.append(registers.unfolded(piece.read().filter(pa.array(here))))
    return pa.concat_tables(found)


def take_fractions(
    home: Home,
    sources: Sequence[Source],
    *,
    by_tariff: Sequence[str] = (),
    recorded_at: datetime | None = None,
) -> Intake:
    """Take in files (or Arrow tables) of fractions: standard profiles, dimensioned profiles.

    Parameters
    ----------
    by_tariff : columns whose fractions are of the annual volume of the period's own tariff, for
        days of years that a file does not hold as a whole.
    recorded_at : from when they are known; now when not given.

    Raises
    ------
    FileRefused : something is wrong in the files; nothing of them is kept.
    """

    def read(paths: Sequence[Path], moment: datetime) -> pa.Table:
        rows = files.read_fractions(paths, by_tariff)
        known = pa.repeat(pa.scalar(moment, tables.MOMENT), len(rows))
        return rows.append_column("recorded_at", known)

    put = _in_order_of("fractions", "profile", "consumption_type", "direction", "market_day")
    said = {"by_tariff": sorted(by_tariff)} if by_tariff else {}
    return _take(home, sources, "fractions", seconds(recorded_at), read, put, **said)


def take_parameters(
    home: Home, source: str | Path, *, recorded_at: datetime | None = None
) -> Intake:
    """Take in the home's own parameters, in place of all that it had of its own before.

    Parameters
    ----------
    source : a YAML file in the form of the market's parameters.
    recorded_at : from when they are known; now when not given.

    Raises
    ------
    ParameterError : not such a file, or a value that cannot be read; nothing of it is kept.
    FileRefused : no such file.
    """
    moment = seconds(recorded_at)
    with home.writing():
        path = path_of(home, source)
        inputs = [{"name": path.name, "sha256": store.sha256(path)}]
        try:
            text = path.read_text("utf-8")
        except UnicodeDecodeError:
            raise ParameterError(f"{path.name}: expected text in UTF-8") from None
        own = parameters.parse(text, path.name)
        newest = home.newest("parameters", moment)
        # Taken in again after another one, the same file is a change.
        if newest and newest["inputs"][0]["sha256"] == inputs[0]["sha256"]:
            return Intake(None, skipped=(path.name,))
        named = {day for entry in own.values() for day in entry["values"]}
        for day in sorted(named | {_FIRST_DAY}, key=str):
            try:
                parameters.load(day, own)
            except ParameterError as error:
                raise ParameterError(f"{path.name}: {error}") from None
        name = identity([inputs, moment])
        entry = home.add_text(text, home.root / "parameters" / f"{name}.yaml")
        home.deliver("parameters", moment, id=name, inputs=inputs, files=[entry], rows_in=len(own))
    return Intake(name, len(own), len(own))
