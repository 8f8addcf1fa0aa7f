"""Adds to a run's summary how precise its accuracies are: intervals over templates, detectable losses."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import TypeVar

from fdd.agents.statistics import clustered, sign_flip, visible_loss
from fdd.problems.contamination import DEV
from fdd.rundir.answers import Marked, sat
from fdd.settings import Settings
from fdd.storage.store import Store
from fdd.storage.summary import (
    BASELINE_ROUND,
    DecisionSummary,
    EvaluationSummary,
    ReadSummary,
    Summary,
    TemplateInterval,
)

E = TypeVar("E", bound=EvaluationSummary)


def precise(store: Store, summary: Summary) -> Summary:
    """Returns the summary with `by_template` in its evaluations and `visible_loss` in its decisions."""
    settings = Settings.from_json(summary["settings"])
    found = {BASELINE_ROUND: summary["baseline"]["evaluations"]}
    found |= {row["round"]: row["evaluations"] for row in summary["rounds"]}
    evaluations: dict[int, list[ReadSummary]] = {}
    for round, entries in found.items():
        marks = sat(round, settings, store, [entry["name"] for entry in entries])
        evaluations[round] = [
            with_templates(entry, marks.get(entry["name"], {}).values()) for entry in entries
        ]
    return {
        **summary,
        "baseline": {"evaluations": evaluations[BASELINE_ROUND]},
        "rounds": [
            {
                **row,
                "evaluations": evaluations[row["round"]],
                "decision": row["decision"] and _with_loss(row["decision"], found),
            }
            for row in summary["rounds"]
        ],
    }


def with_templates(entry: E, marks: Iterable[Marked]) -> E:
    """Returns the result with its interval over templates; unchanged if a problem has no template."""
    groups = _by_template(marks)
    if not groups:
        return entry
    found = clustered([(sum(each.right for each in group), len(group)) for group in groups])
    interval: TemplateInterval = {"templates": len(groups), "low": found.low, "high": found.high}
    with_interval = entry.copy()
    with_interval["by_template"] = interval
    return with_interval


def paired_by_template(before: Mapping[str, Marked], now: Mapping[str, Marked]) -> float | None:
    """Returns the p-value of the sign-flip test over templates, on the problems in both mappings.

    None if there are none, or if one of them has no template.
    """
    groups = _by_template(now[key] for key in before.keys() & now.keys())
    if not groups:
        return None
    return sign_flip([sum(each.right - before[each.problem.id].right for each in group) for group in groups])


def _by_template(marks: Iterable[Marked]) -> list[list[Marked]]:
    """Groups the answers by template; returns an empty list if a problem has no template."""
    groups: defaultdict[str, list[Marked]] = defaultdict(list)
    for each in marks:
        groups[each.problem.template].append(each)
    return [] if "" in groups else list(groups.values())


def _with_loss(
    decision: DecisionSummary, evaluations: Mapping[int, Iterable[EvaluationSummary]]
) -> DecisionSummary:
    """Returns the decision with the smallest loss that its test detects with a power of 80 %.

    It depends on the dev accuracy of the student before; without that the decision is returned unchanged.
    """
    for entry in evaluations.get(decision["against"], ()):
        if entry["name"] == DEV:
            return {**decision, "visible_loss": visible_loss(decision["n"], entry["accuracy"])}
    return decision
