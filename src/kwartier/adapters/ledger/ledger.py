"""The ledger itself: runs are claimed, held, ended and published, each in one transaction.

What may happen to a run stands in `states`; why, in decisions §23.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from typing import Any, TypeVar
from uuid import NAMESPACE_OID, uuid5

from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from kwartier.adapters.ledger import outbox, queries, states
from kwartier.adapters.ledger.database import Database
from kwartier.adapters.ledger.letters import Letter
from kwartier.adapters.ledger.rows import (
    ANY_TIME,
    NEVER_PUBLISHED,
    Content,
    Event,
    LedgerError,
    Overtaken,
    Question,
    Run,
)
from kwartier.adapters.ledger.schema import REVISIONS

# As often a transaction is tried again when another one came in between; each time another won.
_ATTEMPTS = 50

_T = TypeVar("_T")


class Ledger:
    """The runs of a home, in SQLite or PostgreSQL.

    Moments are whole seconds UTC, and the ledger asks no clock. Only the worker that holds a
    running run can end it: one that was taken over is told so. What a lost connection left in
    doubt may be asked again by the same worker: it is done once.

    Parameters
    ----------
    url : sqlite:///PATH, or postgresql://USER:PASSWORD@HOST/DATABASE.
    home : id of the home that the ledger belongs to.

    Raises
    ------
    LedgerError : a URL of something else, a ledger of another home or of a newer kwartier.
    Unreachable : the database cannot be reached; every method can raise it.
    """

    def __init__(self, url: str, home: str) -> None:
        self._database = Database(url)
        self._home = home
        self.outbox = outbox.Outbox(self._database)
        self._open()

    def close(self) -> None:
        """Let go of the database; what is asked next takes hold of it again."""
        self._database.close()

    def _open(self) -> None:
        self._database.make()
        with self._database.reading() as connection:
            held = self._held(connection)
        if held is None:
            from kwartier.adapters.ledger import migrations  # needed once, and slow to load

            with self._database.migrating() as connection:
                if self._held(connection) is None:
                    migrations.upgrade(connection)
                held = queries.home(connection)
                if held is None:
                    held = self._home
                    queries.settle(connection, held)
        if held != self._home:
            raise LedgerError(
                f"the ledger {self._database.place} belongs to another home; "
                "give each home a ledger of its own"
            )

    def _held(self, connection: Connection) -> str | None:
        """Give the home of a ledger that is up to date; none where steps are to be taken."""
        found = queries.revision(connection)
        if found is not None and found not in REVISIONS:
            raise LedgerError(
                f"the ledger {self._database.place} was made by a newer kwartier "
                f"(its tables are of revision {found}, this one knows {REVISIONS[-1]}); "
                "update kwartier"
            )
        return queries.home(connection) if found == REVISIONS[-1] else None

    # -- a run begins

    def claim(
        self,
        question: Question,
        *,
        worker: str,
        now: int,
        lease: int,
        gone: Callable[[str], bool],
    ) -> Run | None:
        """Begin the run that answers a question, or take it over from a worker that is gone.

        A calendar kind is asked of a day and area once, whatever the moment it is asked as known
        at; a run that is taken over stays as known at its own moment.

        Parameters
        ----------
        lease : for so long the worker is taken to be alive, unless it renews [s].
        gone : tells whether a worker is known to be dead before its lease is over.

        Returns
        -------
        run : held by the worker; none when another holds it, or a calendar run is answered.
        """
        for _ in range(_ATTEMPTS):
            with self._database.reading() as connection:
                last = queries.last(connection, question)
            if last is not None and last.state == states.RUNNING:
                if last.worker == worker:  # the answer to its claim was lost
                    return self.renew(last, worker=worker, now=now, lease=lease)
                alive = last.lease_until is not None and now < last.lease_until
                if alive and not gone(str(last.worker)):
                    return None
                held = self._take_over(last, worker, now, lease)
            elif (
                last is not None and last.state in states.ANSWERED and question.kind not in ANY_TIME
            ):
                return None
            else:
                turn = 1 if last is None else last.turn + 1
                values = {"worker": worker, "lease_until": now + lease}
                held = self._begin(question, turn, "claimed", now, values)
            if held is not None:
                return held
        raise LedgerError("other workers claim the same run again and again; try again")

    def miss(self, question: Question, *, now: int) -> Run | None:
        """Write that a calendar run was passed over; none when it was begun or missed already."""
        with self._database.reading() as connection:
            last = queries.last(connection, question)
        if last is not None:
            return None
        return self._begin(question, 1, "missed", now, {"finished_at": now})

    def _begin(
        self, question: Question, turn: int, event: str, now: int, values: dict[str, Any]
    ) -> Run | None:
        run = _id(self._home, question, turn)
        values |= {
            "run": run,
            "turn": turn,
            "state": states.after(None, event),
            "started_at": now,
        }
        try:
            with self._database.writing() as connection:
                queries.begin(connection, question, values)
                queries.happen(connection, run, event, values.get("worker"), now, None)
                return queries.run(connection, run)
        except IntegrityError:  # another worker was first
            return None

    def _take_over(self, run: Run, worker: str, now: int, lease: int) -> Run | None:
        event = "taken_over"
        values = {
            "state": states.after(run.state, event),
            "worker": worker,
            "lease_until": now + lease,
        }
        with self._database.writing() as connection:
            if not queries.take_over(connection, run, values):
                return None
            queries.happen(connection, run.run, event, worker, now, f"from {run.worker}")
            return queries.run(connection, run.run)

    # -- a run is held, and ends

    def renew(self, run: Run, *, worker: str, now: int, lease: int) -> Run:
        """Say that the worker is alive, for so long [s].

        Raises
        ------
        LedgerError : another worker took the run over, or it has ended.
        """
        with self._database.writing() as connection:
            changed = queries.change(connection, run.run, worker, {"lease_until": now + lease})
            held = self._known(connection, run.run)
            if not changed:
                self._same_worker(held, worker)
                raise LedgerError(f"run {run.run} is {held.state}; only a running one is renewed")
            return held

    def complete(
        self,
        run: Run,
        content: Content,
        *,
        worker: str,
        now: int,
        publish: bool,
        letters: Sequence[Letter] = (),
    ) -> Run:
        """Say that a run is complete, with all that is said of it, and publish it.

        Parameters
        ----------
        letters : what it sends, released with its publication; their content is on the storage.

        Raises
        ------
        LedgerError : another worker took the run over, it has ended otherwise, or a trial is to
            be published.
        Overtaken : another run of the day and area was published meanwhile.
        """
        if publish and run.kind == NEVER_PUBLISHED:
            raise LedgerError(f"run {run.run} is a {run.kind}, which is never published")
        if letters and not publish:
            raise LedgerError(f"run {run.run} is not published, so it sends nothing")

        def write(connection: Connection) -> None:
            queries.contain(connection, run, content)
            queries.result(connection, run, content.tables)
            if publish:
                self._follows(connection, run, content.previous)
                publication = queries.publish(connection, run)
                outbox.release(connection, run, publication, letters, now)

        values = {
            "version": content.version,
            "digest": content.digest,
            "previous": content.previous,
            "blocks": content.blocks,
            "blocks_computed": content.blocks_computed,
        }
        return self._end(run, "completed", worker, now, values, None, write)

    def _follows(self, connection: Connection, run: Run, previous: str | None) -> None:
        """See that a run that is to be published is held against the one published last."""
        last = queries.latest(connection, run.market_day, run.grid_area, published=True)
        if last is not None and last.number > run.number:
            raise Overtaken(f"run {last.run}, created later, was published before this one", last)
        if (None if last is None else last.run) != previous:
            raise Overtaken(f"another run was published before run {run.run}", last)

    def unchanged(self, run: Run, same_as: Run, *, worker: str, now: int) -> Run:
        """Say that a run has the content of an earlier one, so there is nothing new.

        Raises
        ------
        LedgerError : the earlier one is not a complete run of the day and area; or as `complete`.
        """

        def check(connection: Connection) -> None:
            earlier = self._known(connection, same_as.run)
            of = (earlier.market_day, earlier.grid_area, earlier.state)
            if of != (run.market_day, run.grid_area, states.COMPLETE):
                raise LedgerError(
                    f"run {run.run} cannot be the same as run {same_as.run}, which is not a "
                    "complete run of its day and area"
                )

        values = {"same_as": same_as.run}
        return self._end(run, "found_unchanged", worker, now, values, same_as.run, check)

    def refuse(
        self,
        run: Run,
        reason: str,
        *,
        worker: str,
        now: int,
        digest: str | None = None,
        tables: Sequence[tuple[str, str, int, str]] = (),
    ) -> Run:
        """Say why a run gives no allocation; tables may show it.

        Parameters
        ----------
        digest : of all that was known; while it is the same, the run would be refused again.

        Raises
        ------
        LedgerError : as `complete`.
        """

        def write(connection: Connection) -> None:
            queries.result(connection, run, tables)

        values = {"reason": reason, "digest": digest}
        return self._end(run, "refused", worker, now, values, reason, write)

    def fail(self, run: Run, reason: str, *, worker: str, now: int) -> Run:
        """Say why a run did not come to an end.

        Raises
        ------
        LedgerError : as `complete`.
        """
        return self._end(run, "failed", worker, now, {"reason": reason}, reason)

    def _end(
        self,
        run: Run,
        event: str,
        worker: str,
        now: int,
        values: dict[str, Any],
        note: str | None,
        write: Callable[[Connection], None] = lambda connection: None,
    ) -> Run:
        state = states.after(states.RUNNING, event)
        ended = {"state": state, "finished_at": now, "lease_until": None}

        def act(connection: Connection) -> Run:
            if queries.change(connection, run.run, worker, {**values, **ended}):
                queries.happen(connection, run.run, event, worker, now, note)
                write(connection)
                return self._known(connection, run.run)
            held = self._known(connection, run.run)
            self._same_worker(held, worker)
            said = {**values, "state": state}
            if any(getattr(held, name) != value for name, value in said.items()):
                states.after(held.state, event)
            return held  # it was said already, and the answer was lost

        return self._written(act)

    def _written(self, act: Callable[[Connection], _T]) -> _T:
        """Write; anew when another transaction took the same place in an order."""
        for _ in range(_ATTEMPTS):
            try:
                with self._database.writing() as connection:
                    return act(connection)
            except IntegrityError as error:
                text = str(error.orig).splitlines()[0]
        raise LedgerError(f"the ledger {self._database.place} does not take this: {text}")

    def _known(self, connection: Connection, run: str) -> Run:
        held = queries.run(connection, run)
        if held is None:
            raise LedgerError(f"the ledger {self._database.place} has no run {run}")
        return held

    def _same_worker(self, held: Run, worker: str) -> None:
        if held.worker != worker:
            raise LedgerError(
                f"run {held.run} was taken over by another worker and is {held.state}; "
                "leave it to that one"
            )

    # -- what is known of runs

    def latest(self, market_day: date, grid_area: str, *, published: bool = False) -> Run | None:
        """Find the complete run of a day and area that counts: the one created last.

        A run that was found unchanged stands for the run that it is the same as.

        Parameters
        ----------
        published : only among those that were published.
        """
        with self._database.reading() as connection:
            return queries.latest(connection, market_day, grid_area, published=published)

    def get(self, run: str) -> Run:
        """Find a run by its id, or by a beginning that no other id has.

        Raises
        ------
        LedgerError : no such run, or several.
        """
        with self._database.reading() as connection:
            found = queries.runs_like(connection, run.lower())
        if not found:
            raise LedgerError(f"no run begins with {run!r}; the list of runs shows their ids")
        if len(found) > 1:
            raise LedgerError(f"more than one run begins with {run!r}; give more of the id")
        return found[0]

    def runs(
        self,
        *,
        first: date | None = None,
        last: date | None = None,
        grid_area: str | None = None,
        states: Sequence[str] = (),
    ) -> list[Run]:
        """List runs in order of creation: of market days first to last, an area, some states."""
        with self._database.reading() as connection:
            return queries.runs(connection, first, last, grid_area, states)

    def events(self, run: Run) -> list[Event]:
        """List the events of a run in order."""
        with self._database.reading() as connection:
            return queries.events(connection, run.run)

    def inputs(self, run: Run) -> list[tuple[str, str]]:
        """List path and SHA-256 of every file that a run read, by path."""
        with self._database.reading() as connection:
            return queries.inputs(connection, run)

    def parameters(self, run: Run) -> dict[str, tuple[date, str]]:
        """Give since when the parameters of a run hold, and their values, by name."""
        with self._database.reading() as connection:
            return queries.parameters(connection, run.run)

    def tables(self, run: Run) -> list[tuple[str, str, int, str]]:
        """List name, path, rows and SHA-256 of every table that a run made, by name."""
        with self._database.reading() as connection:
            return queries.results(connection, run.run)


def _id(home: str, question: Question, turn: int) -> str:
    """Name a run: the same home, question and turn, the same id."""
    said = (
        question.market_day.isoformat(),
        question.grid_area,
        question.kind,
        str(question.known_at),
        str(turn),
    )
    return str(uuid5(uuid5(NAMESPACE_OID, home), "/".join(said)))
