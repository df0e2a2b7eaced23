"""Which of a row's readings one meter could have made, and why the others were rejected."""

from __future__ import annotations

from typing import Any

import numpy as np

from kwartier.arrays import NOT_READ
from kwartier.kernels.compiled import compiled, with_room
from kwartier.kernels.readings import next_read, next_unread


@compiled
def _fits(reading: Any, row: int, limit: int) -> bool:
    """Tell whether one meter could have made all readings of a row."""
    positions = reading.shape[1]
    whole = True
    fits = True
    for p in range(positions - 1):
        start, end = reading[row, p], reading[row, p + 1]
        step = end - start
        known = start != NOT_READ and end != NOT_READ
        fits &= not known or 0 <= step <= limit
        whole &= known
    if whole or not fits:
        return fits
    before = next_unread(reading, row, next_read(reading, row, 0)) - 1
    p = next_read(reading, row, before + 1)
    while p < positions:
        fits &= 0 <= reading[row, p] - reading[row, before] <= limit * (p - before)
        before = next_unread(reading, row, p) - 1
        p = next_read(reading, row, before + 1)
    return fits


@compiled
def _longest_chain(reading: Any, row: int, limit: int, scratch: Any, kept: Any) -> None:
    """Mark the readings of a row's longest chain.

    Two readings fit when the later is not lower and at most `limit` per elapsed period higher. With
    u = reading and v = limit × position − reading that is u and v both not falling, so the longest
    chain is the longest run of not falling v among the readings ordered by u. Of equally long
    chains the one whose last reading is latest is kept, then whose last but one is, and so on.
    """
    at, order, tail, length = scratch
    known = 0
    for p in range(reading.shape[1]):
        kept[p] = False
        if reading[row, p] != NOT_READ:
            at[known] = p
            known += 1
    # Nearly in order already, so insertion is the quickest way to put it in order.
    for k in range(known):
        p = at[k]
        u = reading[row, p]
        slot = k
        while slot > 0:
            q = order[slot - 1]
            if reading[row, q] < u or (reading[row, q] == u and q < p):
                break
            order[slot] = q
            slot -= 1
        order[slot] = p
    longest = 0
    for k in range(known):
        p = order[k]
        v = limit * p - reading[row, p]
        # Most readings go on where the longest chain so far ends.
        low, high = 0, longest
        if longest and tail[longest - 1] <= v:
            low = longest
        while low < high:
            middle = (low + high) // 2
            if tail[middle] <= v:
                low = middle + 1
            else:
                high = middle
        tail[low] = v
        length[p] = low + 1
        longest = max(longest, low + 1)
    wanted = longest
    following = np.int64(-1)
    for k in range(known - 1, -1, -1):
        p = at[k]
        if wanted and length[p] == wanted:
            step = 0 if following < 0 else reading[row, following] - reading[row, p]
            if following < 0 or 0 <= step <= limit * (following - p):
                kept[p] = True
                following = p
                wanted -= 1


@compiled
def _reject(reading: Any, row: int, limit: int, kept: Any, reasons: Any, made: int) -> Any:
    """Take the readings outside the chain out of a row, and say why; give the reasons so far."""
    positions = reading.shape[1]
    before = -1
    after = -1
    open_rule = 0  # 1: the run before this reading fell, 2: it was above the limit
    for p in range(positions):
        wh = reading[row, p]
        if wh == NOT_READ:
            open_rule = 0
            continue
        if kept[p]:
            before = p
            open_rule = 0
            continue
        if after < p:
            after = p + 1
            while after < positions and not kept[after]:
                after += 1
        observed: Any = np.int64(0)
        allowed: Any = np.int64(-1)
        if before >= 0:
            step = wh - reading[row, before]
            if step < 0:
                observed, allowed = step, np.int64(0)
            elif step > limit * (p - before):
                observed, allowed = step, limit * (p - before)
        if allowed < 0:
            step = reading[row, after] - wh
            if step < 0:
                observed, allowed = step, np.int64(0)
            else:
                observed, allowed = step, limit * (after - p)
        reading[row, p] = NOT_READ
        rule = 1 if allowed == 0 else 2
        if rule == open_rule:
            reasons[made - 1, 2] = p
        else:
            reasons = with_room(reasons, made)
            reasons[made, 0] = row
            reasons[made, 1] = p
            reasons[made, 2] = p
            reasons[made, 3] = observed
            reasons[made, 4] = allowed
            made += 1
            open_rule = rule
    return reasons, made


@compiled
def keep_longest_chains(reading: Any, limit: Any) -> Any:
    """Keep in each row the longest chain of readings that one meter could have made.

    Parameters
    ----------
    reading : int64 (rows, positions) [Wh], NOT_READ where not read; what is outside the chain is
        made NOT_READ.
    limit : int64 (rows) [Wh per period], above 0.

    Returns
    -------
    reasons : int64 (n, 5): row, first position, last position, observed [Wh], limit [Wh]; which
        neighbour in the chain the readings contradict, and how. Readings that follow each other
        for the same reason make one. A fall has limit 0.
    """
    rows, positions = reading.shape
    kept = np.empty(positions, np.bool_)
    at, order = np.empty(positions, np.int64), np.empty(positions, np.int64)
    tail, length = np.empty(positions, np.int64), np.empty(positions, np.int64)
    reasons = np.empty((0, 5), np.int64)
    made = 0
    for row in range(rows):
        if not _fits(reading, row, limit[row]):
            _longest_chain(reading, row, limit[row], (at, order, tail, length), kept)
            reasons, made = _reject(reading, row, limit[row], kept, reasons, made)
    return reasons[:made]
