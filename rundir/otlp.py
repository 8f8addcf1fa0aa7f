"""Converts spans to OpenTelemetry's format and sends them.

Names and attributes follow its semantic conventions for generative AI (operations `chat`, `invoke_agent`,
`execute_tool` and `invoke_workflow`); attributes that these do not define are named `fdd.*`.
https://github.com/open-telemetry/semantic-conventions-genai/tree/main/docs/gen-ai
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any

import requests
from opentelemetry.exporter.otlp.proto.http import trace_exporter
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags
from opentelemetry.util.types import AttributeValue

from fdd.agents.models.request import CallStatus, Fault, Finish
from fdd.domain import Reason, content_hash
from fdd.errors import TelemetryError
from fdd.settings import Telemetry
from fdd.storage.records import CallRecord, Json, SpanRecord, TranscriptRecord
from fdd.storage.tracing import Exchange

SERVICE = "feedback-driven-distillation"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
OPENAI = "openai"

PROVIDERS = {"google_genai": "gcp.gemini", "mistralai": "mistral_ai", "xai": "x_ai"}
"""The conventions' names of providers, where they differ from LangChain's."""
FINISHES: Mapping[str, str] = {Finish.FILTERED: "content_filter"}
"""The conventions' finish reasons, where they differ from ours."""

VERDICTS = frozenset(Reason)
FAULTS = frozenset(Fault)
NOTHING_SAID: Mapping[str, Exchange] = MappingProxyType({})

Attribute = tuple[str, AttributeValue]


class Exporter:
    """Sends a run's spans by OTLP over HTTP.

    Headers, time-outs and certificates come from the environment variables of OpenTelemetry's SDK.
    """

    longest = 256
    """Most spans in one request. With messages they make a few megabytes; collectors accept 20 or more."""

    def __init__(self, target: Telemetry, run: str) -> None:
        self.server = target.server
        self._content, self._run = target.content, run
        self._session = _Session()
        self._exporter: SpanExporter = trace_exporter.OTLPSpanExporter(
            endpoint=target.endpoint, session=self._session
        )
        # The exporter logs each failure, and Python prints it where no logging is set up. Callers report a
        # failure once instead.
        logging.getLogger(trace_exporter.__name__).disabled = True
        found = Resource.create()
        unnamed = str(found.attributes[SERVICE_NAME]).startswith("unknown_service")
        self._resource = found.merge(Resource({SERVICE_NAME: SERVICE})) if unnamed else found

    def send(self, spans: Sequence[SpanRecord], exchanges: Mapping[str, Exchange] = NOTHING_SAID) -> None:
        """Sends spans; `exchanges` has the prompts and replies of those that are calls, by call id.

        Raises `TelemetryError` if some may not have arrived. Sending them again does no harm, because a span
        always has the same id.
        """
        for start in range(0, len(spans), self.longest):
            batch = spans[start : start + self.longest]
            self._export([self._span(span, exchanges.get(span.subject)) for span in batch])

    def _export(self, spans: Sequence[ReadableSpan]) -> None:
        self._session.outcome = "nothing was sent"
        result = self._exporter.export(spans)
        # The SDK does not follow a redirect, but reports it as a success.
        if result is not SpanExportResult.SUCCESS or self._session.outcome.startswith("HTTP 3"):
            raise TelemetryError(
                f"cannot send spans to {self.server} ({self._session.outcome}): "
                "see whether a collector for OTLP over HTTP answers there"
            )

    def close(self) -> None:
        """Aborts what another thread is sending."""
        self._exporter.shutdown()

    def _span(self, span: SpanRecord, exchange: Exchange | None) -> ReadableSpan:
        kind = SpanKind.CLIENT if span.kind == "call" else SpanKind.INTERNAL
        started = _nanoseconds(span.started)
        return ReadableSpan(
            name=_name(span),
            context=self._context(span.id),
            parent=self._context(span.parent) if span.parent else None,
            resource=self._resource,
            attributes=dict(self._attributes(span, exchange)),
            kind=kind,
            status=_status(span, exchange),
            start_time=started,
            end_time=started + round(span.seconds * 1e6) * 1000,
            instrumentation_scope=InstrumentationScope(SERVICE),
        )

    def _context(self, span_id: str) -> SpanContext:
        """Derives the ids from the run and the span, so that a span sent twice has the same ids.

        Span ids include the run, because some collectors treat them as unique across all traces.
        """
        return SpanContext(
            # After the tag `sha256:`, 32 hex digits are a trace id (128 bits) and 16 a span id (64 bits).
            trace_id=int(content_hash(self._run)[7:39], 16),
            span_id=int(content_hash(self._run, span_id)[7:23], 16),
            is_remote=False,
            trace_flags=TraceFlags(TraceFlags.SAMPLED),
        )

    def _attributes(self, span: SpanRecord, exchange: Exchange | None) -> Iterator[Attribute]:
        yield "fdd.run", self._run
        yield from _ours(span)
        yield from _operation(span)
        if exchange is not None:
            yield from _usage(exchange.call)
        if exchange is not None and exchange.transcript is not None:
            yield from _request(exchange.transcript)
            if self._content:
                yield from _messages(exchange.transcript)


class _Session(requests.Session):
    """Remembers the outcome of the latest request, which the exporter does not report.

    Keeps only the type of an error: its text may contain a header, and so a key.
    """

    outcome = ""

    def request(self, *arguments: Any, **options: Any) -> requests.Response:
        try:
            response = super().request(*arguments, **options)
        except requests.RequestException as error:
            self.outcome = type(error).__name__
            raise
        self.outcome = f"HTTP {response.status_code}"
        return response


def _nanoseconds(time: datetime) -> int:
    # Integers only: a float cannot hold the nanoseconds since 1970 exactly.
    return (time - EPOCH) // timedelta(microseconds=1) * 1000


def _name(span: SpanRecord) -> str:
    match span.kind:
        case "call":
            return f"chat {_model(span.name)[1]}"
        case "agent":
            return f"invoke_agent {span.agent}"
        case "program":
            return f"execute_tool {span.name}"
        case "problem":
            return f"invoke_workflow {span.name}"
        case "run":
            return f"invoke_workflow {SERVICE}"
        case "round" | "phase":
            return span.name


def _status(span: SpanRecord, exchange: Exchange | None) -> Status:
    """Returns an error for a failed call to a model. Other bad results, such as a wrong answer, are data."""
    if span.kind != "call" or span.status != CallStatus.FAILED:
        return Status(StatusCode.UNSET)
    return Status(StatusCode.ERROR, exchange.call.detail if exchange else None)


def _ours(span: SpanRecord) -> Iterator[Attribute]:
    yield "fdd.kind", span.kind
    yield "fdd.status", span.status
    if span.status in VERDICTS:
        yield "fdd.verdict", span.status
    if span.kind != "run":
        yield "fdd.round", span.round
    if span.phase:
        yield "fdd.phase", span.phase
    if span.problem_id:
        yield "fdd.problem.id", span.problem_id
    if span.subject:
        yield "fdd.subject", span.subject
    if span.kind == "agent":
        yield "fdd.step", span.name
    if span.kind in ("agent", "call"):
        yield "fdd.cost_usd", span.cost_usd


def _operation(span: SpanRecord) -> Iterator[Attribute]:
    match span.kind:
        case "call":
            provider, model = _model(span.name)
            yield "gen_ai.operation.name", "chat"
            yield "gen_ai.provider.name", PROVIDERS.get(provider, provider)
            yield "gen_ai.request.model", model
            yield "gen_ai.agent.name", span.agent
        case "agent":
            yield "gen_ai.operation.name", "invoke_agent"
            yield "gen_ai.agent.name", span.agent
        case "program":
            yield "gen_ai.operation.name", "execute_tool"
            yield "gen_ai.tool.name", span.name
            yield "gen_ai.tool.type", "function"
            yield "gen_ai.agent.name", span.agent
        case "run" | "problem":
            yield "gen_ai.operation.name", "invoke_workflow"
            yield "gen_ai.workflow.name", SERVICE if span.kind == "run" else span.name


def _model(name: str) -> tuple[str, str]:
    """Splits `provider:model`; a name without a colon is used for both."""
    provider, found, model = name.partition(":")
    return (provider, model) if found else (name, name)


def _usage(call: CallRecord) -> Iterator[Attribute]:
    if call.status == CallStatus.FAILED:
        fault = call.detail.partition(":")[0]
        yield "error.type", fault if fault in FAULTS else "_OTHER"
    else:
        yield "gen_ai.usage.input_tokens", call.prompt_tokens
        yield "gen_ai.usage.output_tokens", call.completion_tokens
    if _model(call.model)[0] == OPENAI:
        yield "gen_ai.request.seed", call.seed
    yield "fdd.paid", call.paid
    yield "fdd.tries", call.tries


def _request(transcript: TranscriptRecord) -> Iterator[Attribute]:
    temperature, longest = transcript.request.get("temperature"), transcript.request.get("max_tokens")
    if isinstance(temperature, int | float):
        yield "gen_ai.request.temperature", float(temperature)
    if isinstance(longest, int):
        yield "gen_ai.request.max_tokens", longest
    if transcript.finish:
        yield "gen_ai.response.finish_reasons", [_finish(transcript)]


def _messages(transcript: TranscriptRecord) -> Iterator[Attribute]:
    """Yields prompt and reply as JSON, because attributes of the SDK cannot be nested."""
    asked = transcript.request.get("messages")
    if isinstance(asked, list):
        turns = [turn for turn in asked if isinstance(turn, dict)]
        messages = [_message(turn.get("role"), turn.get("content")) for turn in turns]
        yield "gen_ai.input.messages", json.dumps(messages, ensure_ascii=False)
    if transcript.reply is not None:
        message = {**_message("assistant", transcript.reply), "finish_reason": _finish(transcript)}
        yield "gen_ai.output.messages", json.dumps([message], ensure_ascii=False)


def _message(role: Json, text: Json) -> dict[str, Json]:
    return {"role": role, "parts": [{"type": "text", "content": text}]}


def _finish(transcript: TranscriptRecord) -> str:
    return FINISHES.get(transcript.finish, transcript.finish)
