"""Measures how likely a model finds rationales."""

from __future__ import annotations

import torch

from fdd.training.data import encode
from fdd.training.device import choose_runtime
from fdd.training.drift import predictions
from fdd.training.student import load_student
from fdd.training.tasks import LikelihoodTask


def perform(task: LikelihoodTask, _: object) -> tuple[float, ...]:
    student = load_student(task.student, choose_runtime(task.device))
    rows = [encode(student.tokenizer, example) for example in task.examples]
    sums = []
    for row, predicted in zip(rows, predictions(student, rows), strict=True):
        written = torch.tensor(row.ids[len(row) - row.labelled : -1], device=predicted.device)
        sums.append(float(predicted.gather(1, written[:, None]).sum()))
    return tuple(sums)
