"""What a round records of its training, and a round with nothing new to train on."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Protocol

import pytest
from langgraph.runtime import Runtime

from fdd.agents.models.request import Answer
from fdd.agents.synthesizer import SymbolicSynthesizer
from fdd.agents.teacher import SymbolicTeacher, Written
from fdd.domain import Problem, Reason, Refusal, Verdict
from fdd.errors import RunFailedError
from fdd.graph.agents import Agents
from fdd.graph.nodes.fine_tune import fine_tune
from fdd.graph.run import start
from fdd.graph.state import RunContext, RunState
from fdd.settings import load_settings
from fdd.storage.folder import open_store
from fdd.storage.records import ProblemRecord
from fdd.storage.store import Store
from fdd.training.fetch import student_path
from tests.graph.contexts import opened
from tests.graph.test_run import Recorder
from tests.storage.samples import ROUND, RUN, problem, rationale

SHORT, LONG = problem("What is 1 + 1?", 2), problem(f"What is 2{' + 0' * 50}?", 2)


class Make(Protocol):
    def __call__(self, *explained: ProblemRecord, **given: object) -> RunContext: ...


@pytest.fixture
def make(tmp_path: Path, cache: Path) -> Iterator[Make]:
    """A run in which these problems were explained in the first round."""
    store = Store.create(tmp_path / "fdd.duckdb", RUN)
    with ExitStack() as resources:

        def context(*explained: ProblemRecord, **given: object) -> RunContext:
            store.add([*explained, *map(rationale, explained)])
            ways = {"rounds": 1, "student": "tiny", "device": "cpu", "fine_tune.epochs": 1}
            settings = load_settings({**ways, **given}, environment={})
            base = student_path("tiny", cache)
            return resources.enter_context(opened(tmp_path, store, settings, base=base))

        yield context


def noticed(context: RunContext) -> list[str]:
    assert isinstance(context.listener, Recorder)
    return context.listener.notices


def test_examples_that_are_too_long_are_told_and_do_not_count(make: Make) -> None:
    limits = {"fine_tune.max_length": 100, "fine_tune.max_truncated_share": 0.5}
    context = make(SHORT, LONG, **limits)
    fine_tune(RunState(run=RUN.id, rounds=1), Runtime(context=context))
    (record,) = context.store.rounds()
    assert (record.problems, record.examples) == (2, 1)
    assert noticed(context) == ["left out 1 of 2 examples: longer than --max-length 100"]


def test_going_on_without_anything_new_keeps_the_last_student(make: Make) -> None:
    context = make(SHORT, **{"fine_tune.start": "continue"})
    context.store.add([ROUND])
    state = RunState(run=RUN.id, rounds=1, round=1, student=ROUND.student)
    update = fine_tune(state, Runtime(context=context))
    assert update == {"student": ROUND.student, "problems": 1}
    record = context.store.rounds()[1]
    assert (record.student, record.examples, record.loss) == (ROUND.student, 0, None)
    assert noticed(context) == ["round 1 has nothing new to teach: the student before it goes on"]
    assert fine_tune(state, Runtime(context=context)) == update


def states(context: RunContext) -> list[str]:
    return sorted(file.name for file in (context.folder / "optimizer").glob("*"))


def test_each_round_continues_from_the_state_of_the_last_kept_student(make: Make) -> None:
    children = [problem(f"What is {i} + {i}?", 2 * i, round=i - 2) for i in (3, 4)]
    context = make(SHORT, rounds=2)
    context.store.add([*children, *(rationale(each, round=each.round) for each in children)])

    def teach(round: int, student: str) -> None:
        state = RunState(run=RUN.id, rounds=2, round=round, student=student)
        fine_tune(state, Runtime(context=context))

    teach(0, "")
    assert states(context) == ["round-0.safetensors"]
    (context.folder / "optimizer" / "round-1.part").touch()  # of a process that was killed
    teach(1, "students/round-0")
    assert states(context) == ["round-0.safetensors", "round-1.safetensors"]
    (context.folder / "optimizer" / "round-0.safetensors").write_bytes(b"damaged")
    with pytest.raises(RunFailedError, match="cannot go on from"):
        teach(2, "students/round-0")  # round 1 was undone
    assert states(context) == ["round-0.safetensors"]


def test_no_optimizer_state_is_left_after_the_last_training(make: Make) -> None:
    context = make(SHORT, rounds=0)
    fine_tune(RunState(run=RUN.id, rounds=0), Runtime(context=context))
    assert states(context) == []


class Tired(SymbolicTeacher):
    """Explains nothing after the first round."""

    async def explain(self, problem: Problem, thought: str) -> Written:
        if problem.round > 0:
            return Answer(content=Refusal(reason=Reason.NO_DERIVATION))
        return await super().explain(problem, thought)

    async def repair(self, problem: Problem, thought: str, rationale: str, verdict: Verdict) -> Written:
        if problem.round > 0:
            return Answer(content=Refusal(reason=Reason.NO_DERIVATION))
        return await super().repair(problem, thought, rationale, verdict)


def test_a_run_outlives_a_round_with_nothing_new(tmp_path: Path, cache: Path) -> None:
    given = {
        "rounds": 1,
        "student": "tiny",
        "fine_tune.start": "continue",
        "problems.limit": 8,
        "device": "cpu",
    }
    small = {"problems.test_size": 2, "problems.held_out_size": 2, "problems.dev_size": 2}
    settings = load_settings({**given, **small}, environment={})
    agents = Agents(teacher=Tired(), synthesizer=SymbolicSynthesizer())
    start(settings, tmp_path / "run", Recorder(), cache=cache, agents=agents)
    store = open_store(tmp_path / "run")
    assert {record.student for record in store.rounds()} == {"students/round-0"}
    assert [decision.kept for decision in store.decisions()] == [True, True]
    assert (tmp_path / "run" / "student").readlink() == Path("students/round-0")
    assert store.verify() == []
