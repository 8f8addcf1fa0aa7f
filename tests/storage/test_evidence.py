"""What a report is made of, counted in the database."""

from pathlib import Path

import pytest

from fdd.domain import Band, Operator, Reason
from fdd.storage.evidence import PAIRS, SPECIMENS, Evidence, Flow, Rate, Yield, gather_evidence
from fdd.storage.records import DecisionRecord
from fdd.storage.store import Store
from fdd.storage.summary import SetSize
from tests.reporting.runs import child, explained, probed
from tests.storage.samples import RUN, contamination, problem

SEEDS = [problem(f"Seed {n}?", n) for n in range(4)]
SIMILAR = child(SEEDS[0], 10, Operator.SIMILAR)
HARDER = child(SEEDS[1], 11, Operator.HARDER)
GRANDCHILD = child(SIMILAR, 12, Operator.SIMILAR)
EXAM = problem("Exam?", 5, split="test:exam")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Round 1 was undone; of its problems one is taught no more, and one was never accepted."""
    store = Store.create(tmp_path / "fdd.duckdb", RUN)
    store.add([*SEEDS, SIMILAR, HARDER, GRANDCHILD, EXAM])
    store.add([*map(explained, (SEEDS[0], SEEDS[1], SIMILAR, GRANDCHILD))])
    store.add([explained(SEEDS[2], Reason.WRONG_ANSWER), explained(HARDER, Reason.CALL_FAILED)])
    store.add([DecisionRecord(round=1, against=0, n=9, gained=0, lost=9, p=0.004, kept=False)])
    store.add([probed(SEEDS[0], round=0, correct=0), probed(SEEDS[1], round=0, correct=4)])
    store.add([probed(SEEDS[0], round=1, correct=4)])
    store.add([probed(SIMILAR, round=0, correct=0, parent_round=0)])
    store.add([probed(GRANDCHILD, round=1, correct=4, parent_round=0)])
    return store


@pytest.fixture
def evidence(store: Store) -> Evidence:
    return store.read(gather_evidence)


def test_each_operator_has_its_yield_by_round(evidence: Evidence) -> None:
    assert evidence.yields == (
        Yield(round=0, operator=None, problems=4, accepted=2, quarantined=1, failed=0, kept_out=0),
        Yield(round=1, operator="harder", problems=1, accepted=0, quarantined=0, failed=1, kept_out=0),
        Yield(round=1, operator="similar", problems=1, accepted=1, quarantined=0, failed=0, kept_out=0),
        Yield(round=2, operator="similar", problems=1, accepted=1, quarantined=0, failed=0, kept_out=0),
    )


def test_the_set_of_a_round_leaves_out_what_an_undone_round_before_it_brought(evidence: Evidence) -> None:
    assert evidence.sizes == (
        SetSize(round=0, operator=None, problems=2, new=2),
        SetSize(round=1, operator="similar", problems=1, new=1),
        SetSize(round=1, operator=None, problems=2, new=0),
        SetSize(round=2, operator="similar", problems=1, new=1),
        SetSize(round=2, operator=None, problems=2, new=0),
    )
    assert [row["problems"] for row in evidence.summary["rounds"]] == [2, 3, 3]


def test_solve_rates_before_teaching_are_counted_by_student_and_origin(store: Store) -> None:
    """After the round that was undone it is the student before that answers."""
    held_back = problem("Held back?", round=1)
    store.add([held_back, probed(held_back, round=0, correct=3)])
    assert set(store.read(gather_evidence).rates) == {
        Rate(round=0, operator=None, n=4, correct=3, problems=1),
        Rate(round=0, operator="similar", n=4, correct=0, problems=1),
        Rate(round=0, operator="similar", n=4, correct=4, problems=1),
    }


def test_bands_flow_from_parent_to_child_and_from_probe_to_probe(evidence: Evidence) -> None:
    hard, easy = Band.HARD, Band.EASY
    assert evidence.flows == (
        Flow(round=0, operator="similar", before=hard, after=easy, problems=1, same_student=1),
        Flow(round=0, operator="similar", before=hard, after=hard, problems=1, same_student=1),
        Flow(round=0, operator=None, before=hard, after=easy, problems=1, same_student=1),
    )


def test_a_specimen_comes_with_all_its_ancestors(evidence: Evidence) -> None:
    accepted = next(verdicts for verdicts in evidence.verdicts if verdicts.reason is Reason.ACCEPTED)
    assert accepted.rationales == 4
    assert len(accepted.specimens) == SPECIMENS
    assert accepted.specimens[0].lineage == (SEEDS[0], SIMILAR, GRANDCHILD)
    reasons = [Reason.ACCEPTED, Reason.CALL_FAILED, Reason.WRONG_ANSWER]
    assert [verdicts.reason for verdicts in evidence.verdicts] == reasons


def test_what_was_kept_out_is_counted_by_round_and_operator(store: Store) -> None:
    harder = {"parent": SEEDS[0].id, "operator": Operator.HARDER}
    store.add([contamination(EXAM, round=1, question=f"Copy {n}?", **harder) for n in range(2)])
    store.add([contamination(EXAM, parent=SEEDS[0].id, round=2, question="Copy?", operator=Operator.SIMILAR)])
    store.add([contamination(EXAM, question="Copied seed?", kind="exact")])
    store.add(
        [contamination(EXAM, parent=SEEDS[0].id, round=3, question="Alone?", operator=Operator.SIMPLER)]
    )
    yields = store.read(gather_evidence).yields
    assert {(row.round, row.operator): row.kept_out for row in yields if row.kept_out} == {
        (0, None): 1,
        (1, "harder"): 2,
        (2, "similar"): 1,
        (3, "simpler"): 1,
    }
    assert yields[-1].problems == 0


def test_of_each_kind_of_copy_some_pairs_are_shown(store: Store) -> None:
    store.add([contamination(EXAM, question=f"Copy {n}?") for n in range(PAIRS + 2)])
    store.add([contamination(EXAM, question="Exact?", kind="exact", overlap=1)])
    pairs = store.read(gather_evidence).pairs
    assert [pair.kind for pair in pairs] == ["exact", *["masked"] * PAIRS]
    assert {(pair.evaluated, pair.evaluation) for pair in pairs} == {("Exam?", "exam")}


def test_a_run_that_has_just_begun_has_no_evidence(tmp_path: Path) -> None:
    evidence = Store.create(tmp_path / "new.duckdb", RUN).read(gather_evidence)
    counted = (
        evidence.yields,
        evidence.rates,
        evidence.flows,
        evidence.verdicts,
        evidence.pairs,
        evidence.sizes,
    )
    assert set(counted) == {()}
