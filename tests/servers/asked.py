"""Parses requests to the teaching server: the body strictly, the prompt by its labels and tags."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from pydantic import BaseModel, Field, ValidationError

from fdd.agents.thoughts import thought as find_thought
from fdd.agents.verifier import LONG_NUMBER, MAX_TEXT
from fdd.errors import UsageError

QUOTED_TAG = re.compile(r"<\\(?=\\*/?[A-Za-z|｜])")


class Task(StrEnum):
    """The kinds of our prompts that the server knows."""

    EXPLAIN = "explain"
    EXPLAIN_ATTEMPT = "explain_attempt"
    SOLVE = "solve"
    REPAIR = "repair"
    SIMILAR = "similar"
    HARDER = "harder"
    SIMPLER = "simpler"
    TAXONOMY = "taxonomy"
    LABEL = "label"

    @property
    def wants_rationale(self) -> bool:
        """Whether the prompt asks for a rationale; otherwise it asks for a new problem."""
        return self in (Task.EXPLAIN, Task.EXPLAIN_ATTEMPT, Task.SOLVE, Task.REPAIR)


class NotUnderstoodError(Exception):
    """The request does not follow our prompts. The message says why in one line."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """A request that can be answered."""

    model: str
    sample: int | None
    """The request's `seed`."""
    task: Task
    thought: str | None
    """None if a new problem is asked for."""
    question: str
    worked_solution: str
    """Empty if the prompt shows none."""
    prompt_tokens: int


class _Message(BaseModel):
    role: str
    content: str


class _Body(BaseModel):
    model: str
    messages: list[_Message] = Field(min_length=2)
    seed: int | None = None
    stream: bool = False


def read_request(body: bytes) -> Asked:
    """Parses a request body. Raises only `NotUnderstoodError`, whatever the bytes are."""
    request = _read_body(body)
    system, user = request.messages[0], request.messages[-1]
    if (system.role, user.role) != ("system", "user"):
        raise NotUnderstoodError("the first message must have the role system and the last one user")
    if len(user.content) > MAX_TEXT or LONG_NUMBER.search(user.content):
        raise NotUnderstoodError(f"a text of more than {MAX_TEXT} characters, or a number without end")
    task = _read_task(system.content)
    return Asked(
        model=request.model,
        sample=request.seed,
        task=task,
        thought=_read_thought(system.content) if task.wants_rationale else None,
        question=_between(user.content, "problem") or _missing("<problem>"),
        worked_solution=_between(user.content, "worked_solution"),
        prompt_tokens=count_tokens("".join(message.content for message in request.messages)),
    )


def count_tokens(text: str) -> int:
    return max(1, len(text) // 4)


def _read_body(body: bytes) -> _Body:
    try:
        request = _Body.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        place = ".".join(map(str, first["loc"])) or "the body"
        raise NotUnderstoodError(f"{place}: {first['msg']}") from None
    if request.stream:
        raise NotUnderstoodError("stream: this server answers in one piece only")
    return request


def _read_task(prompt: str) -> Task:
    name = _line(prompt, "Task")
    try:
        return Task(name)
    except ValueError:
        raise NotUnderstoodError(f"{name!r} is no task; the tasks are {', '.join(Task)}") from None


def _read_thought(prompt: str) -> str:
    name = _line(prompt, "Format")
    try:
        find_thought(name)
    except UsageError as error:
        raise NotUnderstoodError(str(error)) from None
    return name


def _line(prompt: str, label: str) -> str:
    found = re.search(rf"^{label}: (\S+)$", prompt, re.MULTILINE)
    return found[1] if found else _missing(f"line `{label}: ...` in the system message")


def _between(text: str, tag: str) -> str:
    found = re.search(rf"<{tag}>\n(.*?)\n</{tag}>", text, re.DOTALL)
    return unquote(found[1].strip()) if found else ""


def unquote(text: str) -> str:
    """Undoes `fdd.agents.models.prompting.quote`."""
    return QUOTED_TAG.sub("<", text)


def _missing(what: str) -> str:
    raise NotUnderstoodError(f"there is no {what}")
