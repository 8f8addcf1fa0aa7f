"""The store from one process: what goes in comes out, once, and never changes."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from fdd.domain import Band, Interval, Operator, Reason, Usage
from fdd.errors import StoreError
from fdd.storage.life import select_life
from fdd.storage.records import DecisionRecord, EvaluationRecord, evaluation_name, evaluation_split, is_asked
from fdd.storage.store import Store
from tests.storage.samples import ROUND, RUN, attempt, call, contamination, probe, problem, rationale


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.create(tmp_path / "fdd.duckdb", RUN)


def test_a_run_comes_back_as_it_was_stored(store: Store) -> None:
    assert Store.open(store.path).run() == RUN


def test_every_record_comes_back_as_it_was_stored(store: Store) -> None:
    parent = problem("Zweiundvierzig ‘½’ — 问题 \0 '; DROP TABLE problems; --", Fraction(-3, 7))
    asked = call(problem_id=parent.id, tries=3, detail="time-out, then an answer")
    child = problem(
        "Harder?", 4, parent=parent.id, operator=Operator.HARDER, round=1, split="generated", call_id=asked.id
    )
    evaluation = EvaluationRecord.of(Interval(n=4, correct=1, low=0.1, high=0.5), round=0, name="in-domain")
    probed = replace(probe(child, band=Band.MIXED, round=1), change=-0.5, parent_round=0)
    assert (
        store.add([parent, child, rationale(parent), attempt(parent), probed, ROUND, evaluation, asked]) == 8
    )
    assert store.problems(splits=["seed"]) == [parent]
    assert store.problems(round=1) == [child]
    life = store.read(select_life, parent.id)
    assert life is not None
    assert life.children == [child]
    assert store.rationales(problem_id=parent.id) == store.rationales(round=0) == [rationale(parent)]
    assert store.attempts(round=0) == [attempt(parent)]
    assert store.probes(round=1) == store.probes(problem_id=child.id) == [probed]
    assert store.rounds() == [ROUND]
    assert store.evaluations(round=0) == store.evaluations() == [evaluation]
    assert store.evaluations()[0].accuracy == 0.25
    assert store.calls() == [asked]
    assert store.verify() == []


def test_adding_nothing_is_nothing(store: Store) -> None:
    assert store.add([]) == 0


def test_adding_a_row_again_changes_nothing(store: Store) -> None:
    assert store.add([problem(), problem()]) == 1
    assert store.add([problem()]) == 0
    assert store.problems() == [problem()]


def test_the_same_round_may_take_another_time(store: Store) -> None:
    store.add([ROUND])
    assert store.add([replace(ROUND, seconds=99.0)]) == 0
    assert store.rounds() == [ROUND]


@pytest.mark.parametrize(
    "other",
    [
        {"cost_usd": 0.0, "paid": False},
        {"tries": 4},
        {"seconds": 9.0, "started": datetime(2027, 1, 1, tzinfo=UTC)},
        {"detail": "after a time-out"},
    ],
)
def test_the_same_call_may_take_another_way(store: Store, other: dict[str, Any]) -> None:
    store.add([call()])
    assert store.add([replace(call(), **other)]) == 0
    assert store.calls() == [call()]


@pytest.mark.parametrize(
    "other",
    [{"status": "truncated"}, {"prompt_tokens": 301}, {"completion_tokens": 0}, {"model": "another"}],
)
def test_the_same_call_never_gets_another_result(store: Store, other: dict[str, Any]) -> None:
    store.add([call()])
    with pytest.raises(StoreError, match=f"calls {call().id} was stored before with other content"):
        store.add([replace(call(), **other)])


def test_other_content_under_a_known_id_is_refused_and_nothing_of_the_batch_stays(store: Store) -> None:
    store.add([problem()])
    other = problem("What is 2 + 2?", 4)
    with pytest.raises(StoreError, match=f"problems {problem().id} was stored before with other content"):
        store.add([other, replace(problem(), solution="it is 2")])
    assert store.problems() == [problem()]


def test_two_contents_under_one_id_in_a_batch_are_refused(store: Store) -> None:
    with pytest.raises(StoreError, match=r"probes .* was stored before"):
        store.add([probe(problem(), band=Band.EASY), probe(problem(), band=Band.HARD)])
    assert store.probes() == []


def test_half_a_character_is_refused_in_one_line(store: Store) -> None:
    with pytest.raises(StoreError, match="cannot write to the database") as caught:
        store.add([problem("broken \ud83d")])
    assert "\n" not in str(caught.value)
    assert store.problems() == []


def test_problems_are_pending_until_they_have_a_rationale_accepted_or_not(store: Store) -> None:
    todo, kept, refused, later, asked = (
        problem(f"What is {n} + {n}?", 2 * n, round=int(n == 4), split="dev" if n == 5 else "seed")
        for n in range(1, 6)
    )
    store.add([todo, kept, refused, later, asked])
    store.add([rationale(kept, thought="cot"), rationale(refused, reason=Reason.NO_DERIVATION)])
    assert store.pending(round=0) == [todo]
    assert store.pending(round=1) == [later]


def test_the_training_set_is_what_was_accepted_up_to_a_round_by_id(store: Store) -> None:
    first, second = problem(), problem("What is 2 + 2?", 4)
    later = problem("What is 3 + 3?", 6, round=1, split="generated")
    store.add([first, second, later])
    store.add([rationale(second, reason=Reason.WRONG_ANSWER), rationale(first), rationale(later, round=1)])
    assert [lesson.problem for lesson in store.training_set(round=0)] == [first]
    lessons = store.training_set(round=1)
    assert {lesson.problem.id for lesson in lessons} == {first.id, later.id}
    assert [lesson.rationale.id for lesson in lessons] == sorted(lesson.rationale.id for lesson in lessons)


def test_the_training_set_may_be_that_of_some_thoughts(store: Store) -> None:
    voted = [rationale(problem(), thought=name) for name in ("pot", "cot", "eot")]
    store.add([problem(), *voted])
    assert {lesson.rationale.thought for lesson in store.training_set(round=0)} == {"pot", "cot", "eot"}
    chosen = store.training_set(round=0, thoughts=["pot", "eot"])
    assert {lesson.rationale.thought for lesson in chosen} == {"pot", "eot"}
    assert store.training_set(round=0, thoughts=()) == []


def test_several_accepted_samples_of_one_thought_are_several_lessons(store: Store) -> None:
    first, second, wrong = (
        rationale(problem(), sample=sample, reason=reason)
        for sample, reason in enumerate((Reason.ACCEPTED, Reason.ACCEPTED, Reason.WRONG_ANSWER))
    )
    store.add([problem(), first, second, wrong])
    lessons = store.training_set(round=0, thoughts=["pot"])
    assert {lesson.rationale.id for lesson in lessons} == {first.id, second.id}


def test_attempts_are_found_by_round_purpose_and_evaluation(store: Store) -> None:
    store.add([problem(), attempt(problem()), attempt(problem(), sample=1)])
    found = store.attempts(round=0, purpose="evaluation", evaluation="in-domain")
    assert [each.sample for each in found] == [0, 1]
    assert store.attempts(round=0, purpose="probe") == []
    assert store.attempts(round=0, evaluation="held-out") == []
    assert store.attempts(round=1) == []


def test_events_are_kept_in_order(store: Store) -> None:
    store.log(round=0, phase="teach", kind="started")
    store.log(round=0, phase="teach", kind="finished", detail={"accepted": 3})
    events = store.events()
    assert [(event.seq, event.kind) for event in events] == [(1, "started"), (2, "finished")]
    assert events[1].detail == {"accepted": 3}
    assert events[0].time <= events[1].time <= datetime.now(UTC)


def test_the_summary_has_the_share_of_answers_in_the_form_that_is_taught(store: Store) -> None:
    asked = problem()
    forms = (True, False, True)
    store.add([asked, ROUND])
    store.add(replace(attempt(asked, sample=sample), form=form) for sample, form in enumerate(forms))
    store.add(
        EvaluationRecord(round=round, name="in-domain", n=10, correct=1, low=0, high=0.5) for round in (-1, 0)
    )
    summary = store.summary()
    assert [entry["form"] for entry in summary["baseline"]["evaluations"]] == [None]
    assert [entry["form"] for entry in summary["rounds"][0]["evaluations"]] == [2 / 3]


def test_the_summary_counts_a_round(store: Store) -> None:
    kept, repaired, refused = (problem(f"What is {n} + {n}?", 2 * n) for n in range(1, 4))
    new = problem("What is 9 + 9?", 18, round=1, split="generated")
    store.add([kept, repaired, refused, new, ROUND])
    store.add(
        [
            rationale(kept),
            rationale(repaired, reason=Reason.WRONG_ANSWER),
            rationale(repaired, repaired=True),
            rationale(refused, reason=Reason.WRONG_ANSWER),
            rationale(refused, reason=Reason.TIME_LIMIT, repaired=True),
            rationale(new, round=1),
            probe(kept, band=Band.EASY),
            probe(repaired, band=Band.HARD),
            *(contamination(kept, question=f"What is {n} + 1?") for n in range(2)),
            contamination(kept, kind="exact"),
            EvaluationRecord(round=-1, name="in-domain", n=10, correct=1, low=0, high=0.5),
            EvaluationRecord(round=0, name="in-domain", n=10, correct=5, low=0.2, high=0.8),
        ]
    )
    summary = store.summary()
    assert summary["run"] == "run-1"
    assert summary["settings"] == RUN.settings
    assert [entry["correct"] for entry in summary["baseline"]["evaluations"]] == [1]
    first, second = summary["rounds"]
    evaluation = {"name": "in-domain", "n": 10, "correct": 5, "accuracy": 0.5, "low": 0.2, "high": 0.8}
    evaluation["form"] = None
    assert first == {
        "round": 0,
        "problems": 2,
        "added": 2,
        "accepted": 2,
        "quarantined": 1,
        "failed": 0,
        "quarantine_reasons": {"time_limit": 1},
        "removed": {"duplicate": 3},
        "kept_out": {"exact": 1, "masked": 2},
        "easy": 1,
        "mixed": 0,
        "hard": 1,
        "evaluations": [evaluation],
        "decision": None,
        "drift": None,
        "refinement": None,
    }
    assert (second["round"], second["problems"], second["added"]) == (1, 3, 1)


def test_what_an_undone_round_taught_counts_in_that_round_only(store: Store) -> None:
    first, second, third = (problem(f"What is {n} + {n}?", 2 * n, round=n) for n in range(3))
    rounds = [replace(ROUND, round=n, student=f"students/round-{n}") for n in range(3)]
    undone = DecisionRecord(round=1, against=0, n=9, gained=0, lost=6, p=0.03, kept=False)
    store.add([first, second, third, *rounds, undone])
    store.add(rationale(each, round=each.round) for each in (first, second, third))
    store.add(EvaluationRecord(round=n, name="dev", n=9, correct=5, low=0, high=1) for n in range(3))
    sets = [{lesson.problem.round for lesson in store.training_set(round=n)} for n in range(3)]
    assert sets == [{0}, {0, 1}, {0, 2}]
    assert [row["problems"] for row in store.summary()["rounds"]] == [1, 2, 2]
    assert [each.round for each in store.kept()] == [0, 2]


@pytest.mark.parametrize(
    ("reasons", "outcome"),
    [
        ((Reason.WRONG_ANSWER, Reason.ACCEPTED, Reason.WRONG_ANSWER), "accepted"),
        ((Reason.CALL_FAILED, Reason.ACCEPTED), "accepted"),
        ((Reason.CALL_FAILED, Reason.CALL_FAILED), "failed"),
        ((Reason.CALL_FAILED, Reason.WRONG_ANSWER, Reason.CALL_FAILED), "quarantined"),
        ((Reason.NO_ANSWER, Reason.NO_ANSWER), "quarantined"),
    ],
)
def test_the_samples_of_one_thought_have_one_outcome(
    store: Store, reasons: tuple[Reason, ...], outcome: str
) -> None:
    samples = [rationale(problem(), sample=sample, reason=reason) for sample, reason in enumerate(reasons)]
    store.add([problem(), *samples])
    (found,) = store.summary()["rounds"]
    counts = {"accepted": found["accepted"], "quarantined": found["quarantined"], "failed": found["failed"]}
    assert counts == {"accepted": 0, "quarantined": 0, "failed": 0, outcome: 1}


def test_a_failed_call_is_no_reason_of_quarantine(store: Store) -> None:
    store.add([problem(), rationale(problem(), reason=Reason.CALL_FAILED)])
    store.add([rationale(problem(), thought="cot", reason=Reason.TIME_LIMIT)])
    assert store.summary()["rounds"][0]["quarantine_reasons"] == {"time_limit": 1}


def test_a_reply_that_was_used_in_two_rounds_was_paid_once(store: Store) -> None:
    again = replace(call(), id="c-again", round=1)
    store.add([call(), again, call(1, status="failed"), call(2, paid=False)])
    assert store.paid() == Usage(calls=1, prompt_tokens=300, completion_tokens=120, cost_usd=0.5)


def test_calls_that_differ_in_their_seed_alone_were_paid_each(store: Store) -> None:
    store.add([call(), replace(call(), id="c-other-seed", seed=2)])
    assert store.paid() == Usage(calls=2, prompt_tokens=600, completion_tokens=240, cost_usd=1.0)


def test_threads_may_share_a_store(store: Store) -> None:
    def write(name: int) -> None:
        for n in range(3):
            store.add([problem(f"{name}: what is {n}?", n)])
            store.log(round=0, phase="teach", kind=str(name))

    threads = [threading.Thread(target=write, args=(name,)) for name in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(store.problems()) == len(store.events()) == 12


def test_twenty_thousand_rows_go_in_at_once(store: Store) -> None:
    problems = [problem(f"What is {n} + {n}? {'word ' * 30}", 2 * n) for n in range(20_000)]
    assert store.add(problems) == 20_000
    assert store.add(problems) == 0
    assert store.problems(round=0) == sorted(problems, key=lambda each: each.id)


@pytest.mark.parametrize(
    ("split", "name", "asked"),
    [("dev", "dev", True), ("test:exam", "exam", True), ("unasked:exam", "exam", False)],
)
def test_a_split_tells_its_evaluation_set_and_whether_it_is_asked(split: str, name: str, asked: bool) -> None:
    assert evaluation_split(name, asked=asked) == split
    assert (evaluation_name(split), is_asked(split)) == (name, asked)


def test_what_is_taught_is_not_asked() -> None:
    assert not (is_asked("seed") or is_asked("generated"))


def test_ids_depend_on_what_a_row_is_about_and_on_nothing_else() -> None:
    assert rationale(problem()).id == rationale(problem()).id
    assert rationale(problem()).id != rationale(problem(), repaired=True).id
    assert attempt(problem()).id != attempt(problem(), sample=1).id
