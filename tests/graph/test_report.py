"""What a run delivers under plain names."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from fdd.graph.state import RunContext
from fdd.rundir.delivery import DATASET, STUDENT, deliver
from fdd.settings import load_settings
from fdd.storage.records import DecisionRecord, EvaluationRecord
from fdd.storage.store import Store
from tests.graph.contexts import opened
from tests.storage.samples import ROUND, RUN, problem, rationale

EARLY, LATE = problem("Early?"), problem("Late?", round=1)


@pytest.fixture
def context(tmp_path: Path) -> Iterator[RunContext]:
    """The second student is a little worse than the first, and kept."""
    store = Store.create(tmp_path / "fdd.duckdb", RUN)
    store.add([EARLY, LATE, rationale(EARLY), rationale(LATE, round=1)])
    for round, correct in ((0, 5), (1, 4)):
        store.add([replace(ROUND, round=round, student=f"students/round-{round}")])
        store.add([EvaluationRecord(round=round, name="dev", n=9, correct=correct, low=0.1, high=0.9)])
        store.add([DecisionRecord(round=round, against=round - 1, n=9, gained=0, lost=1, p=1.0, kept=True)])
        (tmp_path / f"students/round-{round}").mkdir(parents=True)
    settings = load_settings({"rounds": "1", "student": "tiny"}, environment={})
    with opened(tmp_path, store, settings, base=tmp_path / "nowhere") as context:
        yield context


def taught(folder: Path) -> list[str]:
    return [json.loads(line)["question"] for line in (folder / DATASET).read_text().splitlines()]


def test_the_data_set_is_the_one_that_taught_the_student(context: RunContext) -> None:
    assert deliver(context.folder, context.store, context.settings.thoughts) == "students/round-0"
    assert taught(context.folder) == [EARLY.question]


def test_a_copy_with_links_followed_has_a_link_again(context: RunContext) -> None:
    (context.folder / STUDENT).mkdir()
    (context.folder / STUDENT / "model.safetensors").write_text("a copy")
    deliver(context.folder, context.store, context.settings.thoughts)
    assert (context.folder / STUDENT).readlink() == Path("students/round-0")
