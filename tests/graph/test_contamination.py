"""What a run keeps out of its training set: whoever brings a copy in, it is stored once, and shown."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import duckdb
import pytest
from langgraph.runtime import Runtime

from fdd.agents.models.request import Answer
from fdd.agents.synthesizer import Drafted, Wanted
from fdd.commands.console import kept_out_lines
from fdd.domain import Band, Draft
from fdd.graph.nodes.seed import seed
from fdd.graph.nodes.synthesize import DRAFTS, synthesize
from fdd.graph.state import RunContext, RunState
from fdd.settings import Settings, load_settings
from fdd.storage.records import TAUGHT_SPLITS
from fdd.storage.store import Store
from fdd.training.fetch import student_path
from tests.graph.contexts import opened
from tests.problems.leaks import PLANTS, planted, written_by_hand
from tests.storage.samples import ROUND, RUN, probe, problem, rationale

QUESTIONS = [question for question, _ in written_by_hand()]
PARENTS, EXAM, ASKED = QUESTIONS[:6], QUESTIONS[6:30], 4
STATE = RunState(run=RUN.id, rounds=1)


class Copyist:
    """A synthesizer that knows the evaluation problems and passes copies of every kind off as its own."""

    name = "copyist"
    proven = True

    def __init__(self, questions: Sequence[str]) -> None:
        self.copies = [copy for plant in PLANTS for _, copy in planted(questions, plant)]

    async def write(self, wanted: Wanted, rng: random.Random) -> Drafted:
        return Answer(
            content=Draft(question=rng.choice(self.copies), solution="1 + 1 = 2", answer=wanted.parent.answer)
        )


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.create(tmp_path / "fdd.duckdb", RUN)


@pytest.fixture
def copying(tmp_path: Path, store: Store) -> Iterator[RunContext]:
    """Six probed parents, and test sets of which the run asks a part."""
    parents = [problem(question, round=1) for question in PARENTS]
    asked = [problem(question, split="test:exam") for question in EXAM[:ASKED]]
    unasked = [problem(question, split="unasked:exam") for question in EXAM[ASKED:]]
    store.add([*parents, *asked, *unasked, *(probe(parent, band=Band.HARD) for parent in parents)])
    settings = load_settings({"rounds": "1", "student": "tiny"}, environment={})
    with opened(tmp_path, store, settings, base=tmp_path / "nowhere", synthesizer=Copyist(EXAM)) as context:
        yield context


def pairs(store: Store) -> list[tuple[object, ...]]:
    """The view that docs/HOW-IT-WORKS.md names."""
    with duckdb.connect(str(store.path), read_only=True) as connection:
        return connection.execute("SELECT * FROM kept_out ORDER BY ALL").fetchall()


def test_no_copy_that_a_synthesizer_writes_is_taught(copying: RunContext) -> None:
    update = synthesize(STATE, Runtime(context=copying))
    assert update["added"] == 0
    assert sum(update["removed"].values()) == len(PARENTS)
    assert copying.store.problems(splits=["generated"]) == []


def test_every_copy_is_stored_with_its_pair_also_where_another_draft_was_asked_for(
    copying: RunContext,
) -> None:
    synthesize(STATE, Runtime(context=copying))
    found = pairs(copying.store)
    assert len(PARENTS) < len(found) <= DRAFTS * len(PARENTS)
    evaluated = {
        each.id: each.question for each in copying.store.problems(splits=["test:exam", "unasked:exam"])
    }
    for round_, kind, overlap, removed, problem_id, question, evaluation in found:
        assert (round_, evaluation, evaluated[str(problem_id)]) == (1, "exam", question)
        assert kind in ("exact", "masked", "overlap")
        assert isinstance(overlap, float)
        assert 0 < overlap <= 1
        assert removed


def test_writing_again_after_a_crash_stores_the_same_copies_once(copying: RunContext) -> None:
    synthesize(STATE, Runtime(context=copying))
    before = pairs(copying.store)
    synthesize(STATE, Runtime(context=copying))
    assert pairs(copying.store) == before
    assert copying.store.verify() == []


def test_the_report_counts_copies_by_round_and_kind(copying: RunContext) -> None:
    store = copying.store
    synthesize(STATE, Runtime(context=copying))
    store.add([ROUND, rationale(store.problems(splits=["seed"])[0], round=1)])
    summary = store.summary()
    kinds = Counter(str(kind) for _, kind, *_ in pairs(store))
    assert [row["kept_out"] for row in summary["rounds"]] == [{}, kinds]
    counted = ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))
    assert kept_out_lines(summary) == [f"kept out  {kinds.total()} copies of evaluation problems ({counted})"]


def leaky_settings(tmp_path: Path) -> Settings:
    """A file with copies of the problems of a test file of which a part is asked."""
    copies = [copy for plant in ("renumbered", "extended") for _, copy in planted(EXAM, plant)]
    for name, questions in (("own", [*QUESTIONS[30:], *PARENTS, *copies]), ("exam", EXAM)):
        rows = (
            {"question": question, "answer": f"{n} + {n} = {2 * n}\n#### {2 * n}"}
            for n, question in enumerate(questions, 1)
        )
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    files = {"problems.name": str(tmp_path / "own.jsonl"), "problems.test": str(tmp_path / "exam.jsonl")}
    sizes = {"problems.test_size": str(ASKED), "problems.dev_size": "2"}
    return load_settings({"rounds": "1", "student": "tiny", **files, **sizes}, environment={})


def test_what_seeds_were_kept_out_is_stored_once_and_nothing_of_it_taught(
    tmp_path: Path, store: Store, cache: Path
) -> None:
    base = student_path("tiny", cache)
    with opened(tmp_path, store, leaky_settings(tmp_path), base=base) as context:
        removed = seed(STATE, Runtime(context=context))["removed"]
        before = pairs(store)
        seed(STATE, Runtime(context=context))
    assert pairs(store) == before
    assert len(before) == sum(count for reason, count in removed.items() if ":" in reason) > len(EXAM)
    taught = {each.question for each in store.problems(splits=TAUGHT_SPLITS)}
    assert taught.isdisjoint(str(row[3]) for row in before)
    assert store.verify() == []


def test_problems_that_are_not_asked_are_in_the_database_and_in_no_set_that_is(
    tmp_path: Path, store: Store, cache: Path
) -> None:
    base = student_path("tiny", cache)
    with opened(tmp_path, store, leaky_settings(tmp_path), base=base) as context:
        seed(STATE, Runtime(context=context))
    assert len(store.problems(splits=["unasked:exam"])) == len(EXAM) - ASKED
    assert len(store.problems(splits=["test:exam"])) == ASKED


def test_the_report_says_which_sets_share_their_templates_with_what_is_taught(store: Store) -> None:
    store.add(
        problem(f"What is {n} + {n}?", 2 * n, split=split, template="7")
        for n, split in enumerate(("dev", "test:in-domain", "test:held-out", "test:gsm-symbolic"))
    )
    assert store.summary()["exact_only"] == ["dev", "in-domain"]
    assert kept_out_lines(store.summary()) == [
        "kept out  0 copies of evaluation problems",
        "          of dev and in-domain exact ones only: their templates are taught, with other numbers",
    ]
