"""The worked examples in the docstrings of the packages are true."""

from __future__ import annotations

import doctest
from types import ModuleType

import pytest

from fdd.agents.symbolic import reading, varying, wording


@pytest.mark.parametrize("package", [reading, varying, wording])
def test_worked_examples_give_what_they_show(package: ModuleType) -> None:
    failed, attempted = doctest.testmod(package)
    assert failed == 0
    assert attempted
