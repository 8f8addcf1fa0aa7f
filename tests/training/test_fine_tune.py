import json
import shutil
from dataclasses import replace
from math import ceil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from fdd.errors import PreflightError, RunFailedError
from fdd.training.config import FineTuneConfig, GenerateConfig, Method
from fdd.training.data import encode, to_tensors
from fdd.training.device import Runtime
from fdd.training.fine_tune import Trainer, fine_tune
from fdd.training.generate import generate
from fdd.training.prompts import rationale_ids
from fdd.training.schedule import own_steps, schedule
from fdd.training.student import Student, load_student
from fdd.training.tasks import Batch, Event, Example, FineTuned, Notice, Request, Step

EXAMPLES = [
    Example(question=f"What is {i} and {i}?", cue="Compute.", rationale=f"answer = {i} + {i}")
    for i in range(8)
]
QUICK = FineTuneConfig(epochs=2, batch_size=4, learning_rate=5e-3)


def train(student: Student, output: Path, config: FineTuneConfig = QUICK) -> tuple[FineTuned, list[Event]]:
    events: list[Event] = []
    return fine_tune(student, EXAMPLES, output, config, events.append), events


def test_a_student_learns_its_examples_by_heart_and_stops(
    tiny: Path, runtime: Runtime, tmp_path: Path
) -> None:
    example = EXAMPLES[3]
    config = FineTuneConfig(epochs=30, batch_size=4, learning_rate=1e-2)
    fine_tune(load_student(tiny, runtime), [example] * 4, tmp_path / "taught", config, lambda _: None)
    events: list[Event] = []
    request = Request(key="r", question=example.question, cue=example.cue)
    generate(load_student(tmp_path / "taught", runtime), [request], GenerateConfig(), events.append)
    (batch,) = events
    assert isinstance(batch, Batch)
    assert batch.completions[0].text == example.rationale
    assert batch.completions[0].finished
    taught = load_student(tmp_path / "taught", runtime)
    longest = len(rationale_ids(taught.tokenizer, example.rationale))
    assert taught.model.generation_config.max_new_tokens == ceil(1.25 * longest)


def test_every_step_is_told_with_its_loss_and_speed(student: Student, tmp_path: Path) -> None:
    result, events = train(student, tmp_path / "taught")
    assert [(e.step, e.steps) for e in events if isinstance(e, Step)] == [(i, 4) for i in range(1, 5)]
    assert all(e.loss > 0 and e.tokens_per_second > 0 for e in events if isinstance(e, Step))
    assert result.steps == 4
    assert result.tokens == 2 * sum(len(encode(student.tokenizer, example)) for example in EXAMPLES)


@pytest.mark.parametrize("steps", [1, 3, 5])
def test_as_many_steps_as_are_asked_for_are_made(student: Student, tmp_path: Path, steps: int) -> None:
    result, events = train(student, tmp_path / "taught", replace(QUICK, max_steps=steps))
    told = [(event.step, event.steps) for event in events if isinstance(event, Step)]
    assert told == [(step, steps) for step in range(1, steps + 1)]
    assert result.steps == steps


@pytest.mark.parametrize("method", ["full", "lora"])
@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")
def test_the_same_seed_gives_the_same_weights(
    tiny: Path, runtime: Runtime, tmp_path: Path, method: str
) -> None:
    config = FineTuneConfig(epochs=1, batch_size=4, method="lora" if method == "lora" else "full")
    for name in "ab":
        train(load_student(tiny, runtime), tmp_path / name, config)
    first, second = (load_file(tmp_path / name / "model.safetensors") for name in "ab")
    assert first.keys() == load_file(tiny / "model.safetensors").keys()
    assert all(torch.equal(first[key], second[key]) for key in first)


def test_the_loss_is_the_mean_over_labelled_tokens_only(exact: Student) -> None:
    rows = [encode(exact.tokenizer, example) for example in EXAMPLES[:3]]
    ids, mask, labels = to_tensors(rows)
    expected = exact.model(input_ids=ids, attention_mask=mask, labels=labels).loss
    found = Trainer(exact, exact.model, QUICK, lambda _: None, beta2=0.95).accumulate(rows)
    assert found == pytest.approx(expected.item(), rel=1e-5)


@pytest.mark.parametrize("model_type", ["llama", "other"])
def test_pieces_of_a_batch_add_up_to_its_gradient(
    exact: Student, model_type: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [encode(exact.tokenizer, example) for example in EXAMPLES]
    ids, mask, labels = to_tensors(rows)
    exact.model(input_ids=ids, attention_mask=mask, labels=labels).loss.backward()
    weight = exact.model.model.layers[0].mlp.up_proj.weight
    expected, weight.grad = weight.grad, None
    exact.model.zero_grad()
    monkeypatch.setattr(exact.model.config, "model_type", model_type)
    small = FineTuneConfig(micro_batch_tokens=100)
    Trainer(exact, exact.model, small, lambda _: None, beta2=0.95).accumulate(rows)
    assert torch.allclose(weight.grad, expected, atol=1e-5)


@pytest.mark.parametrize(
    "error",
    [torch.OutOfMemoryError("CUDA out of memory"), RuntimeError("MPS backend out of memory")],
)
def test_when_memory_runs_out_the_batch_goes_on_in_smaller_pieces(
    student: Student, monkeypatch: pytest.MonkeyPatch, error: RuntimeError
) -> None:
    events: list[Event] = []
    trainer = Trainer(student, student.model, QUICK, events.append, beta2=0.95)
    rows = [encode(student.tokenizer, example) for example in EXAMPLES]
    expected = trainer.accumulate(rows)
    (replica,) = trainer.replicas
    backward = replica.backward

    def cramped(piece: list[object], labelled: int) -> list[torch.Tensor]:
        if len(piece) > 4:
            raise error
        return backward(piece, labelled)  # type: ignore[arg-type]

    monkeypatch.setattr(replica, "backward", cramped)
    assert trainer.accumulate_with_less_memory(rows) == pytest.approx(expected, rel=1e-2)
    assert next(e.text for e in events if isinstance(e, Notice)).startswith("out of memory: going on with")


def test_the_batch_is_halved_from_its_own_size_and_not_from_what_the_memory_was_planned_for(
    student: Student, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = []

    def full(piece: list[object], labelled: int) -> float:  # noqa: ARG001
        tried.append(len(piece))
        raise torch.OutOfMemoryError("CUDA out of memory")

    config = replace(QUICK, micro_batch_tokens=70_000)
    trainer = Trainer(student, student.model, config, lambda _: None, beta2=0.95)
    monkeypatch.setattr(trainer.replicas[0], "backward", full)
    with pytest.raises(torch.OutOfMemoryError):
        trainer.accumulate_with_less_memory([encode(student.tokenizer, example) for example in EXAMPLES])
    assert tried == [8, 4, 2, 1]


@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")
@pytest.mark.parametrize("method", ["full", "lora"])
@pytest.mark.parametrize(
    ("rate", "steps", "told"),
    [(1e30, 4, r"step 2 of 4, at a learning rate of 7.5e\+29"), (1e38, 1, "step 1 of 1")],
)
def test_training_that_diverges_ends_in_that_step_and_leaves_no_student(
    exact: Student, tmp_path: Path, method: Method, rate: float, steps: int, told: str
) -> None:
    config = replace(QUICK, learning_rate=rate, max_steps=steps, method=method)
    events: list[Event] = []
    with pytest.raises(RunFailedError, match=f"training diverged in {told}.*lower --learning-rate"):
        fine_tune(exact, EXAMPLES, tmp_path / "taught", config, events.append)
    assert list(tmp_path.iterdir()) == []


def test_a_gradient_that_is_not_finite_ends_the_training_though_its_loss_is(
    exact: Student, tmp_path: Path
) -> None:
    weight = exact.model.get_parameter("model.norm.weight")
    weight.register_hook(lambda gradient: gradient * float("inf"))  # type: ignore[no-untyped-call]
    with pytest.raises(RunFailedError, match="training diverged in step 1 of 4"):
        train(exact, tmp_path / "taught")


def test_the_rate_rises_then_falls_and_never_reaches_zero() -> None:
    config = FineTuneConfig(learning_rate=1.0, warmup_share=0.2)
    plan = schedule(10, config, goes_on=False, is_last=True)
    rates = [plan.rate(step) for step in range(plan.steps)]
    assert rates == pytest.approx([0.5, 1.0, 8 / 9, 7 / 9, 6 / 9, 5 / 9, 4 / 9, 3 / 9, 2 / 9, 1 / 9])


def test_a_continued_training_has_no_warm_up() -> None:
    plan = schedule(4, FineTuneConfig(learning_rate=1.0), goes_on=True, is_last=True)
    assert [plan.rate(step) for step in range(plan.steps)] == pytest.approx([4 / 5, 3 / 5, 2 / 5, 1 / 5])


@pytest.mark.parametrize("steps", range(1, 30))
@pytest.mark.parametrize("share", [0, 0.2, 0.5, 1.5])
def test_every_training_but_the_last_lowers_the_rate_in_extra_steps(steps: int, share: float) -> None:
    config = FineTuneConfig(learning_rate=1.0, decay_share=share)
    plan = schedule(steps, config, goes_on=True, is_last=False)
    rates = [plan.rate(step) for step in range(plan.steps)]
    assert rates[:steps] == [1.0] * steps
    assert rates[steps:] == sorted(rates[steps:], reverse=True)
    assert rates[-1] > 0 and len(rates) == steps + round(share * steps)
    assert own_steps(plan.steps, config) == steps


def test_refused_examples_leave_no_student_behind(student: Student, tmp_path: Path) -> None:
    empty = Example(question="How many?", cue="Compute.", rationale="")
    with pytest.raises(PreflightError):
        fine_tune(student, [empty], tmp_path / "taught", QUICK, lambda _: None)
    assert list(tmp_path.iterdir()) == []


def test_a_student_saved_twice_is_the_later_one_and_leaves_no_rest(student: Student, tmp_path: Path) -> None:
    (tmp_path / ".taught-of-a-killed-process").mkdir()
    train(student, tmp_path / "taught")
    (tmp_path / "taught" / "old").touch()
    train(student, tmp_path / "taught")
    assert [path.name for path in tmp_path.iterdir()] == ["taught"]
    assert not (tmp_path / "taught" / "old").exists()


@pytest.mark.parametrize(
    ("file", "values"),
    [
        ("generation_config.json", {"temperature": 0.6, "top_p": 0.9, "top_k": 20}),
        ("generation_config.json", {"pad_token_id": -1, "output_scores": True}),
        ("config.json", {"pad_token_id": -1}),
    ],
)
def test_a_student_of_a_hub_is_saved_whatever_flags_it_came_with(
    tiny: Path, runtime: Runtime, tmp_path: Path, file: str, values: dict[str, object]
) -> None:
    folder = shutil.copytree(tiny, tmp_path / "fetched")
    known = (
        json.loads((folder / file).read_text()) if (folder / file).exists() else {"eos_token_id": [3, 256]}
    )
    (folder / file).write_text(json.dumps({**known, **values}))
    fetched = load_student(folder, runtime)
    stop_ids = fetched.stop_ids
    train(fetched, tmp_path / "taught")
    taught = load_student(tmp_path / "taught", runtime)
    assert taught.stop_ids == stop_ids
    assert taught.model.generation_config.max_new_tokens > 0


@pytest.mark.parametrize(
    ("part", "error"),
    [
        ("model", OSError(28, "No space left on device")),
        ("tokenizer", Exception("No space left on device (os error 28)")),
    ],
)
def test_a_full_disk_ends_in_one_line_and_nothing_half_written(
    student: Student, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, part: str, error: Exception
) -> None:
    def full(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(getattr(student, part), "save_pretrained", full)
    with pytest.raises(RunFailedError, match="No space left"):
        train(student, tmp_path / "taught")
    assert list(tmp_path.iterdir()) == []
