"""Asks a model: nothing twice that is stored, no more than it bears, and again where that may help."""

from __future__ import annotations

import asyncio
import random
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from math import inf

from agents.calling.breaker import Breaker, FirstCalls
from agents.calling.cache import DETAILS, ReplyCache, from_cache, to_cache
from agents.calling.limiter import AdaptiveLimit
from agents.calling.prices import FREE, Price
from agents.calling.purse import Purse
from agents.calling.request import (
    Call,
    CallError,
    CallStatus,
    ChatModel,
    Fault,
    Finish,
    ModelReply,
    ModelRequest,
)
from domain import Usage
from errors import FddError, ProviderError, StoppedError

FIRST_PAUSE = 1.0
"""Seconds, at most, before the second try; doubled for each further one."""

LONGEST_PAUSE = 20.0

LONGEST_RETRY_AFTER = 300.0
"""Seconds; a server that wants to be left alone for longer ends the run, which a person resumes in time."""

TURNED_AWAY = (Fault.RATE_LIMITED, Fault.OVERLOADED)
"""The server says that it is asked too much."""

MARKUP = 8
"""Tokens around a message, at most."""

STATUSES = {Finish.LENGTH: CallStatus.TRUNCATED, Finish.FILTERED: CallStatus.FILTERED}


class Caller:
    """The way of a run's requests to one model; belongs to one event loop.

    A reply is stored before anybody sees it, and requests in flight go on when who asks is cancelled, so
    that nothing is paid for twice.
    """

    def __init__(
        self,
        model: ChatModel,
        *,
        run: str,
        cache: ReplyCache,
        purse: Purse,
        price: Price | None,
        at_once: int,
        tries: int,
    ) -> None:
        """`run` is the id of who pays; `at_once` requests may be in flight, and `tries` sent for a call."""
        self.model = model
        self.limit = AdaptiveLimit(at_once)
        self._run, self._cache, self._purse, self._price = run, cache, purse, price or FREE
        self._tries = tries
        self._breaker = Breaker()
        self._first_calls = FirstCalls()
        self._sending: dict[str, asyncio.Task[Call]] = {}
        self._ended: FddError | None = None
        """Why nothing is sent any more."""
        self._end = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None

    async def ask(self, request: ModelRequest) -> Call:
        """The model's reply, or why there is none after every try.

        Raises `ProviderError` where no request has a chance any more, `LimitReachedError` at a limit of the
        purse, and `StoppedError` after `stop`.
        """
        self._check()
        self._loop = asyncio.get_running_loop()
        key = request.key(self.model)
        stored = self._cache.get(key)
        if stored is not None:
            return self._counted(from_cache(stored, request, self._run))
        sending = self._sending.get(key)
        if sending is None:
            sending = self._sending[key] = asyncio.create_task(self._fetch(key, request))
            sending.add_done_callback(partial(self._forget, key))
        return replace(await asyncio.shield(sending), request=request)

    def stop(self) -> None:
        """Send nothing more; what is in flight is still stored. May be called from any thread."""
        self._ended = self._ended or StoppedError("stopped as asked")
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._end.set)

    async def close(self) -> None:
        """Stop, and wait for what is in flight. The model stays open."""
        self.stop()
        await asyncio.gather(*self._sending.values(), return_exceptions=True)

    def _check(self) -> None:
        if self._ended is not None:
            raise type(self._ended)(*self._ended.args)

    def _forget(self, key: str, task: asyncio.Task[Call]) -> None:
        del self._sending[key]
        if not task.cancelled():
            # Looked at, because whoever asked may have been cancelled.
            task.exception()

    async def _fetch(self, key: str, request: ModelRequest) -> Call:
        chance = random.Random(key)
        number = 0
        while True:
            number += 1
            call, pause = await self._try(request, number, chance)
            if pause is None:
                return call
            await self._sleep(pause)

    async def _try(
        self, request: ModelRequest, number: int, chance: random.Random
    ) -> tuple[Call, float | None]:
        """Send the request when its turn comes; with it, seconds until the next try, or None for an end."""
        ticket = await self.limit.enter()
        heard: float | None = None
        try:
            call, error = await self._send(request, number)
            if error is None:
                heard = call.seconds
                return call, None
            pause = self._pause_after(error, number, chance)
            if error.fault is Fault.TIMEOUT:
                heard = inf
            elif error.fault in TURNED_AWAY:
                in_place = min(pause or 0.0, self.limit.rejected(ticket))
                await self._sleep(in_place)
                pause = pause and pause - in_place
            return call, pause
        finally:
            self.limit.leave(ticket, heard)

    async def _send(self, request: ModelRequest, number: int) -> tuple[Call, CallError | None]:
        async with self._purse.hold(self._most(request)):
            self._check()
            call, begun = sent(request, self.model, number), self._now()
            self._breaker.sending(begun)
            result = await self._complete(request)
            call = replace(call, seconds=self._now() - begun)
            if isinstance(result, CallError):
                self._take(result)
                return self._counted(replace(call, detail=str(result))), result
            return self._counted(self._keep(call, result)), None

    async def _complete(self, request: ModelRequest) -> ModelReply | CallError:
        try:
            return await self.model.complete(request)
        except CallError as error:
            return error

    def _take(self, error: CallError) -> None:
        """End everything where no request has a chance any more."""
        reason = self._breaker.failed(error, self._now())
        if _puts_off(error):
            reason = f"the server asks to wait {error.retry_after:.0f} s ({error})"
        if error.fault is Fault.DENIED:
            reason = str(error)
        if reason is not None:
            url = ", which takes another URL as well" if self.model.address else ""
            self._give_up(f"{reason}; go on later with `resume`{url}")
            self._check()

    def _counted(self, call: Call) -> Call:
        """The same call; nothing more is sent where the first ones all came to nothing."""
        reason = self._first_calls.ended(call)
        if reason is not None:
            self._give_up(reason)
        return call

    def _give_up(self, reason: str) -> None:
        self._ended = ProviderError(f"{self.model.name}: {reason}")
        self._end.set()

    def _keep(self, call: Call, reply: ModelReply) -> Call:
        """Pay for the reply and store it, unless who asked has done so."""
        self._breaker.answered()
        self._purse.pay(call.request.agent, self._usage(reply.prompt_tokens, reply.completion_tokens))
        call = answered(call, reply, self._price)
        stored = self._cache.put(to_cache(call, self._run))
        if stored.run == self._run:
            return call
        # Another process was faster: its reply is the one that every later run gets.
        return replace(from_cache(stored, call.request, self._run), paid=True, cost_usd=call.cost_usd)

    def _usage(self, prompt_tokens: int, completion_tokens: int) -> Usage:
        return Usage(
            calls=1,
            prompt_tokens=prompt_tokens,
            completion_tokens=completion_tokens,
            cost_usd=self._price.cost(prompt_tokens, completion_tokens),
        )

    def _most(self, request: ModelRequest) -> Usage:
        """No token is shorter than a byte."""
        prompt = sum(len(message.content.encode("utf-8", "replace")) + MARKUP for message in request.messages)
        return self._usage(prompt, request.max_tokens)

    def _pause_after(self, error: CallError, number: int, chance: random.Random) -> float | None:
        """Seconds, with full jitter, on top of what the server asks for; None where no try would help."""
        wished = error.retry_after or 0.0
        if error.fault is Fault.REJECTED or number >= self._tries:
            return None
        return wished + chance.uniform(0, min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** (number - 1)))

    async def _sleep(self, seconds: float) -> None:
        """Woken when everything ends."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._end.wait(), seconds)
        self._check()

    def _now(self) -> float:
        return asyncio.get_running_loop().time()


def sent(request: ModelRequest, model: ChatModel, number: int) -> Call:
    """A call whose request goes out for the `number`th time just now, and has no reply yet."""
    return Call(
        key=request.key(model),
        request=request,
        model=model.name,
        status=CallStatus.FAILED,
        reply=None,
        tries=number,
        paid=True,
        cost_usd=0.0,
        seconds=0.0,
        started=datetime.now(UTC),
    )


def answered(call: Call, reply: ModelReply, price: Price) -> Call:
    """The call with its reply and what that cost."""
    status = STATUSES.get(reply.finish, CallStatus.ANSWERED)
    cost = price.cost(reply.prompt_tokens, reply.completion_tokens)
    return replace(call, status=status, reply=reply, detail=DETAILS.get(status, ""), cost_usd=cost)


def _puts_off(error: CallError) -> bool:
    """Whether the server wants no try for so long that this run cannot wait."""
    wished = error.retry_after or 0.0
    return error.fault is not Fault.REJECTED and wished > LONGEST_RETRY_AFTER
