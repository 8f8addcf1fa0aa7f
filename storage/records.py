"""One frozen record a table: its fields are the columns. Ids come from what a row is about, never a clock."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from fractions import Fraction
from typing import ClassVar, Literal, Self

from domain import Band, Interval, Operator, Problem, Reason, short_id

Json = str | int | float | bool | None | list["Json"] | dict[str, "Json"]

Purpose = Literal["baseline", "evaluation", "probe", "practice", "plan"]

TAUGHT_SPLITS = ("seed", "generated")
"""Splits whose problems may enter a training set; the others (`dev`, `test:NAME`) are only ever asked."""
_UNASKED = "unasked:"


def evaluation_split(name: str, *, asked: bool = True) -> str:
    """The split of an evaluation set: `dev` or `test:NAME`; `unasked:NAME` for what a run leaves of it."""
    if not asked:
        return _UNASKED + name
    return name if name == "dev" else f"test:{name}"


def evaluation_name(split: str) -> str:
    """The evaluation set of a split that is not taught."""
    return split.removeprefix("test:").removeprefix(_UNASKED)


def is_asked(split: str) -> bool:
    """Whether a run's students are evaluated on the problems of this split."""
    return split not in TAUGHT_SPLITS and not split.startswith(_UNASKED)


@dataclass(frozen=True, kw_only=True, slots=True)
class Record:
    """A row. Two rows of one table with the same key must agree in all that the content hash covers."""

    table: ClassVar[str]
    key: ClassVar[tuple[str, ...]] = ("id",)
    unhashed: ClassVar[frozenset[str]] = frozenset()
    hashed_as: ClassVar[Mapping[str, float]] = {}
    """Columns for which the content hash covers this value instead, so that older rows keep theirs."""
    hashed_if_given: ClassVar[frozenset[str]] = frozenset()
    """Columns that the content hash leaves out where they are None, as in rows from before there were any."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RunRecord(Record):
    """The one row of `runs`."""

    table: ClassVar[str] = "runs"
    unhashed: ClassVar[frozenset[str]] = frozenset({"speed"})

    id: str
    settings: Mapping[str, Json]
    versions: Mapping[str, str]
    seed: int
    speed: Mapping[str, float] | None = None
    """Tokens a second of the student when the run was created, by what it did."""
    created: datetime = field(default_factory=lambda: datetime.now(UTC))


@dataclass(frozen=True, kw_only=True, slots=True)
class ProblemRecord(Problem, Record):
    """A problem with the part it plays in the run and the agent and call that wrote it."""

    table: ClassVar[str] = "problems"

    split: str
    """`seed`, `generated`, `dev`, `test:NAME` or `unasked:NAME`."""
    agent: str = ""
    """Who wrote it; empty where it came with its source."""
    call_id: str | None = None

    @classmethod
    def of(cls, problem: Problem, *, split: str, agent: str = "", call_id: str | None = None) -> Self:
        values = {f.name: getattr(problem, f.name) for f in fields(Problem)}
        return cls(**values, split=split, agent=agent, call_id=call_id)


@dataclass(frozen=True, kw_only=True, slots=True)
class RationaleRecord(Record):
    """One text in one thought for one problem, and the verdict on it."""

    table: ClassVar[str] = "rationales"

    id: str
    problem_id: str
    thought: str
    text: str
    """Empty where the teacher declined; `detail` says why."""
    round: int
    agent: str
    reason: Reason
    value: Fraction | None = None
    detail: str = ""
    repaired: bool = False
    """It is a second try, made after the first was not accepted."""
    prompt_hash: str = ""
    call_id: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class AttemptRecord(Record):
    """One answer of the student to one problem."""

    table: ClassVar[str] = "attempts"
    hashed_if_given: ClassVar[frozenset[str]] = frozenset({"form"})

    id: str
    problem_id: str
    round: int
    """The last round of training before it, -1 before any; an earlier one made `model` if that was undone."""
    purpose: Purpose
    evaluation: str = ""
    thought: str
    sample: int = 0
    text: str
    reason: Reason
    value: Fraction | None = None
    form: bool | None = None
    """The text has the form that is taught; None in rows from before anybody looked."""
    new_tokens: int
    finished: bool
    """The student ended the text itself, rather than the token limit."""
    model: str
    """Name of the checkpoint."""
    seed: int


@dataclass(frozen=True, kw_only=True, slots=True)
class ProbeRecord(Record):
    """How well one student solves one problem."""

    table: ClassVar[str] = "probes"
    key: ClassVar[tuple[str, ...]] = ("problem_id", "round")

    problem_id: str
    round: int
    """Of the student."""
    n: int
    correct: int
    mean: float
    """Posterior mean of the solve rate, between `low` and `high`."""
    low: float
    high: float
    band: Band
    change: float | None = None
    """`mean` less that of the parent, as the student of `parent_round` solved it."""
    parent_round: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class RoundRecord(Record):
    """The student that a round made; what else the round did is counted from the other tables."""

    table: ClassVar[str] = "rounds"
    key: ClassVar[tuple[str, ...]] = ("round",)
    unhashed: ClassVar[frozenset[str]] = frozenset({"seconds"})

    round: int
    student: str
    """Path relative to the run folder."""
    problems: int
    """Those with an accepted rationale, of this round and earlier ones."""
    steps: int
    examples: int
    tokens: int
    loss: float | None
    """Mean over the last steps; None where nothing was trained."""
    seconds: float
    removed: Mapping[str, int]
    """Reason -> how many problems were proposed for this round and not taken."""


@dataclass(frozen=True, kw_only=True, slots=True)
class EvaluationRecord(Record):
    """One student's accuracy on one problem set, with its 95 % interval."""

    table: ClassVar[str] = "evaluations"
    key: ClassVar[tuple[str, ...]] = ("round", "name")

    round: int
    name: str
    n: int
    correct: int
    low: float
    high: float

    @classmethod
    def of(cls, interval: Interval, *, round: int, name: str) -> Self:
        return cls(
            round=round,
            name=name,
            n=interval.n,
            correct=interval.correct,
            low=interval.low,
            high=interval.high,
        )

    @property
    def accuracy(self) -> float:
        return self.correct / self.n


@dataclass(frozen=True, kw_only=True, slots=True)
class DecisionRecord(Record):
    """Whether a round was kept, by the dev set's problems that its student and the one before answered."""

    table: ClassVar[str] = "decisions"
    key: ClassVar[tuple[str, ...]] = ("round",)

    round: int
    against: int
    """The round kept before it; -1 for the student before any teaching."""
    n: int
    gained: int
    """Problems answered rightly now and wrongly before."""
    lost: int
    """The reverse."""
    p: float
    """Of McNemar's exact test, two-sided."""
    kept: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class CallRecord(Record):
    """One request to a model, what it used and what it cost."""

    table: ClassVar[str] = "calls"
    unhashed: ClassVar[frozenset[str]] = frozenset(
        {"seconds", "started", "problem_id", "tries", "paid", "detail"}
    )
    hashed_as: ClassVar[Mapping[str, float]] = {"cost_usd": 0.0}
    """The first schema hashed the cost, of which no agent had any; now it depends on what other runs paid."""

    id: str
    round: int
    agent: str
    model: str
    prompt_hash: str
    settings_hash: str
    seed: int
    sample: int
    status: str
    """`answered`, `malformed`, `truncated`, `filtered`, `failed` or `refused`."""
    prompt_tokens: int
    completion_tokens: int
    cost_usd: float
    """What this run paid."""
    seconds: float
    started: datetime
    problem_id: str | None = None
    tries: int = 0
    """Requests sent for it by whoever paid for it; 0 where no model is asked."""
    paid: bool = False
    """This run paid for it; False where another run had, and where it costs nothing."""
    detail: str = ""
    """What went wrong, in one line."""


SpanKind = Literal["run", "round", "phase", "problem", "agent", "call", "program"]
"""From the whole run down to one program that the verifier ran or one text that it read."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SpanRecord(Record):
    """One step: who did what, for how long, and what came of it."""

    table: ClassVar[str] = "spans"
    unhashed: ClassVar[frozenset[str]] = frozenset({"cost_usd", "started", "seconds"})

    id: str
    parent: str
    """Id of the span that it is a part of; empty for the run."""
    kind: SpanKind
    name: str
    round: int
    """The round that was going on; -1 for the run."""
    phase: str
    problem_id: str | None = None
    agent: str = ""
    status: str
    """Verdict, status of the call, or what else became of it; `running` for what has not ended."""
    subject: str = ""
    """Id of the row that came of it: a call, rationale or attempt; of a draft, the id it has as a problem."""
    cost_usd: float = 0.0
    """What this run paid."""
    started: datetime
    seconds: float


@dataclass(frozen=True, kw_only=True, slots=True)
class TranscriptRecord(Record):
    """What a model was asked and what it answered, word by word."""

    table: ClassVar[str] = "transcripts"
    key: ClassVar[tuple[str, ...]] = ("call_id",)

    call_id: str
    request: Mapping[str, Json]
    """`messages`, each with `role` and `content`; `temperature` and `max_tokens`."""
    reply: str | None
    """None where none came."""
    finish: str
    """Why the model stopped writing; empty where no reply came."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ContaminationRecord(Record):
    """A question that was proposed for teaching and kept out, and the evaluation problem that it copies."""

    table: ClassVar[str] = "contamination"
    hashed_if_given: ClassVar[frozenset[str]] = frozenset({"operator"})

    id: str
    round: int
    """In whose training set it would have been."""
    question: str
    parent: str | None = None
    """Id of the problem it was made from; None for a seed."""
    problem_id: str
    """Of the evaluation problem."""
    kind: str
    """`exact`, `masked` (other numbers) or `overlap` (other names or another wording)."""
    overlap: float
    """Share of the evaluation problem that it repeats."""
    operator: Operator | None = None
    """Of a draft; None for a seed, and in older rows."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RejectionRecord(Record):
    """A problem that a person does not want taught."""

    table: ClassVar[str] = "rejections"
    key: ClassVar[tuple[str, ...]] = ("problem_id",)

    problem_id: str
    round: int
    """The first round in whose training set it is not."""
    detail: str
    """Why, in the person's words."""


@dataclass(frozen=True, kw_only=True, slots=True)
class EventRecord(Record):
    """Something that happened, in the order of `seq`; written by `Store.log`."""

    table: ClassVar[str] = "events"
    key: ClassVar[tuple[str, ...]] = ("seq",)

    seq: int
    time: datetime
    round: int
    phase: str
    kind: str
    """`started`, `finished`, `interrupted`, `warning`, ..."""
    detail: Mapping[str, Json]


HASHED_RECORDS: tuple[type[Record], ...] = (
    RunRecord,
    ProblemRecord,
    RationaleRecord,
    AttemptRecord,
    ProbeRecord,
    RoundRecord,
    EvaluationRecord,
    DecisionRecord,
    CallRecord,
    SpanRecord,
    TranscriptRecord,
    ContaminationRecord,
    RejectionRecord,
)
"""Every record whose table has a content hash: all but events, whose order is their content."""


def rationale_id(
    *,
    problem_id: str,
    thought: str,
    round: int,
    agent: str,
    prompt_hash: str = "",
    sample: int = 0,
) -> str:
    """Key of a rationale; the repair of sample 0 is sample 1."""
    return short_id("r", problem_id, thought, str(round), agent, prompt_hash, str(sample))


def attempt_id(
    *,
    problem_id: str,
    round: int,
    purpose: Purpose,
    evaluation: str = "",
    thought: str,
    sample: int = 0,
) -> str:
    return short_id("a", problem_id, str(round), purpose, evaluation, thought, str(sample))


def call_id(
    *, agent: str, model: str, prompt_hash: str, settings_hash: str, seed: int, sample: int = 0
) -> str:
    return short_id("c", agent, model, prompt_hash, settings_hash, str(seed), str(sample))


def contamination_id(*, round: int, question: str, parent: str | None = None) -> str:
    return short_id("x", str(round), parent or "", question)


def phase_id(round: int, phase: str) -> str:
    """Id of the span of a phase."""
    return f"round-{round}/{phase}"


def span_id(parent: str, name: str, subject: str = "") -> str:
    return short_id("s", parent, name, subject)
