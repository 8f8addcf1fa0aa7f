"""Reads TOML files that a user names."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from fdd.errors import UsageError


def read_toml(file: Path, what: str) -> dict[str, Any]:
    """Returns the tables of a file. Raises `UsageError` that calls it `what`: `the study 'x.toml' is ...`."""
    try:
        return tomllib.loads(file.read_text("utf-8"))
    except OSError as error:
        raise UsageError(f"cannot read {what} {str(file)!r}: {error.strerror}") from None
    except (ValueError, RecursionError) as error:  # no UTF-8, no TOML, or nested without end
        raise UsageError(f"{what} {str(file)!r} is not TOML that can be read: {error}") from None
