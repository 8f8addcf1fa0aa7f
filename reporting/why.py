"""Formats a problem's history: its lineage, prompts, replies, verdicts and the students' answers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import asdict

from rich.console import Group, RenderableType
from rich.text import Text

from fdd.reporting.terminal import block, shown
from fdd.storage.life import Life
from fdd.storage.records import (
    AttemptRecord,
    CallRecord,
    Json,
    ProbeRecord,
    RationaleRecord,
    Record,
    TranscriptRecord,
)


def as_text(life: Life) -> RenderableType:
    parts = [_origin(life), _writing(life), _rationales(life), _students(life), _taught(life)]
    return Group(*(line for part in parts for line in part))


def as_json(life: Life) -> dict[str, Json]:
    def rows(records: Sequence[Record]) -> list[Json]:
        return [{name: _plain(value) for name, value in asdict(record).items()} for record in records]

    return {
        "problem": rows([life.problem])[0],
        "ancestors": rows(life.ancestors),
        "children": rows(life.children),
        "rationales": rows(life.rationales),
        "calls": rows(life.calls),
        "transcripts": rows(list(life.transcripts.values())),
        "probes": rows(life.probes),
        "attempts": rows(life.attempts),
        "taught": list(life.taught),
        "rejections": rows(life.rejections),
    }


def _plain(value: object) -> Json:
    return value if isinstance(value, str | int | float | bool | dict | None) else str(value)


def _origin(life: Life) -> Iterator[RenderableType]:
    """Yields the chain from the seed to the problem, and the problem's children."""
    yield Text("Lineage", "bold")
    for problem in (*life.ancestors, life.problem):
        how = (
            f"{problem.operator} by {problem.agent}"
            if problem.operator
            else f"{problem.split} of {problem.source}"
        )
        where = f", template {problem.template}" if problem.template else ""
        yield shown(f"{problem.id}  {how}, round {problem.round}{where}")
        yield block(problem.question, inset=2)
        yield shown(f"  answer {problem.answer}", "bold")
    for child in life.children:
        yield shown(f"-> {child.id}  {child.operator}, round {child.round}", "dim")


def _writing(life: Life) -> Iterator[RenderableType]:
    """Yields the exchange with the model that wrote the problem, if it is stored."""
    writing = [call for call in life.calls if call.id == life.problem.call_id]
    if any(call.id in life.transcripts for call in writing):
        yield Text("\nHow it was written", "bold")
        for call in writing:
            yield from _call(call, life.transcripts)


def _rationales(life: Life) -> Iterator[RenderableType]:
    if life.rationales:
        yield Text("\nRationales", "bold")
    calls = {call.id: call for call in life.calls}
    for rationale in life.rationales:
        yield _verdict(rationale)
        yield block(rationale.text or rationale.detail, inset=2)
        call = calls.get(rationale.call_id or "")
        if call is not None:
            yield from _call(call, life.transcripts)


def _verdict(rationale: RationaleRecord) -> Text:
    value = "" if rationale.value is None else f", its value is {rationale.value}"
    repaired = " (repaired)" if rationale.repaired else ""
    detail = f": {rationale.detail}" if rationale.detail else ""
    return shown(
        f"round {rationale.round}  {rationale.thought}{repaired} by {rationale.agent}: "
        f"{rationale.reason}{value}{detail}",
        "green" if rationale.reason.accepted else "red",
    )


def _call(call: CallRecord, transcripts: dict[str, TranscriptRecord]) -> Iterator[RenderableType]:
    transcript = transcripts.get(call.id)
    if transcript is None:
        return
    paid = f"${call.cost_usd:.4f}" if call.paid else "paid by another run"
    yield shown(
        f"  {call.model}: {call.status}, {call.prompt_tokens} + {call.completion_tokens} tokens, {paid}, "
        f"{call.seconds:.3g} s",
        "dim",
    )
    messages = transcript.request["messages"]
    assert isinstance(messages, list)
    for message in messages:
        assert isinstance(message, dict)
        yield block(f"[{message['role']}] {message['content']}", "dim", inset=4)
    yield block("[no reply]" if transcript.reply is None else f"[reply] {transcript.reply}", inset=4)


def _students(life: Life) -> Iterator[RenderableType]:
    if life.attempts:
        yield Text("\nWhat students answered", "bold")
    probes = {life.latest(probe.round): probe for probe in life.probes}
    by_round: defaultdict[int, list[AttemptRecord]] = defaultdict(list)
    for attempt in life.attempts:
        by_round[life.student_of(attempt)].append(attempt)
    for round, attempts in by_round.items():
        yield shown(_rate(round, attempts, probes.get(round)))
        for attempt in attempts:
            yield _attempt(attempt)
            yield block(attempt.text, "dim", inset=4)


def _rate(round: int, attempts: Sequence[AttemptRecord], probe: ProbeRecord | None) -> str:
    who = "the untaught student" if round < 0 else f"student of round {round}"
    if probe is None:
        # A plan gives no value that could be right.
        answers = [attempt for attempt in attempts if attempt.purpose != "plan"]
        right = sum(attempt.reason.accepted for attempt in answers)
        return f"{who}: {right} of {len(answers)} right"
    change = "" if probe.change is None else f", {probe.change:+.2f} against its parent"
    return (
        f"{who}: {probe.correct} of {probe.n} right in the probe, solve rate {probe.mean:.2f} "
        f"[{probe.low:.2f}, {probe.high:.2f}], {probe.band}{change}"
    )


def _attempt(attempt: AttemptRecord) -> Text:
    value = "" if attempt.value is None else f", its value is {attempt.value}"
    form = ", not in the form taught" if attempt.form is False else ""
    text = f"  {attempt.purpose} {attempt.thought}: {attempt.reason}{value}{form}"
    return shown(text, "green" if attempt.reason.accepted else "red")


def _taught(life: Life) -> Iterator[RenderableType]:
    rounds = ", ".join(map(str, life.taught))
    sets = f"the training set of round {rounds}" if rounds else "no training set"
    yield Text(f"\nIt was in {sets}", "bold")
    for rejection in life.rejections:
        yield shown(f"A person rejected it before round {rejection.round}: {rejection.detail}", "red")
