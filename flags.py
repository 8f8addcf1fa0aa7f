"""How a setting is given on the command line, written on the setting's own field."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Flag:
    """Metadata of a field: `limit: Annotated[int, Flag("N", "problems to take")] = 10` gives `--limit N`."""

    metavar: str | None
    """What stands for the value in the help; None for a switch, which takes no value."""
    help: str
    name: str | None = None
    """None for the field's own name, `--test-size` for `test_size`."""
    group: str | None = None
    """Group of the help that begins here; None continues the group of the field before."""
