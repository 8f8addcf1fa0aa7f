"""Loads the GSM8K data set with the package `datasets`."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
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

    try:
        with _quiet_hub():
            rows = datasets.load_dataset(HUB_NAME, "main", split=split)
    except (httpx2.HTTPError, httpx2.InvalidURL, ImportError, OSError, ValueError, RuntimeError) as error:
        raise ProblemSetError(
            f"cannot load {HUB_NAME!r} from the hub ({hub_fault() or type(error).__name__}); "
            f"download its {split} split as JSONL elsewhere and pass that file instead of `{GSM8K}`"
        ) from error
    return [
        make_problem(row["question"], row["answer"], source=GSM8K, where=f"{HUB_NAME} {split}, row {number}")
        for number, row in enumerate(rows)
    ]


@contextmanager
def _quiet_hub() -> Iterator[None]:
    """Silences the two warnings that the hub client logs for each of its retries."""
    logger = logging.getLogger("huggingface_hub")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(before)
