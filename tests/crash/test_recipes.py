"""Every recipe runs to its end, also when it is killed in the phase that sets the recipe apart."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from fdd.settings import load_settings
from fdd.storage.folder import open_store
from tests.crash.recipes import OWN_PHASES, recipe_files, small
from tests.crash.runs import CrashRun, ForkServer
from tests.servers.teaching import TeachingServer, teaching


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TeachingServer]:
    with teaching(tmp_path_factory.mktemp("server"), "--gsm-symbolic", "0") as started:
        yield started


@pytest.mark.parametrize("recipe", [file.stem for file in recipe_files()])
def test_a_recipe_that_is_killed_in_its_own_phase_goes_on_to_its_end(
    recipe: str, server: TeachingServer, forks: ForkServer, tmp_path: Path
) -> None:
    settings = load_settings(given := small(recipe, server.url), environment={})
    track = CrashRun(tmp_path, given, forks)
    # The first two are before and after the phase's start is stored, the third is before its first result is.
    killed = track.start(at="database commit", within=OWN_PHASES[recipe], number=3)
    assert killed.code < 0, track.printed()
    assert track.start().code == 0, track.printed()
    store = open_store(track.run)
    rounds = list(range(settings.rounds + 1))
    assert [each.round for each in store.rounds()] == rounds
    assert store.verify() == []
    assert [each.round for each in store.refinements()] == (
        rounds if settings.refine.method != "none" else []
    )
