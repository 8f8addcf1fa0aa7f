"""Parses a model's reply into parts between tags; a reply without all of its parts is rejected."""

from __future__ import annotations

import re
from collections.abc import Sequence

THOUGHT_FIELDS = ("reasoning_content", "reasoning")
"""Fields in which servers put a reasoning model's thoughts, beside its text."""
_THINKING = r"[\w:]*(?:think|thought|reason|reflection|analysis|scratchpad)\w*"
_THOUGHT_BEGINS = re.compile(
    rf"\s*(?:<({_THINKING})>|\[THINK\]|◁think▷|<\|(?:START_THINKING|inner_prefix)\|>|<unused94>)",
    re.IGNORECASE,
)
_THOUGHT_ENDS = re.compile(
    rf"</(?P<tag>{_THINKING})\s*>|\[/THINK\]|◁/think▷|<\|(?:end_of_thought|END_THINKING|inner_suffix)\|>|<unused95>"
    r"|<\|channel\|>final\b.*?<\|message\|>|\bassistantfinal|^Here is my response:",
    re.IGNORECASE | re.MULTILINE,
)
"""The last three are for gpt-oss, with its special tokens and without, and for Granite."""
_FENCED = re.compile(r"```\w*\n(.*?)\n?```", re.DOTALL)


def read_parts(text: str, names: Sequence[str]) -> dict[str, str] | None:
    """The text between `<NAME>` and `</NAME>` for each name; None unless each tag occurs exactly once.

    The parts must be in the order of `names`. Ignores a reasoning model's thoughts before them, text outside
    the tags, and the fences of a code block that makes up a whole part.
    """
    rest = _said(text)
    parts, at = {}, 0
    for name in names:
        opening, closing = f"<{name}>", f"</{name}>"
        start = rest.find(opening, at)
        end = rest.find(closing, start)
        if min(start, end) < 0 or rest.count(opening) != 1 or rest.count(closing) != 1:
            return None
        part = rest[start + len(opening) : end].strip()
        fenced = _FENCED.fullmatch(part)
        parts[name] = fenced[1].strip() if fenced else part
        at = end
    return parts


def explain_malformed(text: str, names: Sequence[str]) -> str:
    """Why `read_parts` gave None for a reply."""
    if _said(text).strip():
        return f"not one each of {', '.join(f'<{name}>' for name in names)}"
    if not text.strip():
        return "the reply is empty"
    tag = next((m["tag"] or m[0] for m in _THOUGHT_ENDS.finditer(text)), "a thought without an end")
    return f"the reply is empty: all that the model wrote is what it thought ({tag})"


def _said(text: str) -> str:
    """The reply without the thoughts before it; empty if a thought has no end."""
    # Only the end of the thoughts is searched: a chat template may have written the opening tag.
    end = max((match.end() for match in _THOUGHT_ENDS.finditer(text)), default=0)
    said = text[end:]
    return "" if _THOUGHT_BEGINS.match(said) else said
