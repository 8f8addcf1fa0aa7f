"""One frozen record per table; its fields are the columns. Ids come from content, never from a clock.

The comments in migrations/0001_tables.sql say what each column means.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime
from fractions import Fraction
from typing import ClassVar, Literal, Self

from fdd.domain import Band, Interval, Operator, Problem, Reason, short_id

Json = str | int | float | bool | None | list["Json"] | dict[str, "Json"]

Purpose = Literal["baseline", "evaluation", "probe", "practice", "plan", "shown"]

TAUGHT_SPLITS = ("seed", "generated")
"""Splits whose problems may enter a training set. Problems of the others are only used for evaluation."""
SIBLING = "sibling"
"""Split of the problems that probe a skill. They are never taught."""
_UNASKED = "unasked:"


def evaluation_split(name: str, *, asked: bool = True) -> str:
    """Returns the split of an evaluation set: `dev` or `test:NAME`; `unasked:NAME` for its unasked part."""
    return _UNASKED + name if not asked else name if name == "dev" else f"test:{name}"


def evaluation_name(split: str) -> str:
    """Returns the name of the evaluation set of a split that is not taught."""
    return split.removeprefix("test:").removeprefix(_UNASKED)


def is_asked(split: str) -> bool:
    """Whether a run's students are evaluated on the problems of this split."""
    return split not in (*TAUGHT_SPLITS, SIBLING) and not split.startswith(_UNASKED)


@dataclass(frozen=True, kw_only=True, slots=True)
class Record:
    """A row. Two rows of a table with the same key must have the same values in all hashed columns."""

    table: ClassVar[str]
    key: ClassVar[tuple[str, ...]] = ("id",)
    unhashed: ClassVar[frozenset[str]] = frozenset()


@dataclass(frozen=True, kw_only=True, slots=True)
class RunRecord(Record):
    """The run; the table has one row. `speed` has the student's tokens per second at its start."""

    table: ClassVar[str] = "runs"
    unhashed: ClassVar[frozenset[str]] = frozenset({"speed"})

    id: str
    settings: Mapping[str, Json]
    versions: Mapping[str, str]
    seed: int
    speed: Mapping[str, float]
    created: datetime = field(default_factory=lambda: datetime.now(UTC))


@dataclass(frozen=True, kw_only=True, slots=True)
class ProblemRecord(Problem, Record):
    """A problem with its role in the run, and the agent and call that wrote it.

    `split` is `seed`, `generated`, `dev`, `test:NAME` or `unasked:NAME`. `agent` is empty if the problem came
    from a problem set.
    """

    table: ClassVar[str] = "problems"

    split: str
    agent: str = ""
    call_id: str | None = None

    @classmethod
    def of(cls, problem: Problem, *, split: str, agent: str = "", call_id: str | None = None) -> Self:
        values = {f.name: getattr(problem, f.name) for f in fields(Problem)}
        return cls(**values, split=split, agent=agent, call_id=call_id)


@dataclass(frozen=True, kw_only=True, slots=True)
class RationaleRecord(Record):
    """One rationale in one format for one problem, and the verdict on it.

    `text` is empty if the teacher declined; `detail` says why. `repaired` is set for a second try, made
    because the first was not accepted.
    """

    table: ClassVar[str] = "rationales"

    id: str
    problem_id: str
    thought: str
    text: str
    round: int
    agent: str
    reason: Reason
    value: Fraction | None = None
    detail: str = ""
    repaired: bool = False
    prompt_hash: str = ""
    call_id: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class AttemptRecord(Record):
    """One answer of the student to one problem."""

    table: ClassVar[str] = "attempts"

    id: str
    problem_id: str
    round: int
    purpose: Purpose
    evaluation: str = ""
    thought: str
    sample: int = 0
    text: str
    reason: Reason
    value: Fraction | None = None
    form: bool
    new_tokens: int
    finished: bool
    model: str
    backend: str = "torch"
    seed: int


@dataclass(frozen=True, kw_only=True, slots=True)
class ProbeRecord(Record):
    """How well one student solves one problem."""

    table: ClassVar[str] = "probes"
    key: ClassVar[tuple[str, ...]] = ("problem_id", "round")

    problem_id: str
    round: int
    n: int
    correct: int
    mean: float
    low: float
    high: float
    band: Band
    change: float | None = None
    parent_round: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class RoundRecord(Record):
    """The student that a round made, and how. Other facts about a round are counted from the other tables."""

    table: ClassVar[str] = "rounds"
    key: ClassVar[tuple[str, ...]] = ("round",)
    unhashed: ClassVar[frozenset[str]] = frozenset({"seconds"})

    round: int
    student: str
    problems: int
    steps: int
    examples: int
    tokens: int
    loss: float | None
    seconds: float
    removed: Mapping[str, int]


@dataclass(frozen=True, kw_only=True, slots=True)
class RefinementRecord(Record):
    """The second training of a round, which went on with the fine-tuned student; without steps there was
    nothing for it.
    """

    table: ClassVar[str] = "refinements"
    key: ClassVar[tuple[str, ...]] = ("round",)
    unhashed: ClassVar[frozenset[str]] = frozenset({"seconds"})

    round: int
    method: str
    examples: int
    steps: int
    loss: float | None
    seconds: float


@dataclass(frozen=True, kw_only=True, slots=True)
class EvaluationRecord(Interval, Record):
    """One student's accuracy on one problem set, with its 95 % interval (Wilson)."""

    table: ClassVar[str] = "evaluations"
    key: ClassVar[tuple[str, ...]] = ("round", "name")

    round: int
    name: str

    @classmethod
    def of(cls, interval: Interval, *, round: int, name: str) -> Self:
        return cls(round=round, name=name, **asdict(interval))


@dataclass(frozen=True, kw_only=True, slots=True)
class DriftRecord(Record):
    """How far the delivered student has moved from the untaught one on general texts."""

    table: ClassVar[str] = "drift"
    key: ClassVar[tuple[str, ...]] = ("round",)

    round: int
    tokens: int
    divergence: float
    agreement: float


@dataclass(frozen=True, kw_only=True, slots=True)
class DecisionRecord(Record):
    """Whether a round was kept, decided by the answers of its student and the previous one to the dev set."""

    table: ClassVar[str] = "decisions"
    key: ClassVar[tuple[str, ...]] = ("round",)

    round: int
    against: int
    n: int
    gained: int
    lost: int
    p: float
    kept: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class CallRecord(Record):
    """One request to a model (or to an agent without one), with its tokens and cost."""

    table: ClassVar[str] = "calls"
    unhashed: ClassVar[frozenset[str]] = frozenset(
        {"seconds", "started", "cost_usd", "tries", "paid", "detail"}
    )
    """They depend on what other runs paid for, and on when."""

    id: str
    round: int
    agent: str
    model: str
    prompt_hash: str
    settings_hash: str
    seed: int
    sample: int
    status: str
    prompt_tokens: int
    completion_tokens: int
    cost_usd: float
    seconds: float
    started: datetime
    problem_id: str | None = None
    tries: int = 0
    paid: bool = False
    detail: str = ""


SpanKind = Literal["run", "round", "phase", "problem", "agent", "call", "program"]
"""From the whole run down to a single program or text that the verifier checked."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SpanRecord(Record):
    """One step: who did what, how long it took, and its result."""

    table: ClassVar[str] = "spans"
    unhashed: ClassVar[frozenset[str]] = frozenset({"cost_usd", "started", "seconds"})

    id: str
    parent: str
    kind: SpanKind
    name: str
    round: int
    phase: str
    problem_id: str | None = None
    agent: str = ""
    status: str
    subject: str = ""
    cost_usd: float = 0.0
    started: datetime
    seconds: float


@dataclass(frozen=True, kw_only=True, slots=True)
class TranscriptRecord(Record):
    """The complete text of a request to a model and of its reply, which is None if there was none."""

    table: ClassVar[str] = "transcripts"
    key: ClassVar[tuple[str, ...]] = ("call_id",)

    call_id: str
    request: Mapping[str, Json]
    reply: str | None
    finish: str

    def messages(self) -> Iterator[tuple[str, str]]:
        """Yields role and text of each message to the model; content that is no string as JSON."""
        messages = self.request.get("messages")
        for message in messages if isinstance(messages, list) else []:
            if isinstance(message, dict):
                content = message.get("content")
                is_text = isinstance(content, str)
                text = str(content) if is_text else json.dumps(content, indent=1, ensure_ascii=False)
                yield str(message.get("role", "")), text


@dataclass(frozen=True, kw_only=True, slots=True)
class ContaminationRecord(Record):
    """A question that was kept out of a round's training set, and the evaluation problem that it copies.

    `parent` and `operator` say how it was written; both are None for a seed.
    """

    table: ClassVar[str] = "contamination"

    id: str
    round: int
    question: str
    parent: str | None = None
    problem_id: str
    kind: str
    overlap: float
    operator: Operator | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class RejectionRecord(Record):
    """A problem that is not taught (any more), and why: in a person's words, or by the student's answers."""

    table: ClassVar[str] = "rejections"
    key: ClassVar[tuple[str, ...]] = ("problem_id",)

    problem_id: str
    round: int
    detail: str


@dataclass(frozen=True, kw_only=True, slots=True)
class EventRecord(Record):
    """Something that happened in the run, numbered in order by `seq`; written by `Store.log`."""

    table: ClassVar[str] = "events"
    key: ClassVar[tuple[str, ...]] = ("seq",)

    seq: int
    time: datetime
    round: int
    phase: str
    kind: str
    detail: Mapping[str, Json]


HASHED_RECORDS: tuple[type[Record], ...] = (
    RunRecord,
    ProblemRecord,
    RationaleRecord,
    AttemptRecord,
    ProbeRecord,
    RoundRecord,
    RefinementRecord,
    EvaluationRecord,
    DriftRecord,
    DecisionRecord,
    CallRecord,
    SpanRecord,
    TranscriptRecord,
    ContaminationRecord,
    RejectionRecord,
)
"""The records whose tables have a content hash: all but `EventRecord`."""


def rationale_id(
    *, problem_id: str, thought: str, round: int, agent: str, prompt_hash: str = "", sample: int = 0
) -> str:
    """Returns the id of a rationale; the repair of sample 0 is sample 1."""
    return short_id("r", problem_id, thought, str(round), agent, prompt_hash, str(sample))


def attempt_id(
    *, problem_id: str, round: int, purpose: Purpose, evaluation: str = "", thought: str, sample: int = 0
) -> str:
    return short_id("a", problem_id, str(round), purpose, evaluation, thought, str(sample))


def call_id(
    *, agent: str, model: str, prompt_hash: str, settings_hash: str, seed: int, sample: int = 0
) -> str:
    return short_id("c", agent, model, prompt_hash, settings_hash, str(seed), str(sample))


def contamination_id(*, round: int, question: str, parent: str | None = None) -> str:
    return short_id("x", str(round), parent or "", question)


def phase_id(round: int, phase: str) -> str:
    """Returns the id of a phase's span."""
    return f"round-{round}/{phase}"


def span_id(parent: str, name: str, subject: str = "") -> str:
    return short_id("s", parent, name, subject)
