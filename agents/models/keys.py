"""Keys of providers: finds them, checks that they can be sent, and masks them in texts."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator, Mapping
from urllib.parse import quote, quote_plus

from fdd.errors import UsageError

KEYS = {
    "openai": ("OPENAI_API_KEY",),
    "anthropic": ("ANTHROPIC_API_KEY",),
    "cohere": ("COHERE_API_KEY",),
    "deepseek": ("DEEPSEEK_API_KEY",),
    "fireworks": ("FIREWORKS_API_KEY",),
    "google_genai": ("GOOGLE_API_KEY", "GEMINI_API_KEY"),
    "groq": ("GROQ_API_KEY",),
    "mistralai": ("MISTRAL_API_KEY",),
    "nvidia": ("NVIDIA_API_KEY",),
    "openrouter": ("OPENROUTER_API_KEY",),
    "perplexity": ("PPLX_API_KEY", "PERPLEXITY_API_KEY"),
    "together": ("TOGETHER_API_KEY",),
    "upstage": ("UPSTAGE_API_KEY",),
    "xai": ("XAI_API_KEY",),
}
"""Environment variables for each provider's key, one of which is needed. They are checked before the start,
since some libraries report a missing key only at the first request."""
SERVER_KEY = "FDD_SERVER_KEY"
"""Environment variable for the key of servers given by URL: a provider's key is sent to no other server."""
NO_KEY = "none"
"""Sent to a user's own servers that need no key, because the client requires one."""
SECRET = re.compile(r"(KEY|TOKEN|SECRET|PASSWORD)S?$", re.IGNORECASE)
"""Matches names of variables whose values must not be shown."""
HEADERS = re.compile(r"HEADERS$", re.IGNORECASE)
"""Matches names of variables with one header per line, whose values must not be shown either."""
SHORTEST_SECRET = 8
"""Shorter values are not masked, because they are too likely to occur in a text by chance."""


class Keys:
    """The keys and other secrets of an environment; `repr` shows none of them."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment

    @property
    def server(self) -> str:
        return self._environment.get(SERVER_KEY) or NO_KEY

    def check(self, model: str, provider: str, *, has_address: bool) -> None:
        """Raises `UsageError`, without the key, if the model's key is missing or no header can carry it."""
        names = (SERVER_KEY,) if has_address else KEYS.get(provider, ())
        found = {name: key for name in names if (key := self._environment.get(name))}
        if names and not found and not has_address:
            raise UsageError(f"the model {model!r} needs a key: set the environment variable {names[0]}")
        for name, key in found.items():
            # Checked here, because a library that refuses such a header quotes it in its error.
            if not all("!" <= character <= "~" for character in key):
                fault = "white space or a character that is not ASCII"
                raise UsageError(f"the key in {name} cannot be sent, it has {fault}: set it without")

    def masked(self, text: str) -> str:
        """The text with `***` for every secret of the environment, in any of its spellings."""
        spellings = {spelling for secret in self._secrets() for spelling in _spellings(secret)}
        # The longest first, so that no secret is masked only in a part that is a secret as well.
        found = sorted((s for s in spellings if len(s) >= SHORTEST_SECRET), key=len, reverse=True)
        return re.sub("|".join(map(re.escape, found)), "***", text) if found else text

    def _secrets(self) -> Iterator[str]:
        for name, value in self._environment.items():
            if SECRET.search(name):
                yield value
            elif HEADERS.search(name):
                yield from (re.split("[:=]", line, maxsplit=1)[-1].strip() for line in value.splitlines())


def _spellings(secret: str) -> Iterator[str]:
    """Yield a secret as it is, and as libraries write it in messages, URLs, JSON and HTML."""
    for text in (secret, secret.strip(), " ".join(secret.split())):
        encoded = text.encode("utf-8", "replace")
        yield text
        yield from (repr(text)[1:-1], ascii(text)[1:-1], repr(encoded)[2:-1])
        yield from (json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1])
        yield html.escape(text)
        for quoted in (quote(encoded, "/"), quote(encoded, ""), quote_plus(encoded)):
            # Some libraries write percent codes in lower case.
            yield from (quoted, re.sub("%..", lambda code: code[0].lower(), quoted))
