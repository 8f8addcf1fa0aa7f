"""Prices of models: a table of the common ones, and a user's file that overrides it."""

from __future__ import annotations

from ipaddress import ip_address
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from fdd.agents.models.config import LOCAL, CallConfig
from fdd.errors import UsageError
from fdd.toml import read_toml

Dollars = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class Price(BaseModel):
    """US dollars per million prompt tokens (`input`) and reply tokens (`output`)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    input: Dollars
    output: Dollars

    def cost(self, prompt_tokens: int, completion_tokens: int) -> float:
        return (self.input * prompt_tokens + self.output * completion_tokens) / 1e6


FREE = Price(input=0, output=0)

_PRICES = TypeAdapter(dict[str, Price])


def load_prices(file: str | None = None) -> dict[str, Price]:
    """Prices by `provider:model`: the common models', overridden and extended by a file of the same form.

    Raises `UsageError` for a file that cannot be read.
    """
    known = _read(Path(__file__).with_name("prices.toml"))
    return known | _read(Path(file)) if file else known


def find_price(name: str, address: str, config: CallConfig) -> Price | None:
    """The price of a model, `provider:model`, which is half with `--batch-api`.

    On this machine or on a private server it is free unless it is in the table. None if it is unknown; raises
    `UsageError` for that if the run has a cost limit.
    """
    own = name.startswith(LOCAL) or _is_own(address)
    price = load_prices(config.prices).get(name) or (FREE if own else None)
    if price is not None and config.batch_api:
        price = Price(input=price.input / 2, output=price.output / 2)
    if price is None and config.max_cost is not None:
        server = f" at {address!r}" if address else ""
        raise UsageError(
            f"--max-cost needs the price of {name!r}{server}: write it into a file and name that with "
            f"--prices, for example ['{name}'] with input = 0.15 and output = 0.60, US dollars for a million "
            "tokens"
        )
    return price


def _is_own(address: str) -> bool:
    """Whether a server's URL is on this machine or in a private network, where requests cost nothing."""
    try:
        host = urlsplit(address).hostname or ""
        if host == "localhost":
            return True
        ip = ip_address(host)
    except ValueError:
        # Any other host name may be a paid server.
        return False
    return (getattr(ip, "ipv4_mapped", None) or ip).is_private


def _read(file: Path) -> dict[str, Price]:
    try:
        return _PRICES.validate_python(read_toml(file, "price file"))
    except ValidationError as error:
        first = error.errors()[0]
        key = " ".join(str(part) for part in first["loc"])
        raise UsageError(f"price file {str(file)!r}: {key}: {first['msg']}") from None
