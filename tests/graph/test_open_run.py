"""A run that is opened: carried on phase by phase, looked at, and told what not to teach."""

from __future__ import annotations

import asyncio
import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from fdd.agents.synthesizer import SymbolicSynthesizer
from fdd.agents.teacher import SymbolicTeacher
from fdd.domain import Operator
from fdd.errors import RunFailedError, StoreError, UsageError
from fdd.graph.agents import Agents
from fdd.graph.open_run import CHECKPOINTS
from fdd.graph.run import create, opened, resume, start
from fdd.settings import OPTIONS, Settings, load_settings
from fdd.storage.folder import open_store
from fdd.training.fetch import student_path
from tests.graph.contexts import IdleJudge
from tests.graph.test_run import Recorder

SETTINGS = load_settings(
    {
        "rounds": 1,
        "student": "tiny",
        "problems.limit": 6,
        "problems.test_size": 2,
        "problems.held_out_size": 2,
        "problems.dev_size": 2,
        "generate.max_new_tokens": 8,
        "self_samples": 1,
        "self_samples_where": "everywhere",
        "device": "cpu",
    },
    environment={},
)


@pytest.fixture
def folder(tmp_path: Path, cache: Path) -> Path:
    """A run that has not begun."""
    create(SETTINGS, tmp_path / "run", cache=cache)
    return tmp_path / "run"


class Namesake(SymbolicTeacher):
    name = "namesake"


def test_files_that_the_settings_name_are_found_from_any_working_folder(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(student_path("tiny", cache), tmp_path / "models" / "base")
    (tmp_path / "prices.toml").touch()
    (tmp_path / "set.jsonl").touch()
    monkeypatch.chdir(tmp_path)
    named = {
        "student": "models/base",
        "thoughts": "decompose",
        "solver": "models/base",
        "calls.prices": "prices.toml",
        "problems.name": "set.jsonl",
        "problems.test": "set.jsonl",
    }
    create(load_settings({"rounds": 1, **named}, environment={}), tmp_path / "run", cache=cache)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    with opened(tmp_path / "run", cache=cache) as run:
        settings = run.context.settings
        found = {option.key: option.of(settings) for option in OPTIONS if option.key in named}
        assert found == named | {key: str(tmp_path / named[key]) for key in named.keys() - {"thoughts"}}
        assert (run.context.base, run.context.solver) == (tmp_path / "models" / "base",) * 2


def test_a_folder_of_the_same_name_is_not_taken_for_what_comes_with_the_project(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tiny").mkdir()
    (tmp_path / "gsm-symbolic").mkdir()
    monkeypatch.chdir(tmp_path)
    create(SETTINGS, tmp_path / "run", cache=cache)
    settings = Settings.from_json(open_store(tmp_path / "run").run().settings)
    assert (settings.student, settings.problems.name) == ("tiny", "gsm-symbolic")


def test_a_person_rejects_problems_at_a_stop_and_they_are_never_taught(folder: Path, cache: Path) -> None:
    with opened(folder, cache=cache) as run:
        phases = [phase for phase, _ in run.stream(interrupt_after=["teach"])]
        assert phases == ["seed", "teach"]
        seed = run.store.training_set(round=0)[0].problem.id
        run.reject({seed: "a seed that nobody wants"})
    # A crash in between is a resume: the bookmark is on the disk, and so is the rejection.
    (folder / CHECKPOINTS).unlink()
    with opened(folder, cache=cache) as run:
        assert [phase for phase, _ in run.stream(interrupt_after=["teach"])][:2] == ["seed", "teach"]
        phases = [phase for phase, _ in run.stream(interrupt_after=["teach"])]
        assert phases == ["baseline", "fine_tune", "refine", "evaluate", "probe", "synthesize", "teach"]
        child = next(lesson for lesson in run.store.training_set(round=1) if lesson.problem.parent)
        assert child.problem.operator is Operator.SIMILAR
        run.reject({child.problem.id: "a child that nobody wants"})
        state = run.finish()
    store = open_store(folder)
    rejected = {seed, child.problem.id}
    assert rejected.isdisjoint(lesson.problem.id for lesson in store.training_set(round=1))
    lines = [json.loads(line) for line in (folder / "dataset.jsonl").read_text().splitlines()]
    assert rejected.isdisjoint(line["id"] for line in lines)
    asked = {attempt.problem_id for round in (0, 1) for attempt in store.attempts(round=round)}
    assert rejected.isdisjoint(asked)
    assert state.problems == store.rounds()[1].problems == len({line["id"] for line in lines})
    assert [row["quarantine_reasons"] for row in store.summary()["rounds"]] == [{"rejected": 1}] * 2
    assert store.verify() == []
    with opened(folder, cache=cache) as run, pytest.raises(UsageError, match="round 1 was the last"):
        run.reject({lines[0]["id"]: "too late"})


def test_agents_may_be_swapped_at_any_stop(folder: Path, cache: Path) -> None:
    agents = Agents(teacher=Namesake(), synthesizer=SymbolicSynthesizer())
    with opened(folder, cache=cache, agents=agents) as run:
        assert [phase for phase, _ in run.stream(interrupt_before=["baseline"])] == ["seed", "teach"]
        assert {rationale.agent for rationale in run.store.rationales()} == {"namesake"}


class Guesser(SymbolicSynthesizer):
    name = "guesser"
    proven = False


def test_answers_that_are_not_proven_need_a_judge(folder: Path, cache: Path) -> None:
    agents = Agents(teacher=SymbolicTeacher(), synthesizer=Guesser())
    with (
        pytest.raises(UsageError, match="'guesser' are not proven, and nobody would judge them"),
        opened(folder, cache=cache, agents=agents),
    ):
        pass
    judged = replace(agents, judge=IdleJudge())
    with opened(folder, cache=cache, agents=judged) as run:
        assert run.state is None


def test_it_works_in_a_running_event_loop(folder: Path, cache: Path) -> None:
    async def cell() -> list[str]:
        with opened(folder, cache=cache) as run:
            return [phase for phase, _ in run.stream(interrupt_after=["baseline"])]

    assert asyncio.run(cell()) == ["seed", "teach", "baseline"]


def test_a_run_can_stop_after_a_phase_and_go_on(tmp_path: Path, cache: Path) -> None:
    recorder, folder = Recorder(), tmp_path / "until"
    start(SETTINGS, folder, recorder, cache=cache, until="teach")
    assert recorder.phases == ["seed", "teach"]
    resume(folder, recorder, cache=cache, until="fine_tune")
    assert recorder.phases == ["seed", "teach", "baseline", "fine_tune"]
    assert not (folder / "student").exists()


def test_what_cannot_be_meant_is_refused(folder: Path, cache: Path) -> None:
    with pytest.raises(UsageError, match="exists"):
        create(SETTINGS, folder, cache=cache)
    with opened(folder, cache=cache) as run:
        assert run.state is None
        with pytest.raises(UsageError, match="no phase is called 'finetune': known are seed, teach"):
            next(run.stream(interrupt_before=["finetune"]))
        with pytest.raises(UsageError, match="'p-1' is not among those that round 0 would teach"):
            run.reject({"p-1": "no such problem"})
        with pytest.raises(UsageError, match="is at work"):
            resume(folder, Recorder(), cache=cache)
        for _ in run.stream(interrupt_after=["teach"]):
            pass
        run.reject({lesson.problem.id: "none at all" for lesson in run.store.training_set(round=0)})
        with pytest.raises(RunFailedError, match="every problem was rejected"):
            run.finish()


def test_a_damaged_bookmark_is_named(folder: Path, cache: Path) -> None:
    (folder / CHECKPOINTS).write_bytes(b"no database" * 100)
    with opened(folder, cache=cache) as run, pytest.raises(StoreError, match="delete it and resume"):
        run.finish()
