"""The cards (README.md) of an export: they describe a student and its data set in the model hub's format."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import pyarrow as pa
from huggingface_hub import DatasetCardData, EvalResult, ModelCardData

from fdd.agents.thoughts import thought
from fdd.domain import PolicyName
from fdd.errors import one_line
from fdd.problems.contamination import GSM_SYMBOLIC
from fdd.reporting.dataset import CHATS, FIELDS, PARQUET, SCHEMA
from fdd.reporting.markdown import Markdown, literal, render
from fdd.reporting.sources import Source, problems_from, weights_from
from fdd.settings import Settings
from fdd.storage.records import RoundRecord
from fdd.storage.store import Lesson
from fdd.storage.summary import DecisionSummary, EvaluationSummary, RoundSummary, Summary
from fdd.training.tasks import Prompting, Turn

PLACE = "\ue000"
"""Stands for the question in the example chat; a private-use character, so no real text should contain it."""

_POLICIES: Mapping[PolicyName, str] = {
    "single": "its greedy answer in the first format",
    "fallback": "the first format that gives a value",
    "vote": "the majority over all formats",
    "samples": "the majority of several answers in the first format, drawn at a temperature",
}
_READING = {
    "pot": "Run the program that it writes in a sandbox; the answer is the value of `answer`.",
    "kp_pot": "Run the program after the key points in a sandbox; the answer is the value of `answer`.",
    "eot": "Solve the equations that it writes for the unknown in the last line, `solve for NAME`.",
}
_SENTENCE = "The answer is the number in its last line, `The answer is N.`"
_PAPERS = {
    "cot": "chain of thought (Wei et al., arXiv 2201.11903)",
    "pot": "program of thought (Chen et al., arXiv 2211.12588)",
    "eot": "equation of thought (arXiv 2401.11864)",
    "kp_cot": "key points, then a chain of thought (KPDD, arXiv 2407.10167)",
    "kp_pot": "key points, then a program (KPDD, arXiv 2407.10167)",
    "decompose": "subquestions (Divide-or-Conquer, arXiv 2402.15000)",
}
_ORIGINS = ("seed", "similar", "harder", "all")
# The model hub's size categories.
_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))


@dataclass(frozen=True, kw_only=True)
class Subject:
    """The data from which the cards of one export are written."""

    summary: Summary
    versions: Mapping[str, str]
    round: int
    """The round whose training set is exported."""
    student: RoundRecord | None
    """The student of that round; None if only data is exported."""
    lessons: Sequence[Lesson]
    prompting: Prompting
    """How the student is prompted. The first chat has `PLACE` as its question."""

    @cached_property
    def settings(self) -> Settings:
        return Settings.from_json(self.summary["settings"])

    @property
    def source(self) -> Source:
        return problems_from(self.settings.problems.name)

    @property
    def base(self) -> Source:
        return weights_from(self.settings.student)

    @property
    def rounds(self) -> list[RoundSummary]:
        """The rounds up to the exported one."""
        return [row for row in self.summary["rounds"] if row["round"] <= self.round]

    @property
    def name(self) -> str:
        return one_line(f"{self.base.name} distilled, round {self.round}")

    def common(self) -> dict[str, object]:
        """Values that the templates of both cards use."""
        return {
            "name": self.name,
            "settings": self.settings,
            "roles": self.settings.roles(),
            "summary": self.summary,
            "source": self.source,
            "lessons": len(self.lessons),
            "problems": len({lesson.problem.id for lesson in self.lessons}),
            "feedback": _feedback(self.settings),
            "templated": self.prompting.templated,
        }


def _feedback(settings: Settings) -> str:
    """Describes how later rounds used the student's results."""
    if settings.rounds == 0:
        return "feedback was left out: nothing was written in answer to what the student could do"
    if settings.operators == "shuffled":
        return "each round wrote harder problems and similar ones, by chance, whatever the student could do"
    return (
        "each round wrote harder problems where the student had succeeded and similar ones where it had "
        "failed"
    )


def model_card(subject: Subject) -> str:
    """Returns the card of the exported student. Its accuracies equal those of `report --json`."""
    assert subject.student is not None
    settings, sets = subject.settings, _sets(subject.rounds)
    return render(
        "model_card.md",
        **subject.common(),
        front=Markdown(_model_front(subject)),
        base=subject.base,
        solver=weights_from(settings.solver).name if settings.solver else "",
        student=subject.student,
        loss=None if subject.student.loss is None else f"{subject.student.loss:.3f}",
        decision=subject.rounds[-1]["decision"],
        snippet=Markdown(snippet(subject.prompting)),
        reading=Markdown(_READING.get(settings.thoughts[0], _SENTENCE)),
        policy=_POLICIES[settings.policy],
        cues={name: thought(name).cue for name in settings.thoughts},
        accuracies=_beside(subject.summary["baseline"]["evaluations"], subject.rounds[-1]["evaluations"]),
        symbolic=settings.problems.name == GSM_SYMBOLIC,
        sets=sets,
        rounds=[_round(row, sets) for row in subject.rounds],
        lineage=_lineage(settings),
        versions=", ".join(f"{name} {version}" for name, version in subject.versions.items()),
    )


def data_card(subject: Subject) -> str:
    counts = _counts(subject.lessons)
    return render(
        "data_card.md",
        **subject.common(),
        front=Markdown(_data_front(subject)),
        taught=_taught(subject),
        counts=[{"round": round, **row} for round, row in counts.items()],
        total={key: sum(row[key] for row in counts.values()) for key in _ORIGINS},
        formats=_listed("Formats", (lesson.rationale.thought for lesson in subject.lessons)),
        writers=_listed("Written by", (lesson.rationale.agent for lesson in subject.lessons)),
        removed=list(_removed(subject.rounds)),
        fields=[
            {"name": Markdown(field.name), "type": Markdown(field.type), "text": Markdown(FIELDS[field.name])}
            for field in SCHEMA
        ],
    )


def snippet(prompting: Prompting) -> str:
    """Returns Python code that asks the student with `transformers` alone, as the run's evaluations did."""
    *asked, _ = prompting.chats[0]
    return render(
        "prompting.py.txt",
        templated=prompting.templated,
        turns=[{"role": literal(turn["role"]), "content": _expression(turn)} for turn in asked],
    )


def _expression(turn: Turn) -> Markdown:
    """Returns a Python expression for the turn's text, with the variable `question` in place of `PLACE`."""
    before, place, after = turn["content"].partition(PLACE)
    parts = [literal(before) if before else "", "question" if place else "", literal(after) if after else ""]
    return Markdown(" + ".join(part for part in parts if part))


def _model_front(subject: Subject) -> str:
    evaluations = subject.rounds[-1]["evaluations"]
    data = ModelCardData(
        model_name=subject.name,
        base_model=subject.base.hub or None,
        language="en",
        library_name="transformers",
        license=subject.base.licence,
        pipeline_tag="text-generation",
        tags=["distillation", "mathematical-reasoning"],
        eval_results=[
            EvalResult(
                task_type="text-generation",
                dataset_type=one_line(subject.source.hub or subject.source.name),
                dataset_name=one_line(entry["name"]),
                dataset_config=one_line(entry["name"]),
                metric_type="accuracy",
                metric_value=entry["accuracy"],
            )
            for entry in evaluations
        ],
    )
    return data.to_yaml()


def _data_front(subject: Subject) -> str:
    data = DatasetCardData(
        pretty_name=f"{subject.name}: data",
        language="en",
        license=subject.source.licence,
        annotations_creators="machine-generated",
        source_datasets=[subject.source.hub] if subject.source.hub else None,
        size_categories=next((name for size, name in _SIZES if len(subject.lessons) < size), "n>1M"),
        task_categories=["text-generation"],
        tags=["distillation", "mathematical-reasoning"],
        configs=[
            {"config_name": "default", "data_files": PARQUET},
            {"config_name": "chat", "data_files": CHATS},
        ],
        dataset_info=[
            {
                "config_name": "default",
                "features": [{"name": field.name, **_feature(field.type)} for field in SCHEMA],
            }
        ],
    )
    return data.to_yaml()


def _feature(kind: pa.DataType) -> dict[str, str]:
    if pa.types.is_list(kind):
        return {"list": str(kind.value_type)}
    return {"dtype": {"double": "float64"}.get(str(kind), str(kind))}


def _taught(subject: Subject) -> str:
    if subject.student is None:
        return f"round {subject.round} of a run teaches with; the run has kept no student of it"
    return f"taught the student of round {subject.round}"


def _over_templates(entry: EvaluationSummary) -> str:
    found = entry.get("by_template")
    return f"{100 * found['low']:.1f}–{100 * found['high']:.1f} ({found['templates']})" if found else ""


def _percent(entry: EvaluationSummary | None) -> str:
    if entry is None:
        return ""
    share, low, high = (100 * entry[key] for key in ("accuracy", "low", "high"))
    return f"{share:.1f} % ({low:.1f}–{high:.1f})"


def _of_asked(entry: EvaluationSummary | None) -> str:
    return f"{_percent(entry)} of {entry['n']}" if entry else ""


def _beside(
    before: Sequence[EvaluationSummary], after: Sequence[EvaluationSummary]
) -> list[dict[str, object]]:
    untaught = {entry["name"]: entry for entry in before}
    return [
        {
            "name": entry["name"],
            "n": entry["n"],
            "correct": entry["correct"],
            "before": _of_asked(untaught.get(entry["name"])),
            "after": _percent(entry),
            "over_templates": _over_templates(entry),
        }
        for entry in after
    ]


def _sets(rounds: Sequence[RoundSummary]) -> list[str]:
    return sorted({entry["name"] for row in rounds for entry in row["evaluations"]})


def _round(row: RoundSummary, sets: Sequence[str]) -> dict[str, object]:
    found = {entry["name"]: entry for entry in row["evaluations"]}
    return {
        **row,
        "bands": f"{row['easy']}, {row['mixed']}, {row['hard']}",
        "decision": _decision(row["decision"]),
        "accuracies": [_percent(found.get(name)) for name in sets],
    }


def _decision(decision: DecisionSummary | None) -> str:
    if decision is None:
        return ""
    outcome = "kept" if decision["kept"] else "undone"
    return f"{decision['gained']} and {decision['lost']} of {decision['n']}, p {decision['p']:.2g}, {outcome}"


def _lineage(settings: Settings) -> list[str]:
    """Lists the methods from other papers that this run used."""
    formats = ", ".join(_PAPERS.get(name, f"{name}, a format of the user's") for name in settings.thoughts)
    lines = [f"Rationales: {formats}."]
    if settings.self_samples:
        lines.append("The student's own right answers joined the set, as in SIKeD (arXiv 2410.18574).")
    if settings.policy == "samples":
        lines.append("Majority of samples: self-consistency (Wang et al., arXiv 2203.11171).")
    return lines


def _counts(lessons: Sequence[Lesson]) -> dict[int, dict[str, int]]:
    """Counts rationales by round, then by origin of their problem: seed, an operator, or all."""
    found: defaultdict[int, dict[str, int]] = defaultdict(lambda: dict.fromkeys(_ORIGINS, 0))
    for lesson in lessons:
        row = found[lesson.rationale.round]
        row[str(lesson.problem.operator or "seed")] += 1
        row["all"] += 1
    return dict(sorted(found.items()))


def _listed(title: str, names: Iterable[str]) -> str:
    found = Counter(names)
    return f"{title}: " + ", ".join(f"{name} ({count})" for name, count in sorted(found.items()))


def _removed(rounds: Sequence[RoundSummary]) -> Iterator[dict[str, object]]:
    for row in rounds:
        counted = {
            "rationale not accepted": row["quarantine_reasons"],
            "problem not taken": row["removed"],
            "copy of an evaluation problem, left out or written anew": row["kept_out"],
        }
        for what, reasons in counted.items():
            for reason, count in sorted(reasons.items()):
                yield {"round": row["round"], "what": what, "reason": reason, "count": count}
