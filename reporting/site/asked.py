"""Parses the query strings of the pages into typed parameters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, TypeVar
from urllib.parse import urlencode

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from fdd.errors import UsageError, brief
from fdd.storage.explorer import Sort
from fdd.storage.records import SpanKind

Round = Annotated[int, Field(ge=-1, le=1_000_000)]
Page = Annotated[int, Field(ge=1, le=1_000_000)]
Name = Annotated[str, Field(max_length=200)]

M = TypeVar("M", bound="Asked")


class Asked(BaseModel):
    """The parameters of a page. `read` treats empty ones as not given; unknown ones are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    def link(self, **changes: object) -> str:
        """Returns the query string of the same page with these parameters changed."""
        values = self.model_copy(update=changes).model_dump(exclude_defaults=True, exclude_none=True)
        return "?" + urlencode(values)


class AskedProblems(Asked):
    q: Annotated[str, Field(max_length=500)] = ""
    split: Name | None = None
    round: Round | None = None
    operator: Name | None = None
    band: Name | None = None
    reason: Name | None = None
    template: Name | None = None
    sort: Sort = "round"
    order: Literal["up", "down"] = "up"
    page: Page = 1

    def filters(self) -> dict[str, object]:
        """Returns the values that columns must have."""
        return self.model_dump(exclude={"q", "sort", "order", "page"}, exclude_none=True)


class AskedSpans(Asked):
    round: Round | None = None
    phase: Name | None = None
    kind: SpanKind | None = None
    agent: Name | None = None
    status: Name | None = None
    problem: Name | None = None
    seconds: Annotated[float, Field(ge=0, le=1e9, allow_inf_nan=False)] | None = None
    page: Page = 1


class AskedProblem(Asked):
    """The rounds of the two students whose attempts are compared; -1 is the untaught one."""

    before: Round | None = None
    after: Round | None = None


class AskedItems(AskedProblem):
    name: Name | None = None
    show: Literal["all", "flipped", "gained", "lost"] = "all"
    page: Page = 1


def read(kind: type[M], values: Mapping[str, str]) -> M:
    """Parses the parameters. Raises `UsageError` for a value that the page does not accept."""
    try:
        return kind.model_validate({name: value for name, value in values.items() if value.strip()})
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        name = fault["loc"][0] if fault["loc"] else ""
        raise UsageError(f"{name} cannot be {brief(fault['input'])}: {fault['msg'].lower()}") from None
