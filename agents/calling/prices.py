"""What models cost: a table of the usual ones, and the file of a user that overrides it."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from errors import UsageError

KNOWN = Path(__file__).with_name("prices.toml")

Dollars = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class Price(BaseModel):
    """US dollars for a million tokens."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    input: Dollars
    """Of prompts."""
    output: Dollars
    """Of replies."""

    def cost(self, prompt_tokens: int, completion_tokens: int) -> float:
        """US dollars."""
        return (self.input * prompt_tokens + self.output * completion_tokens) / 1e6


FREE = Price(input=0, output=0)

Prices = Mapping[str, Price]
"""By `provider:model`."""

_PRICES = TypeAdapter(dict[str, Price])


def load_prices(file: Path | None = None) -> Prices:
    """The usual models' prices, overridden and extended by a file of the same form; raises `UsageError`."""
    return _read(KNOWN) | (_read(file) if file else {})


def find_price(prices: Prices, name: str, address: str) -> Price | None:
    """None where it is unknown; a model on a server of one's own costs nothing unless the table says so."""
    return prices.get(name) or (FREE if _is_own(address) else None)


def required_price(prices: Prices, name: str, address: str) -> Price:
    """The same where money is limited: there an unknown price is a `UsageError`."""
    price = find_price(prices, name, address)
    if price is None:
        server = f" at {address!r}" if address else ""
        raise UsageError(
            f"--max-cost needs the price of {name!r}{server}: write it into a file and name that with "
            f"--prices, for example ['{name}'] with input = 0.15 and output = 0.60, US dollars for a million "
            "tokens"
        )
    return price


def _is_own(address: str) -> bool:
    """Whether a server's URL is on this machine or in a private network, where nobody sends a bill."""
    try:
        host = urlsplit(address).hostname or ""
        if host == "localhost":
            return True
        ip = ip_address(host)
    except ValueError:
        # Any other name may be anywhere.
        return False
    return (getattr(ip, "ipv4_mapped", None) or ip).is_private


def _read(file: Path) -> dict[str, Price]:
    try:
        return _PRICES.validate_python(tomllib.loads(file.read_text("utf-8")))
    except OSError as error:
        raise UsageError(f"cannot read price file {str(file)!r}: {error.strerror}") from None
    except ValidationError as error:
        first = error.errors()[0]
        key = " ".join(str(part) for part in first["loc"])
        raise UsageError(f"price file {str(file)!r}: {key}: {first['msg']}") from None
    except (ValueError, RecursionError) as error:
        raise UsageError(f"price file {str(file)!r} is not TOML that can be read: {error}") from None
