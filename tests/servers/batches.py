"""`/v1/files` and `/v1/batches` of the teaching server: its answers in batches, kept in a folder.

What was uploaded and made survives the server, as it does at a provider. Lines that do not follow the
protocol fail the batch.
"""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.servers.completions import STATUS, Completions

FAULTS = ("upload", "lost", "lost_file", "expired", "failed", "queue_full", "no_temperature", "slow")
"""What goes wrong the first time:

- `upload`: the upload gets a 500.
- `lost`: the batch is made, and the reply is a 500.
- `lost_file`: the output file is gone.
- `expired`: the batch expires when every second request is answered.
- `failed`: the batch is refused.
- `queue_full`: the batch is refused because too many tokens are on the way. Smaller ones are not.
- `no_temperature`: every request with a temperature is refused.
- `slow`: every batch is made only half a second after it was asked for.
"""
MOST_QUEUED = 3
"""Requests of a batch with the fault `queue_full`."""


class Batches:
    """The endpoints. A batch ends `seconds` after it was made; each of its requests is answered once."""

    def __init__(self, completions: Completions, folder: Path, seconds: float, faults: list[str]) -> None:
        self._completions, self._folder, self._seconds = completions, folder, seconds
        self._faults = set(faults)
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

    def _goes_wrong(self, fault: str) -> bool:
        goes_wrong = fault in self._faults
        self._faults.discard(fault)
        return goes_wrong

    async def upload(self, request: Request) -> JSONResponse:
        if self._goes_wrong("upload"):
            raise HTTPException(500)
        form = await request.form()
        file = form["file"]
        assert not isinstance(file, str)
        assert form["purpose"] == "batch"
        name = self._number("file")
        (self._folder / name).write_bytes(await file.read())
        return JSONResponse({"id": name, "object": "file", "purpose": "batch"})

    async def content(self, request: Request) -> Response:
        if self._goes_wrong("lost_file"):
            raise HTTPException(404)
        return Response(self._find(request).read_bytes(), media_type="application/jsonl")

    async def create(self, request: Request) -> JSONResponse:
        asked = await request.json()
        assert asked["endpoint"] == "/v1/chat/completions"
        assert asked["completion_window"] == "24h"
        if not (self._folder / asked["input_file_id"]).exists():
            raise HTTPException(404)
        if "slow" in self._faults:
            await asyncio.sleep(0.5)
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
        if self._goes_wrong("lost"):
            raise HTTPException(500)
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

    async def _answer(self, batch: dict[str, Any]) -> dict[str, Any]:
        """Writes the output file and the error file."""
        raws = (self._folder / batch["input_file_id"]).read_text().splitlines()
        asked = [json.loads(raw) for raw in raws]
        if fault := self._fault_of(asked):
            return {"status": "failed", "errors": {"object": "list", "data": [fault]}}
        expires = self._goes_wrong("expired")
        lines: dict[str, list[str]] = {"output": [], "error": []}
        for number, line in enumerate(asked):
            answer: dict[str, Any] = {"custom_id": line["custom_id"], "response": None, "error": None}
            kind = "error"
            if expires and number % 2:
                answer["error"] = {"code": "batch_expired", "message": "not in time"}
            elif "no_temperature" in self._faults and "temperature" in line["body"]:
                error = {
                    "message": "Unsupported parameter: 'temperature' is not supported",
                    "param": "temperature",
                }
                answer["response"] = {"status_code": 400, "body": {"error": error}}
            else:
                plan = await self._completions.plan(json.dumps(line["body"]).encode())
                status = int(STATUS.get(plan.act, 200))
                answer["response"] = {"status_code": status, "body": json.loads(plan.content)}
                kind = "output" if status == 200 else "error"
            lines[kind].append(json.dumps(answer, ensure_ascii=False))
        found: dict[str, Any] = {"status": "expired" if expires else "completed"}
        for kind, written in lines.items():
            if written:
                name = f"{kind}-of-{batch['id']}"
                (self._folder / name).write_text("\n".join(written) + "\n")
                found[f"{kind}_file_id"] = name
        return found

    def _fault_of(self, asked: list[dict[str, Any]]) -> dict[str, str] | None:
        known = {"custom_id", "method", "url", "body"}
        right = all(
            line.keys() == known and (line["method"], line["url"]) == ("POST", "/v1/chat/completions")
            for line in asked
        )
        if not right or len({line["custom_id"] for line in asked}) < len(asked):
            return {"code": "invalid_request", "message": "a line does not follow the protocol"}
        if self._goes_wrong("failed"):
            return {"code": "model_not_found", "message": "no such model\nin batches"}
        if "queue_full" in self._faults and len(asked) > MOST_QUEUED:
            return {"code": "token_limit_exceeded", "message": "Enqueued token limit reached"}
        return None
