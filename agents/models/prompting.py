"""Prompts of agents that are models: text files, rendered with strict variables and identified by hash."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import chain
from pathlib import Path

from jinja2 import Environment, StrictUndefined

from fdd.agents.models.request import Message
from fdd.domain import content_hash

FOLDER = Path(__file__).parent.parent / "prompts"

_TAG = re.compile(r"<(?=\\*/?[A-Za-z|｜])")
"""Matches the start of a possible tag, ours or a chat template's: `<problem>`, `</s>`, `<|im_end|>`."""

# Prompts are plain text, in which HTML escapes would be wrong.
_ENVIRONMENT = Environment(undefined=StrictUndefined, autoescape=False, keep_trailing_newline=False)


@dataclass(frozen=True, slots=True)
class Turn:
    """A worked example in a prompt: the variables of the request, and the reply."""

    asked: Mapping[str, str]
    reply: str


@dataclass(frozen=True, slots=True)
class Conversation:
    """The messages sent to a model for one reply."""

    messages: tuple[Message, ...]
    prompt_hash: str
    """Hash of everything that the prompt tells and shows, whatever the final request is about."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """A prompt file, `NAME.md`: the system message, a line `---`, and the template of user messages."""

    name: str
    system: str
    user: str

    def conversation(
        self, asked: Mapping[str, str], told: Mapping[str, str], examples: Sequence[Turn] = ()
    ) -> Conversation:
        """Build a conversation with the examples as earlier turns; a missing variable raises jinja2's error.

        The variables in `asked` are quoted, so that all tags come from the prompt file.
        """
        turns = [Message(role="system", content=_fill(self.system, told))]
        for example in examples:
            turns.append(Message(role="user", content=self._ask(example.asked)))
            turns.append(Message(role="assistant", content=example.reply))
        turns.append(Message(role="user", content=self._ask(asked)))
        return Conversation(tuple(turns), self.hash(told, examples))

    def hash(self, told: Mapping[str, str], examples: Sequence[Turn] = ()) -> str:
        shown = [part for example in examples for part in (*example.asked.values(), example.reply)]
        return content_hash(self.name, _fill(self.system, told), self.user, *shown)

    def _ask(self, asked: Mapping[str, str]) -> str:
        return _fill(self.user, {name: quote(text) for name, text in asked.items()})


def quote(text: str) -> str:
    """Put a backslash after each `<` of a tag, so that the text can neither open nor close one.

    >>> quote("1 < 2 </problem>")
    '1 < 2 <\\\\/problem>'
    """
    return _TAG.sub(r"<\\", text)


@cache
def prompt(name: str) -> Prompt:
    system, _, user = (FOLDER / f"{name}.md").read_text("utf-8").partition("\n---\n")
    return Prompt(name, system.strip(), user.strip())


@cache
def examples(name: str) -> Mapping[str, Sequence[Mapping[str, str]]]:
    """The tables of texts in `NAME.toml`; only solutions, with a line per step, keep their line breaks."""
    tables: dict[str, list[dict[str, str]]] = tomllib.loads((FOLDER / f"{name}.toml").read_text("utf-8"))
    for row in chain.from_iterable(tables.values()):
        for key, text in row.items():
            row[key] = text.strip() if key.endswith("solution") else " ".join(text.strip().split("\n"))
    return tables


def _fill(template: str, variables: Mapping[str, str]) -> str:
    return _ENVIRONMENT.from_string(template).render(variables)
