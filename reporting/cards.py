"""The cards (README.md) of an export: they describe a student and its data set in the model hub's format."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from huggingface_hub import CardData, DatasetCardData, EvalResult, ModelCardData

from fdd.agents.thoughts import thought
from fdd.errors import one_line
from fdd.problems.contamination import GSM_SYMBOLIC
from fdd.reporting.dataset import CHATS, FIELDS, PARQUET, SCHEMA
from fdd.reporting.formats import ORIGINS, SEED
from fdd.reporting.results import results_of
from fdd.reporting.sources import Source, problems_from, weights_from
from fdd.reporting.templating import Markdown, literal, render
from fdd.settings import Settings
from fdd.storage.records import RoundRecord
from fdd.storage.store import Lesson
from fdd.storage.summary import RoundSummary, Summary
from fdd.training.tasks import Prompting, Turn

PLACE = "\ue000"
"""Stands for the question in the example chat; a private-use character, so no real text should contain it."""


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

    def render(self, template: str, front: CardData, **values: object) -> str:
        """Renders a card: its front matter in YAML, and the values that both cards use."""
        return render(
            template,
            front=Markdown(front.to_yaml()),
            name=self.name,
            settings=self.settings,
            roles=self.settings.roles(),
            summary=self.summary,
            source=self.source,
            base=self.base,
            student=self.student,
            round=self.round,
            lessons=len(self.lessons),
            problems=len({lesson.problem.id for lesson in self.lessons}),
            templated=self.prompting.templated,
            **values,
        )


def model_card(subject: Subject) -> str:
    """Returns the card of the exported student. Its accuracies equal those of `report --json`."""
    settings, results = subject.settings, results_of(subject.summary)
    return subject.render(
        "model_card.md",
        _model_front(subject),
        solver=weights_from(settings.solver).name if settings.solver else "",
        decision=subject.rounds[-1]["decision"],
        snippet=Markdown(snippet(subject.prompting)),
        cues={name: thought(name).cue for name in settings.thoughts},
        symbolic=settings.problems.name == GSM_SYMBOLIC,
        results=results,
        sets=[name for name, found in results.items() if any(0 <= each <= subject.round for each in found)],
        rounds=subject.rounds,
        versions=", ".join(f"{name} {version}" for name, version in subject.versions.items()),
    )


def data_card(subject: Subject) -> str:
    counts = Counter((each.rationale.round, each.problem.operator or SEED) for each in subject.lessons)
    rounds = sorted({lesson.rationale.round for lesson in subject.lessons})
    by_origin = [[counts[round, origin] for origin in ORIGINS] for round in rounds]
    return subject.render(
        "data_card.md",
        _data_front(subject),
        origins=ORIGINS,
        counts=dict(zip(rounds, by_origin, strict=True)),
        total=[sum(column) for column in zip(*by_origin, strict=True)],
        formats=Counter(lesson.rationale.thought for lesson in subject.lessons),
        writers=Counter(lesson.rationale.agent for lesson in subject.lessons),
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


def _model_front(subject: Subject) -> CardData:
    return ModelCardData(
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
            for entry in subject.rounds[-1]["evaluations"]
        ],
    )


def _data_front(subject: Subject) -> CardData:
    return DatasetCardData(
        pretty_name=f"{subject.name}: data",
        language="en",
        license=subject.source.licence,
        annotations_creators="machine-generated",
        source_datasets=[subject.source.hub] if subject.source.hub else None,
        task_categories=["text-generation"],
        tags=["distillation", "mathematical-reasoning"],
        configs=[
            {"config_name": "default", "data_files": PARQUET},
            {"config_name": "chat", "data_files": CHATS},
        ],
    )


def _removed(rounds: Sequence[RoundSummary]) -> Iterator[tuple[int, str, str, int]]:
    for row in rounds:
        counted = {
            "rationale not accepted": row["quarantine_reasons"],
            "problem not taken": row["removed"],
            "copy of an evaluation problem, left out or written anew": row["kept_out"],
        }
        for what, reasons in counted.items():
            for reason, count in sorted(reasons.items()):
                yield row["round"], what, reason, count
