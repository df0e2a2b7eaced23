"""One run: claim it in the ledger, take the way, write its tables, mark it complete last.

A run that is killed anywhere is taken over by the next that asks the same: the same moment, the
same inputs, the same bytes; what was published is not published again. Source: domain §7;
decisions §23.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import date
from typing import TYPE_CHECKING, Any, TypeVar

import pyarrow as pa
import pyarrow.compute as pc

import kwartier
from kwartier import parameters
from kwartier.adapters.ledger import (
    Content,
    LedgerError,
    Overtaken,
    Question,
    Run,
    Unreachable,
)
from kwartier.adapters.store import NO_MESSAGES, Home, HomeError
from kwartier.engines.spark import ClusterError
from kwartier.parameters import STATUTORY
from kwartier.pipeline import disclosed
from kwartier.runs import calendar
from kwartier.runs.moments import identity, parameters_of, seconds
from kwartier.runs.way import Made, Way
from kwartier.steps import correction, disclosure
from kwartier.steps.addressing import Released
from kwartier.steps.disclosure import Before, Disclosed

if TYPE_CHECKING:
    from kwartier.adapters.ledger import Ledger
    from kwartier.runs.releasing import Leaving, Release

TRIAL, CORRECTION = "trial", "correction"
LEASE = 900  # seconds after which a worker that shows no life may be replaced
_PAUSES = (0.2, 0.5, 1.0, 2.0, 4.0, 8.0)  # seconds between tries to reach the ledger

# Parts of the home that every run reads as a whole; of the register it reads some areas.
_ALWAYS_READ = ("couplings/", "fractions/", "doubts/")

# What a published run had stays in those after it, as zeros.
_WITHDRAW = {"allocation": correction.withdraw, "individual": correction.withdraw_each}

_T = TypeVar("_T")


def steadily(act: Callable[[], _T]) -> _T:
    """Do something with the ledger, again after a pause while it cannot be reached.

    Raises
    ------
    Unreachable : it stayed away; the run is taken up where it is asked again.
    """
    for pause in _PAUSES:
        try:
            return act()
        except Unreachable:
            time.sleep(pause)
    return act()


class Runner:
    """Makes runs in a home, as one worker.

    leaving : makes the documents that a published run sends; those of the market when not given.
    """

    def __init__(
        self, home: Home, ledger: Ledger, worker: str, leaving: Leaving | None = None
    ) -> None:
        self._home, self._ledger, self._worker, self._leaving = home, ledger, worker, leaving
        self._seen_alive = 0

    def claim(self, question: Question) -> Run | None:
        """Claim a run; None where it is made already, or somebody else is making it."""
        now = self._seen_alive = seconds(None)
        return steadily(
            lambda: self._ledger.claim(
                question, worker=self._worker, now=now, lease=LEASE, gone=self._home.gone
            )
        )

    def left_behind(self, day: date, grid_area: str, kind: str) -> list[Run]:
        """List the runs of a kind whose worker is gone, or shows no life."""
        now = seconds(None)
        running = steadily(
            lambda: self._ledger.runs(first=day, last=day, grid_area=grid_area, states=("running",))
        )
        return [
            run
            for run in running
            if run.kind == kind
            and (now >= (run.lease_until or 0) or self._home.gone(str(run.worker)))
        ]

    def give_up(self, run: Run, reason: str) -> None:
        """End a run that was left behind and of which nobody asks any more."""
        held = self.claim(Question(run.market_day, run.grid_area, run.kind, run.known_at))
        if held is not None:
            self._fail(held, reason)

    def alive(self, run: Run) -> None:
        """Show that a run is still being made."""
        if seconds(None) - self._seen_alive > LEASE // 3:
            self._renew(run)

    def _renew(self, run: Run) -> None:
        now = self._seen_alive = seconds(None)
        steadily(lambda: self._ledger.renew(run, worker=self._worker, now=now, lease=LEASE))

    def make(self, run: Run, way: Way) -> Run:
        """Make a claimed run; it ends complete, unchanged, refused or failed.

        Raises
        ------
        HomeError, ClusterError : the home or the cluster failed; the run is marked failed.
        LedgerError : the ledger failed, or another worker took the run over.
        """
        try:
            return self._make(run, way)
        except LedgerError:
            raise
        except Exception as error:
            told = isinstance(error, HomeError | ClusterError)
            reason = str(error) if told else type(error).__name__
            self._fail(run, reason)
            raise

    def _fail(self, run: Run, reason: str) -> Run:
        failed = self._end(self._ledger.fail, run, reason)
        self._home.forget_run(run.market_day, run.grid_area, run.run)
        return failed

    def _end(self, act: Callable[..., Run], run: Run, *arguments: Any, **options: Any) -> Run:
        now = seconds(None)
        return steadily(lambda: act(run, *arguments, worker=self._worker, now=now, **options))

    def _make(self, run: Run, way: Way) -> Run:
        day, area, publish = run.market_day, run.grid_area, run.kind != TRIAL
        made = way.take(day, area)
        tables = dict(made.result.tables)
        tables["findings"] = self._with_doubts(run, tables["findings"])
        refused = made.result.refused
        if publish and not refused:
            if not way.couplings(day, area):
                refused = "no coupling of the area is known, so it cannot be closed"
            elif way.needs_readings(day, area) and not way.blocks(day, area):
                refused = "no readings of the area were taken in of that day"
        if refused:
            files = self._write(run, {"findings": tables["findings"]})
            known = way.known()
            return self._end(self._ledger.refuse, run, refused, digest=known, tables=files)

        if not publish:
            return self._try(run, way, made, tables)
        while True:
            before = steadily(lambda: self._ledger.latest(day, area, published=True))
            if before is not None and before.number > run.number:
                reason = f"run {before.run}, created later, was published before it"
                return self._fail(run, reason)
            try:
                return self._publish(run, way, made, tables, before)
            except Overtaken:  # then it is held against the run that was quicker
                continue

    def _try(self, run: Run, way: Way, made: Made, tables: Mapping[str, pa.Table]) -> Run:
        """End a trial: the same as an earlier one where it has the same content."""
        content = self._content(run, way, made, None)
        day = run.market_day
        earlier = steadily(
            lambda: self._ledger.runs(
                first=day, last=day, grid_area=run.grid_area, states=("complete",)
            )
        )
        for other in earlier:
            if other.kind == TRIAL and other.digest == content["digest"]:
                return self._end(self._ledger.unchanged, run, other)
        files = self._write(run, tables)
        return self._end(
            self._ledger.complete, run, Content(**content, tables=files), publish=False
        )

    def _publish(
        self,
        run: Run,
        way: Way,
        made: Made,
        tables: Mapping[str, pa.Table],
        before: Run | None,
    ) -> Run:
        """End a run that is published: it withdraws what the one before it had and it has not."""
        content = self._content(run, way, made, before)
        if before is not None:
            of_before = (before.market_day, before.grid_area, before.run)
            withdrawn = {
                name: withdraw(self._home.table_of_run(*of_before, name), tables[name])
                for name, withdraw in _WITHDRAW.items()
            }
            tables = {**tables, **withdrawn}
        shown = self._disclosed(run, tables, before)
        tables = {**tables, "disclosure": shown.report}
        released = self._release(run, tables, None if shown.attackable else shown.allocation)
        content["inputs"] += released.inputs
        files = self._write(run, tables, released.contents)
        said = Content(**content, tables=files)
        letters = released.letters
        return self._end(self._ledger.complete, run, said, publish=True, letters=letters)

    def _release(
        self, run: Run, tables: Mapping[str, pa.Table], protected: pa.Table | None
    ) -> Release:
        """Write the documents that a run sends; a home without parties sends none.

        protected : None where the audit found a sum of few, so that only exact ones leave.
        """
        # Formats take long to load, and a run that is not published sends nothing.
        from kwartier.runs.parties import parties_of
        from kwartier.runs.releasing import Release, leaving, release

        parties = parties_of(self._home, run.known_at)
        if parties is None:
            return Release()
        of = (run.market_day, run.grid_area)
        last = steadily(lambda: self._ledger.outbox.last_created(*of))
        # The latest creation counts, so it lies after all that was sent of the day before.
        created_at = max(run.started_at, last + 1)
        held = parameters_of(self._home, run.market_day, run.known_at)
        final_from = calendar.final_from(run.market_day, held, parameters.holidays())
        released = Released(
            run.market_day,
            run.grid_area,
            run.run,
            created_at,
            parties.party,
            parties.role,
            tables["allocation"],
            protected,
            tables["individual"],
            tables["residual"],
            tables["fractions"],
            statutory=[one for one, how in held.disclosure_policy.items() if how == STATUTORY],
            final=final_from is not None and run.known_at >= final_from,
        )
        return release(self._home, run, parties, released, self._leaving or leaving)

    def _disclosed(self, run: Run, tables: Mapping[str, pa.Table], before: Run | None) -> Disclosed:
        """Say what of a run may be told by protected documents, audited."""
        earlier = None
        if before is not None:
            of_before = (before.market_day, before.grid_area, before.run)
            earlier = Before.of(
                *(
                    self._home.table_of_run(*of_before, name)
                    for name in ("allocation", "privacy", "disclosure")
                )
            )
        held = parameters_of(self._home, run.market_day, run.known_at)
        now = disclosure.Run(tables["allocation"], tables["privacy"])
        return disclosed(now, earlier, held)

    def _with_doubts(self, run: Run, findings: pa.Table) -> pa.Table:
        """Add to the findings of a run those that were made when its data were taken in."""
        made = [findings]
        for table in self._home.table_of("doubts", run.known_at):
            of_area = pc.and_(
                pc.equal(table["market_day"], run.market_day),
                pc.equal(table["grid_area"], run.grid_area),
            )
            made.append(table.filter(of_area))
        return pa.concat_tables(made).combine_chunks()

    def _write(
        self, run: Run, tables: Mapping[str, pa.Table], messages: Mapping[str, bytes] = NO_MESSAGES
    ) -> list[tuple[str, str, int, str]]:
        # A worker that lost its run may not write over what the other one made.
        self._renew(run)
        of = (run.market_day, run.grid_area, run.run)
        return self._home.write_run(*of, self._worker, tables, messages)

    def _content(self, run: Run, way: Way, made: Made, before: Run | None) -> dict[str, Any]:
        """Give what a run is made of, and the digest that names it: the same, the same bytes."""
        held = parameters_of(self._home, run.market_day, run.known_at)
        inputs = made.inputs + [
            (file["path"], file["sha256"])
            for manifest in self._home.deliveries(run.known_at)
            for file in manifest["files"]
            if file["path"].startswith(_ALWAYS_READ)
        ]
        # Days around this one were taken with the parameters that hold there.
        own = self._home.newest("parameters", run.known_at)
        inputs += [(file["path"], file["sha256"]) for file in own["files"]] if own else []
        parameters = {
            name: (since, str(getattr(held, name))) for name, since in held.holding_since.items()
        }
        previous = None if before is None else before.run
        made_of = {
            "market_day": run.market_day,
            "grid_area": run.grid_area,
            "inputs": inputs,
            # A file of the register may hold rows that were not known yet.
            "known_until": made.until,
            "parameters": parameters,
            "reaches_back": made.reaches_back,
            "version": kwartier.__version__,
            "previous": previous,
        }
        return {
            "digest": identity(made_of),
            "version": kwartier.__version__,
            "inputs": inputs,
            "parameters": parameters,
            "previous": previous,
            "blocks": made.blocks,
            "blocks_computed": made.computed,
        }
