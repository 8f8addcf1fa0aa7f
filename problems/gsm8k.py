"""Loads the GSM8K data set with the package `datasets`."""

from __future__ import annotations

import logging
from typing import Literal

from fdd.domain import Problem
from fdd.errors import ProblemSetError
from fdd.network import hub_fault
from fdd.problems.jsonl import make_problem

GSM8K = "gsm8k"
HUB_NAME = "openai/gsm8k"


def load_gsm8k(split: Literal["train", "test"]) -> list[Problem]:
    """Loads a split of GSM8K from the hub or its local cache; ProblemSetError if neither is available."""
    import datasets
    import httpx2

    logger = logging.getLogger("huggingface_hub")
    level = logger.level
    # The hub's client logs two warnings for each of its retries.
    logger.setLevel(logging.ERROR)
    try:
        rows = datasets.load_dataset(HUB_NAME, "main", split=split)
    except (httpx2.HTTPError, httpx2.InvalidURL, ImportError, OSError, ValueError, RuntimeError) as error:
        raise ProblemSetError(
            f"cannot load {HUB_NAME!r} from the hub ({hub_fault() or type(error).__name__}); "
            f"download its {split} split as JSONL elsewhere and pass that file instead of `{GSM8K}`"
        ) from error
    finally:
        logger.setLevel(level)
    return [
        make_problem(row["question"], row["answer"], source=GSM8K, where=f"{HUB_NAME} {split}, row {number}")
        for number, row in enumerate(rows)
    ]
