"""Formats a problem's history: its lineage, prompts, replies, verdicts and the students' answers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

from rich.console import Group, RenderableType
from rich.text import Text

from fdd.reporting.formats import dollars
from fdd.reporting.terminal import block, shown
from fdd.storage.life import Life
from fdd.storage.records import AttemptRecord, ProbeRecord, RationaleRecord


def as_text(life: Life) -> RenderableType:
    return Group(*_origin(life), *_writing(life), *_rationales(life), *_answers(life), *_taught(life))


def _origin(life: Life) -> Iterator[RenderableType]:
    """Yields the chain from the seed to the problem, and the problem's children."""
    yield Text("Lineage", "bold")
    for problem in (*life.ancestors, life.problem):
        made = f"{problem.operator} by {problem.agent}"
        how = made if problem.operator else f"{problem.split} of {problem.source}"
        where = f", template {problem.template}" if problem.template else ""
        yield shown(f"{problem.id}  {how}, round {problem.round}{where}")
        yield block(problem.question, inset=2)
        yield shown(f"  answer {problem.answer}", "bold")
    for child in life.children:
        yield shown(f"-> {child.id}  {child.operator}, round {child.round}", "dim")
    if life.skill:
        yield Text("\nSkill", "bold")
        yield shown(life.problem.skill)
    for each in life.skill:
        written = f"; then {each['written']} written ({each['operators']})" if each["written"] else ""
        yield shown(
            f"after round {each['round']}  {each['correct']} of {each['n']} probes right, "
            f"{each['taught']} of its problems taught{written}"
        )


def _writing(life: Life) -> Iterator[RenderableType]:
    """Yields the exchange with the model that wrote the problem, if it is stored."""
    if life.problem.call_id in life.transcripts:
        yield Text("\nHow it was written", "bold")
        yield from _call(life, life.problem.call_id)


def _rationales(life: Life) -> Iterator[RenderableType]:
    if life.rationales:
        yield Text("\nRationales", "bold")
    for rationale in life.rationales:
        repaired = " (repaired)" if rationale.repaired else ""
        detail = f": {rationale.detail}" if rationale.detail else ""
        yield shown(
            f"round {rationale.round}  {rationale.thought}{repaired} by {rationale.agent}: "
            f"{rationale.reason}{_value(rationale)}{detail}",
            _colour(rationale),
        )
        yield block(rationale.text or rationale.detail, inset=2)
        yield from _call(life, rationale.call_id)


def _value(judged: RationaleRecord | AttemptRecord) -> str:
    return "" if judged.value is None else f", its value is {judged.value}"


def _colour(judged: RationaleRecord | AttemptRecord) -> str:
    return "green" if judged.reason.accepted else "red"


def _call(life: Life, call_id: str | None) -> Iterator[RenderableType]:
    """Yields what a model was asked and answered; nothing if no model was."""
    transcript = life.transcripts.get(call_id or "")
    if transcript is None:
        return
    call = next(call for call in life.calls if call.id == call_id)
    paid = dollars(call.cost_usd) if call.paid else "paid by another run"
    yield shown(
        f"  {call.model}: {call.status}, {call.prompt_tokens} + {call.completion_tokens} tokens, {paid}, "
        f"{call.seconds:.3g} s",
        "dim",
    )
    for role, text in transcript.messages():
        yield block(f"[{role}] {text}", "dim", inset=4)
    yield block("[no reply]" if transcript.reply is None else f"[reply] {transcript.reply}", inset=4)


def _answers(life: Life) -> Iterator[RenderableType]:
    """Yields the students' answers, with the solve rate where the problem was probed."""
    if life.attempts:
        yield Text("\nWhat students answered", "bold")
    probes = {life.latest(probe.round): probe for probe in life.probes}
    by_round: defaultdict[int, list[AttemptRecord]] = defaultdict(list)
    for attempt in life.attempts:
        by_round[life.student_of(attempt)].append(attempt)
    for round, attempts in by_round.items():
        who = "the untaught student" if round < 0 else f"student of round {round}"
        yield shown(f"{who}: {_rate(attempts, probes.get(round))}")
        for attempt in attempts:
            form = ", not in the form taught" if attempt.form is False else ""
            what = f"{attempt.purpose} {attempt.thought}"
            if attempt.purpose == "shown":
                what = f"with {attempt.evaluation} in sight, {attempt.thought}"
            answered = f"  {what}: {attempt.reason}{_value(attempt)}{form}"
            yield shown(answered, _colour(attempt))
            yield block(attempt.text, "dim", inset=4)


def _rate(attempts: Sequence[AttemptRecord], probe: ProbeRecord | None) -> str:
    if probe is None:
        # A plan gives no value that could be right.
        answers = [attempt for attempt in attempts if attempt.purpose != "plan"]
        return f"{sum(attempt.reason.accepted for attempt in answers)} of {len(answers)} right"
    change = "" if probe.change is None else f", {probe.change:+.2f} against its parent"
    return (
        f"{probe.correct} of {probe.n} right in the probe, solve rate {probe.mean:.2f} "
        f"[{probe.low:.2f}, {probe.high:.2f}], {probe.band}{change}"
    )


def _taught(life: Life) -> Iterator[RenderableType]:
    rounds = ", ".join(map(str, life.taught))
    sets = f"the training set of round {rounds}" if rounds else "no training set"
    yield Text(f"\nIt was in {sets}", "bold")
    for rejection in life.rejections:
        yield shown(f"Left out from round {rejection.round} on: {rejection.detail}", "red")
