from collections.abc import Iterator
from itertools import count
from pathlib import Path
from threading import current_thread, main_thread

import pytest
import torch
from safetensors.torch import load_file

from fdd.training.config import FineTuneConfig, GenerateConfig
from fdd.training.data import Row, encode, split_evenly
from fdd.training.device import Runtime
from fdd.training.fine_tune import Trainer, fine_tune
from fdd.training.generate import generate
from fdd.training.parallel import at_once, merged, threads_for
from fdd.training.student import Student, load_student
from fdd.training.tasks import Batch, Completion, Event, Example, Request

EXAMPLES = [
    Example(question=f"What is {i} + {i}?", cue="Compute.", rationale=f"answer = {i} + {i}  # {i * '.'}")
    for i in range(9)
]
REQUESTS = [Request(key=f"r{i}", question=each.question, cue="Compute.") for i, each in enumerate(EXAMPLES)]


@pytest.fixture(autouse=True)
def two_threads(one_thread: None) -> Iterator[None]:  # noqa: ARG001
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(1)


def threads_each() -> tuple[bool, int]:
    return current_thread() is main_thread(), torch.get_num_threads()


def test_jobs_have_a_thread_and_their_share_of_the_cores_each() -> None:
    assert at_once([threads_each, threads_each]) == [(False, 1), (False, 1)]
    assert threads_each() == (True, 2)
    assert at_once([threads_each]) == [(True, 2)]


def test_the_first_error_is_raised_once_all_jobs_have_ended() -> None:
    ended = []

    def fail() -> None:
        raise ValueError("first")

    with pytest.raises(ValueError, match="first"):
        at_once([fail, lambda: ended.append("second")])
    assert ended == ["second"]


def test_merged_sources_are_each_advanced_in_a_thread() -> None:
    def source(name: str) -> Iterator[tuple[str, int, tuple[bool, int]]]:
        for number in range(3):
            yield name, number, threads_each()

    found = list(merged([source("a"), source("b")], threads=2))
    for name in "ab":
        assert [each[1:] for each in found if each[0] == name] == [(n, (False, 1)) for n in range(3)]
    assert list(merged([source("a")], threads=2)) == [("a", n, (False, 1)) for n in range(3)]
    assert list(merged([source("a")], threads=1)) == [("a", n, (True, 2)) for n in range(3)]


def test_an_error_of_one_source_ends_the_others() -> None:
    def failing() -> Iterator[int]:
        yield 1
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        list(merged([failing(), count()], threads=2))
    assert torch.get_num_threads() == 2


def test_sources_end_when_nobody_wants_more() -> None:
    endless = merged([count(), count()], threads=2)
    assert next(endless) == 0
    endless.close()  # type: ignore[attr-defined]  # waits for the threads
    assert torch.get_num_threads() == 2


def test_a_gpu_is_not_divided(runtime: Runtime) -> None:
    assert threads_for(runtime) == 2
    assert threads_for(Runtime(torch.device("cuda"), torch.bfloat16)) == 1


def answers(student: Student, done: frozenset[str] = frozenset()) -> dict[str, Completion]:
    events: list[Event] = []
    config = GenerateConfig(max_new_tokens=20, temperature=1.0, batch_size=2)
    generate(student, REQUESTS, config, events.append, done)
    return {each.key: each for event in events if isinstance(event, Batch) for each in event.completions}


def test_texts_are_the_same_as_in_one_thread_and_after_an_interruption(exact: Student) -> None:
    found = answers(exact)
    assert found == answers(exact)
    for done in (frozenset(["r0"]), frozenset(found) - {"r4"}):
        assert answers(exact, done) == {key: each for key, each in found.items() if key not in done}
    torch.set_num_threads(1)
    assert {key: each.text for key, each in found.items()} == {k: e.text for k, e in answers(exact).items()}


def test_replicas_share_the_weights_and_add_their_gradients_up(tiny: Path) -> None:
    half = load_student(tiny, Runtime(torch.device("cpu"), torch.bfloat16))
    rows = [encode(half.tokenizer, example) for example in EXAMPLES]
    trainer = Trainer(half, half.model, FineTuneConfig(), lambda _: None, beta2=0.95)
    first, second = (replica.parameters() for replica in trainer.replicas)
    assert [weight.data_ptr() for weight in first] == [weight.data_ptr() for weight in second]
    loss = trainer.accumulate(rows)
    found = [weight.grad for weight in first]
    assert {weight.grad for weight in second} == {None}
    half.model.zero_grad()
    torch.set_num_threads(1)
    alone = Trainer(half, half.model, FineTuneConfig(), lambda _: None, beta2=0.95)
    assert alone.accumulate(rows) == pytest.approx(loss, rel=1e-2)
    for grad, weight in zip(found, first, strict=True):
        assert grad is not None
        assert weight.grad is not None
        assert torch.allclose(grad, weight.grad, rtol=0.05, atol=0.02 * float(weight.grad.abs().max()))


def test_float32_is_trained_in_one_thread(exact: Student) -> None:
    assert len(Trainer(exact, exact.model, FineTuneConfig(), lambda _: None, beta2=0.95).replicas) == 1


@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")
@pytest.mark.parametrize("method", ["full", "lora"])
def test_trainings_in_two_threads_are_the_same_to_the_last_bit(
    tiny: Path, tmp_path: Path, method: str
) -> None:
    runtime = Runtime(torch.device("cpu"), torch.bfloat16)
    config = FineTuneConfig(method="lora" if method == "lora" else "full", epochs=2)
    for name in "ab":
        fine_tune(load_student(tiny, runtime), EXAMPLES, tmp_path / name, config, lambda _: None)
    first, second = (load_file(tmp_path / name / "model.safetensors") for name in "ab")
    base = load_file(tiny / "model.safetensors")
    assert all(torch.equal(first[key], second[key]) for key in base)
    assert not all(torch.equal(first[key], base[key]) for key in base)


def test_rows_are_dealt_with_about_as_many_tokens_each() -> None:
    rows = [Row(tuple(range(length)), tuple(range(length))) for length in (10, 40, 20, 30)]
    assert [[len(row) for row in share] for share in split_evenly(rows, 2)] == [[40, 10], [30, 20]]
    assert [[len(row) for row in share] for share in split_evenly(rows[:1], 2)] == [[10]]
