"""Sends requests to a model: caches replies, limits the requests in flight, retries."""

from __future__ import annotations

import asyncio
import random
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from math import inf

from fdd.agents.models.breaker import Breaker, FirstCalls
from fdd.agents.models.budget import Purse
from fdd.agents.models.cache import DETAILS, ReplyCache, from_cache, to_cache
from fdd.agents.models.limiter import AdaptiveLimit
from fdd.agents.models.prices import FREE, Price
from fdd.agents.models.request import (
    Call,
    CallError,
    CallStatus,
    ChatModel,
    Fault,
    Finish,
    ModelReply,
    ModelRequest,
)
from fdd.domain import Usage
from fdd.errors import FddError, ProviderError, StoppedError

FIRST_PAUSE = 1.0
"""Longest pause in seconds before the second try, besides what the server asks for. It doubles each try."""

LONGEST_PAUSE = 20.0
"""Seconds at which the doubling ends."""

LONGEST_RETRY_AFTER = 300.0
"""Seconds. If a server asks for a longer wait, the run ends, and a person can resume it later."""

TURNED_AWAY = (Fault.RATE_LIMITED, Fault.OVERLOADED)
"""Faults with which a server says that it gets too many requests."""

MARKUP = 8
"""Upper bound of the tokens that a chat template adds to one message."""

STATUSES = {Finish.LENGTH: CallStatus.TRUNCATED, Finish.FILTERED: CallStatus.FILTERED}


class Caller:
    """Sends a run's requests to one model; belongs to one event loop.

    A reply is stored before it is returned, and a request in flight continues when the task that asked is
    cancelled. So nothing is paid for twice.
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
        """`run` is the id of the run that pays.

        At most `at_once` requests are in flight, and at most `tries` are sent for one call.
        """
        self.model = model
        self.limit = AdaptiveLimit(at_once)
        self._run, self._cache, self._purse, self._price = run, cache, purse, price or FREE
        self._tries = tries
        self._breaker = Breaker()
        self._first_calls = FirstCalls()
        self._sending: dict[str, asyncio.Task[Call]] = {}
        self._ended: FddError | None = None
        """Why no more requests are sent; None while they are."""
        self._end = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None

    async def ask(self, request: ModelRequest) -> Call:
        """The model's reply, or why there is none after every try.

        Raises `ProviderError` if no request can succeed any more, `LimitReachedError` when the budget is
        used up, and `StoppedError` after `stop`.
        """
        self._check()
        self._loop = asyncio.get_running_loop()
        key = request.key(self.model)
        stored = self._cache.get(key)
        if stored is not None:
            return self._counted(from_cache(stored, request, self._run))
        # Equal requests at the same time share one task, so that only one of them is paid for.
        sending = self._sending.get(key)
        if sending is None:
            sending = self._sending[key] = asyncio.create_task(self._fetch(key, request))
            sending.add_done_callback(partial(self._forget, key))
        # Shielded, so that the request goes on if this task is cancelled. Tasks that share it may be of
        # different agents, so each gets its own request back.
        return replace(await asyncio.shield(sending), request=request)

    def stop(self) -> None:
        """Send no more requests; replies in flight are still stored. May be called from any thread."""
        self._ended = self._ended or StoppedError("stopped as asked")
        if self._loop is not None and not self._loop.is_closed():
            # An asyncio event may be set only in its loop's thread.
            self._loop.call_soon_threadsafe(self._end.set)

    async def close(self) -> None:
        """Stop, and wait for the requests in flight. The model stays open."""
        self.stop()
        await asyncio.gather(*self._sending.values(), return_exceptions=True)

    def _check(self) -> None:
        if self._ended is not None:
            # A new exception each time: several tasks raise it, each with its own traceback.
            raise type(self._ended)(*self._ended.args)

    def _forget(self, key: str, task: asyncio.Task[Call]) -> None:
        del self._sending[key]
        if not task.cancelled():
            # Marks the exception as retrieved: asyncio would log it if the task that asked was cancelled.
            task.exception()

    async def _fetch(self, key: str, request: ModelRequest) -> Call:
        # Seeded with the key: the jitter differs between calls and is the same in every run.
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
        """Send the request when the limit admits it; return the call and the seconds until the next try.

        The seconds are None if there is no next try.
        """
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
                # Part of the pause is spent while the request still counts as in flight, so that no other
                # request takes its slot only to be rejected as well.
                in_place = min(pause or 0.0, self.limit.rejected(ticket))
                await self._sleep(in_place)
                pause = pause and pause - in_place
            return call, pause
        finally:
            self.limit.leave(ticket, heard)

    async def _send(self, request: ModelRequest, number: int) -> tuple[Call, CallError | None]:
        async with self._purse.hold(self._most(request)):
            # The caller may have stopped while this request waited for the budget.
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
        """Stop the caller and raise if this error shows that no request can succeed any more."""
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
        """Return the same call; send no more if the first calls all failed for one reason."""
        reason = self._first_calls.ended(call)
        if reason is not None:
            self._give_up(reason)
        return call

    def _give_up(self, reason: str) -> None:
        self._ended = ProviderError(f"{self.model.name}: {reason}")
        self._end.set()

    def _keep(self, call: Call, reply: ModelReply) -> Call:
        """Charge the reply to the budget and store it; if another process stored one first, use that one."""
        self._breaker.answered()
        # Charged even if another process's reply is used below: this one was paid for as well.
        self._purse.pay(call.request.agent, self._usage(reply.prompt_tokens, reply.completion_tokens))
        call = answered(call, reply, self._price)
        stored = self._cache.put(to_cache(call, self._run))
        if stored.run == self._run:
            return call
        # Another process was faster: every later run gets its reply, so this run must use it too.
        return replace(from_cache(stored, call.request, self._run), paid=True, cost_usd=call.cost_usd)

    def _usage(self, prompt_tokens: int, completion_tokens: int) -> Usage:
        return Usage(
            calls=1,
            prompt_tokens=prompt_tokens,
            completion_tokens=completion_tokens,
            cost_usd=self._price.cost(prompt_tokens, completion_tokens),
        )

    def _most(self, request: ModelRequest) -> Usage:
        """Upper bound of a request's usage: a token is at least one byte long."""
        prompt = sum(len(message.content.encode("utf-8", "replace")) + MARKUP for message in request.messages)
        return self._usage(prompt, request.max_tokens)

    def _pause_after(self, error: CallError, number: int, chance: random.Random) -> float | None:
        """Seconds until the next try: what the server asks for plus full jitter; None for no next try."""
        wished = error.retry_after or 0.0
        if error.fault is Fault.REJECTED or number >= self._tries:
            return None
        return wished + chance.uniform(0, min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** (number - 1)))

    async def _sleep(self, seconds: float) -> None:
        """Sleep; when the caller stops, wake at once and raise its reason."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._end.wait(), seconds)
        self._check()

    def _now(self) -> float:
        return asyncio.get_running_loop().time()


def sent(request: ModelRequest, model: ChatModel, number: int) -> Call:
    """A call whose request is now sent for the `number`th time and has no reply yet."""
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
    """The call with its reply and the cost."""
    status = STATUSES.get(reply.finish, CallStatus.ANSWERED)
    cost = price.cost(reply.prompt_tokens, reply.completion_tokens)
    return replace(call, status=status, reply=reply, detail=DETAILS.get(status, ""), cost_usd=cost)


def _puts_off(error: CallError) -> bool:
    """Whether the server asks for a longer wait than `LONGEST_RETRY_AFTER`."""
    wished = error.retry_after or 0.0
    return error.fault is not Fault.REJECTED and wished > LONGEST_RETRY_AFTER
