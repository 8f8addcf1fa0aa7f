"""Trainings that continue from the optimizer's state of an earlier one."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from fdd.errors import RunFailedError
from fdd.training.config import FineTuneConfig, Method
from fdd.training.data import Row, encode
from fdd.training.device import Runtime
from fdd.training.fine_tune import Trainer, fine_tune, with_adapters
from fdd.training.optimizer import Optimizer, load_state, save_state
from fdd.training.student import Student, load_student
from fdd.training.tasks import Event, Example, FineTuned, Step

EXAMPLES = [
    Example(question=f"What is {i} and {i}?", cue="Compute.", rationale=f"answer = {i} + {i}")
    for i in range(8)
]
QUICK = FineTuneConfig(max_steps=4, batch_size=4, learning_rate=5e-3)
STEADY = replace(QUICK, max_steps=2, decay_share=1.0)

pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")


def trainer_of(folder: Path, runtime: Runtime, method: Method) -> Trainer:
    student, config = load_student(folder, runtime), replace(QUICK, method=method)
    torch.manual_seed(0)
    model = with_adapters(student.model, config) if method == "lora" else student.model
    return Trainer(student, model, config, lambda _: None, beta2=0.95)


def rows(student: Student) -> list[Row]:
    return [encode(student.tokenizer, example) for example in EXAMPLES]


def taught(student: Student, output: Path, **states: Path) -> dict[str, torch.Tensor]:
    fine_tune(student, EXAMPLES, output, STEADY, lambda _: None, **states)
    return load_file(output / "model.safetensors")


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("method", ["full", "lora"])
def test_a_continued_training_equals_an_uninterrupted_one_bit_for_bit(
    tiny: Path, runtime: Runtime, tmp_path: Path, dtype: torch.dtype, method: Method
) -> None:
    runtime = Runtime(runtime.device, dtype)
    whole = trainer_of(tiny, runtime, method)
    batches = [rows(whole.student)[:4], rows(whole.student)[4:]]
    whole.step(batches[0], 5e-3)
    save_state(whole.weights, tmp_path / "states" / "state.safetensors")
    whole.step(batches[1], 5e-3)
    later = trainer_of(tiny, runtime, method)
    load_state(later.weights, tmp_path / "states" / "state.safetensors")
    later.step(batches[1], 5e-3)
    assert [path.name for path in (tmp_path / "states").iterdir()] == ["state.safetensors"]
    for one, other in zip(whole.weights, later.weights, strict=True):
        assert torch.equal(one.master, other.master)
        assert torch.equal(one.used, other.used)


def test_weights_that_are_stepped_together_become_the_same(
    tiny: Path, runtime: Runtime, tmp_path: Path
) -> None:
    """As on a GPU; also after their state was saved and restored."""
    runtime = Runtime(runtime.device, torch.bfloat16)
    turns, together = (trainer_of(tiny, runtime, "full") for _ in range(2))
    trained = dict(together.student.model.named_parameters())
    together.optimizer = Optimizer(trained, QUICK, 0.95, together=True)
    together.weights = together.optimizer.weights
    for batch in (rows(turns.student)[:4], rows(turns.student)[4:]):
        losses = [trainer.step(batch, 5e-3) for trainer in (turns, together)]
        assert losses[0] == losses[1]
        save_state(together.weights, tmp_path / "state.safetensors")
        load_state(together.weights, tmp_path / "state.safetensors")
    for one, other in zip(turns.weights, together.weights, strict=True):
        assert torch.equal(one.master, other.master)
        assert torch.equal(one.used, other.used)


def test_the_saved_state_has_the_weights_from_before_the_rate_falls(
    tiny: Path, runtime: Runtime, tmp_path: Path
) -> None:
    state = tmp_path / "state.safetensors"
    fallen = taught(load_student(tiny, runtime), tmp_path / "first", state_to=state)
    saved = load_file(state)
    name = "model.layers.0.mlp.up_proj.weight"
    assert not torch.equal(saved[f"{name}/weight"].to(fallen[name].dtype), fallen[name])
    assert saved[f"{name}/step"] == 2
    later = taught(load_student(tiny, runtime), tmp_path / "second", state_from=state, state_to=state)
    assert load_file(state)[f"{name}/step"] == 4
    anew = taught(load_student(tmp_path / "first", runtime), tmp_path / "anew")
    assert not torch.equal(later[name], anew[name])


@pytest.mark.parametrize("method", ["full", "lora"])
@pytest.mark.parametrize("died_in", [1, 3, 4])
def test_a_training_that_died_goes_on_from_its_checkpoint_to_the_same_student_and_state(
    tiny: Path, runtime: Runtime, tmp_path: Path, method: Method, died_in: int
) -> None:
    """Of four steps, the rate falls in the last two; the state for the next training is saved before them."""
    runtime = Runtime(runtime.device, torch.bfloat16)
    config = replace(STEADY, method=method, checkpoint_seconds=1e-9)  # before each step

    def train(name: str, *, until: int = 99) -> tuple[FineTuned, list[Event]]:
        events: list[Event] = []

        def on_event(event: Event) -> None:
            events.append(event)
            if isinstance(event, Step) and event.step == until:
                raise ConnectionError

        state, checkpoint = (tmp_path / f"{name}.{kind}" for kind in ("state", "checkpoint"))
        student = load_student(tiny, runtime)
        files = {"state_to": state, "checkpoint": checkpoint}
        return fine_tune(student, EXAMPLES, tmp_path / name, config, on_event, **files), events

    whole, _ = train("whole")
    with pytest.raises(ConnectionError):
        train("killed", until=died_in)
    again, events = train("killed")
    steps = [event.step for event in events if isinstance(event, Step)]
    assert steps == list(range(died_in, 5))  # the checkpoint is from before the step that did not end
    assert (again.loss, again.tokens, again.steps) == (whole.loss, whole.tokens, whole.steps)
    assert again.seconds > 0
    for file in ("{}.state", "{}/model.safetensors"):
        one, other = (load_file(tmp_path / file.format(name)) for name in ("whole", "killed"))
        assert one.keys() == other.keys()
        assert all(torch.equal(one[key], other[key]) for key in one)


def test_without_a_falling_rate_the_saved_weights_are_the_students(
    tiny: Path, runtime: Runtime, tmp_path: Path
) -> None:
    state, config = tmp_path / "state.safetensors", replace(STEADY, decay_share=0.0)
    student = load_student(tiny, runtime)
    fine_tune(student, EXAMPLES, tmp_path / "taught", config, lambda _: None, state_to=state)
    name = "model.layers.0.mlp.up_proj.weight"
    saved = load_file(tmp_path / "taught" / "model.safetensors")[name]
    assert torch.equal(load_file(state)[f"{name}/weight"].to(saved.dtype), saved)


def test_a_state_that_is_missing_damaged_or_of_another_network_is_one_line(
    tiny: Path, runtime: Runtime, tmp_path: Path
) -> None:
    trainer = trainer_of(tiny, runtime, "full")
    good, bad = tmp_path / "state.safetensors", tmp_path / "bad.safetensors"
    save_state(trainer.weights, good)
    with pytest.raises(RunFailedError, match=r"cannot go on .*bad\.safetensors.* begin a new run"):
        load_state(trainer.weights, bad)
    bad.write_bytes(good.read_bytes()[:-100])
    with pytest.raises(RunFailedError, match="cannot go on"):
        load_state(trainer.weights, bad)
    tensors = load_file(good)
    for changed in (
        {"other/weight": torch.zeros(2)},
        {**tensors, "model.norm.weight/weight": torch.zeros(3)},
    ):
        save_file(changed, bad)
        with pytest.raises(RunFailedError, match="cannot go on"):
            load_state(trainer.weights, bad)


def test_a_state_that_cannot_be_written_is_one_line(tiny: Path, runtime: Runtime, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(RunFailedError, match="cannot save the optimizer's state into"):
        save_state(trainer_of(tiny, runtime, "full").weights, tmp_path / "file" / "state.safetensors")
