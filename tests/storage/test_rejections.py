"""What a person rejected is not taught from that round on, and counted; what was taught before stays."""

from __future__ import annotations

from pathlib import Path

import pytest

from fdd.errors import StoreError
from fdd.storage.checks import Finding
from fdd.storage.life import select_life
from fdd.storage.records import RejectionRecord
from fdd.storage.store import Store
from tests.storage.samples import ROUND, RUN, problem, rationale

KEPT, BAD = problem("What is 1 + 1?"), problem("What is 2 + 0?")
REJECTION = RejectionRecord(problem_id=BAD.id, round=1, detail="nobody asks that")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = Store.create(tmp_path / "fdd.duckdb", RUN)
    store.add([KEPT, BAD, rationale(KEPT, round=1), rationale(BAD, round=1)])
    return store


def taught(store: Store, round: int) -> set[str]:
    return {lesson.problem.id for lesson in store.training_set(round=round)}


def test_a_rejected_problem_is_not_taught_and_counts_as_quarantined(store: Store) -> None:
    store.add([REJECTION])
    assert taught(store, 1) == {KEPT.id}
    (summary,) = store.summary()["rounds"]
    assert (summary["problems"], summary["accepted"], summary["quarantined"]) == (1, 1, 1)
    assert summary["quarantine_reasons"] == {"rejected": 1}
    assert store.verify() == []


def test_what_the_student_finds_of_a_rejected_problem_is_not_taught_either(store: Store) -> None:
    store.add([REJECTION, rationale(BAD, round=2, thought="cot")])
    assert taught(store, 2) == {KEPT.id}
    assert store.summary()["rounds"][1]["problems"] == 1


def test_what_was_taught_before_a_rejection_stays_as_it_was(store: Store) -> None:
    store.add([RejectionRecord(problem_id=BAD.id, round=2, detail="too late")])
    store.add([rationale(KEPT, round=2, thought="cot")])
    assert taught(store, 1) == {KEPT.id, BAD.id}
    assert taught(store, 2) == {KEPT.id}
    assert [row["problems"] for row in store.summary()["rounds"]] == [2, 1]
    assert [row["quarantined"] for row in store.summary()["rounds"]] == [0, 0]


def test_the_life_of_a_rejected_problem_says_so(store: Store) -> None:
    store.add([REJECTION, ROUND])
    life = store.read(select_life, BAD.id)
    assert life is not None
    assert (life.taught, life.rejections) == ([], [REJECTION])


def test_a_rejection_is_stored_once_and_never_changed(store: Store) -> None:
    assert [store.add([REJECTION]), store.add([REJECTION])] == [1, 0]
    with pytest.raises(StoreError, match="other content"):
        store.add([RejectionRecord(problem_id=BAD.id, round=1, detail="something else")])


def test_a_rejection_of_nothing_is_found(store: Store) -> None:
    store.add([RejectionRecord(problem_id="p-0", round=1, detail="")])
    assert store.verify() == [Finding("rejections", "p-0", "its problem is not in the database")]
