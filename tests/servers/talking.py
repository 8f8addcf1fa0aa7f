"""Sends requests to the teaching server: our prompts, over real HTTP."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

import httpx

from fdd.agents.symbolic.numbers import write_plain
from fdd.domain import Problem
from tests.servers.teaching import TeachingServer

KEY = "sk-a-key-that-was-planted"


def write_knowledge(file: Path, problems: Iterable[Problem]) -> Path:
    rows = (
        {"question": problem.question, "answer": f"{problem.solution}\n#### {write_plain(problem.answer)}"}
        for problem in problems
    )
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return file


def request_body(question: str, task: str, thought: str = "", sample: int = 0, worked: str = "") -> bytes:
    system = f"Task: {task}\n" + (f"Format: {thought}\n" if thought else "")
    user = f"<problem>\n{question}\n</problem>"
    if worked:
        user += f"\n<worked_solution>\n{worked}\n</worked_solution>"
    messages = [{"role": "system", "content": system}, {"role": "user", "content": user}]
    return json.dumps({"model": "m", "messages": messages, "seed": sample}).encode()


def post(server: TeachingServer, body: bytes, *, seconds: float = 200) -> httpx.Response:
    headers = {"authorization": f"Bearer {KEY}", "content-type": "application/json"}
    url = f"{server.url}/chat/completions"
    # Over plain HTTP there is nothing to verify, and loading certificates takes longer than the request.
    return httpx.post(url, content=body, headers=headers, timeout=seconds, verify=False)


def content(response: httpx.Response) -> str:
    assert response.status_code == 200, response.text
    text = response.json()["choices"][0]["message"]["content"]
    assert isinstance(text, str)
    return text
