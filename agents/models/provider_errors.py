"""Interprets errors of providers' libraries: the fault, the server's message, and the setting it refuses."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum
from math import isfinite
from urllib.parse import urlsplit

from fdd.agents.models.keys import Keys
from fdd.agents.models.request import CallError, Fault
from fdd.network import without_login

FAULTS = {
    **dict.fromkeys((401, 402, 403, 404), Fault.DENIED),
    408: Fault.TIMEOUT,
    429: Fault.RATE_LIMITED,
    **dict.fromkeys((503, 529), Fault.OVERLOADED),
}
"""Faults by HTTP status."""
NO_CREDIT = "insufficient_quota"
"""OpenAI's error code in a 429 that no waiting resolves."""
BROKEN = {"APIConnectionError", "TransportError", "ClientConnectionError", "ConnectionError"}
"""Names of the libraries' classes for connection errors."""
LONGEST_DETAIL = 300  # characters
ABOUT_THE_REQUEST = (400, 422, 500, 501)
"""HTTP statuses with which servers refuse a part of a request; 500 if the model's chat template does."""


class Setting(StrEnum):
    """A part of a request that some models refuse, and that can be left out or sent in another way."""

    TEMPERATURE = "temperature"
    SEED = "seed"
    MAX_TOKENS = "max_tokens"
    """Sent as `max_completion_tokens` instead."""
    SYSTEM = "system"
    """The system message; put at the beginning of the first user message instead."""


_SETTING = re.compile(r"\b(temperature|seed|max_tokens)\b")
_REFUSAL = re.compile(
    r"unsupported|not (\w+ )?support|unknown|unrecogni[sz]ed|unexpected|not (permitted|allowed|accepted|used)"
    r"|not (an? )?(valid|recogni[sz]ed|known) (field|param|argument)|not be (set|used|specified|given)"
    r"|invalid (for|with) this|extra|forbidden|deprecated|only the default|only \S+ is allowed"
    r"|(may|can) only be|must be (1|unset|omitted)\b",
)
_OUT_OF_RANGE = re.compile(
    r"(greater|larger|higher|more|less|lower|smaller|fewer) than|above|below|exceed|between|maximum|minimum"
)
"""Matches a refusal of a setting's value, which is reported; any other refused setting is left out."""
_NO_SYSTEM_TURN = re.compile(
    r"system (role|message|prompt|instruction)s?\b.*\b(not|no|un\w+)\b|role\b.*\bsystem\b.*\b(not|un\w+)\b"
    r"|\b(un\w+|invalid) role\b.{0,5}\bsystem\b|unknown variant .?system|should be 'user' or 'assistant'"
    r"|unexpected role|(support|accept)\w* '?\"?system|developer instruction|roles must alternate"
    r"|only user and assistant roles",
    re.DOTALL,
)
_TOO_LONG = re.compile(
    r"context[ _](length|window|size)|(prompt|input|request)( entity)? (is )?too (long|large)|too many tokens"
    r"|exceed.{0,40}\b(context|length|tokens?)\b"
)
_TITLE = re.compile(r"<title>(.*?)</title>", re.IGNORECASE | re.DOTALL)
_TAG = re.compile(r"<[^>]*>")


class RefusedError(Exception):
    """An error that a server sent inside a reply, with the attributes of the libraries' errors."""

    def __init__(self, status: int, body: object) -> None:
        super().__init__(f"HTTP {status}")
        inner = body.get("error") if isinstance(body, Mapping) else None
        named = inner if isinstance(inner, Mapping) else {}
        self.status_code, self.body = status, inner or body
        self.code, self.param = named.get("code"), named.get("param")


def explain(error: Exception, address: str, keys: Keys) -> CallError:
    """Convert an error of any provider's library: their errors share the same attributes.

    `address` is the URL of the user's own server, or empty. The returned error keeps no reference to the
    original one, whose request holds the key.
    """
    status = _status_of(error)
    # By class name, because not every library is installed.
    names = {kind.__name__ for link in _chain(error) for kind in type(link).__mro__}
    if status is not None:
        fault = FAULTS.get(status, Fault.SERVER_ERROR if status >= 500 else Fault.REJECTED)
        if any(getattr(link, "code", None) == NO_CREDIT for link in _chain(error)):
            fault = Fault.DENIED
    elif any("Timeout" in name for name in names):
        fault = Fault.TIMEOUT
    elif names & BROKEN:
        fault = Fault.CONNECTION
    else:
        fault = Fault.UNREADABLE
    detail = line(error, keys) + _hint(error, fault, address)
    return CallError(fault, detail, next(filter(None, map(_retry_after, _chain(error))), None))


def refused_setting(error: Exception) -> Setting | None:
    """The part of the request that the server refuses; None if its message names none."""
    # So that the patterns need only the long form of a negation.
    said = re.sub("n['’]t\\b", " not", server_message(error).lower())
    if _status_of(error) not in ABOUT_THE_REQUEST or _TOO_LONG.search(said):
        return None
    if _NO_SYSTEM_TURN.search(said):
        return Setting.SYSTEM
    if _OUT_OF_RANGE.search(said) or not _REFUSAL.search(said):
        return None
    named = (_SETTING.search(str(getattr(link, "param", ""))) for link in _chain(error))
    found = next(filter(None, (*named, _SETTING.search(said))), None)
    return Setting(found[0]) if found else None


def line(error: BaseException, keys: Keys) -> str:
    """The error's message in one line and without secrets: the server's own if it sent one."""
    status, said = _status_of(error), server_message(error)
    if status is not None and said:
        text = f"HTTP {status}: {said}"
    else:
        text = "; ".join(dict.fromkeys(str(link).strip() or type(link).__name__ for link in _chain(error)))
    # Masked before white space is collapsed and after: a secret may contain white space.
    text = " ".join(keys.masked(text).split())
    # Cut after masking, since half a secret would not be recognised.
    return keys.masked(text)[:LONGEST_DETAIL]


def server_message(error: BaseException) -> str:
    """The message in the body of the server's reply; empty if there is none."""
    return next(filter(None, (_message(getattr(link, "body", None)) for link in _chain(error))), "")


def _message(body: object) -> str:
    """Finds it under `message`, `detail` or `error`, or in FastAPI's list with places."""
    if isinstance(body, str):
        title = _TITLE.search(body)
        return title[1] if title else _TAG.sub(" ", body).strip()
    if isinstance(body, list):
        return "; ".join(filter(None, map(_message, body)))
    if not isinstance(body, Mapping):
        return ""
    for name in ("message", "msg", "detail", "error", "errors"):
        if said := _message(body.get(name)):
            place = body.get("loc")
            return f"{'.'.join(map(str, place))}: {said}" if isinstance(place, list) else said
    return json.dumps(body) if body else ""


def _hint(error: Exception, fault: Fault, address: str) -> str:
    """The probable cause, if the server's message does not name it."""
    status = _status_of(error)
    if status == 413 or (status in ABOUT_THE_REQUEST and _TOO_LONG.search(server_message(error).lower())):
        return " (the request is too long for this server or model)"
    path = urlsplit(address).path.rstrip("/")
    if not address or not (status in (404, 405) or fault is Fault.UNREADABLE):
        return ""
    if path.endswith("/completions"):
        return " (the URL should end before /chat/completions)"
    if not re.search(r"/v\d", path):
        return f" (the URL probably lacks /v1: {without_login(address).rstrip('/')}/v1)"
    return ""


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__


def _status_of(error: BaseException) -> int | None:
    for link in _chain(error):
        for holder in (link, getattr(link, "response", None)):
            value = getattr(holder, "status_code", None)
            if isinstance(value, int) and value >= 400:
                return value
    return None


def _retry_after(error: BaseException) -> float | None:
    """Seconds until a retry, from the header's number or date (RFC 9110, section 10.2.3), or None.

    A date is compared with the server's own clock if the reply gives that.
    """
    headers = getattr(getattr(error, "response", None), "headers", None) or {}
    value = headers.get("retry-after")
    if value is None:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            sent = parsedate_to_datetime(headers["date"]) if "date" in headers else datetime.now(UTC)
            seconds = (parsedate_to_datetime(value) - sent).total_seconds()
        except (ValueError, TypeError):
            return None
    return max(0.0, seconds) if isfinite(seconds) else None
