"""Every recipe runs from beginning to end, with the tiny student in every role of a model."""

import contextlib
import tomllib
from pathlib import Path

import pytest

from fdd.errors import UsageError
from fdd.graph.run import start
from fdd.settings import RECIPES, flat, load_settings
from fdd.storage.folder import open_store
from tests.graph.test_run import Recorder
from tests.servers.teaching import teaching

SMALL = {
    "rounds": 1,
    "student": "tiny",
    "device": "cpu",
    "problems.limit": 8,
    "problems.test_size": 2,
    "problems.held_out_size": 1,
    "problems.dev_size": 2,
    "generate.max_new_tokens": 8,
}
MODELS = ("solver", "refine.teacher", "select_with")


def recipe_files() -> list[Path]:
    return sorted(RECIPES.glob("*.toml"))


@pytest.mark.parametrize("file", recipe_files(), ids=lambda file: file.stem)
def test_a_recipe_runs(file: Path, tmp_path: Path, cache: Path) -> None:
    named = dict(flat(tomllib.loads(file.read_text())))
    tiny = {key: "tiny" for key in MODELS if key in named}
    with contextlib.ExitStack() as stack:
        asked = {}
        if "teacher" in named:
            server = stack.enter_context(teaching(tmp_path, "--gsm-symbolic", "0"))
            asked = {"teacher": "openai:teaching", "teacher_url": server.url}
        rounds = 2 if "grow_skills" in named else 1
        given = {**SMALL, **tiny, **asked, "recipe": file.stem, "rounds": rounds}
        settings = load_settings(given, environment={})
        start(settings, tmp_path / "run", Recorder(), cache=cache)
    store = open_store(tmp_path / "run")
    assert [each.round for each in store.rounds()] == list(range(rounds + 1))
    assert store.verify() == []
    with_second = [] if settings.refine.method == "none" else list(range(rounds + 1))
    assert [each.round for each in store.refinements()] == with_second


def test_a_recipe_says_what_it_follows_and_what_not() -> None:
    for file in recipe_files():
        comment = "".join(line for line in file.read_text().splitlines() if line.startswith("#"))
        if file.stem not in ("default", "skills"):
            assert "arXiv" in comment and "Faithful" in comment and "Not faithful" in comment, file


def test_a_recipe_can_be_any_file(tmp_path: Path) -> None:
    mine = tmp_path / "mine.toml"
    mine.write_text('thoughts = "cot"\n[fine_tune]\nepochs = 3\n')
    given = {"rounds": 1, "student": "tiny", "recipe": str(mine)}
    settings = load_settings(given, environment={})
    assert (settings.thoughts, settings.fine_tune.epochs) == (("cot",), 3)
    assert load_settings({**given, "thoughts": "pot"}, environment={}).thoughts == ("pot",)
    mine.write_text("thought = 1")
    with pytest.raises(UsageError, match=r"unknown setting 'thought' in .*mine.toml"):
        load_settings(given, environment={})
    with pytest.raises(
        UsageError, match=r"is none of active_distillation, .*: give one of these or a TOML file"
    ):
        load_settings({**given, "recipe": str(tmp_path / "none.toml")}, environment={})
