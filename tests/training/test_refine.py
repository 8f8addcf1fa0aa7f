"""The second training: what each method makes likelier, and that it goes on where it was ended."""

import sys
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import pytest
import torch

from fdd.errors import RunFailedError, StudentError, UsageError
from fdd.training.config import FineTuneConfig, RefineConfig
from fdd.training.device import Runtime
from fdd.training.fine_tune import fine_tune
from fdd.training.prompts import prompt_ids, rationale_ids
from fdd.training.student import load_student
from fdd.training.tasks import (
    Event,
    Example,
    Exercise,
    Pair,
    RefineCheckTask,
    Refined,
    RefineStep,
    RefineTask,
)
from tests.storage.samples import problem

# Libraries' advice to programmers, which is silenced in a model's process.
pytestmark = pytest.mark.filterwarnings("ignore")

CUE = "Compute."
QUESTIONS = [f"What is {number} + 1?" for number in range(4)]
RIGHT, WRONG = "answer = 1 + 1", "answer = 5"
QUICK = RefineConfig(epochs=4, batch_size=2, learning_rate=1e-3)


@pytest.fixture(scope="module")
def taught(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A student that answers one question rightly and wrongly about as often."""
    folder = tmp_path_factory.mktemp("taught") / "student"
    runtime = Runtime(torch.device("cpu"), torch.float32)
    examples = [Example(question="What is 1 + 1?", cue=CUE, rationale=text) for text in (RIGHT, WRONG)]
    config = FineTuneConfig(epochs=60, batch_size=2, learning_rate=1e-2)
    fine_tune(load_student(tiny, runtime), examples, folder, config, lambda _: None)
    return folder


def refine(student: Path, folder: Path, config: RefineConfig, **more: object) -> tuple[Refined, list[Event]]:
    # Imported here, so that the warnings of the libraries that it imports are ignored too.
    from fdd.training.refine import perform

    events: list[Event] = []
    task = RefineTask(
        student=student,
        output=folder / "refined",
        checkpoints=folder / "checkpoints",
        config=config,
        device="cpu",
        **more,  # type: ignore[arg-type]
    )
    return perform(task, events.append), events


@torch.inference_mode()
def likelihood(folder: Path, question: str, text: str, runtime: Runtime) -> float:
    """Returns the log-likelihood of this answer."""
    student = load_student(folder, runtime)
    prompt, answer = prompt_ids(student.tokenizer, question, CUE), rationale_ids(student.tokenizer, text)
    logits = student.model(torch.tensor([[*prompt, *answer]])).logits[0, len(prompt) - 1 : -1]
    picked = logits.log_softmax(-1).gather(1, torch.tensor(answer)[:, None])
    return float(picked.sum())


def test_dpo_prefers_right_answers_to_wrong_ones(tiny: Path, tmp_path: Path, runtime: Runtime) -> None:
    pairs = tuple(Pair(question=each, cue=CUE, right=RIGHT, wrong=WRONG) for each in QUESTIONS)
    result, events = refine(tiny, tmp_path, replace(QUICK, method="dpo"), pairs=pairs)
    assert result.steps == 8
    assert [(each.step, each.steps) for each in events if isinstance(each, RefineStep)] == [
        (step, 8) for step in range(1, 9)
    ]

    def margin(student: Path) -> float:
        right, wrong = (likelihood(student, QUESTIONS[0], text, runtime) for text in (RIGHT, WRONG))
        return right - wrong

    assert margin(tmp_path / "refined") > margin(tiny) + 1


@pytest.mark.parametrize("method", ["full", "lora"])
def test_distillation_brings_the_student_closer_to_the_teacher(
    tiny: Path, taught: Path, tmp_path: Path, runtime: Runtime, method: str
) -> None:
    examples = tuple(Example(question="What is 1 + 1?", cue=CUE, rationale=RIGHT) for _ in range(8))
    config = replace(
        QUICK, method="distill", texts="rationales", divergence=0.0, learning_rate=1e-2, epochs=10
    )
    limited = fine_tuned(tiny, tmp_path)
    refine(
        limited,
        tmp_path,
        config,
        examples=examples,
        teacher=taught,
        fine_tune=FineTuneConfig(method=method),  # type: ignore[arg-type]
    )
    students = (tmp_path / "refined", limited)
    after, before = (likelihood(student, "What is 1 + 1?", RIGHT, runtime) for student in students)
    assert after > before + 10


def fine_tuned(base: Path, folder: Path) -> Path:
    """Returns a student that has learnt nothing but how long answers may be."""
    examples = [Example(question=each, cue=CUE, rationale=RIGHT) for each in QUESTIONS]
    student = load_student(base, Runtime(torch.device("cpu"), torch.float32))
    fine_tune(student, examples, folder / "fine-tuned", FineTuneConfig(learning_rate=1e-9), lambda _: None)
    return folder / "fine-tuned"


def test_distillation_on_the_students_own_texts_lowers_the_divergence(
    taught: Path, tiny: Path, tmp_path: Path
) -> None:
    examples = tuple(Example(question="What is 1 + 1?", cue=CUE, rationale=RIGHT) for _ in range(8))
    config = replace(QUICK, method="distill", learning_rate=1e-2, epochs=20)
    limited = fine_tuned(tiny, tmp_path)
    _, events = refine(limited, tmp_path, config, examples=examples, teacher=taught)
    losses = [each.loss for each in events if isinstance(each, RefineStep)]
    assert sum(losses[-4:]) < 0.8 * sum(losses[:4])


def test_a_mixture_with_the_students_own_distribution_moves_to_that_of_the_teacher(
    taught: Path, tiny: Path, tmp_path: Path, runtime: Runtime
) -> None:
    examples = tuple(Example(question="What is 1 + 1?", cue=CUE, rationale=RIGHT) for _ in range(8))
    config = replace(
        QUICK,
        method="distill",
        texts="rationales",
        divergence=0.0,
        interpolation=0.0,
        learning_rate=1e-2,
        epochs=10,
    )
    limited = fine_tuned(tiny, tmp_path)
    _, events = refine(limited, tmp_path, config, examples=examples, teacher=taught)
    losses = [each.loss for each in events if isinstance(each, RefineStep)]
    assert losses[0] == pytest.approx(0, abs=1e-5)  # there is nothing but itself to follow yet
    assert max(losses) > 0.01
    students = (tmp_path / "refined", limited)
    after, before = (likelihood(student, "What is 1 + 1?", RIGHT, runtime) for student in students)
    assert after > before + 5


def test_grpo_makes_accepted_answers_likelier(taught: Path, tmp_path: Path, runtime: Runtime) -> None:
    asked = problem("What is 1 + 1?", 2)
    exercises = (Exercise(problem=asked, thought="pot", cue=CUE),) * 4
    config = replace(QUICK, method="grpo", answers=4, learning_rate=2e-4, epochs=4)
    judge = "fdd.agents.verifier:Verifier"
    _, events = refine(taught, tmp_path, config, exercises=exercises, judge=judge)
    rewards = [each.reward for each in events if isinstance(each, RefineStep)]
    assert all(reward is not None and 0 <= reward <= 1 for reward in rewards)
    before, after = (
        likelihood(each, asked.question, RIGHT, runtime) for each in (taught, tmp_path / "refined")
    )
    assert after > before


def test_a_training_that_was_ended_goes_on_from_its_checkpoint(
    tiny: Path, taught: Path, tmp_path: Path
) -> None:
    examples = tuple(Example(question=each, cue=CUE, rationale=RIGHT) for each in QUESTIONS)
    limited = fine_tuned(tiny, tmp_path)
    given = {"examples": examples, "teacher": taught, "fine_tune": FineTuneConfig(checkpoint_seconds=1e-9)}
    config = replace(QUICK, method="distill")
    whole, _ = refine(limited, tmp_path / "whole", config, **given)

    class EndedError(Exception):
        pass

    from fdd.training.refine import perform

    def end(event: Event) -> None:
        if isinstance(event, RefineStep) and event.step == 5:
            raise EndedError

    task = RefineTask(
        student=limited,
        output=tmp_path / "refined",
        checkpoints=tmp_path / "checkpoints",
        config=config,
        device="cpu",
        **given,  # type: ignore[arg-type]
    )
    with pytest.raises(EndedError):
        perform(task, end)
    (tmp_path / "checkpoints" / "checkpoint-9").mkdir()
    (tmp_path / "checkpoints" / "checkpoint-9" / "trainer_state.json").write_text('{"cut off')
    result, events = refine(limited, tmp_path, config, **given)
    steps = [each.step for each in events if isinstance(each, RefineStep)]
    assert steps[0] > 1 and steps[-1] == 8
    assert (result.steps, result.loss) == (whole.steps, whole.loss)
    students = (tmp_path / "refined", tmp_path / "whole" / "refined")
    first, second = ((each / "weights.sha256").read_text() for each in students)
    assert first == second


def test_checkpoints_that_cannot_be_written_are_one_line(taught: Path, tmp_path: Path) -> None:
    (tmp_path / "checkpoints").write_text("in the way")
    pairs = (Pair(question=QUESTIONS[0], cue=CUE, right=RIGHT, wrong=WRONG),)
    with pytest.raises(RunFailedError, match=r"cannot save a checkpoint into .*checkpoints': .*`resume`"):
        refine(taught, tmp_path, replace(QUICK, method="dpo"), pairs=pairs)


def test_training_that_diverges_is_an_error(taught: Path, tmp_path: Path) -> None:
    pairs = tuple(Pair(question=each, cue=CUE, right=RIGHT, wrong=WRONG) for each in QUESTIONS)
    config = replace(QUICK, method="dpo", learning_rate=1e30)
    with pytest.raises(
        RunFailedError, match=r"diverged, at a learning rate of 1e\+30: .* --refine-learning-rate"
    ):
        refine(taught, tmp_path, config, pairs=pairs)
    assert not (tmp_path / "refined").exists()


def test_without_the_package_it_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "fdd.training.refine", raising=False)
    monkeypatch.setitem(sys.modules, "trl", None)
    with pytest.raises(UsageError, match=r"--refine needs the package 'trl': pip install .*\[methods\]"):
        import_module("fdd.training.refine")


def test_every_pass_has_everything_once_and_batches_are_whole() -> None:
    from fdd.training.refine import order

    found = order(5, RefineConfig(epochs=2, batch_size=4))
    assert sorted(found[:5]) == sorted(found[5:10]) == [0, 1, 2, 3, 4]
    assert found[10:] == found[:2]


def test_a_teacher_with_another_tokenizer_is_refused(tiny: Path, tmp_path: Path) -> None:
    from fdd.training.refine import check

    check(RefineCheckTask(student=tiny, teacher=tiny), None)
    other = tmp_path / "other"
    other.mkdir()
    for file in tiny.iterdir():
        text = file.read_bytes()
        if file.name == "config.json":
            text = text.replace(b'"vocab_size": 257', b'"vocab_size": 300')
        (other / file.name).write_bytes(text)
    with pytest.raises(StudentError, match=r"has another tokenizer than the student \(300 and 257 tokens\)"):
        check(RefineCheckTask(student=tiny, teacher=other), None)
