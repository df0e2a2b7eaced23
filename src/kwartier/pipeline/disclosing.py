"""What a run may tell by protected documents: merged, and then attacked.

The attacker is everybody together who is told something: all sums of protected documents, totals of
BRPs, and those of the run before. Source: domain §10; decisions §33.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import pyarrow as pa

from kwartier.parameters import Parameters
from kwartier.steps import audit, disclosure
from kwartier.steps.disclosure import ALL, OTHER, Before, Cell, Disclosed, Holders, Run

# A sum of the run before, where it changed, is another secret than that of this one.
_Key = tuple[str, Cell]
_NOW, _BEFORE = "now", "before"


def disclosed(now: Run, before: Before | None, parameters: Parameters) -> Disclosed:
    """Merge what may not be told by itself, and audit what is told.

    Parameters
    ----------
    before : the run of the day and area that was published before; None where there was none.

    Returns
    -------
    disclosed : its report says what the audit could still compute.

    Raises
    ------
    disclosure.NotConserved : an error of this program.
    """
    made = disclosure.disclose(now, before, parameters)
    attackable = _attackable(now, before, made, parameters)
    rows = made.report.select(["brp", "supplier", "group", "direction"]).to_pylist()
    found = pa.array([tuple(row.values()) in attackable for row in rows], pa.bool_())
    at = made.report.schema.get_field_index("attackable")
    return made._replace(report=made.report.set_column(at, "attackable", found))


def _attackable(
    now: Run, before: Before | None, made: Disclosed, parameters: Parameters
) -> set[Cell]:
    volumes = disclosure.told_of(now.allocation)
    live = disclosure.live_of(volumes, disclosure.holders_of(now.privacy))
    keys: dict[_Key, audit.Secret] = {}
    told: list[set[_Key]] = []
    name: dict[Cell, _Key] = {}
    for cell, held in live.items():
        name[cell] = (_NOW, cell)
        keys[name[cell]] = _secret(cell, held, parameters)
    told += _told(name, made.partition.merged, made.alone)
    if before is not None:
        was = disclosure.told_of(before.run.allocation)
        earlier: dict[Cell, _Key] = {}
        live_then = disclosure.live_of(was, disclosure.holders_of(before.run.privacy))
        for cell, held in live_then.items():
            same = live.get(cell) == held
            if same and (volumes[cell].volume == was[cell].volume).all():
                earlier[cell] = name[cell]
            else:
                earlier[cell] = (_BEFORE, cell)
                keys[earlier[cell]] = _secret(cell, held, parameters)
        told += _told(earlier, before.partition.merged, before.alone)
    place = {key: i for i, key in enumerate(sorted(keys))}
    rules = audit.Rules(parameters.disclosure_least_holders, parameters.disclosure_dominant_share)
    secrets = [keys[key] for key in place]
    found = audit.computable([{place[key] for key in sum_} for sum_ in told], secrets, rules)
    return {cell for (when, cell), at in place.items() if when == _NOW and at in found}


def _told(
    name: Mapping[Cell, _Key], merged: Iterable[tuple[str, str]], alone: frozenset[Cell]
) -> list[set[_Key]]:
    """List the sums that a run tells of its secrets, but those that it tells to one party alone."""
    sums: dict[Cell, set[_Key]] = {}
    together = set(merged)
    for cell, key in name.items():
        supplier = OTHER if cell[:2] in together else cell[1]
        for told in ((cell[0], supplier, *cell[2:]), (cell[0], ALL, *cell[2:])):
            if told not in alone:
                sums.setdefault(told, set()).add(key)
    return [sums[told] for told in sorted(sums)]


def _secret(cell: Cell, held: Holders, parameters: Parameters) -> audit.Secret:
    return audit.Secret(*held, guarded=cell[2] in parameters.disclosure_groups)
