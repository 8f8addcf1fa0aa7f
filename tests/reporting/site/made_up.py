"""Builds runs for the tests of the site: every kind of row, with malicious texts in all of them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from pathlib import Path

from starlette.testclient import TestClient

from fdd.domain import Band, Operator, Reason, problem_id
from fdd.reporting.site.app import build_app
from fdd.reporting.site.site import Site
from fdd.settings import load_settings
from fdd.storage.folder import DATABASE, open_store
from fdd.storage.records import (
    AttemptRecord,
    CallRecord,
    DecisionRecord,
    EvaluationRecord,
    ProbeRecord,
    ProblemRecord,
    Purpose,
    RationaleRecord,
    Record,
    RoundRecord,
    SpanRecord,
    TranscriptRecord,
    attempt_id,
)
from fdd.storage.store import Store
from tests.storage.samples import RUN

BEGUN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
HOSTILE = (
    "<script>alert(1)</script>",
    "</textarea></pre></title></svg><img src=x onerror=alert(1)>",
    '" onmouseover="alert(1)" x=\'',
    "\u202eturned\u202c \u2066isolated\u2069 \u200f",
    "NUL \x00 bell \x07 escape \x1b[31m",
    "{{ 7 * 7 }} {% include 'base.html' %} {#",
    "&lt;script&gt; &amp; ]]> --> <!--",
    "javascript:alert(1)",
    "x" * 10_000,
)
"""Malicious texts, for every place where text comes from outside."""


def make_run(folder: Path, *records: Record, rounds: int = 1, **more: str) -> Store:
    settings = load_settings({"rounds": rounds, "student": "tiny", **more}, environment={})
    run = replace(RUN, settings=settings.to_json(), seed=0, created=BEGUN)
    store = Store.create(folder / DATABASE, run)
    store.add(records)
    return store


def client(folder: Path) -> TestClient:
    """Returns a client that requests pages of the run in this folder."""
    return TestClient(build_app(Site(folder, open_store(folder))), base_url="http://127.0.0.1:8765")


def problem(question: str, *, answer: int = 2, split: str = "seed", **more: object) -> ProblemRecord:
    values = {"solution": "1 + 1 = 2", "source": "made up", "template": "1", **more}
    name = problem_id(question, Fraction(answer))
    return ProblemRecord(id=name, question=question, answer=Fraction(answer), split=split, **values)  # type: ignore[arg-type]


def attempt(of: ProblemRecord, round: int, *, right: bool, text: str = "answer = 2") -> AttemptRecord:
    """Returns an attempt at a problem of the dev set."""
    purpose: Purpose = "baseline" if round < 0 else "evaluation"
    return AttemptRecord(
        id=attempt_id(problem_id=of.id, round=round, purpose=purpose, evaluation="dev", thought="pot"),
        problem_id=of.id,
        round=round,
        purpose=purpose,
        evaluation="dev",
        thought="pot",
        text=text,
        reason=Reason.ACCEPTED if right else Reason.WRONG_ANSWER,
        value=of.answer if right else of.answer + 1,
        form=True,
        new_tokens=5,
        finished=True,
        model="tiny",
        seed=0,
    )


def evaluation(round: int, correct: int, n: int = 4) -> EvaluationRecord:
    return EvaluationRecord(round=round, name="dev", n=n, correct=correct, low=0.1, high=0.7)


def call(name: str, of: ProblemRecord, **more: object) -> CallRecord:
    values = {
        "agent": "teacher",
        "model": "openai:some",
        "status": "answered",
        "prompt_tokens": 1000,
        "completion_tokens": 20,
        "cost_usd": 0.5,
        "tries": 1,
        "paid": True,
        **more,
    }
    return CallRecord(
        id=name,
        round=0,
        prompt_hash="",
        settings_hash="",
        seed=0,
        sample=0,
        seconds=0.25,
        started=BEGUN,
        problem_id=of.id,
        **values,  # type: ignore[arg-type]
    )


def transcript(name: str, asked: str, reply: str | None) -> TranscriptRecord:
    messages: list[object] = [{"role": "system", "content": "You teach."}, {"role": "user", "content": asked}]
    return TranscriptRecord(call_id=name, request={"messages": messages}, reply=reply, finish="stop")  # type: ignore[dict-item]


def rationale(of: ProblemRecord, name: str, reason: Reason, **more: object) -> RationaleRecord:
    values = {"text": "answer = 2", "agent": "teacher", "thought": "pot", "value": of.answer, **more}
    return RationaleRecord(id=name, problem_id=of.id, round=of.round, reason=reason, **values)  # type: ignore[arg-type]


def probe(of: ProblemRecord, band: Band, mean: float) -> ProbeRecord:
    return ProbeRecord(problem_id=of.id, round=0, n=1, correct=0, mean=mean, low=0.0, high=1.0, band=band)


def span(number: int, of: ProblemRecord, **more: object) -> SpanRecord:
    values = {"kind": "agent", "name": "explain", "phase": "teach", "status": "accepted", **more}
    return SpanRecord(
        id=f"s-{number}",
        parent="round-0/teach",
        round=0,
        problem_id=of.id,
        agent=str(values.pop("agent", "teacher")),
        started=BEGUN + timedelta(seconds=number),
        seconds=0.5 * number,
        **values,  # type: ignore[arg-type]
    )


def hostile_records() -> list[Record]:
    """Returns records with each hostile text in every column that takes any text."""
    records: list[Record] = []
    for number, text in enumerate(HOSTILE):
        parent = problem(f"parent {number} {text}", template=text, source=text, solution=text)
        child = problem(
            f"child {number} {text}",
            split="generated",
            parent=parent.id,
            operator=Operator.HARDER,
            agent=text,
            call_id=f"c-{number}",
            round=1,
        )
        asked = problem(f"dev {number} {text}", split="dev", template=text)
        records += [
            *(parent, child, asked),
            *(attempt(asked, round, right=round > 0, text=text) for round in (-1, 0)),
            call(f"c-{number}", parent, agent=text, model=text, detail=text),
            transcript(f"c-{number}", text, text),
            rationale(
                parent, f"r-{number}", Reason.MALFORMED, text=text, agent=text, detail=text, thought=text
            ),
            span(number, parent, name=text, agent=text, status=text, subject=text),
            probe(parent, Band.HARD, 0.3),
        ]
    rounds = RoundRecord(
        round=0,
        student=HOSTILE[0],
        problems=1,
        steps=1,
        examples=1,
        tokens=1,
        loss=1.0,
        seconds=1.0,
        removed={},
    )
    decision = DecisionRecord(round=0, against=-1, n=4, gained=0, lost=0, p=1.0, kept=True)
    names = [EvaluationRecord(round=0, name=text, n=4, correct=1, low=0.1, high=0.7) for text in HOSTILE]
    return [*records, rounds, decision, evaluation(-1, 0), evaluation(0, 1), *names]
