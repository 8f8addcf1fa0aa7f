"""The life of a problem, from its seed to the rounds that it trained."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from fdd.domain import Band, Operator, Reason
from fdd.errors import UsageError
from fdd.storage.life import find_problem, select_life
from fdd.storage.records import DecisionRecord, Record, TranscriptRecord
from fdd.storage.store import Store
from tests.storage.samples import ROUND, RUN, call, probe, problem, rationale

SEED = problem("What is 1 + 1?", 2)
CALL = call(problem_id=SEED.id, agent="synthesizer")
CHILD = problem(
    "What is 1 + 2?", 3, parent=SEED.id, operator=Operator.HARDER, round=1, split="generated", call_id=CALL.id
)
GRANDCHILD = problem(
    "What is 1 + 3?", 4, parent=CHILD.id, operator=Operator.SIMILAR, round=2, split="generated"
)
TRANSCRIPT = TranscriptRecord(
    call_id=CALL.id,
    request={"messages": [{"role": "user", "content": "Write one."}], "temperature": 0.7, "max_tokens": 9},
    reply="<question>What is 1 + 2?</question>",
    finish="stop",
)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = Store.create(tmp_path / "run.duckdb", RUN)
    rows: list[Record] = [SEED, CHILD, GRANDCHILD, CALL, TRANSCRIPT]
    rows += [rationale(SEED), rationale(CHILD, round=1, reason=Reason.WRONG_ANSWER)]
    rows += [rationale(CHILD, round=1, repaired=True), rationale(GRANDCHILD, round=2)]
    rows += [replace(ROUND, round=number) for number in range(4)]
    rows += [probe(CHILD, round=0, band=Band.HARD)]
    store.add(rows)
    return store


def test_a_problem_has_ancestors_children_and_the_call_that_wrote_it(store: Store) -> None:
    life = store.read(select_life, CHILD.id)
    assert life is not None
    assert life.problem == CHILD
    assert life.ancestors == [SEED]
    assert life.children == [GRANDCHILD]
    assert life.calls == [CALL]
    assert life.transcripts == {CALL.id: TRANSCRIPT}
    assert [each.repaired for each in life.rationales] == [False, True]
    assert [each.round for each in life.probes] == [0]


def test_ancestors_are_given_from_the_seed_down(store: Store) -> None:
    life = store.read(select_life, GRANDCHILD.id)
    assert life is not None
    assert life.ancestors == [SEED, CHILD]


def test_it_trained_every_round_since_its_rationale_was_accepted(store: Store) -> None:
    life = store.read(select_life, CHILD.id)
    assert life is not None
    assert life.taught == [1, 2, 3]


def test_what_an_undone_round_brought_trained_that_round_only(store: Store) -> None:
    store.add([DecisionRecord(round=1, against=0, n=8, gained=0, lost=8, p=0.01, kept=False)])
    undone, seed = store.read(select_life, CHILD.id), store.read(select_life, SEED.id)
    assert undone is not None
    assert seed is not None
    assert undone.taught == [1]
    assert seed.taught == [0, 1, 2, 3]


def test_a_problem_is_found_by_the_beginning_of_its_id(store: Store) -> None:
    assert store.read(find_problem, CHILD.id) == CHILD.id
    assert store.read(find_problem, CHILD.id[:12]) == CHILD.id
    with pytest.raises(UsageError, match=f"'p-' is the beginning of several ids: give more of .*{CHILD.id}"):
        store.read(find_problem, "p-")
    with pytest.raises(UsageError, match="no problem of this run has an id that begins with 'p-%'"):
        store.read(find_problem, "p-%")
    assert store.read(select_life, "p-0") is None


def test_a_ring_of_parents_ends(tmp_path: Path) -> None:
    """No run writes one; a database from elsewhere may hold one."""
    store = Store.create(tmp_path / "run.duckdb", RUN)
    one = problem("What is 5 + 5?", 10)
    two = problem("What is 6 + 6?", 12, parent=one.id, operator=Operator.HARDER)
    store.add([problem("What is 5 + 5?", 10, parent=two.id, operator=Operator.HARDER), two])
    life = store.read(select_life, two.id)
    assert life is not None
    assert [each.id for each in life.ancestors] == [two.id, one.id]
