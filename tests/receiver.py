"""Receive as a process of its own, at a moment that is handed in.

Run as `python -m tests.receiver MOMENT ARGUMENT…`: the command `kwartier receive` with arguments,
as if it always were that moment [s UTC].
"""

from __future__ import annotations

import sys
from types import SimpleNamespace

from kwartier.apps import cli
from kwartier.runs import moments

if __name__ == "__main__":
    at = int(sys.argv.pop(1))
    moments.time = SimpleNamespace(time=lambda: at)  # type: ignore[assignment]
    sys.argv.insert(1, "receive")
    cli.main()
