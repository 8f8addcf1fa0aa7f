"""Language models that a run loads by itself, without a server."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

from fdd.agents.models.config import LOCAL
from fdd.agents.models.request import Finish, ModelReply, ModelRequest
from fdd.domain import content_hash
from fdd.engines.engine import Engine
from fdd.rundir.listener import Listener
from fdd.settings import Settings
from fdd.training.config import GenerateConfig
from fdd.training.tasks import Batch, Event, Example, GenerateTask, Notice, Request
from fdd.training.weights import checksums

QUIET_SECONDS = 0.5
"""A batch starts when no request has come for this long. Loading the model takes several times as long."""


class LocalModel:
    """A `ChatModel` that answers all waiting requests together, in a child process.

    Requests that come meanwhile wait for the next child, so that no memory is in use when a phase has ended.
    If a child fails, its requests fail with its error. It is no `CallError`, because a retry would fail too.
    """

    def __init__(
        self,
        name: str,
        folder: Path,
        settings: Settings,
        *,
        turn: asyncio.Lock,
        engine: Engine,
        listener: Listener,
        should_stop: Callable[[], bool],
    ) -> None:
        """`turn` is shared by the models of a run, so that only one of them is in memory at a time."""
        # Tables and data sets name a user's folder without its path.
        self.name = LOCAL + Path(name).name if Path(name).is_absolute() else LOCAL + name
        config = GenerateConfig(
            max_new_tokens=settings.calls.max_reply_tokens,
            temperature=settings.calls.temperature,
            batch_size=settings.generate.batch_size,
            backend=settings.generate.backend,
        )
        # Replies are kept by address. One that another backend wrote is not taken for ours.
        others = () if config.backend == "torch" else (config.backend,)
        self.address = content_hash(checksums(folder), *others)
        self._task = GenerateTask(student=folder, requests=(), config=config, device=settings.device)
        self._turn, self._engine = turn, engine
        self._listener, self._should_stop = listener, should_stop
        self._waiting: list[Request] = []
        self._replies: dict[str, asyncio.Future[ModelReply]] = {}
        """Of all requests without a reply, by key."""
        self._work: asyncio.Task[None] | None = None

    async def complete(self, request: ModelRequest) -> ModelReply:
        config = self._task.config
        assert (request.temperature, request.max_tokens) == (config.temperature, config.max_new_tokens)
        key = request.key(self)
        reply: asyncio.Future[ModelReply] = asyncio.get_running_loop().create_future()
        self._waiting.append(as_request(key, request))
        self._replies[key] = reply
        if self._work is None or self._work.done():
            self._work = asyncio.create_task(self._answer())
        work = self._work
        await asyncio.wait((reply, work), return_when=asyncio.FIRST_COMPLETED)
        if not reply.done():
            work.result()  # raises the error that ended it
        return reply.result()

    async def close(self) -> None:
        """There is nothing to close: a child ends with the last reply of its batch."""

    async def _answer(self) -> None:
        loop = asyncio.get_running_loop()

        def on_event(event: Event) -> None:
            loop.call_soon_threadsafe(self._take, event)

        async with self._turn:
            while self._waiting:
                known = 0
                while known < len(self._waiting):
                    known = len(self._waiting)
                    await asyncio.sleep(QUIET_SECONDS)
                task, self._waiting = replace(self._task, requests=tuple(self._waiting)), []
                await asyncio.to_thread(partial(self._engine.run, task, on_event, self._should_stop))

    def _take(self, event: Event) -> None:
        if isinstance(event, Notice):
            self._listener.noticed(event.text)
        if not isinstance(event, Batch):
            return
        for each in event.completions:
            full = each.new_tokens == self._task.config.max_new_tokens
            # A text that was stopped for repeating itself is read: another sample may be better.
            finish = Finish.STOP if each.finished else Finish.LENGTH if full else Finish.OTHER
            reply = ModelReply(
                text=each.text,
                finish=finish,
                prompt_tokens=each.prompt_tokens,
                completion_tokens=each.new_tokens,
            )
            self._replies.pop(each.key).set_result(reply)


def as_request(key: str, request: ModelRequest) -> Request:
    """Converts a conversation: a system message, worked examples as earlier turns, and the question."""
    system, *turns, asked = (message.content for message in request.messages)
    shots = zip(turns[::2], turns[1::2], strict=True)
    return Request(
        key=key,
        question=asked,
        cue=system,
        shots=tuple(Example(question=shown, cue=system, rationale=reply) for shown, reply in shots),
        sample=request.sample,
        blank_lines=True,
    )
