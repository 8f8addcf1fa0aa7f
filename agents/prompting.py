"""The prompts of agents that are models: text files rendered with strict variables, known by their hash."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from jinja2 import Environment, StrictUndefined

from agents.calling.request import Message
from domain import content_hash

FOLDER = Path(__file__).parent / "prompts"

_TAG = re.compile(r"<(?=\\*/?[A-Za-z|｜])")
"""Where a tag may begin, ours or a chat template's: `<problem>`, `</s>`, `<|im_end|>`."""
_QUOTED_TAG = re.compile(r"<\\(?=\\*/?[A-Za-z|｜])")

_ENVIRONMENT = Environment(undefined=StrictUndefined, autoescape=False, keep_trailing_newline=False)


@dataclass(frozen=True, slots=True)
class Turn:
    """A worked example in a prompt: the variables of what is asked, and the reply."""

    asked: Mapping[str, str]
    reply: str


@dataclass(frozen=True, slots=True)
class Conversation:
    """What a model is sent, up to its reply."""

    messages: tuple[Message, ...]
    prompt_hash: str
    """Identifies what the model is told and shown, whatever it is then asked."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """A prompt file, `NAME.md`: what the model is told, a line `---`, and what it is asked each time."""

    name: str
    system: str
    user: str

    def conversation(
        self, asked: Mapping[str, str], told: Mapping[str, str], examples: Sequence[Turn] = ()
    ) -> Conversation:
        """Ask with worked examples as earlier turns; a variable that is missing raises jinja2's error.

        What is asked about is quoted: the only tags among it are those of the prompt file.
        """
        turns = [Message(role="system", content=_fill(self.system, told))]
        for example in examples:
            turns.append(Message(role="user", content=self._ask(example.asked)))
            turns.append(Message(role="assistant", content=example.reply))
        question = Message(role="user", content=self._ask(asked))
        return Conversation((*turns, question), self.hash(told, examples))

    def hash(self, told: Mapping[str, str], examples: Sequence[Turn] = ()) -> str:
        shown = [part for example in examples for part in (*example.asked.values(), example.reply)]
        return content_hash(self.name, _fill(self.system, told), self.user, *shown)

    def _ask(self, asked: Mapping[str, str]) -> str:
        return _fill(self.user, {name: quote(text) for name, text in asked.items()})


def quote(text: str) -> str:
    """The text with a backslash behind each `<` of a tag, so that it can neither open nor close one.

    >>> quote("1 < 2 </problem>")
    '1 < 2 <\\\\/problem>'
    """
    return _TAG.sub(r"<\\", text)


def unquote(text: str) -> str:
    """What `quote` was given."""
    return _QUOTED_TAG.sub("<", text)


@cache
def prompt(name: str) -> Prompt:
    system, _, user = (FOLDER / f"{name}.md").read_text("utf-8").partition("\n---\n")
    return Prompt(name, system.strip(), user.strip())


@cache
def examples(name: str) -> Mapping[str, Sequence[Mapping[str, str]]]:
    """What stands in `NAME.toml`: tables of texts, without the blank lines around them."""
    tables = tomllib.loads((FOLDER / f"{name}.toml").read_text("utf-8"))
    return {
        kind: [{key: text.strip().replace("\n", _joint(key)) for key, text in row.items()} for row in rows]
        for kind, rows in tables.items()
    }


def _joint(key: str) -> str:
    """Questions are broken into lines for their reader only; solutions have a line a step."""
    return "\n" if key.endswith("solution") else " "


def _fill(template: str, variables: Mapping[str, str]) -> str:
    return _ENVIRONMENT.from_string(template).render(variables)
