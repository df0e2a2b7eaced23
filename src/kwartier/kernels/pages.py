"""What a page of a column of lists holds: levels, by which lists are told apart, and numbers.

Source: Apache Parquet format, Encodings.md: run lengths and packed bits; BYTE_STREAM_SPLIT.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from kwartier.kernels.compiled import compiled


@compiled
def levels_are(levels: Any, first: int, count: int, every: int) -> bool:
    """Tell whether levels of one bit are 1, but 0 wherever a list begins.

    Parameters
    ----------
    levels : bytes.
    first, count : which place the first of them has in a list, and how many there are.
    every : the length of a list; 0: there is no 0 among them.
    """
    done = at = 0
    end = levels.size
    while at < end:
        header: Any = np.int64(0)
        shift = 0
        while True:
            if at == end or shift > 28:
                return False
            byte = np.int64(levels[at])
            at += 1
            header |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                break
        if header & 1:
            # Groups of eight packed bits, of which the last may be filled up.
            for _ in range(header >> 1):
                if at == end:
                    return False
                bits = np.int64(levels[at])
                at += 1
                for b in range(min(8, count - done)):
                    begins = every > 0 and (first + done) % every == 0
                    if ((bits >> b) & 1) == begins:
                        return False
                    done += 1
        else:
            length = header >> 1
            if at == end or length > count - done or levels[at] > 1:
                return False
            begins = every > 0 and (first + done) % every == 0
            # Of zeros one list begins with each; of ones the next list begins behind them.
            one = levels[at] == 1
            if not one and not (begins and (length == 1 or every == 1)):
                return False
            if one and every > 0 and (begins or (first + done) % every + length > every):
                return False
            at += 1
            done += length
    return done == count


@compiled
def put_together(page: Any, at: int, into: Any) -> None:
    """Put numbers together of which the first bytes stand first, then all second ones, and so on.

    Parameters
    ----------
    page : bytes; the numbers begin at `at`.
    into : uint32, filled.
    """
    count = into.size
    one, two = page[at : at + count], page[at + count : at + 2 * count]
    three, four = page[at + 2 * count : at + 3 * count], page[at + 3 * count : at + 4 * count]
    for k in range(count):
        into[k] = (
            np.uint32(one[k])
            | (np.uint32(two[k]) << np.uint32(8))
            | (np.uint32(three[k]) << np.uint32(16))
            | (np.uint32(four[k]) << np.uint32(24))
        )
