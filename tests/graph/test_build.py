from pathlib import Path

import pytest

from fdd.graph.build import build_run, is_first, is_last
from fdd.graph.state import RunState

GOLDEN = Path(__file__).parent.parent / "golden"
ROOT = Path(__file__).parent.parent.parent


def test_shape_of_the_outer_graph_is_the_golden_one() -> None:
    drawn = build_run().compile().get_graph().draw_mermaid(with_styles=False)
    assert drawn == (GOLDEN / "run.mmd").read_text()


@pytest.mark.parametrize(("page", "name"), [("README.md", "run.mmd"), ("docs/HOW-IT-WORKS.md", "lesson.mmd")])
def test_a_page_shows_the_golden_drawing(page: str, name: str) -> None:
    assert (GOLDEN / name).read_text().strip() in (ROOT / page).read_text()


@pytest.mark.parametrize(("round_", "decision"), [(0, "first"), (1, "later")])
def test_only_the_first_round_asks_the_untaught_student(round_: int, decision: str) -> None:
    assert is_first(RunState(run="r", rounds=2, round=round_)) == decision


@pytest.mark.parametrize(("round_", "decision"), [(0, "again"), (1, "again"), (2, "done")])
def test_a_run_of_two_rounds_ends_after_the_second(round_: int, decision: str) -> None:
    assert is_last(RunState(run="r", rounds=2, round=round_)) == decision
