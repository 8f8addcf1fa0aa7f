"""Fixtures: a teaching server without faults, and the problems that it knows."""

from collections.abc import Iterator

import pytest

from fdd.agents.verifier import Verifier
from tests.agents.symbolic.parents import PARENTS
from tests.servers.talking import write_knowledge
from tests.servers.teaching import TeachingServer, teaching


@pytest.fixture(scope="module")
def verifier() -> Iterator[Verifier]:
    with Verifier() as verifier:
        yield verifier


@pytest.fixture(scope="session")
def knowledge(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """The options of a server that knows the problems in `PARENTS`."""
    file = write_knowledge(tmp_path_factory.mktemp("knowledge") / "parents.jsonl", PARENTS)
    return "--knowledge", str(file)


@pytest.fixture(scope="module")
def faultless(
    tmp_path_factory: pytest.TempPathFactory, knowledge: tuple[str, str]
) -> Iterator[TeachingServer]:
    with teaching(tmp_path_factory.mktemp("faultless"), *knowledge) as server:
        yield server
