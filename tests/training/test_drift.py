"""How far a student has moved from the untaught one on general text."""

from pathlib import Path

import pytest

from fdd.training.config import FineTuneConfig
from fdd.training.device import Runtime
from fdd.training.drift import ANSWER_TOKENS, PROMPTS, perform
from fdd.training.fine_tune import fine_tune
from fdd.training.student import load_student
from fdd.training.tasks import DriftTask, Example


def test_a_student_has_not_moved_from_itself(tiny: Path) -> None:
    found = perform(DriftTask(before=tiny, after=tiny, device="cpu"), None)
    assert found.divergence == pytest.approx(0, abs=1e-6)
    assert found.agreement == 1
    prompts = PROMPTS.read_text().splitlines()
    assert len(set(prompts)) == 24
    assert 0 < found.tokens <= len(prompts) * ANSWER_TOKENS


def test_a_student_moves_the_further_the_more_it_is_taught(
    tiny: Path, runtime: Runtime, tmp_path: Path
) -> None:
    examples = [Example(question=f"What is {n} + 1?", cue="Compute.", rationale=f"{n}") for n in range(8)]
    divergences, agreements = [], []
    for rate in (1e-4, 1e-2):
        config = FineTuneConfig(epochs=3, learning_rate=rate)
        fine_tune(load_student(tiny, runtime), examples, tmp_path / str(rate), config, lambda _: None)
        found = perform(DriftTask(before=tiny, after=tmp_path / str(rate), device="cpu"), None)
        divergences.append(found.divergence)
        agreements.append(found.agreement)
    assert 0 < divergences[0] < divergences[1]
    assert 1 >= agreements[0] > agreements[1]
