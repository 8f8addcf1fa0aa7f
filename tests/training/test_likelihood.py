"""How likely a model finds rationales."""

from pathlib import Path

import pytest
import torch

from fdd.training.data import IGNORED, encode
from fdd.training.device import Runtime
from fdd.training.likelihood import perform
from fdd.training.student import load_student
from fdd.training.tasks import Example, LikelihoodTask

EXAMPLES = tuple(
    Example(question=f"What is {n} + {n}?", cue="Compute.", rationale=f"{n} + {n} = {2 * n}") for n in (3, 70)
)


def test_it_is_the_loss_that_transformers_computes(tiny: Path, runtime: Runtime) -> None:
    student = load_student(tiny, runtime)
    found = perform(LikelihoodTask(student=tiny, examples=EXAMPLES, device="cpu"), None)
    for example, likelihood in zip(EXAMPLES, found, strict=True):
        row = encode(student.tokenizer, example)
        labels = [*row.labels[:-1], IGNORED]  # without the end token
        with torch.no_grad():
            loss = student.model(input_ids=torch.tensor([row.ids]), labels=torch.tensor([labels])).loss
        assert likelihood == pytest.approx(-float(loss) * (row.labelled - 1), rel=1e-4)
