"""Which figures of a campaign of kills count as a failure."""

from __future__ import annotations

from tests.crash.evidence import Figures


def test_a_run_that_never_ended_is_harm() -> None:
    assert not Figures(kills=1, unfinished=1).harmless
    assert Figures(kills=1, survived=1, unstored=2).harmless
