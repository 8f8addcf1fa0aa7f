"""The words of the project as plain types: every package speaks them, and they import nothing of ours."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from fractions import Fraction
from time import perf_counter

MAX_TEXT = 10_000
"""Characters of a question, and of its worked solution; no word problem needs a tenth of it."""


class Operator(StrEnum):
    """How a new problem is made from its parent."""

    SIMILAR = "similar"
    """Same structure and difficulty, new numbers; for problems the student fails."""
    HARDER = "harder"
    """More reasoning steps; for problems the student solves."""


class Band(StrEnum):
    """How difficult a problem is for the student that was probed."""

    EASY = "easy"
    """The posterior mean of the solve rate is at least 0.6."""
    MIXED = "mixed"
    """Neither easy nor hard; needs more than one sample."""
    HARD = "hard"
    """The posterior mean of the solve rate is at most 0.4."""


class Reason(StrEnum):
    """Why a verdict, or a refusal to write something, came out as it did."""

    ACCEPTED = "accepted"
    """The value computed equals the reference answer, exactly."""
    WRONG_ANSWER = "wrong_answer"
    """It gave a number, but not the reference answer."""
    ROUNDED_REFERENCE = "rounded_reference"
    """It gave a number that the reference answer is a rounding of: 10/3 where the reference is 3.33."""
    WRONG_ARITHMETIC = "wrong_arithmetic"
    """A step written on the way is wrong, whatever the final answer is."""
    NO_REASONING = "no_reasoning"
    """The answer is right, but it is written down, not computed from the numbers of the question."""
    UNUSED_STEP = "unused_step"
    """The answer is right, but a step is written that nothing after it uses."""
    UNEXPLAINED_NUMBER = "unexplained_number"
    """The answer is right, but a step uses a number that neither the question nor an earlier step gives."""
    BY_ACCIDENT = "by_accident"
    """The answer is right, but with other numbers in the question the same steps give a wrong one."""
    NO_ANSWER = "no_answer"
    """The text ends without an answer where its format puts one."""
    NOT_A_NUMBER = "not_a_number"
    """The answer is no finite real number (text, list, bool, NaN, infinity, complex)."""
    SYNTAX_ERROR = "syntax_error"
    """The program or an equation cannot be parsed."""
    RUNTIME_ERROR = "runtime_error"
    """The program raised."""
    FORBIDDEN = "forbidden"
    """It asked for something that the sandbox does not give (files, network, imports)."""
    TIME_LIMIT = "time_limit"
    """It ran longer than allowed."""
    MEMORY_LIMIT = "memory_limit"
    """It needed more memory than allowed."""
    NO_SOLUTION = "no_solution"
    """The equations contradict each other."""
    MANY_SOLUTIONS = "many_solutions"
    """The equations do not determine the unknown."""
    NO_DERIVATION = "no_derivation"
    """The worked solution could not be read as arithmetic steps that reach the answer."""
    AMBIGUOUS = "ambiguous"
    """A number in the worked solution may mean several things, which would give different programs."""
    NO_VARIATION = "no_variation"
    """No new problem that makes sense could be made from this parent."""
    DUPLICATE = "duplicate"
    """The problem is already in the run, up to its numbers where that counts."""
    CONTAMINATED = "contaminated"
    """The problem matches one of an evaluation set."""

    MALFORMED = "malformed"
    """A model's reply is not in the form that was asked for."""
    TRUNCATED = "truncated"
    """A model's reply was cut off at its length limit."""
    FILTERED = "filtered"
    """A model's provider withheld its reply."""
    CALL_FAILED = "call_failed"
    """A model could not be reached, after every try."""
    DECLINED = "declined"
    """A model said that the problem has no single answer."""
    NO_AGREEMENT = "no_agreement"
    """Too few of the independent solutions of a written problem come to the same answer."""
    DISPUTED = "disputed"
    """The independent solutions agree on another answer than the one that was written with the problem."""
    REJECTED = "rejected"
    """A person has looked at the problem and does not want it taught."""

    @property
    def accepted(self) -> bool:
        return self is Reason.ACCEPTED

    @property
    def is_by_reference(self) -> bool:
        """The text is faultless in itself, so that the reference answer alone decided."""
        return self in (Reason.ACCEPTED, Reason.WRONG_ANSWER, Reason.ROUNDED_REFERENCE)

    @property
    def unanswered(self) -> bool:
        """Nothing was written that could be corrected."""
        return self in _UNANSWERED


_UNANSWERED = (Reason.MALFORMED, Reason.TRUNCATED, Reason.FILTERED, Reason.CALL_FAILED, Reason.DECLINED)


@dataclass(frozen=True, kw_only=True, slots=True)
class Problem:
    """A question with its reference answer and where it comes from."""

    id: str
    """`problem_id(question, answer)`."""
    question: str
    answer: Fraction
    """Reference answer, exact."""
    solution: str
    """Worked solution, perhaps with calculator marks `<<48/2=24>>`; empty where none is known."""
    source: str
    """Name of the problem set it comes from, for example `gsm-symbolic`."""
    template: str = ""
    """Which template of the source it is an instance of; empty where the source has none."""
    parent: str | None = None
    """Id of the problem it was made from; None for a seed."""
    operator: Operator | None = None
    """How it was made from its parent; None for a seed."""
    round: int = 0
    """The round in whose training set it first takes part."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Draft:
    """A problem proposed by a synthesizer, not yet verified."""

    question: str
    solution: str
    """Worked solution in GSM8K's format, with calculator marks, without the final `####` line."""
    answer: Fraction


@dataclass(frozen=True, kw_only=True, slots=True)
class Refusal:
    """An agent's answer when it cannot do what it was asked: data, not an exception."""

    reason: Reason
    detail: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Timing:
    """When something was begun, and how many seconds it took."""

    started: datetime
    seconds: float


class Stopwatch:
    """Runs from when it is made."""

    def __init__(self) -> None:
        self._started, self._clock = datetime.now(UTC), perf_counter()

    def read(self) -> Timing:
        return Timing(started=self._started, seconds=perf_counter() - self._clock)


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """What the verifier found in one text."""

    reason: Reason
    value: Fraction | None = None
    """The value computed from the text; None where there is none."""
    detail: str = ""
    """What went wrong, in one line."""
    form: bool = True
    """The text has the form that is taught; else its value was read as a person would, or not at all."""
    timing: Timing | None = field(default=None, compare=False)
    """Of the judging; None where nothing was read or run."""

    @property
    def accepted(self) -> bool:
        return self.reason.accepted


@dataclass(frozen=True, kw_only=True, slots=True)
class Usage:
    """Calls that were answered, and what they used and cost."""

    calls: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost_usd: float = 0.0

    @property
    def tokens(self) -> int:
        return self.prompt_tokens + self.completion_tokens

    def __add__(self, other: Usage) -> Usage:
        return self._plus(other, 1)

    def __sub__(self, other: Usage) -> Usage:
        return self._plus(other, -1)

    def _plus(self, other: Usage, sign: int) -> Usage:
        return Usage(
            calls=self.calls + sign * other.calls,
            prompt_tokens=self.prompt_tokens + sign * other.prompt_tokens,
            completion_tokens=self.completion_tokens + sign * other.completion_tokens,
            cost_usd=self.cost_usd + sign * other.cost_usd,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredReply:
    """What a model answered to one request, and what that cost the run that asked first."""

    key: str
    """Content hash of the model, the messages, the settings and the sample."""
    run: str
    """Id of the run that paid."""
    agent: str
    model: str
    status: str
    text: str
    finish: str
    """Why the model stopped writing."""
    prompt_tokens: int
    completion_tokens: int
    cost_usd: float
    tries: int
    seconds: float
    started: datetime
    prompt: str
    """The messages, as JSON."""
    settings: str
    """As JSON."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Interval:
    """A share of n with its 95 % confidence interval."""

    n: int
    correct: int
    low: float
    high: float

    @property
    def accuracy(self) -> float:
        return self.correct / self.n


def content_hash(*parts: str) -> str:
    """Tagged SHA-256 of the parts, each behind its length so that borders count: `sha256:<64 hex digits>`."""
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode("utf-8", "surrogatepass")
        digest.update(b"%d:" % len(data))
        digest.update(data)
    return f"sha256:{digest.hexdigest()}"


def short_id(prefix: str, *parts: str) -> str:
    """A deterministic key such as `p-1f0c2d3e4a5b6c7d`: 16 hex digits of the parts' content hash."""
    return f"{prefix}-{content_hash(*parts)[7:23]}"


def problem_id(question: str, answer: Fraction) -> str:
    return short_id("p", question, str(answer))


def shares_templates(template: str, evaluation: str) -> bool:
    """Whether a problem of an evaluation set is by definition new numbers in a template that is taught.

    Only exact copies of such a problem are kept out of the training set.
    """
    return bool(template) and evaluation in ("dev", "in-domain")


PHASES = {
    "seed": "preparing problems",
    "teach": "teaching",
    "baseline": "asking the untaught student",
    "practise": "practising",
    "probe_children": "probing new problems",
    "fine_tune": "fine-tuning",
    "evaluate": "evaluating",
    "probe": "probing",
    "synthesize": "writing problems",
    "test": "testing",
    "report": "reporting",
}
"""What people are told that a phase does."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Progress:
    """A phase has come so far."""

    round: int
    phase: str
    done: int
    total: int
    note: str = ""
    left: float | None = None
    """Seconds until the run ends, as far as can be foreseen."""

    @property
    def remark(self) -> str:
        """What the phase says of itself, and when the run will have ended."""
        left = "" if self.left is None else f"about {max(1, round(self.left / 60))} min left"
        return ", ".join(part for part in (self.note, left) if part)

    """What the count cannot say: a loss, an accuracy so far."""
