"""Checks before a run begins whether a student can answer its requests and be trained."""

from __future__ import annotations

from errors import StudentError
from training.config import GenerateConfig
from training.generate import encode
from training.memory import free_bytes, no_room
from training.student import Student
from training.tasks import Checked, CheckTask


def check(student: Student, task: CheckTask) -> Checked:
    for request in task.requests:
        encode(student, request, GenerateConfig())
    weights = sum(weight.numel() for weight in student.model.parameters())
    if task.method == "full" and (
        fault := no_room(weights, student.runtime.dtype, free_bytes(student.runtime))
    ):
        raise StudentError(fault)
    return Checked(student=task.student)
