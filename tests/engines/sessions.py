"""The clusters that the tests start: Apache Spark with processes of its own, and Sail."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from kwartier.engines.spark import Cluster, connected
from tests.conftest import ROOT

WORKERS = 2


@contextmanager
def spark() -> Iterator[Cluster]:
    """Start Apache Spark with two worker processes beside the driver."""
    if shutil.which("java") is None and "JAVA_HOME" not in os.environ:
        pytest.skip("Apache Spark needs Java 17, and no java is on this machine")
    # The workers unpickle blocks of the tests.
    os.environ |= {"SPARK_LOCAL_IP": "127.0.0.1", "PYTHONPATH": str(ROOT)}
    with connected(master=f"local-cluster[{WORKERS},1,1024]") as cluster:
        yield cluster


@contextmanager
def sail() -> Iterator[str]:
    """Start Sail as a cluster of workers that speak over the network, and give its address."""
    os.environ |= {"SAIL_MODE": "local-cluster", "RUST_LOG": "off"}
    from pysail.spark import SparkConnectServer

    server = SparkConnectServer()
    server.start()
    try:
        yield f"sc://localhost:{server.listening_address[1]}"
    finally:
        server.stop()
        # Else this process could have no other kind of session any more.
        os.environ.pop("SPARK_CONNECT_MODE_ENABLED", None)
