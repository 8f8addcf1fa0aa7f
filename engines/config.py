"""Settings of where tasks are performed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import PositiveInt

from fdd.flags import Flag


@dataclass(frozen=True, kw_only=True)
class EngineConfig:
    name: Annotated[
        Literal["local", "ray"],
        Flag(
            "NAME",
            "local, in child processes of this one; or ray, on all GPUs of this machine or of a cluster",
            name="--engine",
            group="machines",
        ),
    ] = "local"
    address: Annotated[
        str, Flag("HOST:PORT", "with ray: a cluster that runs already; auto finds that of this machine")
    ] = ""
    """Empty starts a cluster of this machine alone, which ends with the run."""
    data_parallel: Annotated[
        PositiveInt | None,
        Flag("N", "with ray: processes that train together (default: one on each GPU, at most a batch)"),
    ] = None
