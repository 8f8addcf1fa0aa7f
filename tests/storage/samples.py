"""Small records for the tests of the store."""

from __future__ import annotations

from datetime import UTC, datetime
from fractions import Fraction

from fdd.domain import Band, Problem, Reason, problem_id
from fdd.storage.records import (
    AttemptRecord,
    CallRecord,
    ContaminationRecord,
    ProbeRecord,
    ProblemRecord,
    RationaleRecord,
    RoundRecord,
    RunRecord,
    attempt_id,
    call_id,
    contamination_id,
    rationale_id,
)

RUN = RunRecord(
    id="run-1",
    settings={"rounds": 2, "thoughts": ["pot"], "problems": {"limit": None}},
    versions={"duckdb": "2"},
    seed=7,
    speed={"training": 100.0, "reading": 500.0, "writing": 50.0},
    created=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
)


def problem(question: str = "What is 1 + 1?", answer: int | Fraction = 2, **more: object) -> ProblemRecord:
    answer = Fraction(answer)
    values = {"split": "seed", "solution": "1 + 1 = 2", "source": "test", **more}
    return ProblemRecord(id=problem_id(question, answer), question=question, answer=answer, **values)  # type: ignore[arg-type]


def rationale(
    of: Problem,
    *,
    reason: Reason = Reason.ACCEPTED,
    round: int = 0,
    repaired: bool = False,
    thought: str = "pot",
    sample: int = 0,
) -> RationaleRecord:
    key = rationale_id(
        problem_id=of.id, thought=thought, round=round, agent="symbolic", sample=1 if repaired else sample
    )
    return RationaleRecord(
        id=key,
        problem_id=of.id,
        thought=thought,
        text="answer = 2\n",
        round=round,
        agent="symbolic",
        reason=reason,
        value=of.answer if reason is Reason.ACCEPTED else None,
        repaired=repaired,
    )


def attempt(of: Problem, *, sample: int = 0, reason: Reason = Reason.WRONG_ANSWER) -> AttemptRecord:
    return AttemptRecord(
        id=attempt_id(
            problem_id=of.id,
            round=0,
            purpose="evaluation",
            evaluation="in-domain",
            thought="pot",
            sample=sample,
        ),
        problem_id=of.id,
        round=0,
        purpose="evaluation",
        evaluation="in-domain",
        thought="pot",
        sample=sample,
        text="answer = 3",
        reason=reason,
        value=of.answer if reason is Reason.ACCEPTED else Fraction(3),
        form=True,
        new_tokens=4,
        finished=True,
        model="round-0",
        seed=2**40,
    )


def probe(of: Problem, *, band: Band, round: int = 0) -> ProbeRecord:
    return ProbeRecord(problem_id=of.id, round=round, n=1, correct=1, mean=2 / 3, low=0.1, high=1, band=band)


def call(sample: int = 0, **more: object) -> CallRecord:
    values = {
        "round": 0,
        "agent": "teacher",
        "model": "openai:some-model",
        "status": "answered",
        "prompt_tokens": 300,
        "completion_tokens": 120,
        "cost_usd": 0.5,
        "seconds": 2,
        "started": RUN.created,
        "tries": 1,
        "paid": True,
        **more,
    }
    key = call_id(
        agent=str(values["agent"]), model="m", prompt_hash="h", settings_hash="s", seed=1, sample=sample
    )
    return CallRecord(id=key, prompt_hash="h", settings_hash="s", seed=1, sample=sample, **values)  # type: ignore[arg-type]


def contamination(of: Problem, **more: object) -> ContaminationRecord:
    """Returns the record of a renumbered copy of this problem."""
    values = {"round": 0, "question": "What is 8 + 8?", "kind": "masked", "overlap": 1, **more}
    key = contamination_id(round=0, question=str(values["question"]))
    return ContaminationRecord(id=key, problem_id=of.id, **values)  # type: ignore[arg-type]


ROUND = RoundRecord(
    round=0,
    student="students/round-0",
    problems=2,
    steps=10,
    examples=20,
    tokens=300,
    loss=0.25,
    seconds=1.5,
    removed={"duplicate": 3},
)
