"""A hub of models and data sets, as far as uploads need one; answers `huggingface_hub`'s own client.

Each file of a commit comes in the request, so that no other storage is needed.
"""

from __future__ import annotations

import base64
import contextlib
import json
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

TOKEN = "hf_of_the_tests"


@dataclass
class Hub:
    url: str
    private: dict[str, bool] = field(default_factory=dict)
    """By kind and name of a repository: `models/ORG/NAME`."""
    files: dict[str, dict[str, bytes]] = field(default_factory=dict)
    full: bool = False
    """Whether commits are refused."""


@contextlib.contextmanager
def hub() -> Iterator[Hub]:
    """Serves an empty hub from a thread."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    known = Hub(f"http://127.0.0.1:{server.server_port}")
    _Handler.hub = known
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield known
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hub: Hub

    def do_GET(self) -> None:
        if self.headers.get("authorization") != f"Bearer {TOKEN}":
            self._answer({"error": "Invalid username or password."}, 401)
        elif self.path == "/api/whoami-v2":
            self._answer({"type": "user", "name": "somebody", "orgs": [{"name": "us"}]})
        elif (found := re.match(r"/api/(.+)/tree/main", self.path)) and found[1] in self.hub.files:
            sizes = {path: len(text) for path, text in self.hub.files[found[1]].items()}
            self._answer([{"type": "file", "path": path, "size": sizes[path], "oid": ""} for path in sizes])
        else:
            self._answer({"error": "Repository not found"}, 404)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        if self.path == "/api/repos/create":
            self._create(json.loads(body))
        elif self.path == "/api/validate-yaml":
            self._answer({"warnings": [], "errors": []})
        elif found := re.fullmatch(r"/api/(\w+/.+)/preupload/main", self.path):
            names = [each["path"] for each in json.loads(body)["files"]]
            self._answer(
                {
                    "files": [
                        {"path": name, "uploadMode": "regular", "shouldIgnore": False, "oid": None}
                        for name in names
                    ]
                }
            )
        elif (found := re.fullmatch(r"/api/(\w+/.+)/commit/main", self.path)) and not self.hub.full:
            self._commit(found[1], body)
        else:
            self._answer({"error": "no room for that"}, 413)

    def _create(self, asked: dict[str, object]) -> None:
        kind = f"{asked.get('type', 'model')}s"
        name = f"{kind}/{asked.get('organization') or 'somebody'}/{asked['name']}"
        path = name.removeprefix("models/")
        if name in self.hub.private:
            self._answer({"error": "You already created this repo", "url": f"{self.hub.url}/{path}"}, 409)
            return
        self.hub.private[name] = asked.get("visibility") == "private"
        self.hub.files[name] = {}
        self._answer({"url": f"{self.hub.url}/{path}", "id": path, "name": path})

    def _commit(self, name: str, body: bytes) -> None:
        for line in map(json.loads, body.decode().splitlines()):
            if line["key"] == "file":
                self.hub.files[name][line["value"]["path"]] = base64.b64decode(line["value"]["content"])
            elif line["key"] == "deletedFile":
                del self.hub.files[name][line["value"]["path"]]
        path = name.removeprefix("models/")
        self._answer({"success": True, "commitOid": "0" * 40, "commitUrl": f"{self.hub.url}/{path}/commit/0"})

    def _answer(self, found: object, status: int = 200) -> None:
        text = json.dumps(found).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(text)))
        if status == 404:
            self.send_header("x-error-code", "RepoNotFound")
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_: object) -> None:
        """Prints nothing."""
