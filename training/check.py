"""Checks before a run begins whether a student can answer its requests and be trained."""

from __future__ import annotations

from fdd.errors import StudentError
from fdd.training.config import GenerateConfig
from fdd.training.generate import encode
from fdd.training.memory import free_bytes, no_room
from fdd.training.student import Student
from fdd.training.tasks import Checked, CheckTask


def check(student: Student, task: CheckTask) -> Checked:
    for request in task.requests:
        encode(student, request, GenerateConfig())
    weights = sum(weight.numel() for weight in student.model.parameters())
    if task.method == "full" and (
        fault := no_room(weights, student.runtime.dtype, free_bytes(student.runtime))
    ):
        raise StudentError(fault)
    return Checked(student=task.student)
