"""The longer word lists, read from `vocabulary.toml`, where a comment says what each is for."""

import tomllib
from pathlib import Path

_FILE = tomllib.loads(Path(__file__).with_name("vocabulary.toml").read_text(encoding="utf-8"))
IMPLIED_BY: dict[str, str] = _FILE.pop("implied")
LISTS: dict[str, tuple[str, ...]] = {name: tuple(text.split()) for name, text in _FILE.items()}


def word_set(words: str) -> frozenset[str]:
    """Return the words of a text as a set."""
    return frozenset(words.split())
