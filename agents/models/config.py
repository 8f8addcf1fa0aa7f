"""Settings of calls to models; their defaults are defined only here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from pydantic import NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt

from fdd.flags import Flag

LOCAL = "local:"
"""Prefix of the names of models that a run loads by itself, without a server."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CallConfig:
    """How models are asked, and how much a run may spend on them."""

    max_cost: Annotated[
        NonNegativeFloat | None, Flag("USD", "stop before the run has spent more", group="calls to models")
    ] = None
    max_tokens: Annotated[NonNegativeInt | None, Flag("N", "stop before it has used more tokens")] = None
    """Tokens of prompts and replies together."""
    max_calls: Annotated[NonNegativeInt | None, Flag("N", "stop before it has made more calls")] = None
    batch_api: Annotated[bool, Flag(None, "use OpenAI's batch API: half the price, replies within a day")] = (
        False
    )
    batch_poll_seconds: Annotated[PositiveFloat, Flag("S", "time between two looks at a batch")] = 30.0
    prices: Annotated[str | None, Flag("FILE", "TOML file of prices that override those known")] = None
    temperature: Annotated[NonNegativeFloat, Flag("T", "temperature of every agent that is a model")] = 0.7
    max_reply_tokens: Annotated[PositiveInt, Flag("N", "longest reply of a model")] = 1024
    """A reply cut off at this length is never used."""
    seconds: Annotated[PositiveFloat, Flag("S", "time-out of one request", name="--call-seconds")] = 120.0
    tries: Annotated[
        PositiveInt, Flag("N", "requests for one call before it is given up", name="--call-tries")
    ] = 8
    at_once: Annotated[PositiveInt, Flag("N", "most requests in flight", name="--calls-at-once")] = 256
    """An upper limit: the limiter finds out while running how many the server can take."""
