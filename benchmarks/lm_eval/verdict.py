"""The metric of the task `fdd_pot`: our verifier runs the program, in its sandbox."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))

from fdd.agents.verifier import Verifier
from fdd.amounts import parse_reference


def judge(doc: Mapping[str, str], results: Sequence[str]) -> dict[str, float]:
    """1 where the program gives exactly the reference answer, else 0."""
    answer = parse_reference(doc["answer"].rpartition("####")[2])
    assert answer is not None, doc
    return {"accuracy": float(verifier().judge_attempt("pot", results[0], answer).accepted)}


@cache
def verifier() -> Verifier:
    """Ends with the process."""
    return Verifier(workers=1).__enter__()
