"""What a second training is given, and what becomes of the students before and after it."""

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from langgraph.runtime import Runtime
from rich.console import Console

from fdd.commands.console import show_result
from fdd.domain import Problem, Reason
from fdd.engines.engine import Engine
from fdd.errors import StudentError, UsageError
from fdd.graph.nodes.refine import CHECKPOINTS, FINE_TUNED, refine
from fdd.graph.run import start
from fdd.graph.state import RunContext, RunState
from fdd.settings import load_settings
from fdd.storage.folder import open_store
from fdd.storage.records import AttemptRecord, Purpose, RefinementRecord, RoundRecord, attempt_id
from fdd.storage.store import Store
from fdd.training.tasks import Refined, RefineTask
from tests.graph.contexts import opened
from tests.graph.test_run import Recorder
from tests.storage.samples import ROUND, RUN, problem, rationale

SOMETIMES = problem("What is 1 + 1?", 2)
NEVER = problem("What is 2 + 2?", 4)
DEV = problem("What is 3 + 3?", 6, split="dev")
NEW = "students/round-1"
STATE = RunState(run=RUN.id, rounds=2, round=1, student=NEW)
ANSWERS = {"self_samples": 4, "self_samples_where": "everywhere"}


@dataclass
class Recording:
    """An engine that keeps the task, and makes the student's folder as the task would."""

    tasks: list[RefineTask] = field(default_factory=list)

    def run(self, task: Any, *_: object) -> Any:
        assert task.student.is_dir()
        self.tasks.append(task)
        task.output.mkdir()
        task.checkpoints.mkdir()
        return Refined(steps=3, loss=0.5, seconds=1.0)


Make = Callable[..., tuple[RunContext, Recording]]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    store = Store.create(tmp_path / "fdd.duckdb", RUN)
    store.add([SOMETIMES, NEVER, DEV, rationale(SOMETIMES), rationale(NEVER), ROUND])
    store.add([replace(ROUND, round=1, student=NEW)])
    (tmp_path / f"{NEW}{FINE_TUNED}").mkdir(parents=True)
    with ExitStack() as resources:

        def context(**given: object) -> tuple[RunContext, Recording]:
            settings = load_settings({"rounds": 2, "student": "tiny", **given}, environment={})
            engine = Recording()
            whole = resources.enter_context(opened(tmp_path, store, settings, base=tmp_path / "nowhere"))
            return replace(whole, engine=as_engine(engine)), engine

        yield context


def as_engine(recording: Recording) -> Engine:
    return recording


def answer(of: Problem, sample: int, text: str, right: bool, **more: object) -> AttemptRecord:
    purpose: Purpose = "practice"
    key = attempt_id(problem_id=of.id, round=0, purpose=purpose, thought="pot", sample=sample)
    values: dict[str, Any] = {
        "reason": Reason.ACCEPTED if right else Reason.WRONG_ANSWER,
        "form": True,
        "finished": True,
        **more,
    }
    return AttemptRecord(
        id=key,
        problem_id=of.id,
        round=0,
        purpose=purpose,
        thought="pot",
        sample=sample,
        text=text,
        new_tokens=9,
        model=ROUND.student,
        seed=0,
        **values,
    )


def folders(context: RunContext) -> list[str]:
    return sorted(each.name for each in (context.folder / "students").iterdir())


def test_a_right_and_a_wrong_answer_to_one_problem_are_a_pair(make: Make) -> None:
    context, engine = make(**{"refine.method": "dpo", **ANSWERS})
    context.store.add(
        [
            answer(SOMETIMES, 0, "answer = 2", right=True),
            answer(SOMETIMES, 1, "answer = 3", right=False),
            answer(SOMETIMES, 2, "answer = 3\n", right=False),
            answer(SOMETIMES, 3, "answer = 1 + 1", right=True),
            answer(SOMETIMES, 4, "answer = 4", right=False, finished=False),
            answer(NEVER, 0, "answer = 3", right=False),
            answer(DEV, 0, "answer = 6", right=True),
            answer(DEV, 1, "answer = 3", right=False),
        ]
    )
    assert refine(STATE, Runtime(context=context)) == {}
    (task,) = engine.tasks
    assert [(pair.question, pair.right, pair.wrong) for pair in task.pairs] == [
        (SOMETIMES.question, "answer = 2", "answer = 3")
    ]
    assert (task.examples, task.exercises) == ((), ())
    (record,) = context.store.refinements()
    assert (record.round, record.method, record.examples, record.steps) == (1, "dpo", 1, 3)
    assert folders(context) == ["round-1"]
    assert not (context.folder / CHECKPOINTS).exists()
    assert refine(STATE, Runtime(context=context)) == {}
    assert len(engine.tasks) == 1


def test_grpo_is_given_what_the_student_solves_sometimes(make: Make) -> None:
    context, engine = make(**{"refine.method": "grpo", **ANSWERS})
    context.store.add(answer(SOMETIMES, n, f"answer = {n}", right=n == 2) for n in range(4))
    context.store.add(answer(NEVER, n, f"answer = {n}", right=False) for n in range(4))
    refine(STATE, Runtime(context=context))
    assert [each.problem for each in engine.tasks[0].exercises] == [SOMETIMES]


def test_distillation_is_given_the_whole_training_set(make: Make) -> None:
    context, engine = make(**{"refine.method": "distill", "refine.teacher": "tiny"})
    refine(STATE, Runtime(context=context))
    asked = {each.question for each in engine.tasks[0].examples}
    assert asked == {SOMETIMES.question, NEVER.question}


def test_without_anything_to_train_on_the_fine_tuned_student_stays(make: Make) -> None:
    context, engine = make(**{"refine.method": "grpo", **ANSWERS})
    context.store.add([answer(NEVER, 0, "answer = 3", right=False)])
    refine(STATE, Runtime(context=context))
    assert engine.tasks == []
    assert context.store.refinements() == [
        RefinementRecord(round=1, method="grpo", examples=0, steps=0, loss=None, seconds=0.0)
    ]
    assert folders(context) == ["round-1"]
    assert isinstance(context.listener, Recorder)
    assert context.listener.notices == [
        "round 1 has no second training: the student before it solved each problem of the training set "
        "always or never"
    ]


def test_a_round_that_trained_nothing_has_no_second_training(make: Make) -> None:
    context, engine = make(**{"refine.method": "distill", "refine.teacher": "tiny"})
    context.store.add([replace(ROUND, round=2, student=NEW, steps=0)])
    assert refine(replace(STATE, round=2), Runtime(context=context)) == {}
    assert (engine.tasks, context.store.refinements()) == ([], [])


@pytest.mark.parametrize(
    ("given", "advice"),
    [
        (
            {"refine.method": "grpo"},
            "--refine grpo needs several answers .* --self-samples 4 --self-samples-where",
        ),
        ({"refine.method": "dpo", **ANSWERS, "rounds": 0}, "--refine dpo trains on answers of .* --rounds 1"),
        ({"refine.method": "dpo", **ANSWERS, "self_samples": 1}, "--refine dpo needs several answers"),
        ({"refine.method": "distill"}, "--refine distill needs --distill-from ID"),
        ({"refine.teacher": "tiny"}, "--distill-from 'tiny' needs --refine distill"),
        (
            {"refine.method": "distill", "refine.teacher": "tiny", "engine.name": "ray"},
            "--refine distill runs on this machine alone: leave --engine ray out",
        ),
        (
            {"refine.method": "distill", "refine.teacher": "tiny", "solver": "tiny", "thoughts": "decompose"},
            "--refine distill trains on answers, which --solver gives: drop one of them",
        ),
        ({"refine.method": "ppo"}, "--refine 'ppo': input should be 'none', 'dpo', 'distill' or 'grpo'"),
        (
            {"refine.method": "grpo", **ANSWERS, "refine.answers": 1},
            "--refine-answers 1: input should be greater",
        ),
    ],
)
def test_what_cannot_work_is_refused_before_anything_is_done(given: dict[str, object], advice: str) -> None:
    with pytest.raises(UsageError, match=advice):
        load_settings({"rounds": 1, "student": "tiny", **given}, environment={})


def test_a_teacher_with_another_tokenizer_is_refused_and_no_folder_is_made(
    tmp_path: Path, cache: Path
) -> None:
    from fdd.training.fetch import student_path

    other = tmp_path / "other"
    other.mkdir()
    for file in student_path("tiny", cache).iterdir():
        text = file.read_bytes()
        if file.name == "tokenizer.json":
            text = text.replace(b'"A":', b'"\xc4\xa2\xc4\xa2":', 1)
        (other / file.name).write_bytes(text)
    given = {"rounds": 1, "student": "tiny", "refine.method": "distill", "refine.teacher": str(other)}
    with pytest.raises(StudentError, match=r"--distill-from: .* has another tokenizer than the student"):
        start(load_settings(given, environment={}), tmp_path / "run", Recorder(), cache=cache)
    assert not (tmp_path / "run").exists()


def test_every_round_of_a_run_can_have_a_second_training(tmp_path: Path, cache: Path) -> None:
    given = {
        "rounds": 1,
        "student": "tiny",
        "device": "cpu",
        "refine.method": "distill",
        "refine.teacher": "tiny",
        "problems.limit": 8,
        "problems.test_size": 2,
        "problems.held_out_size": 1,
        "problems.dev_size": 2,
        "generate.max_new_tokens": 8,
    }
    start(load_settings(given, environment={}), tmp_path / "run", Recorder(), cache=cache)
    store = open_store(tmp_path / "run")
    rounds: list[RoundRecord] = store.rounds()
    assert [each.round for each in store.refinements()] == [each.round for each in rounds] == [0, 1]
    assert all(each.steps and each.loss is not None for each in store.refinements())
    assert sorted(each.name for each in (tmp_path / "run" / "students").iterdir()) == ["round-0", "round-1"]
    assert not (tmp_path / "run" / CHECKPOINTS).exists()
    summary, shown = store.summary(), StringIO()
    assert [row["round"] for row in summary["rounds"] if row["drift"]] == [
        each.round for each in store.drift()
    ]
    show_result(Console(file=shown, width=200, soft_wrap=True), tmp_path / "run", summary)
    assert re.search(r"refined   round 0 distill, \d+ steps on \d+; round 1 distill", shown.getvalue())
    assert re.search(
        r"general   [\d.]+ % of the next tokens are those of the untaught student", shown.getvalue()
    )
