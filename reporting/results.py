"""The accuracies of a run's students by evaluation set, and how precise they are."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import TypedDict

from fdd.agents.statistics import clustered, sign_flip, visible_loss
from fdd.agents.symbolic.shape import shape_of
from fdd.domain import UNTAUGHT
from fdd.problems.contamination import DEV
from fdd.rundir.answers import Graded, answers_of
from fdd.settings import Settings
from fdd.storage.store import Store
from fdd.storage.summary import DecisionSummary, EvaluationSummary, ShapeResult, Summary

Results = dict[str, dict[int, EvaluationSummary]]
"""By name of the set, then by round (-1: the untaught student), both in order."""


def results_of(summary: Summary) -> Results:
    found: defaultdict[str, dict[int, EvaluationSummary]] = defaultdict(dict)
    evaluated = {UNTAUGHT: summary["baseline"]["evaluations"]}
    evaluated |= {row["round"]: row["evaluations"] for row in summary["rounds"]}
    for round, entries in evaluated.items():
        for entry in entries:
            found[entry["name"]][round] = entry
    return {name: found[name] for name in sorted(found)}


def undone_rounds(summary: Summary) -> set[int]:
    return {row["round"] for row in summary["rounds"] if row["decision"] and not row["decision"]["kept"]}


def precise(store: Store, summary: Summary) -> Summary:
    """Returns the summary with `by_template`, `by_depth` and `by_width` in its evaluations, and
    `visible_loss` in its decisions.
    """
    settings = Settings.from_json(summary["settings"])
    dev = results_of(summary).get(DEV, {})

    def with_intervals(round: int, entries: list[EvaluationSummary]) -> list[EvaluationSummary]:
        marks = answers_of(round, settings, store, [entry["name"] for entry in entries])
        answers = [list(marks.get(entry["name"], {}).values()) for entry in entries]
        return [
            {**with_templates(entry, each), **by_shape(each)}
            for entry, each in zip(entries, answers, strict=True)
        ]

    return {
        **summary,
        "baseline": {"evaluations": with_intervals(UNTAUGHT, summary["baseline"]["evaluations"])},
        "rounds": [
            {
                **row,
                "evaluations": with_intervals(row["round"], row["evaluations"]),
                "decision": row["decision"] and _with_loss(row["decision"], dev),
            }
            for row in summary["rounds"]
        ],
    }


def with_templates(entry: EvaluationSummary, answers: Iterable[Graded]) -> EvaluationSummary:
    """Returns the result with its interval over templates; unchanged if a problem has no template."""
    groups = _by_template(answers)
    if not groups:
        return entry
    found = clustered([(sum(each.right for each in group), len(group)) for group in groups])
    return {**entry, "by_template": {"templates": len(groups), "low": found.low, "high": found.high}}


class ByShape(TypedDict, total=False):
    by_depth: list[ShapeResult]
    by_width: list[ShapeResult]


def by_shape(answers: Iterable[Graded]) -> ByShape:
    """Counts the answers by the depth and by the width of their problems."""
    counts: defaultdict[tuple[str, int], list[bool]] = defaultdict(list)
    for each in answers:
        if found := shape_of(each.problem):
            counts["depth", found.depth].append(each.right)
            counts["width", found.width].append(each.right)

    def rows(name: str) -> list[ShapeResult]:
        chosen = sorted((value, right) for (kind, value), right in counts.items() if kind == name)
        return [{"value": value, "n": len(right), "correct": sum(right)} for value, right in chosen]

    return {"by_depth": rows("depth"), "by_width": rows("width")} if counts else {}


def paired_by_template(before: Mapping[str, Graded], now: Mapping[str, Graded]) -> float | None:
    """Returns the p-value of the sign-flip test over templates, on the problems in both mappings.

    None if there are none, or if one of them has no template.
    """
    groups = _by_template(now[key] for key in before.keys() & now.keys())
    if not groups:
        return None
    return sign_flip([sum(each.right - before[each.problem.id].right for each in group) for group in groups])


def _by_template(answers: Iterable[Graded]) -> list[list[Graded]]:
    """Groups the answers by template; returns an empty list if a problem has no template."""
    groups: defaultdict[str, list[Graded]] = defaultdict(list)
    for each in answers:
        groups[each.problem.template].append(each)
    return [] if "" in groups else list(groups.values())


def _with_loss(decision: DecisionSummary, dev: Mapping[int, EvaluationSummary]) -> DecisionSummary:
    """Returns the decision with the smallest loss that its test detects with a power of 80 %.

    It depends on the dev accuracy of the student before; without that the decision is returned unchanged.
    """
    before = dev.get(decision["against"])
    if before is None:
        return decision
    return {**decision, "visible_loss": visible_loss(decision["n"], before["accuracy"])}
