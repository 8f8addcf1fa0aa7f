import os
import re
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from multiprocessing import active_children, get_context
from multiprocessing.connection import Connection
from pathlib import Path

import pytest
import torch

from fdd.errors import PreflightError, StoppedError, StudentError, WorkerError
from fdd.training.config import FineTuneConfig, GenerateConfig
from fdd.training.tasks import (
    Batch,
    DescribeTask,
    Event,
    Example,
    FineTuneTask,
    GenerateTask,
    Request,
    Step,
)
from fdd.training.worker import describe_exit, follow, never, outcome_of, run_in_child

EXAMPLE = Example(question="How many?", cue="Compute.", rationale="answer = 2")


def ignore(event: Event) -> None:
    """Not looked at."""


def test_a_child_trains_and_another_answers(tiny: Path, tmp_path: Path) -> None:
    events: list[Event] = []
    config = FineTuneConfig(epochs=1, method="lora")
    task = FineTuneTask(student=tiny, examples=(EXAMPLE,) * 4, output=tmp_path / "taught", config=config)
    result = run_in_child(task, events.append)
    assert result.steps == 1
    request = Request(key="r", question="How many?", cue="Compute.")
    short = GenerateConfig(max_new_tokens=4)
    asked = GenerateTask(student=tmp_path / "taught", requests=(request,), config=short)
    run_in_child(asked, events.append)
    assert [type(event) for event in events] == [Step, Batch]


DESCRIBE = """
import sys
from fdd.training.tasks import DescribeTask
from fdd.training.worker import run_in_child
print(run_in_child(DescribeTask(device="cpu"), print))
assert "torch" not in sys.modules
"""


def described(arguments: Sequence[str | Path], script: str, **environment: str) -> str:
    """What another process prints that describes the device; it says nothing else."""
    whole = {**os.environ, "PYTHONPATH": str(Path.cwd()), **environment}
    done = subprocess.run(
        [sys.executable, *arguments], input=script, capture_output=True, text=True, env=whole, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_a_script_without_a_guard_runs_once_and_never_loads_torch(tmp_path: Path) -> None:
    script = tmp_path / "describe.py"
    script.write_text(DESCRIBE)
    for arguments, code in (([script], ""), (["-"], DESCRIBE)):
        assert re.fullmatch(r"cpu \(.*\)\n", described(arguments, code))


def test_a_folder_for_temporary_files_may_have_a_long_name(tmp_path: Path) -> None:
    folder = tmp_path / ("x" * 200)
    folder.mkdir()
    assert described(["-c", DESCRIBE], "", TMPDIR=str(folder)).startswith("cpu (")
    assert list(folder.iterdir()) == []


def test_an_error_of_the_child_comes_up_as_it_is(tiny: Path, tmp_path: Path) -> None:
    empty = Example(question="How many?", cue="Compute.", rationale="")
    with pytest.raises(PreflightError, match="nothing to learn from the example 'How many"):
        run_in_child(FineTuneTask(student=tiny, examples=(empty,), output=tmp_path / "taught"), ignore)


def test_a_student_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(StudentError, match="no model in"):
        run_in_child(GenerateTask(student=tmp_path / "none", requests=()), ignore)


def test_a_child_that_is_killed_is_reported_with_what_to_do(tiny: Path) -> None:
    def kill_child(_: Event) -> None:
        (child,) = active_children()
        child.kill()

    requests = tuple(Request(key=str(i), question="How many?", cue="Compute.") for i in range(50))
    config = GenerateConfig(max_new_tokens=200, batch_size=1)
    with pytest.raises(WorkerError, match="memory ran out"):
        run_in_child(GenerateTask(student=tiny, requests=requests, config=config), kill_child)


@pytest.mark.parametrize("allocate", [bytearray, torch.empty])
def test_a_child_that_runs_out_of_memory_says_so_in_one_line(
    tiny: Path, allocate: Callable[[int], object]
) -> None:
    def take_too_much(_: Event) -> None:
        allocate(2**50)

    request = Request(key="a", question="How many?", cue="Compute.")
    task = GenerateTask(student=tiny, requests=(request,), config=GenerateConfig(max_new_tokens=1))
    failed = outcome_of(task, take_too_much)
    assert isinstance(failed, WorkerError)
    assert str(failed).startswith("the model's process ran out of memory: close other programs")


def die_in_the_middle_of_a_message(parent: Connection) -> None:
    os.write(parent.fileno(), struct.pack("!i", 1000) + b"half")
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_child_that_is_killed_in_the_middle_of_a_message_is_reported_like_any_other() -> None:
    context = get_context("spawn")
    ours, theirs = context.Pipe(duplex=True)
    child = context.Process(target=die_in_the_middle_of_a_message, args=(theirs,))
    child.start()
    theirs.close()
    with ours, pytest.raises(WorkerError, match="was killed"):
        follow(child, ours, ignore, never)


def test_a_child_that_ends_by_the_signal_that_stops_its_parent_is_no_failure() -> None:
    asked = iter((False, True))
    context = get_context("spawn")
    ours, theirs = context.Pipe(duplex=True)
    child = context.Process(target=os._exit, args=(1,))
    child.start()
    child.join()
    theirs.close()
    with ours, pytest.raises(StoppedError):
        follow(child, ours, ignore, lambda: next(asked))


def test_other_ways_to_die_are_told_apart() -> None:
    assert "SIGSEGV" in describe_exit(-signal.SIGSEGV)
    assert "exit code 3" in describe_exit(3)


def test_a_stop_ends_the_child_between_events(tiny: Path) -> None:
    batches: list[Event] = []
    requests = tuple(Request(key=str(i), question="How many?", cue="Compute.") for i in range(50))
    config = GenerateConfig(max_new_tokens=200, batch_size=1)
    with pytest.raises(StoppedError):
        run_in_child(
            GenerateTask(student=tiny, requests=requests, config=config),
            batches.append,
            lambda: bool(batches),
        )
    assert 1 <= len(batches) < 50


def test_the_child_ends_with_its_parent(tiny: Path, tmp_path: Path) -> None:
    script = tmp_path / "parent.py"
    script.write_text(
        "import os, sys\nfrom pathlib import Path\n"
        "from fdd.training.config import GenerateConfig\n"
        "from fdd.training.tasks import GenerateTask, Request\n"
        "from fdd.training.worker import run_in_child\n"
        "from multiprocessing import active_children\n"
        "def on_event(event):\n    print(active_children()[0].pid, flush=True)\n"
        "requests = tuple(Request(key=str(i), question='?', cue='Compute.') for i in range(5000))\n"
        f"run_in_child(GenerateTask(student=Path({str(tiny)!r}), requests=requests,\n"
        "    config=GenerateConfig(max_new_tokens=200, batch_size=1)), on_event)\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path.cwd())}
    with subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, env=environment) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        parent.kill()
    deadline = time.monotonic() + 600
    while Path(f"/proc/{child}").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not Path(f"/proc/{child}").exists()


def test_the_device_is_described() -> None:
    report = run_in_child(DescribeTask(device="cpu"), ignore)
    assert report.kind == "cpu"
    assert report.cores >= 1
