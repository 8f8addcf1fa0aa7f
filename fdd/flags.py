"""Metadata on the fields of settings: how each is given on the command line."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Flag:
    """Makes a field an option: `limit: Annotated[int, Flag("N", "most problems")] = 10` gives `--limit N`."""

    metavar: str | None
    """Placeholder of the value in the help text; None for a switch, which takes no value."""
    help: str
    name: str | None = None
    """The option's name; None derives it from the field, as in `--test-size` for `test_size`."""
    group: str | None = None
    """Name of the help group that begins with this option; None continues the group of the field before."""
