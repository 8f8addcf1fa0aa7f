"""What the errors of providers' libraries mean: the fault, the server's own words, what it refuses."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum
from math import isfinite
from urllib.parse import urlsplit

from agents.calling.request import CallError, Fault
from agents.keys import Keys
from network import without_login

FAULTS = {
    **dict.fromkeys((401, 402, 403, 404), Fault.DENIED),
    408: Fault.TIMEOUT,
    429: Fault.RATE_LIMITED,
    **dict.fromkeys((503, 529), Fault.OVERLOADED),
}
"""By HTTP status."""

NO_CREDIT = "insufficient_quota"
"""OpenAI's code in a 429 that waiting does not help."""

BROKEN = {"APIConnectionError", "TransportError", "ClientConnectionError", "ConnectionError"}
"""What libraries call the errors of a connection."""

LONGEST_DETAIL = 300
"""Characters."""

ABOUT_THE_REQUEST = (400, 422, 500, 501)
"""With these servers refuse a part of a request; 500 where the model's chat template does."""


class Setting(StrEnum):
    """A part of a request that some models refuse, and that can be left out or written in another way."""

    TEMPERATURE = "temperature"
    SEED = "seed"
    MAX_TOKENS = "max_tokens"
    """Sent as `max_completion_tokens` instead."""
    SYSTEM = "system"
    """The system turn; written at the beginning of the user's first one instead."""


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
"""A setting refused because of its value is reported; any other refused setting is left out."""
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


def explain(error: Exception, address: str, keys: Keys) -> CallError:
    """What broke, whatever library says it: the SDKs' errors share their attributes.

    `address` is the URL of a server of one's own, or empty. The error given back carries nothing of the one
    that it stands for, whose request holds the key.
    """
    status = _status_of(error)
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
    """The part of the request that the server does not know or want, as far as it says so."""
    said = re.sub("n['’]t\\b", " not", words(error).lower())
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
    """What the error says, in one line and without secrets: the server's own words where it gave any."""
    status, said = _status_of(error), words(error)
    if status is not None and said:
        text = f"HTTP {status}: {said}"
    else:
        text = "; ".join(dict.fromkeys(str(link).strip() or type(link).__name__ for link in _chain(error)))
    # Before it becomes one line, and after: a secret may have white space in it.
    text = " ".join(keys.masked(text).split())
    return keys.masked(text)[:LONGEST_DETAIL]


def words(error: BaseException) -> str:
    """The message in the body of the server's reply; empty where there is none."""
    return next(filter(None, (_message(getattr(link, "body", None)) for link in _chain(error))), "")


def _message(body: object) -> str:
    """Servers call it `message`, `detail` or `error`; FastAPI gives a list, each with its place."""
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
    """What is probably wrong, where that is not what the server says."""
    status = _status_of(error)
    if status == 413 or (status in ABOUT_THE_REQUEST and _TOO_LONG.search(words(error).lower())):
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
    return next(filter(None, map(_status, _chain(error))), None)


def _status(error: BaseException) -> int | None:
    response = getattr(error, "response", None)
    for value in (getattr(error, "status_code", None), getattr(response, "status_code", None)):
        if isinstance(value, int) and value >= 400:
            return value
    return None


def _retry_after(error: BaseException) -> float | None:
    """Seconds; the header gives them, or a date (RFC 9110, section 10.2.3) by the server's own clock."""
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
