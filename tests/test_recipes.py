"""Recipes are files of settings; tests/crash/test_recipes.py runs each."""

from pathlib import Path

import pytest

from fdd.errors import UsageError
from fdd.settings import load_settings
from tests.crash.recipes import recipe_files


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
