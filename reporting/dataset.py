"""The data set of an export: one row per rationale, as JSONL, as Parquet, and as chats for training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from fdd.rundir.delivery import as_row, json_line
from fdd.storage.records import ProbeRecord
from fdd.storage.store import Lesson, Store
from fdd.training.tasks import Turn

JSONL = "dataset.jsonl"
PARQUET = "dataset.parquet"
CHATS = "chat.jsonl"

Row = Mapping[str, object]

_TEXT, _COUNT = pa.string(), pa.int32()
_COLUMNS: tuple[tuple[str, pa.DataType, bool, str], ...] = (
    ("id", _TEXT, False, "problem; several rows share it where it has several rationales"),
    ("question", _TEXT, False, "text of the problem"),
    ("answer", _TEXT, False, "reference answer, exact: `n` or `n/d`"),
    ("thought", _TEXT, False, "format of the rationale"),
    ("agent", _TEXT, False, "who wrote the rationale"),
    ("rationale", _TEXT, False, "what the student learns to write"),
    ("round", _COUNT, False, "round in which the problem first took part"),
    ("source", _TEXT, False, "problem set that it, or the first of its ancestors, comes from"),
    ("parent", _TEXT, True, "problem that it was made from; null for a seed"),
    ("operator", _TEXT, True, "how it was made: `similar`, `harder` or `simpler`; null for a seed"),
    ("lineage", pa.list_(_TEXT), False, "its ancestors, the seed first"),
    ("template", _TEXT, False, "template of the source; empty where it has none"),
    ("written_by", _TEXT, False, "who wrote the problem; empty where it came with its source"),
    ("taught_round", _COUNT, False, "round in which the rationale joined"),
    ("verdict", _TEXT, False, "what the verifier said to the rationale"),
    ("value", _TEXT, True, "the value that the verifier computed from the rationale, exact"),
    ("repaired", pa.bool_(), False, "the rationale is a second try"),
    ("probe_round", _COUNT, True, "student that answered it before it was taught; null where none did"),
    ("probe_n", _COUNT, True, "how many answers that student gave"),
    ("probe_correct", _COUNT, True, "how many of them were right"),
    ("solve_rate", pa.float64(), True, "posterior mean of its solve rate before it was taught"),
    ("band", _TEXT, True, "`easy`, `mixed` or `hard` for that student"),
)
SCHEMA = pa.schema([pa.field(name, kind, nullable) for name, kind, nullable, _ in _COLUMNS])
FIELDS = {name: text for name, _, _, text in _COLUMNS}
"""A description of each column, by its name."""


def rows_of(lessons: Sequence[Lesson], store: Store) -> list[Row]:
    """Returns one row per lesson, in the same order."""
    problems = {lesson.problem.id: lesson.problem for lesson in lessons}
    parents = {problem.id: problem.parent for problem in store.problems()}
    # Each problem's last probe by a student that had not been taught it.
    probes = {
        probe.problem_id: probe
        for probe in sorted(store.probes(), key=lambda probe: probe.round)
        if probe.problem_id in problems and probe.round < problems[probe.problem_id].round
    }
    return [_row(lesson, parents, probes.get(lesson.problem.id)) for lesson in lessons]


def write_rows(folder: Path, rows: Sequence[Row]) -> None:
    (folder / JSONL).write_text("".join(f"{json_line(row)}\n" for row in rows), "utf-8")
    pq.write_table(pa.Table.from_pylist(list(rows), SCHEMA), folder / PARQUET)


def write_chats(folder: Path, chats: Sequence[Sequence[Turn]]) -> None:
    """Writes one line of `messages` per row, in the order of the rows."""
    lines = (json_line({"messages": list(chat)}) for chat in chats)
    (folder / CHATS).write_text("".join(f"{line}\n" for line in lines), "utf-8")


def _row(lesson: Lesson, parents: Mapping[str, str | None], probe: ProbeRecord | None) -> Row:
    problem, rationale = lesson.problem, lesson.rationale
    return {
        **as_row(lesson),
        "operator": problem.operator and str(problem.operator),
        "lineage": _lineage(problem.parent, parents),
        "template": problem.template,
        "written_by": problem.agent,
        "taught_round": rationale.round,
        "verdict": str(rationale.reason),
        "value": None if rationale.value is None else str(rationale.value),
        "repaired": rationale.repaired,
        "probe_round": probe and probe.round,
        "probe_n": probe and probe.n,
        "probe_correct": probe and probe.correct,
        "solve_rate": probe and probe.mean,
        "band": probe and str(probe.band),
    }


def _lineage(parent: str | None, parents: Mapping[str, str | None]) -> list[str]:
    ancestors: list[str] = []
    # A cycle, which only a damaged database has, must not make this endless.
    while parent is not None and parent not in ancestors:
        ancestors.append(parent)
        parent = parents.get(parent)
    return ancestors[::-1]
