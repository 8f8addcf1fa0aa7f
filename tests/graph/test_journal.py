"""Every phase leaves its start and its end in the events, however it ends."""

from __future__ import annotations

from pathlib import Path

import pytest
from langgraph.runtime import Runtime

from fdd.errors import ProviderError, StoppedError
from fdd.graph.journal import logged
from fdd.graph.state import RunContext, RunState, RunUpdate
from fdd.settings import load_settings
from fdd.storage.store import Store
from fdd.storage.tracing import select_stages
from tests.graph.contexts import opened
from tests.storage.samples import RUN


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (StoppedError("stopped as asked"), "interrupted"),
        (ProviderError("no credit left"), "failed"),
        (ValueError("a bug"), "failed"),
    ],
)
def test_a_phase_that_raises_is_not_running_any_more(tmp_path: Path, error: Exception, kind: str) -> None:
    def teach(state: RunState, runtime: Runtime[RunContext]) -> RunUpdate:  # noqa: ARG001
        raise error

    store = Store.create(tmp_path / "fdd.duckdb", RUN)
    settings = load_settings({"rounds": 1, "student": "tiny"}, environment={})
    with (
        opened(tmp_path, store, settings, base=tmp_path) as context,
        pytest.raises(type(error), match=str(error)),
    ):
        logged(teach)(RunState(run=RUN.id, rounds=1), Runtime(context=context))
    assert [event.kind for event in store.events()] == ["started", kind]
    assert {stage.status for stage in store.read(select_stages)} == {kind}
