"""A trace collector in a process of its own: receives spans by OTLP over HTTP and writes them to a file.

    python -m tests.servers.collecting --file FILE --fail 2 --hang 10

It parses messages with the protocol's official package, so that what it accepts any collector should accept.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status
from pydantic import TypeAdapter

from tests.servers.children import running

PATH = "/v1/traces"
Plain = str | int | float | bool | list[str]


@dataclass(frozen=True)
class Arrived:
    """A span as it arrived."""

    request: int
    """Number of the request that carried it."""
    resource: Mapping[str, Plain]
    authorization: str
    trace: str
    id: str
    parent: str
    name: str
    kind: str
    started: int
    """In nanoseconds since the epoch."""
    ended: int
    attributes: Mapping[str, Plain]
    status: str
    message: str

    @cached_property
    def content(self) -> tuple[object, ...]:
        """What identifies and describes the span, without the request, resource and key that it came with."""
        return self.trace, self.id, self.parent, self.name, self.started, self.ended, self.attributes


_ARRIVED = TypeAdapter(Arrived)


@dataclass(frozen=True)
class Collector:
    """A running collector."""

    url: str
    file: Path

    def spans(self) -> list[Arrived]:
        """Returns all spans in order of arrival, without a last line that is still being written."""
        text = self.file.read_text() if self.file.exists() else ""
        return [_ARRIVED.validate_json(line) for line in text.split("\n")[:-1]]


@contextlib.contextmanager
def collecting(folder: Path, *options: str) -> Iterator[Collector]:
    """Runs a collector with these command line options; its files are in `folder`."""
    file = folder / "arrived.jsonl"
    arguments = ["--file", str(file), *options]
    with running("tests.servers.collecting", arguments, output=folder / "output", seconds=600) as url:
        yield Collector(url, file)


class Server(ThreadingHTTPServer):
    """The HTTP server, with the state that all requests share."""

    daemon_threads = True

    def __init__(self, given: argparse.Namespace) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.given, self.turn, self.requests = given, Lock(), 0

    def write(self, body: bytes, authorization: str) -> None:
        with self.turn, self.given.file.open("a") as file:
            for group in ExportTraceServiceRequest.FromString(body).resource_spans:
                came = {
                    "request": self.requests,
                    "resource": plain(group.resource.attributes),
                    "authorization": authorization,
                }
                for scope in group.scope_spans:
                    file.writelines(f"{json.dumps({**came, **as_json(span)})}\n" for span in scope.spans)


class Handler(BaseHTTPRequestHandler):
    """Handles one request: hangs, fails or stores its spans, as the options say."""

    server: Server

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.requests += 1
        if self.server.given.hang:
            time.sleep(self.server.given.hang)
        if self.path != PATH or self.headers["Content-Type"] != "application/x-protobuf":
            self.answer(404)
        elif self.server.requests <= self.server.given.fail:
            self.answer(self.server.given.status)
        else:
            self.server.write(body, self.headers.get("Authorization", ""))
            self.answer(200)

    def answer(self, status: int) -> None:
        body = ExportTraceServiceResponse().SerializeToString()
        self.send_response(status)
        self.send_header("Content-Type", "application/x-protobuf")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def as_json(span: Span) -> dict[str, object]:
    return {
        "trace": span.trace_id.hex(),
        "id": span.span_id.hex(),
        "parent": span.parent_span_id.hex(),
        "name": span.name,
        "kind": Span.SpanKind.Name(span.kind).removeprefix("SPAN_KIND_"),
        "started": span.start_time_unix_nano,
        "ended": span.end_time_unix_nano,
        "attributes": plain(span.attributes),
        "status": Status.StatusCode.Name(span.status.code).removeprefix("STATUS_CODE_"),
        "message": span.status.message,
    }


def plain(attributes: Iterator[KeyValue]) -> dict[str, object]:
    return {attribute.key: value_of(attribute.value) for attribute in attributes}


def value_of(value: AnyValue) -> object:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [value_of(part) for part in value.array_value.values]
    return getattr(value, str(kind))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.servers.collecting")
    parser.add_argument("--file", type=Path, required=True)
    parser.add_argument("--fail", type=int, default=0, metavar="N", help="refuse so many requests first")
    parser.add_argument("--status", type=int, default=500, help="HTTP status of what is refused")
    parser.add_argument("--hang", type=float, default=0, metavar="SECONDS")
    server = Server(parser.parse_args())
    print("http://127.0.0.1:{1}".format(*server.server_address), flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
