"""A server that gives every request the same answer, as a misconfigured server does."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread


@dataclass(kw_only=True)
class FixedServer:
    """A running server; `url` is its root."""

    url: str
    paths: list[str] = field(default_factory=list)
    """Paths of the requests that arrived."""


@contextmanager
def fixed(status: int, body: object) -> Iterator[FixedServer]:
    data = json.dumps(body).encode()

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002
            """Writes nothing to standard error."""

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            server.paths.append(self.path)
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listener:
        server = FixedServer(url=f"http://127.0.0.1:{listener.server_address[1]}")
        thread = Thread(target=listener.serve_forever)
        thread.start()
        try:
            yield server
        finally:
            listener.shutdown()
            thread.join()
