"""The command line: ask a run, show a table.

Exit codes: 0 done; 1 it cannot be done, or an area was refused, the text says why; 2 the command
was written wrong; 3 a file was refused, every problem is named and nothing of it is kept.
"""

from __future__ import annotations

import gc
import os
import sys
from typing import Annotated

import typer

import kwartier
from kwartier.apps import (
    compare_command,
    exchange_commands,
    intake_commands,
    publish_commands,
    receive_commands,
    run_commands,
    settlement_commands,
    show_commands,
)
from kwartier.apps.options import CANNOT, app

__all__ = [
    "app",
    "compare_command",
    "exchange_commands",
    "intake_commands",
    "main",
    "publish_commands",
    "receive_commands",
    "run_commands",
    "settlement_commands",
    "show_commands",
]

_COLLECT_AFTER = 100_000  # objects; Python's own 700 are few for a program that loads libraries


def _version(asked: bool) -> None:
    if asked:
        print(f"kwartier {kwartier.__version__}")
        raise typer.Exit


@app.callback()
def about(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Say the version.")
    ] = False,
) -> None:
    """Take the options before the command."""


def main() -> None:
    """Run the command line."""
    # Most of what is made while libraries are loaded stays; looking through it takes long.
    gc.set_threshold(_COLLECT_AFTER)
    try:
        app()
    except BrokenPipeError:  # the reader of a pipe had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(CANNOT) from None
