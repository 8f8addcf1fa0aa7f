"""`/v1/files` and `/v1/batches` of the teaching server: its answers in batches, kept in a folder.

What was uploaded and made survives the server, as it does at a provider.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.servers.completions import STATUS, Completions


class Batches:
    """The endpoints. A batch ends `seconds` after it was made; each of its requests is answered once."""

    def __init__(self, completions: Completions, folder: Path, seconds: float) -> None:
        self._completions, self._folder, self._seconds = completions, folder, seconds
        folder.mkdir(parents=True, exist_ok=True)

    def routes(self) -> list[Route]:
        return [
            Route("/v1/files", self.upload, methods=["POST"]),
            Route("/v1/files/{name}/content", self.content),
            Route("/v1/batches", self.create, methods=["POST"]),
            Route("/v1/batches", self.listing, methods=["GET"]),
            Route("/v1/batches/{name}", self.retrieve),
        ]

    def _number(self, kind: str) -> str:
        return f"{kind}-{len(list(self._folder.glob(f'{kind}-*')))}"

    async def upload(self, request: Request) -> JSONResponse:
        form = await request.form()
        file = form["file"]
        assert not isinstance(file, str)
        assert form["purpose"] == "batch"
        name = self._number("file")
        (self._folder / name).write_bytes(await file.read())
        return JSONResponse({"id": name, "object": "file", "purpose": "batch"})

    async def content(self, request: Request) -> Response:
        return Response(self._find(request).read_bytes(), media_type="application/jsonl")

    async def create(self, request: Request) -> JSONResponse:
        asked = await request.json()
        assert asked["endpoint"] == "/v1/chat/completions"
        name = self._number("batch")
        batch = {
            "id": name,
            "object": "batch",
            "input_file_id": asked["input_file_id"],
            "endpoint": asked["endpoint"],
            "completion_window": asked["completion_window"],
            "status": "in_progress",
            "created_at": time.time(),
        }
        (self._folder / name).write_text(json.dumps(batch))
        return JSONResponse(batch)

    async def listing(self, request: Request) -> JSONResponse:  # noqa: ARG002
        found = [json.loads(file.read_text()) for file in self._folder.glob("batch-*")]
        return JSONResponse({"object": "list", "data": found, "has_more": False})

    async def retrieve(self, request: Request) -> JSONResponse:
        file = self._find(request)
        batch = json.loads(file.read_text())
        if batch["status"] == "in_progress" and time.time() >= batch["created_at"] + self._seconds:
            batch |= await self._answer(batch)
            file.write_text(json.dumps(batch))
        return JSONResponse(batch)

    def _find(self, request: Request) -> Path:
        file = self._folder / str(request.path_params["name"])
        if not file.exists():
            raise HTTPException(404)
        return file

    async def _answer(self, batch: dict[str, Any]) -> dict[str, str]:
        """Writes the output file and the error file."""
        lines: dict[str, list[str]] = {"output": [], "error": []}
        for raw in (self._folder / batch["input_file_id"]).read_text().splitlines():
            asked = json.loads(raw)
            plan = await self._completions.plan(json.dumps(asked["body"]).encode())
            status = STATUS.get(plan.act, 200)
            response = {"status_code": int(status), "body": json.loads(plan.content)}
            line = {"custom_id": asked["custom_id"], "response": response, "error": None}
            lines["output" if status == 200 else "error"].append(json.dumps(line))
        found = {}
        for kind, written in lines.items():
            if written:
                name = f"{kind}-of-{batch['id']}"
                (self._folder / name).write_text("\n".join(written) + "\n")
                found[f"{kind}_file_id"] = name
        return {"status": "completed", **found}
