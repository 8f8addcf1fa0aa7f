"""Fixtures: a Ray cluster of two nodes on this machine. Ray reads these variables when it is imported."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.test_house import ROOT

ENVIRONMENT = {
    "RAY_AUTH_MODE": "token",
    "RAY_AUTH_TOKEN": "the token of the tests' cluster",
    "RAY_USAGE_STATS_ENABLED": "0",
    "PYTHONPATH": str(ROOT),
    "ONEDNN_MAX_CPU_ISA": "AVX2",  # float32, so that sums in another order differ little
    # A lost node is noticed after a second instead of half a minute.
    "RAY_health_check_period_ms": "300",
    "RAY_health_check_failure_threshold": "3",
}
os.environ.update(ENVIRONMENT)

from ray.cluster_utils import Cluster  # noqa: E402


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    """A cluster whose first node does no work, and two others with a processor each."""
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0})
    for _ in range(2):
        cluster.add_node(num_cpus=1)
    yield cluster
    cluster.shutdown()  # type: ignore[no-untyped-call]
