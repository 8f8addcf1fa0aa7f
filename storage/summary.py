"""A run's results and costs, round by round, in the form that `report --json` prints."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import fsum
from typing import Any, NotRequired, TypedDict

from fdd.domain import UNTAUGHT, Interval, shares_templates
from fdd.errors import StoreError, brief
from fdd.storage.database import Connection
from fdd.storage.records import TAUGHT_SPLITS, Json, evaluation_name
from fdd.storage.tracing import is_finished

_ASKED_A_MODEL = "prompt_tokens + completion_tokens > 0 OR status NOT IN ('answered', 'refused')"
"""Agents without a model only answer or refuse, and use no tokens."""
_STATUSES = ("answered", "malformed", "truncated", "filtered", "failed", "refused")
_USAGE = f"""
SELECT round, agent, count(*) AS calls, count(*) FILTER (paid) AS paid,
       {", ".join(f"count(*) FILTER (status = '{status}') AS {status}" for status in _STATUSES)},
       sum(prompt_tokens) AS prompt_tokens, sum(completion_tokens) AS completion_tokens,
       fsum(cost_usd) AS cost_usd
FROM calls WHERE ? OR {_ASKED_A_MODEL} GROUP BY round, agent ORDER BY round, agent
"""
_DECISION = "SELECT against, n, gained, lost, p, kept FROM decisions WHERE round = ?"
_REFINEMENT = "SELECT method, examples, steps, loss FROM refinements WHERE round = ?"
_DRIFT = "SELECT tokens, divergence, agreement FROM drift WHERE round = ?"
_EVALUATIONS = """
SELECT name, n, correct, accuracy, low, high, form
FROM evaluations LEFT JOIN (
    SELECT round, evaluation, avg(form::INTEGER) AS form FROM attempts
    WHERE purpose IN ('baseline', 'evaluation') GROUP BY ALL
) AS answers ON answers.round = evaluations.round AND evaluation = name
WHERE evaluations.round = ? ORDER BY name
"""
_SKILLS = """
SELECT probed_skills.*, coalesce(written, 0) AS written, coalesce(operators, '') AS operators
FROM probed_skills LEFT JOIN (
    SELECT child.round - 1 AS round, parent.skill, count(*) AS written,
           string_agg(DISTINCT child.operator, ', ' ORDER BY child.operator) AS operators
    FROM problems AS child JOIN problems AS parent ON parent.id = child.parent
    WHERE child.split = 'generated' GROUP BY ALL
) AS children USING (round, skill)
ORDER BY skill, round
"""
_SIZES = """
WITH shown AS (
    SELECT round FROM rationales UNION SELECT round FROM rounds
    UNION SELECT round FROM evaluations WHERE round >= 0
), sets AS (
    SELECT round, problem_id, min(first_round) = round AS new
    FROM shown JOIN taught ON round BETWEEN first_round AND last_round AND NOT vote
    GROUP BY round, problem_id
)
SELECT shown.round, operator, count(problem_id), count(problem_id) FILTER (new)
FROM shown LEFT JOIN sets USING (round) LEFT JOIN problems ON id = problem_id
GROUP BY ALL ORDER BY ALL
"""


class TemplateInterval(TypedDict):
    """The 95 % interval of an accuracy if templates are the sample: what might other templates have given?"""

    templates: int
    low: float
    high: float


class ShapeResult(TypedDict):
    """The result on the problems of one depth or width (see `agents.symbolic.shape`)."""

    value: int
    n: int
    correct: int


class EvaluationSummary(TypedDict):
    """A student's result on one problem set, with its 95 % interval over problems (Wilson)."""

    name: str
    n: int
    correct: int
    accuracy: float
    low: float
    high: float
    by_template: NotRequired[TemplateInterval]
    """Only in `report` and `compare`, and only if every problem of the set has a template."""
    by_depth: NotRequired[list[ShapeResult]]
    """Only in `report`, as `by_width`, and only of problems whose worked solution can be read."""
    by_width: NotRequired[list[ShapeResult]]
    passed_on: NotRequired[int]
    """Only in `evaluate --stronger`: problems that the stronger student was asked."""
    form: float | None
    """Share of the answers that have the form that is taught; None if no answer is stored."""


class BaselineSummary(TypedDict):
    """The results of the untaught student."""

    evaluations: list[EvaluationSummary]


class DecisionSummary(TypedDict):
    """Whether a round was kept: its student compared on the dev set with that of the last kept round."""

    against: int
    """The last kept round; -1 for the untaught student."""
    n: int
    gained: int
    lost: int
    p: float
    """p-value of McNemar's exact test, two-sided, for this round alone."""
    kept: bool
    visible_loss: NotRequired[float | None]
    """Only in `report`: the smallest loss of accuracy that the test detects with a power of 80 %, or None."""


class RefinementSummary(TypedDict):
    """The second training of a round."""

    method: str
    examples: int
    """Pairs of answers (dpo), rationales (distill) or problems (grpo)."""
    steps: int
    loss: float | None


class DriftSummary(TypedDict):
    """How far a student has moved from the untaught one on general texts."""

    tokens: int
    divergence: float
    """In nats a token."""
    agreement: float


class RoundSummary(TypedDict):
    """One round: its training set, what was probed after it, and its student's results.

    `accepted`, `quarantined` and `failed` (every call failed) count this round's problems, once for each
    format; they add up to all that were asked.
    """

    round: int
    problems: int
    """In the training set."""
    added: int
    """Those that are new in this round."""
    accepted: int
    quarantined: int
    failed: int
    quarantine_reasons: dict[str, int]
    removed: dict[str, int]
    """Number of problems proposed for this round but not taken, by reason."""
    kept_out: dict[str, int]
    """Questions that copy an evaluation problem, by kind; includes those that were then written anew."""
    easy: int
    mixed: int
    hard: int
    evaluations: list[EvaluationSummary]
    refinement: RefinementSummary | None
    """None without a second training."""
    drift: DriftSummary | None
    """Only of the round whose student is delivered."""
    decision: DecisionSummary | None
    """None until the round is evaluated."""


class TotalUsage(TypedDict):
    """Calls and what they used. Tokens are of all calls, whichever run paid for them."""

    calls: int
    paid: int
    """Calls that this run paid for. Replies to the others came from the cache or cost nothing."""
    prompt_tokens: int
    completion_tokens: int
    cost_usd: float
    """What this run paid."""


class AgentUsage(TotalUsage):
    """The calls of one agent in one round, by their status."""

    round: int
    agent: str
    answered: int
    malformed: int
    truncated: int
    filtered: int
    failed: int
    refused: int


class CostSummary(TypedDict):
    """The calls to language models; agents without a model are left out."""

    total: TotalUsage
    by_agent: list[AgentUsage]


class ProbedSkill(TypedDict):
    """How a round's student answered the probes of one skill."""

    round: int
    skill: str
    n: int
    correct: int
    """Right answers of the `n` answers to probes."""
    taught: int
    """Problems of the skill in the student's training set."""


class SkillSummary(ProbedSkill):
    """The same, and what was written for the skill then."""

    written: int
    """Problems of the skill that the next round adds."""
    operators: str
    """How these were made, such as `similar`; several are joined by commas."""


class Summary(TypedDict):
    """The results of the whole run."""

    run: str
    finished: bool
    """Whether the run is complete."""
    settings: Mapping[str, Json]
    exact_only: list[str]
    """Evaluation sets that share templates with what is taught, so that only exact copies are kept out."""
    baseline: BaselineSummary
    rounds: list[RoundSummary]
    skills: list[SkillSummary]
    """By skill and round; empty with `--allocation each` and in controls without probes."""
    cost: CostSummary


@dataclass(frozen=True, slots=True)
class SetSize:
    """Number of problems in a round's training set that come from one operator (None for seeds)."""

    round: int
    operator: str | None
    problems: int
    new: int
    """Those that no training set of an earlier kept round had."""


def set_sizes(connection: Connection) -> tuple[SetSize, ...]:
    """Returns the sizes of every round that has a rationale, a student or an evaluation, by round."""
    return tuple(SetSize(*row) for row in connection.execute(_SIZES).fetchall())


def summarize(connection: Connection) -> Summary:
    runs = connection.execute("SELECT id, settings FROM runs").fetchall()
    if len(runs) != 1:
        raise StoreError(f"the database has {len(runs)} runs instead of one; is it that of a run?")
    [(run, settings)] = runs
    sizes: defaultdict[int, list[SetSize]] = defaultdict(list)
    for size in set_sizes(connection):
        sizes[size.round].append(size)
    return {
        "run": run,
        "finished": is_finished(connection),
        "settings": _read(settings),
        "exact_only": _exact_only(connection),
        "baseline": {"evaluations": _rows(connection, _EVALUATIONS, UNTAUGHT)},
        "rounds": [_round(connection, number, found) for number, found in sizes.items()],
        "skills": skills(connection),
        "cost": _cost(connection),
    }


def skills(connection: Connection) -> list[SkillSummary]:
    return _rows(connection, _SKILLS)


def probed_skills(connection: Connection) -> list[ProbedSkill]:
    return _rows(connection, "SELECT * FROM probed_skills ORDER BY round, skill")


def _round(connection: Connection, number: int, sizes: Iterable[SetSize]) -> RoundSummary:
    outcomes = _counts(
        connection,
        "SELECT reason, count(*) FROM outcomes WHERE round = ? GROUP BY reason ORDER BY reason",
        number,
    )
    accepted, failed = outcomes.pop("accepted", 0), outcomes.pop("call_failed", 0)
    bands = _counts(connection, "SELECT band, count(*) FROM probes WHERE round = ? GROUP BY band", number)
    kept_out = "SELECT kind, count(*) FROM contamination WHERE round = ? GROUP BY kind ORDER BY kind"
    removed = connection.execute("SELECT removed FROM rounds WHERE round = ?", [number]).fetchone()
    return {
        "round": number,
        "problems": sum(size.problems for size in sizes),
        "added": sum(size.new for size in sizes),
        "accepted": accepted,
        "quarantined": sum(outcomes.values()),
        "failed": failed,
        "quarantine_reasons": outcomes,
        "removed": _read(removed[0]) if removed else {},
        "kept_out": _counts(connection, kept_out, number),
        "easy": bands.get("easy", 0),
        "mixed": bands.get("mixed", 0),
        "hard": bands.get("hard", 0),
        "evaluations": _rows(connection, _EVALUATIONS, number),
        "refinement": next(iter(_rows(connection, _REFINEMENT, number)), None),
        "drift": next(iter(_rows(connection, _DRIFT, number)), None),
        "decision": next(iter(_rows(connection, _DECISION, number)), None),
    }


def _exact_only(connection: Connection) -> list[str]:
    rows = connection.execute("SELECT DISTINCT split, template FROM problems").fetchall()
    evaluated = [(evaluation_name(split), template) for split, template in rows if split not in TAUGHT_SPLITS]
    return sorted({name for name, template in evaluated if shares_templates(template, name)})


def usage_by_agent(connection: Connection, *, every: bool = True) -> list[AgentUsage]:
    """Returns what the calls used and cost, by round and agent; without `every` only those to models."""
    return _rows(connection, _USAGE, every)


def _cost(connection: Connection) -> CostSummary:
    agents = usage_by_agent(connection, every=False)
    return {
        "total": {
            "calls": sum(row["calls"] for row in agents),
            "paid": sum(row["paid"] for row in agents),
            "prompt_tokens": sum(row["prompt_tokens"] for row in agents),
            "completion_tokens": sum(row["completion_tokens"] for row in agents),
            "cost_usd": fsum(row["cost_usd"] for row in agents),
        },
        "by_agent": agents,
    }


def _rows(connection: Connection, query: str, *values: int) -> list[Any]:
    """Returns the rows as dicts by column."""
    found = connection.execute(query, values)
    names = [column[0] for column in found.description or ()]
    return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


def evaluation_summary(name: str, found: Interval, form: float | None) -> EvaluationSummary:
    return {
        "name": name,
        "n": found.n,
        "correct": found.correct,
        "accuracy": found.accuracy,
        "low": found.low,
        "high": found.high,
        "form": form,
    }


def _read(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise StoreError(f"{brief(text)} is no JSON object; somebody else wrote this row, or it is damaged")
    return found


def _counts(connection: Connection, query: str, number: int) -> dict[str, int]:
    return dict(connection.execute(query, [number]).fetchall())
