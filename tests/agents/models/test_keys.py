"""No key is sent that a library would refuse and quote, and no text shows one, however it is spelled."""

from __future__ import annotations

import json
from urllib.parse import quote, quote_plus

import pytest

from fdd.agents.models.keys import Keys
from fdd.agents.models.provider import LangChainModel
from fdd.errors import UsageError

KEY = "sk-planted-0123456789"
URL = "http://127.0.0.1:9/v1"

UNSENDABLE = [
    f"{KEY}\n",
    f"{KEY}\r\n",
    f" {KEY}",
    f"{KEY}\t",
    f"sk-planted\n-0123456789-{KEY}",
    f"{KEY} {KEY}",
    f"{KEY}\x7f",
    f"{KEY}\x01",
    f"{KEY}é",
    f"\ufeff{KEY}",
    f"{KEY}\u200b",
    f"\N{LEFT DOUBLE QUOTATION MARK}{KEY}\N{RIGHT DOUBLE QUOTATION MARK}",
    "   ",
]


@pytest.mark.parametrize("key", UNSENDABLE)
@pytest.mark.parametrize(
    ("variable", "name", "address"),
    [("FDD_SERVER_KEY", "m", URL), ("OPENAI_API_KEY", "openai:m", ""), ("GROQ_API_KEY", "groq:m", "")],
)
def test_a_key_that_no_header_can_carry_is_refused_unseen(
    key: str, variable: str, name: str, address: str
) -> None:
    with pytest.raises(UsageError, match=f"the key in {variable} cannot be sent") as refused:
        LangChainModel(name, address=address, seconds=5, environment={variable: key})
    assert "planted" not in str(refused.value)


def test_every_key_that_a_provider_may_take_is_looked_at() -> None:
    environment = {"GOOGLE_API_KEY": KEY, "GEMINI_API_KEY": f"{KEY}\n"}
    with pytest.raises(UsageError, match="GEMINI_API_KEY cannot be sent"):
        LangChainModel("google_genai:m", seconds=5, environment=environment)


SECRETS = [f"{KEY}\n", f"{KEY}\r\n", f"{KEY}/+=&", f'{KEY}"\\é', f"{KEY} and\tmore"]
SPELLINGS = [
    str,
    repr,
    ascii,
    json.dumps,
    quote,
    quote_plus,
    str.strip,
    lambda key: repr(key.encode()),
    lambda key: json.dumps(key, ensure_ascii=False),
    lambda key: quote(key, safe=""),
    lambda key: " ".join(key.split()),
]


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize("spell", SPELLINGS)
def test_a_secret_is_masked_in_every_spelling(secret: str, spell: object) -> None:
    assert callable(spell)
    shown = Keys({"MY_SERVICE_KEY": secret}).masked(f"Illegal header value {spell(secret)}.")
    assert "planted" not in shown
    assert shown.startswith("Illegal header value ")


def test_the_values_of_custom_headers_are_masked() -> None:
    keys = Keys({"OPENAI_CUSTOM_HEADERS": f"X-Team: maths-department\nX-Secret: {KEY}\r"})
    assert keys.masked(f"you sent {KEY}") == "you sent ***"
