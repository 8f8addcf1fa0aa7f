"""The real weights that a default run starts from: they come with the installation, into the user's cache."""

from dataclasses import replace
from pathlib import Path

import pytest

from fdd.training.config import FineTuneConfig, GenerateConfig
from fdd.training.tasks import Batch, Completion, Event, Example, FineTuneTask, GenerateTask, Request, Step
from fdd.training.worker import run_in_child

pytestmark = pytest.mark.slow

PROGRAM = Example(
    question="A crate holds 12 jars. How many jars do 7 crates hold?",
    cue="Write a Python program.",
    rationale="answer = 12 * 7",
)


def answer(student: Path, *requests: Request, longest: int = 24) -> list[Completion]:
    completions: list[Completion] = []

    def on_event(event: Event) -> None:
        assert isinstance(event, Batch)
        completions.extend(event.completions)

    config = GenerateConfig(max_new_tokens=longest)
    run_in_child(GenerateTask(student=student, requests=requests, config=config), on_event)
    return completions


def test_it_answers_in_words(embedded: Path) -> None:
    request = Request(key="a", question="What is the capital of France?", cue="Answer in one sentence.")
    (completion,) = answer(embedded, request)
    assert "Paris" in completion.text
    assert completion.finished


def test_it_learns_to_write_a_program_from_one_example(embedded: Path, tmp_path: Path) -> None:
    steps: list[Step] = []

    def on_event(event: Event) -> None:
        assert isinstance(event, Step)
        steps.append(event)

    config = FineTuneConfig(epochs=6, batch_size=1, learning_rate=1e-4)
    output = tmp_path / "student"
    run_in_child(FineTuneTask(student=embedded, examples=(PROGRAM,), output=output, config=config), on_event)
    assert steps[-1].loss < steps[0].loss / 4
    (completion,) = answer(output, Request(key="a", question=PROGRAM.question, cue=PROGRAM.cue))
    assert (completion.text, completion.finished) == (PROGRAM.rationale, True)


def test_after_worked_examples_of_one_paragraph_it_writes_one(embedded: Path) -> None:
    """Left alone it goes on with explanations and questions of its own."""
    questions = [
        f"A shop sells {n} kites a day for {n + 2} days. How many kites is that?" for n in range(3, 11)
    ]

    def ask(shot: Example) -> list[Completion]:
        asked = (Request(key=each, question=each, cue=PROGRAM.cue, shots=(shot,)) for each in questions)
        return answer(embedded, *asked, longest=64)

    several = ask(replace(PROGRAM, rationale="# The crates\n\nanswer = 12 * 7"))
    assert any("\n\n" in completion.text.strip() for completion in several)
    one = ask(PROGRAM)
    assert [completion for completion in one if "\n\n" in completion.text.strip()] == []
    assert sum(completion.finished for completion in one) > 0
