"""kwartier: the open allocation engine for smart-meter based electricity settlement.

From a notebook, with Arrow tables in and out (pandas, Polars and DuckDB read them without copies):
open a `Home`, `take_register`, `ingest` readings, `allocate` days, ask for a `result`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kwartier.adapters.files import FileRefused
    from kwartier.adapters.store import Home, HomeError
    from kwartier.apps.report import write as write_report
    from kwartier.engines.spark import Cluster, ClusterError, connected
    from kwartier.runs import (
        allocate,
        ingest,
        ingest_volumes,
        result,
        settle,
        settled,
        take_couplings,
        take_fractions,
        take_parameters,
        take_prices,
        take_programmes,
        take_register,
    )
    from kwartier.simulation import read_zonnedael, simulate

__version__ = "0.1.0"

# Loaded when first asked for: a command that needs no engine starts without one.
_WHERE = {
    "Cluster": ("kwartier.engines.spark", "Cluster"),
    "ClusterError": ("kwartier.engines.spark", "ClusterError"),
    "connected": ("kwartier.engines.spark", "connected"),
    "FileRefused": ("kwartier.adapters.files", "FileRefused"),
    "Home": ("kwartier.adapters.store", "Home"),
    "HomeError": ("kwartier.adapters.store", "HomeError"),
    "allocate": ("kwartier.runs", "allocate"),
    "correct": ("kwartier.runs", "correct"),
    "ingest": ("kwartier.runs", "ingest"),
    "ingest_volumes": ("kwartier.runs", "ingest_volumes"),
    "result": ("kwartier.runs", "result"),
    "run_due": ("kwartier.runs", "run_due"),
    "settle": ("kwartier.runs", "settle"),
    "settled": ("kwartier.runs", "settled"),
    "simulate": ("kwartier.simulation", "simulate"),
    "take_couplings": ("kwartier.runs", "take_couplings"),
    "take_fractions": ("kwartier.runs", "take_fractions"),
    "take_parameters": ("kwartier.runs", "take_parameters"),
    "take_prices": ("kwartier.runs", "take_prices"),
    "take_programmes": ("kwartier.runs", "take_programmes"),
    "take_register": ("kwartier.runs", "take_register"),
    "write_report": ("kwartier.apps.report", "write"),
    "read_zonnedael": ("kwartier.simulation", "read_zonnedael"),
}
__all__ = [
    "Cluster",
    "ClusterError",
    "FileRefused",
    "Home",
    "HomeError",
    "allocate",
    "connected",
    "correct",
    "ingest",
    "ingest_volumes",
    "read_zonnedael",
    "result",
    "run_due",
    "settle",
    "settled",
    "simulate",
    "take_couplings",
    "take_fractions",
    "take_parameters",
    "take_prices",
    "take_programmes",
    "take_register",
    "write_report",
]


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module 'kwartier' has no attribute {name!r}")
    module, attribute = _WHERE[name]
    return getattr(import_module(module), attribute)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
