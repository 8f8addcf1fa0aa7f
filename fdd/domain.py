"""The project's basic types, which every package uses. This module imports no other module of the project."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from fractions import Fraction
from time import perf_counter
from typing import Literal

MAX_TEXT = 10_000
"""Most characters of a question, and of its worked solution. No word problem needs a tenth of it."""

UNTAUGHT = -1
"""Round number of the student before any teaching."""
PolicyName = Literal["single", "fallback", "vote", "samples"]
"""How a student is asked, and which of its answers counts: see `agents.evaluator`."""
AllocationName = Literal["uniform", "balanced", "weak", "frontier", "progress", "oracle", "each"]
"""How the problems of a round are divided over skills: see `agents.allocation`."""
SelectName = Literal["sometimes", "uncertain", "need", "shown", "gain", "likelihood"]
"""How problems are chosen among too many that were written: see `agents.selection`."""
SkillKind = Literal["template", "derivation", "model"]
"""What a skill is: see `agents.skills`."""


class Operator(StrEnum):
    """How a new problem is made from its parent."""

    SIMILAR = "similar"
    """Same structure and difficulty with new numbers; for problems that are mixed or hard."""
    HARDER = "harder"
    """More reasoning steps; for problems that are easy."""
    SIMPLER = "simpler"
    """A part of the derivation, with its own question; for skills that are never solved although taught."""


class Band(StrEnum):
    """How difficult a problem is for the student that was probed."""

    EASY = "easy"
    """The posterior mean of the solve rate is at least 0.6."""
    MIXED = "mixed"
    """Neither easy nor hard; possible only with more than one sample."""
    HARD = "hard"
    """The posterior mean of the solve rate is at most 0.4."""


class Reason(StrEnum):
    """The reason of a verdict, or of a refusal to write something."""

    ACCEPTED = "accepted"
    """The computed value equals the reference answer exactly."""
    WRONG_ANSWER = "wrong_answer"
    """The value is a number, but not the reference answer."""
    ROUNDED_REFERENCE = "rounded_reference"
    """The reference answer is a rounding of the value: the value is 10/3 and the reference 3.33."""
    WRONG_ARITHMETIC = "wrong_arithmetic"
    """An intermediate step is wrong, whatever the final answer is."""
    NO_REASONING = "no_reasoning"
    """The answer is right, but it is written down, not computed from the numbers of the question."""
    UNUSED_STEP = "unused_step"
    """The answer is right, but no later step uses one of the steps."""
    UNEXPLAINED_NUMBER = "unexplained_number"
    """The answer is right, but a step uses a number that neither the question nor an earlier step gives."""
    BY_ACCIDENT = "by_accident"
    """The answer is right, but with other numbers in the question the same steps give a wrong one."""
    NO_ANSWER = "no_answer"
    """The text has no answer in the place where its format has one."""
    NOT_A_NUMBER = "not_a_number"
    """The answer is not a finite real number (text, list, bool, NaN, infinity, complex)."""
    SYNTAX_ERROR = "syntax_error"
    """The program or an equation cannot be parsed."""
    RUNTIME_ERROR = "runtime_error"
    """The program raised an exception."""
    FORBIDDEN = "forbidden"
    """The program used something that the sandbox does not allow (files, network, imports)."""
    TIME_LIMIT = "time_limit"
    """The program ran longer than allowed."""
    MEMORY_LIMIT = "memory_limit"
    """The program needed more memory than allowed."""
    NO_SOLUTION = "no_solution"
    """The equations contradict each other."""
    MANY_SOLUTIONS = "many_solutions"
    """The equations do not determine the unknown."""
    NONLINEAR = "nonlinear"
    """An equation is not linear in the unknowns that the others leave open."""
    NO_DERIVATION = "no_derivation"
    """The worked solution could not be read as arithmetic steps that reach the answer."""
    AMBIGUOUS = "ambiguous"
    """A number in the worked solution can be read in several ways, which give different programs."""
    NO_VARIATION = "no_variation"
    """No meaningful new problem could be made from this parent."""
    DUPLICATE = "duplicate"
    """A problem with the same question (in its exact form) is already in the run."""

    MALFORMED = "malformed"
    """A model's reply does not have the requested form."""
    TRUNCATED = "truncated"
    """A model's reply was cut off at its length limit."""
    FILTERED = "filtered"
    """A model's provider withheld its reply."""
    CALL_FAILED = "call_failed"
    """A call to a model failed, after every retry."""
    DECLINED = "declined"
    """A model said that the problem has no single answer."""
    NO_AGREEMENT = "no_agreement"
    """Too few of the independent solutions of a written problem reach the same answer."""
    DISPUTED = "disputed"
    """The independent solutions agree on another answer than the one that was written with the problem."""
    REJECTED = "rejected"
    """A person decided that the problem must not be taught."""

    @property
    def accepted(self) -> bool:
        return self is Reason.ACCEPTED

    @property
    def is_by_reference(self) -> bool:
        """True if the text has no fault of its own, so that only the reference answer decided."""
        return self in (Reason.ACCEPTED, Reason.WRONG_ANSWER, Reason.ROUNDED_REFERENCE)

    @property
    def unanswered(self) -> bool:
        """True if there is no text that could be corrected."""
        return self in ("malformed", "truncated", "filtered", "call_failed", "declined")


@dataclass(frozen=True, kw_only=True, slots=True)
class Problem:
    """A question with its reference answer and where it comes from."""

    id: str
    """`problem_id(question, answer)`."""
    question: str
    answer: Fraction
    """Reference answer, exact."""
    solution: str
    """Worked solution, which may have calculator marks `<<48/2=24>>`; empty if none is known."""
    source: str
    """Name of the problem set it comes from, for example `gsm-symbolic`."""
    template: str = ""
    """The template of the source that it is an instance of; empty if the source has no templates."""
    skill: str = ""
    """What it exercises; see `agents.skills`. Empty outside the problems that are taught or probed."""
    parent: str | None = None
    """Id of the problem that it was made from; None for a seed."""
    operator: Operator | None = None
    """How it was made from its parent; None for a seed."""
    round: int = 0
    """The first round whose training set may contain it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Draft:
    """A problem proposed by a synthesizer, not yet verified."""

    question: str
    solution: str
    """Worked solution in GSM8K's format, with calculator marks, without the final `####` line."""
    answer: Fraction


@dataclass(frozen=True, kw_only=True, slots=True)
class Refusal:
    """An agent's result if it cannot do its task. This is data, not an exception."""

    reason: Reason
    detail: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Timing:
    """Start time (UTC) and duration in seconds."""

    started: datetime
    seconds: float


class Stopwatch:
    """Measures the time since it was created."""

    def __init__(self) -> None:
        # Durations come from the monotonic clock, because the system's clock may be set meanwhile.
        self._started, self._clock = datetime.now(UTC), perf_counter()

    def read(self) -> Timing:
        return Timing(started=self._started, seconds=perf_counter() - self._clock)


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """The verifier's result for one text."""

    reason: Reason
    value: Fraction | None = None
    """The value computed from the text; None if there is none."""
    detail: str = ""
    """What went wrong, in one line."""
    form: bool = True
    """True if the text has the form that is taught. If not, its value was read leniently or not at all."""
    timing: Timing | None = field(default=None, compare=False)
    """Time of the judging; None if nothing was read or run."""

    @property
    def accepted(self) -> bool:
        return self.reason.accepted


@dataclass(frozen=True, kw_only=True, slots=True)
class Usage:
    """Number of answered calls, with their tokens and cost."""

    calls: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost_usd: float = 0.0

    @property
    def tokens(self) -> int:
        return self.prompt_tokens + self.completion_tokens

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            calls=self.calls + other.calls,
            prompt_tokens=self.prompt_tokens + other.prompt_tokens,
            completion_tokens=self.completion_tokens + other.completion_tokens,
            cost_usd=self.cost_usd + other.cost_usd,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredBatch:
    """Requests on the way through a provider's batch API."""

    id: str
    file: str
    """The provider's id of the uploaded requests; empty before the upload."""
    remote: str
    """The provider's id of the batch; empty until it is known to have been made."""
    server: str
    """Hash of the model's name and address."""
    owner: str
    """Machine and process that sent it."""
    keys: tuple[str, ...]
    """Keys of the requests, as in `StoredReply`, that have no stored reply yet."""


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredReply:
    """A model's reply to one request, and what it cost the run that paid for it."""

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
    """The settings of the request, as JSON."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Interval:
    """A share `correct / n` with its 95 % confidence interval from `low` to `high`, both from 0 to 1."""

    n: int
    correct: int
    low: float
    high: float

    @property
    def accuracy(self) -> float:
        return self.correct / self.n


def content_hash(*parts: str) -> str:
    """Returns the tagged SHA-256 of the parts: `sha256:<64 hex digits>`.

    Each part is hashed after its length, so that `("ab", "c")` and `("a", "bc")` differ.
    """
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode("utf-8", "surrogatepass")  # texts from outside may have lone surrogates
        digest.update(b"%d:" % len(data))
        digest.update(data)
    return f"sha256:{digest.hexdigest()}"


def short_id(prefix: str, *parts: str) -> str:
    """Returns a key such as `p-1f0c2d3e4a5b6c7d`: a prefix and 16 hex digits of the parts' content hash."""
    return f"{prefix}-{content_hash(*parts)[7:23]}"  # 7 skips `sha256:`


def problem_id(question: str, answer: Fraction) -> str:
    return short_id("p", question, str(answer))


def shares_templates(template: str, evaluation: str) -> bool:
    """Returns True if a problem of this evaluation set is by design a taught template with new numbers.

    Only exact copies of such a problem are kept out of the training set.
    """
    return evaluation == "sibling" or (bool(template) and evaluation in ("dev", "in-domain", "harder"))


PHASES = {
    "seed": "preparing problems",
    "teach": "teaching",
    "baseline": "asking the untaught student",
    "practise": "practising",
    "probe_children": "probing new problems",
    "fine_tune": "fine-tuning",
    "refine": "training a second time",
    "evaluate": "evaluating",
    "probe": "probing",
    "synthesize": "writing problems",
    "test": "testing",
    "report": "reporting",
}
"""Short descriptions of the phases, as shown to people. The keys are the names of all phases."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Progress:
    """How far a phase has come."""

    round: int
    phase: str
    done: int
    total: int
    note: str = ""
    """What the count does not say, for example a loss or the accuracy so far."""
    loss: float | None = None
    """Of the latest step, while a student is trained."""
    left: float | None = None
    """Estimated seconds until the run ends; None if there is no estimate."""

    @property
    def remark(self) -> str:
        """The note and the time left, for display."""
        left = "" if self.left is None else f"about {max(1, round(self.left / 60))} min left"
        return ", ".join(part for part in (self.note, left) if part)
