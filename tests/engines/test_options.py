"""The options of a cluster: what does not go together is refused before anything is opened."""

from __future__ import annotations

import sys

import pytest

from tests.test_cli import CANNOT, WRITTEN_WRONG, tell

ALLOCATE = ("allocate", "--day", "2026-01-14", "--home", "none")


@pytest.mark.parametrize("command", [ALLOCATE, ("run", "--due", "--home", "none")])
@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--master", "local"], "--master and --remote go with --engine spark"),
        (["--remote", "sc://a"], "--master and --remote go with --engine spark"),
        (["--engine", "spark"], "--engine spark needs --master or --remote"),
        (["--engine", "spark", "--master", "local", "--remote", "sc://a"], "either --master or"),
        (["--engine", "spark", "--master", "local", "--threads", "2"], "--threads goes with"),
        (["--engine", "spark", "--remote", "sc://a/;token=hidden"], "set SPARK_REMOTE instead"),
    ],
)
def test_what_does_not_go_together(command: tuple[str, ...], words: list[str], told: str) -> None:
    answer = tell(*command, *words, env={"SPARK_REMOTE": None})
    assert answer.code == WRITTEN_WRONG
    assert told in answer.err
    assert "hidden" not in answer.all


def test_pyspark_that_is_not_installed_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyspark.sql", None)
    answer = tell(*ALLOCATE, "--engine", "spark", "--master", "local")
    assert answer.code == CANNOT
    assert answer.err == "kwartier: pyspark is not installed; pip install 'kwartier[spark]'\n"
