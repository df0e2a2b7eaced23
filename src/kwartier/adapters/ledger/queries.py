"""What is asked of the tables of the ledger, and what is written in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from datetime import date
from typing import Any

from sqlalchemy import ColumnElement, Connection, Table, func, insert, inspect, select, update

from kwartier.adapters.ledger.rows import ANY_TIME, Content, Event, Question, Run
from kwartier.adapters.ledger.schema import (
    EVENTS,
    FILES,
    HOME,
    INPUTS,
    PARAMETERS,
    PUBLICATIONS,
    RESULTS,
    REVISION_TABLE,
    RUNS,
)
from kwartier.adapters.ledger.states import ANSWERED, RUNNING

_RUN = select(
    *(RUNS.c[field.name] for field in fields(Run) if field.name != "publication"),
    PUBLICATIONS.c.publication,
).select_from(RUNS.outerjoin(PUBLICATIONS, PUBLICATIONS.c.run == RUNS.c.run))


def revision(connection: Connection) -> str | None:
    """Give the last step that the tables took; none where there are no tables."""
    if not inspect(connection).has_table(REVISION_TABLE):
        return None
    found = connection.exec_driver_sql(f"SELECT version_num FROM {REVISION_TABLE}").scalar()
    return None if found is None else str(found)


def home(connection: Connection) -> str | None:
    """Give the home that the ledger belongs to."""
    return connection.execute(select(HOME.c.home)).scalar()


def settle(connection: Connection, home: str) -> None:
    """Say which home the ledger belongs to."""
    connection.execute(insert(HOME).values(one=1, home=home))


# -- runs


def moment(question: Question) -> int:
    """Give what tells questions of a day, area and kind apart: nothing, for a calendar kind."""
    return question.known_at if question.kind in ANY_TIME else 0


def last(connection: Connection, question: Question) -> Run | None:
    """Find the run of a question that was begun last."""
    found = _runs(
        connection,
        RUNS.c.market_day == question.market_day,
        RUNS.c.grid_area == question.grid_area,
        RUNS.c.kind == question.kind,
        RUNS.c.moment == moment(question),
    )
    return max(found, key=lambda run: run.turn, default=None)


def run(connection: Connection, run: str) -> Run | None:
    """Find a run by its id."""
    return next(iter(_runs(connection, RUNS.c.run == run)), None)


def runs_like(connection: Connection, prefix: str) -> list[Run]:
    """Find two of the runs whose ids begin so, or the only one."""
    statement = _RUN.where(RUNS.c.run.startswith(prefix, autoescape=True)).limit(2)
    return [Run(**row._mapping) for row in connection.execute(statement)]


def runs(
    connection: Connection,
    first: date | None,
    last: date | None,
    grid_area: str | None,
    states: Sequence[str],
) -> list[Run]:
    """List runs in order of creation."""
    conditions: list[ColumnElement[bool]] = []
    if first is not None:
        conditions.append(RUNS.c.market_day >= first)
    if last is not None:
        conditions.append(RUNS.c.market_day <= last)
    if grid_area is not None:
        conditions.append(RUNS.c.grid_area == grid_area)
    if states:
        conditions.append(RUNS.c.state.in_(states))
    return _runs(connection, *conditions)


def latest(
    connection: Connection, market_day: date, grid_area: str, *, published: bool
) -> Run | None:
    """Find the complete run of a day and area that was created, or found unchanged, last."""
    seen = RUNS.alias("seen")
    statement = (
        _RUN.join(seen, RUNS.c.run == func.coalesce(seen.c.same_as, seen.c.run))
        .where(
            seen.c.market_day == market_day,
            seen.c.grid_area == grid_area,
            seen.c.state.in_(ANSWERED),
        )
        .order_by(seen.c.number.desc())
        .limit(1)
    )
    if published:
        statement = statement.where(PUBLICATIONS.c.publication.is_not(None))
    row = connection.execute(statement).one_or_none()
    return None if row is None else Run(**row._mapping)


def _runs(connection: Connection, *conditions: ColumnElement[bool]) -> list[Run]:
    statement = _RUN.where(*conditions).order_by(RUNS.c.number)
    return [Run(**row._mapping) for row in connection.execute(statement)]


def begin(connection: Connection, question: Question, values: Mapping[str, Any]) -> None:
    """Write a run that did not exist."""
    connection.execute(insert(RUNS).values(**asdict(question), moment=moment(question), **values))


def change(connection: Connection, run: str, worker: str, values: Mapping[str, Any]) -> bool:
    """Change a run that a worker holds; tell whether it holds it."""
    held = (RUNS.c.run == run, RUNS.c.state == RUNNING, RUNS.c.worker == worker)
    return connection.execute(update(RUNS).where(*held).values(**values)).rowcount == 1


def take_over(connection: Connection, seen: Run, values: Mapping[str, Any]) -> bool:
    """Change a running run; tell whether it was still held, until the same moment, as seen."""
    held = (
        RUNS.c.run == seen.run,
        RUNS.c.state == RUNNING,
        RUNS.c.worker == seen.worker,
        RUNS.c.lease_until == seen.lease_until,
    )
    return connection.execute(update(RUNS).where(*held).values(**values)).rowcount == 1


# -- what belongs to a run


def happen(
    connection: Connection, run: str, event: str, worker: str | None, at: int, note: str | None
) -> None:
    """Write an event of a run."""
    seq = select(func.coalesce(func.max(EVENTS.c.seq), 0) + 1).where(EVENTS.c.run == run)
    connection.execute(
        insert(EVENTS).values(
            run=run, seq=seq.scalar_subquery(), at=at, event=event, worker=worker, note=note
        )
    )


def contain(connection: Connection, run: Run, content: Content) -> None:
    """Write what a run read and held."""
    known = _files(connection, content.inputs)
    # In one order, so that two that name the same new files wait for each other and no more.
    new = sorted(set(content.inputs) - set(known))
    if new:
        rows = [{"path": path, "sha256": sha256} for path, sha256 in new]
        connection.execute(insert(FILES), rows)
        known |= _files(connection, new)
    if content.inputs:
        pairs = [{"number": run.number, "file": known[file]} for file in content.inputs]
        connection.execute(insert(INPUTS), pairs)
    held = [
        {"name": name, "since": since, "value": value}
        for name, (since, value) in content.parameters.items()
    ]
    _add(connection, PARAMETERS, run, held)


def _files(connection: Connection, wanted: Sequence[tuple[str, str]]) -> dict[tuple[str, str], int]:
    """Give the numbers of the files, by path and SHA-256, that have one."""
    of = FILES.c
    known: dict[tuple[str, str], int] = {}
    for at in range(0, len(wanted), 1000):  # a statement takes so many values and no more
        paths = [path for path, _ in wanted[at : at + 1000]]
        statement = select(of.path, of.sha256, of.file).where(of.path.in_(paths))
        known |= {(row.path, row.sha256): row.file for row in connection.execute(statement)}
    return known


def result(connection: Connection, run: Run, made: Sequence[tuple[str, str, int, str]]) -> None:
    """Write which tables a run made."""
    names = ("name", "path", "rows", "sha256")
    _add(connection, RESULTS, run, [dict(zip(names, table, strict=True)) for table in made])


def _add(connection: Connection, table: Table, run: Run, rows: Sequence[dict[str, Any]]) -> None:
    if rows:
        connection.execute(insert(table), [{"run": run.run, **row} for row in rows])


def publish(connection: Connection, run: Run) -> int:
    """Write that a run is published, as the next of its day and area; give which that is."""
    of = PUBLICATIONS.c
    place = select(func.coalesce(func.max(of.publication), 0) + 1).where(
        of.market_day == run.market_day, of.grid_area == run.grid_area
    )
    connection.execute(
        insert(PUBLICATIONS).values(
            run=run.run,
            market_day=run.market_day,
            grid_area=run.grid_area,
            publication=place.scalar_subquery(),
        )
    )
    written = select(of.publication).where(of.run == run.run)
    return int(connection.execute(written).scalar_one())


def events(connection: Connection, run: str) -> list[Event]:
    """List the events of a run in order."""
    of = EVENTS.c
    statement = select(of.seq, of.at, of.event, of.worker, of.note).where(of.run == run)
    return [Event(*row) for row in connection.execute(statement.order_by(of.seq))]


def inputs(connection: Connection, run: Run) -> list[tuple[str, str]]:
    """List path and SHA-256 of what a run read, by path."""
    of = FILES.c
    read = select(of.path, of.sha256).join(INPUTS, INPUTS.c.file == of.file)
    statement = read.where(INPUTS.c.number == run.number)
    return sorted((row.path, row.sha256) for row in connection.execute(statement))


def parameters(connection: Connection, run: str) -> dict[str, tuple[date, str]]:
    """Give since when the parameters of a run hold, and their values, by name."""
    of = PARAMETERS.c
    statement = select(of.name, of.since, of.value).where(of.run == run)
    found = sorted(tuple(row) for row in connection.execute(statement))
    return {name: (since, value) for name, since, value in found}


def results(connection: Connection, run: str) -> list[tuple[str, str, int, str]]:
    """List name, path, rows and SHA-256 of the tables of a run, by name."""
    of = RESULTS.c
    statement = select(of.name, of.path, of.rows, of.sha256).where(of.run == run)
    return sorted((*row,) for row in connection.execute(statement))
