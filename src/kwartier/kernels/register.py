"""What rows of the register say of the points of a day, and who is behind their sums."""

from __future__ import annotations

from typing import Any

import numpy as np

from kwartier.kernels.compiled import compiled


@compiled
def by_customer(rows: Any, party: Any, connection: Any, here: Any, of_customer: Any) -> Any:
    """Part the rows of an area: those of small customers, and all others.

    Parameters
    ----------
    rows : the row of each point.
    party, connection : (all rows), indexes of both.
    here : (parties), whether it is of the area.
    of_customer : (connections), whether it is of a small customer.

    Returns
    -------
    ours, others : int32, in the order of the rows.
    """
    count = np.zeros(2, np.int64)
    for i in range(rows.size):
        if here[party[rows[i]]]:
            count[0 if of_customer[connection[rows[i]]] else 1] += 1
    ours, others = np.empty(count[0], np.int32), np.empty(count[1], np.int32)
    count[:] = 0
    for i in range(rows.size):
        row = rows[i]
        if not here[party[row]]:
            continue
        if of_customer[connection[row]]:
            ours[count[0]] = row
            count[0] += 1
        else:
            others[count[1]] = row
            count[1] += 1
    return ours, others


@compiled
def mark_cells(rows: Any, party: Any, connection: Any, kind: Any, occurs: Any) -> None:
    """Mark which parties have points of which kinds.

    Parameters
    ----------
    rows : the row of each point.
    party, connection : (all rows), indexes of both.
    kind : (connections), the kind of each.
    occurs : bool (parties, kinds), set where a row has both.
    """
    for i in range(rows.size):
        row = rows[i]
        occurs[party[row], kind[connection[row]]] = True


@compiled
def points_of(
    rows: Any, party: Any, connection: Any, given: Any, terms: Any, cell_of: Any, into: Any
) -> Any:
    """Give points what their rows say, annual volumes among them; what is not given is assumed.

    Parameters
    ----------
    rows : the row of each point.
    party, connection : (all rows), indexes of both.
    given : four arrays (all rows): annual offtake in the normal and the low tariff, infeed likewise
        [Wh]; below 0 where not given. A volume given for one tariff only is 0 in the other.
    terms : (connections) each: the kind; state; whether it must have infeed; (connections, 2, 2),
        what to assume of each direction, in all and in the low tariff; the highest possible annual
        volume [Wh], 0: there is none.
    cell_of : (parties, kinds), the cell of each.
    into : (points) each, to be filled: state, cell, connection, with_infeed; (points, 2) each:
        annual volume, its low part, whether it is known.

    Returns
    -------
    above : how many annual volumes are higher than possible.
    """
    kind, state, with_infeed, assumed, most = terms
    states, cells, connections, infeeds, total, low, known = into
    above = 0
    for i in range(rows.size):
        row = rows[i]
        c = connection[row]
        cells[i] = cell_of[party[row], kind[c]]
        states[i] = state[c]
        connections[i] = c
        infeeds[i] = with_infeed[c]
        for d in range(2):
            in_normal, in_low = given[2 * d][row], given[2 * d + 1][row]
            if in_normal >= 0 or in_low >= 0:
                low[i, d] = max(in_low, np.int64(0))
                total[i, d] = max(in_normal, np.int64(0)) + low[i, d]
                known[i, d] = True
            else:
                total[i, d] = assumed[c, d, 0]
                low[i, d] = assumed[c, d, 1]
                # Without infeed there is nothing to be known about it.
                known[i, d] = d == 1 and not with_infeed[c]
            above += most[c] > 0 and total[i, d] > most[c]
    return above


@compiled
def count_held(
    points: Any,
    states: Any,
    of_cells: Any,
    apart: Any,
    behind: Any,
    holders: Any,
    total: Any,
    largest: Any,
) -> None:
    """Count the points behind each sum, and those that are held apart as holders of their own.

    Parameters
    ----------
    points : (points) each: state, cell, whether it must have infeed, annual volumes (points, 2).
    states : of points that have no current, and of those allocated by profile.
    of_cells : (cells, 2), the sum of each cell: of what is measured, and by profile.
    apart : (points), whether it is held apart from all others; of length 0: all are.
    behind, holders, total, largest : (2, sums) each, of each direction, added to: points; those
        that are held apart; annual volume; the largest of those that are held apart [Wh].
    """
    state, cell, with_infeed, annual = points
    no_current, profiled = states
    for i in range(state.size):
        if state[i] == no_current:
            continue
        k = of_cells[cell[i], 1 if state[i] == profiled else 0]
        alone = apart.size == 0 or apart[i]
        for d in range(2):
            if d == 1 and not with_infeed[i]:
                continue
            wh = annual[i, d]
            behind[d, k] += 1
            total[d, k] += wh
            if alone:
                holders[d, k] += 1
                largest[d, k] = max(largest[d, k], wh)
