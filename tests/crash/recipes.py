"""Every recipe with the tiny student in every role of a model, and the phase that sets the recipe apart."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path

from fdd.settings import RECIPES, flat
from tests.graph.settings import SMALL

OWN_PHASES: Mapping[str, str] = {
    "active_distillation": "probe_children",
    "adaptive_solver": "evaluate",
    "arte": "probe_children",
    "dart": "practise",
    "daslam": "teach",
    "data_env_gym": "fine_tune",
    "default": "fine_tune",
    "divide_or_conquer": "evaluate",
    "dup": "teach",
    "eduplanner": "synthesize",
    "eotd": "teach",
    "etd": "evaluate",
    "explain_solutions": "teach",
    "fdd": "probe",
    "kpdd_cot": "teach",
    "kpdd_pot": "teach",
    "lbt": "probe_children",
    "llkd": "probe_children",
    "llm2llm": "synthesize",
    "mini_plm": "probe_children",
    "on_policy": "refine",
    "siked": "practise",
    "skills": "probe",
    "socratic_cot": "teach",
    "spurious_filter": "practise",
    "taid": "refine",
    "theory_of_mind": "probe_children",
    "wireless_math": "refine",
}
MODELS = ("solver", "refine.teacher", "select_with")


def recipe_files() -> list[Path]:
    return sorted(RECIPES.glob("*.toml"))


def small(recipe: str, url: str) -> Mapping[str, str | int]:
    """Returns settings of a run of seconds by this recipe; the model at `url` teaches where a model is to."""
    named = dict(flat(tomllib.loads((RECIPES / f"{recipe}.toml").read_text())))
    asked = {"teacher": "openai:teaching", "teacher_url": url} if "teacher" in named else {}
    return {
        **SMALL,
        "recipe": recipe,
        "rounds": 2 if "grow_skills" in named else 1,
        **{key: "tiny" for key in MODELS if key in named},
        **asked,
    }
