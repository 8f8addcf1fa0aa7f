"""`verify` finds what does not fit, and only that."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest

from fdd.domain import Band, Operator, Reason
from fdd.storage.checks import Finding
from fdd.storage.database import Database
from fdd.storage.records import Record
from fdd.storage.store import Store
from tests.storage.samples import ROUND, RUN, attempt, contamination, probe, problem, rationale

PARENT = problem()
CHILD = problem("What is 2 + 2?", 4, parent=PARENT.id, operator=Operator.HARDER, round=1, split="generated")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = Store.create(tmp_path / "fdd.duckdb", RUN)
    store.add([PARENT, CHILD, rationale(PARENT), attempt(PARENT), probe(PARENT, band=Band.EASY), ROUND])
    store.add([contamination(PARENT)])
    return store


def tamper(store: Store, sql: str) -> None:
    with Database(store.path).writing() as connection:
        connection.execute(sql)


def test_a_sound_run_has_no_findings(store: Store) -> None:
    assert store.verify() == []


def test_one_flipped_character_in_a_text_is_found(store: Store) -> None:
    tamper(store, "UPDATE rationales SET text = replace(text, '2', '3')")
    assert store.verify() == [
        Finding("rationales", rationale(PARENT).id, "its content hash does not match its content")
    ]


@pytest.mark.parametrize(
    ("sql", "table"),
    [
        ("UPDATE attempts SET text = text || ' '", "attempts"),
        ("UPDATE probes SET mean = 0.5", "probes"),
        ("UPDATE rounds SET loss = NULL", "rounds"),
        ("UPDATE runs SET seed = seed + 1", "runs"),
        ("UPDATE contamination SET overlap = 0.5", "contamination"),
        ("UPDATE contamination SET operator = 'harder'", "contamination"),
        ("UPDATE problems SET solution = '' WHERE parent IS NULL", "problems"),
    ],
)
def test_a_change_in_any_table_is_found(store: Store, sql: str, table: str) -> None:
    tamper(store, sql)
    assert [finding.table for finding in store.verify()] == [table]


def test_a_changed_question_no_longer_gives_the_problem_id(store: Store) -> None:
    tamper(store, "UPDATE problems SET question = 'What is 1 + 2?' WHERE parent IS NULL")
    assert {finding.what for finding in store.verify()} == {
        "its content hash does not match its content",
        "its id does not follow from its question and answer",
    }


ORPHAN = problem("What is 5 + 5?", 10)
DEV = problem("What is 6 + 6?", 12, split="dev")


@pytest.mark.parametrize(
    ("records", "what"),
    [
        ([rationale(ORPHAN)], f"its problem {ORPHAN.id} is not in the database"),
        ([attempt(ORPHAN)], f"its problem {ORPHAN.id} is not in the database"),
        ([probe(ORPHAN, band=Band.EASY)], "its problem is not in the database"),
        ([DEV, rationale(DEV)], f"teaches problem {DEV.id}, which is kept for evaluation"),
        (
            [DEV, problem("what is  6 + 6?", 12)],
            f"is taught, and a copy of problem {DEV.id}, which is kept for evaluation",
        ),
        (
            [replace(DEV, split="unasked:exam"), problem("WHAT IS 6 + 6?", 12, round=1, split="generated")],
            f"is taught, and a copy of problem {DEV.id}, which is kept for evaluation",
        ),
        ([contamination(ORPHAN, question="?")], f"its problem {ORPHAN.id} is not in the database"),
        ([replace(ORPHAN, call_id="c-none")], "its call c-none is not in the database"),
        (
            [ORPHAN, replace(rationale(ORPHAN), call_id="c-none")],
            "its call c-none is not in the database",
        ),
        (
            [replace(ORPHAN, parent="p-none", operator=Operator.SIMILAR)],
            "its parent p-none is not in the database",
        ),
        (
            [replace(ORPHAN, parent=PARENT.id, operator=Operator.SIMILAR, round=PARENT.round - 1)],
            f"its parent {PARENT.id} is of a later round",
        ),
        (
            [replace(ORPHAN, operator=Operator.SIMILAR)],
            "has a parent but no operator, or an operator but no parent",
        ),
        (
            [replace(rationale(CHILD), value=Fraction(5))],
            f"is accepted with another value than the answer of its problem {CHILD.id}",
        ),
        (
            [replace(rationale(CHILD), value=None)],
            f"is accepted with another value than the answer of its problem {CHILD.id}",
        ),
        (
            [replace(attempt(CHILD), reason=Reason.ACCEPTED)],
            f"is accepted with another value than the answer of its problem {CHILD.id}",
        ),
    ],
)
def test_rows_that_contradict_each_other_are_found(store: Store, records: list[Record], what: str) -> None:
    store.add(records)
    assert [finding.what for finding in store.verify()] == [what]
