"""A round that makes the student worse is undone: a run in which the second teaching is poisoned."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from fdd.agents.models.request import Answer
from fdd.agents.synthesizer import SymbolicSynthesizer
from fdd.agents.teacher import Written
from fdd.domain import Problem, Reason, Refusal, Verdict
from fdd.graph.agents import Agents
from fdd.graph.run import resume, start
from fdd.settings import load_settings
from fdd.storage.evidence import gather_evidence
from fdd.storage.folder import open_store
from fdd.storage.life import select_life
from fdd.storage.store import Store
from tests.graph.test_run import Recorder, rows

WORDS = """
    amber bridge candle drum ember falcon garden harbour island jacket kettle lantern meadow needle
    orchard pebble quarry river saddle timber umbrella valley window yarrow zephyr anchor basket copper
"""
POISONED = 1


class PoisonedTeacher:
    """Knows that every answer is 7; in one round says so in programs too long for the student to finish."""

    name = "poisoned"

    def prompt_hash(self, thought: str) -> str:
        return thought

    async def explain(self, problem: Problem, thought: str) -> Written:  # noqa: ARG002
        waste = "0 + " * 12 if problem.round == POISONED else ""
        return Answer(content=f"answer = {waste}7 + 0")

    async def repair(self, problem: Problem, thought: str, rationale: str, verdict: Verdict) -> Written:  # noqa: ARG002
        return Answer(content=Refusal(reason=Reason.NO_DERIVATION))


AGENTS = Agents(teacher=PoisonedTeacher(), synthesizer=SymbolicSynthesizer())


def write_problems(file: Path) -> None:
    chance = random.Random(0)
    questions = [f"How many {' '.join(chance.sample(WORDS.split(), 9))}?" for _ in range(140)]
    file.write_text("".join(json.dumps({"question": q, "answer": "#### 7"}) + "\n" for q in questions))


@pytest.fixture(scope="module")
def poisoned(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Path:
    folder = tmp_path_factory.mktemp("poisoned")
    write_problems(folder / "sevens.jsonl")
    given = {
        "rounds": "2",
        "student": "tiny",
        "shots": "0",
        "problems.name": str(folder / "sevens.jsonl"),
        "problems.limit": "24",
        "problems.test_size": "2",
        "problems.dev_size": "10",
        "fine_tune.start": "continue",
        "fine_tune.replay_share": "0",
        "fine_tune.epochs": "60",
        "fine_tune.learning_rate": "0.005",
        "fine_tune.batch_size": "8",
        "generate.max_new_tokens": "16",
        "device": "cpu",
    }
    settings = load_settings(given, environment={})
    start(settings, folder / "run", Recorder(), cache=cache, agents=AGENTS)
    return folder / "run"


@pytest.fixture
def store(poisoned: Path) -> Store:
    return open_store(poisoned)


def test_only_the_poisoned_round_is_undone(store: Store) -> None:
    decisions = store.decisions()
    assert [(each.round, each.against, each.kept) for each in decisions] == [
        (0, -1, True),
        (POISONED, 0, False),
        (2, 0, True),
    ]
    gained, lost = decisions[POISONED].gained, decisions[POISONED].lost
    assert gained == 0
    assert lost > 7  # of 10: how many round 0 had right depends on the processor
    assert decisions[POISONED].p == pytest.approx(2 / 2**lost)


def test_the_student_before_goes_on(store: Store) -> None:
    probed = store.attempts(round=POISONED, purpose="probe")
    assert {attempt.model for attempt in probed} == {"students/round-0"}
    assert all(attempt.reason.accepted for attempt in probed)


def test_what_it_answers_is_put_down_to_it(store: Store) -> None:
    assert {rate.round for rate in store.read(gather_evidence).rates} == {0}
    probed = store.attempts(round=POISONED, purpose="probe")[0]
    life = store.read(select_life, probed.problem_id)
    assert life is not None
    assert life.student_of(probed) == 0


def test_nothing_of_an_undone_round_is_taught_again(store: Store, poisoned: Path) -> None:
    assert {lesson.rationale.round for lesson in store.training_set(round=2)} == {0, 2}
    lines = [json.loads(line) for line in (poisoned / "dataset.jsonl").read_text().splitlines()]
    assert {line["round"] for line in lines} == {0, 2}
    assert (poisoned / "student").readlink() == Path("students/round-2")


def test_the_report_gives_the_numbers_of_every_decision(store: Store) -> None:
    rounds = store.summary()["rounds"]
    assert [row["decision"]["kept"] for row in rounds if row["decision"]] == [True, False, True]
    assert rounds[POISONED]["problems"] == rounds[0]["problems"] + rounds[POISONED]["added"]
    assert rounds[2]["problems"] == rounds[0]["problems"] + rounds[2]["added"]


def test_a_run_that_undid_a_round_is_sound_and_stays_so(poisoned: Path, store: Store, cache: Path) -> None:
    before = rows(poisoned)
    (poisoned / "checkpoints.sqlite").unlink()
    resume(poisoned, Recorder(), cache=cache, agents=AGENTS)
    assert rows(poisoned) == before
    assert store.verify() == []
