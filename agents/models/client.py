"""Sends requests to a model: caches replies, limits the requests in flight, retries."""

from __future__ import annotations

import asyncio
import random
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from itertools import count

from fdd.agents.models.breaker import Breaker
from fdd.agents.models.budget import Budget
from fdd.agents.models.cache import DETAILS, ReplyCache, from_cache, to_cache
from fdd.agents.models.config import CallConfig
from fdd.agents.models.limiter import FIRST, AdaptiveLimit
from fdd.agents.models.prices import Price
from fdd.agents.models.request import Call, CallError, CallStatus, ChatModel, Fault, Finish, ModelRequest
from fdd.domain import Usage
from fdd.errors import FddError, ProviderError, StoppedError

FIRST_PAUSE = 1.0
"""Longest pause in seconds before the second try, besides what the server asks for. It doubles each try."""
LONGEST_PAUSE = 20.0
"""Seconds at which the doubling ends."""
MARKUP = 8
"""Upper bound of the tokens that a chat template adds to one message."""
STATUSES = {Finish.LENGTH: CallStatus.TRUNCATED, Finish.FILTERED: CallStatus.FILTERED}


class Client:
    """Sends a run's requests to one model; belongs to one event loop.

    A reply is stored before it is returned, and a request in flight continues when the task that asked is
    cancelled. So no stored reply is paid for twice.
    """

    def __init__(
        self,
        model: ChatModel,
        *,
        run: str,
        cache: ReplyCache,
        budget: Budget,
        price: Price,
        config: CallConfig,
        first: int = FIRST,
    ) -> None:
        """`run` is the id of the run that pays. `first` is the number of requests in flight at the start."""
        self.model = model
        self.limit = AdaptiveLimit(config.at_once, first)
        self._run, self._cache, self._budget, self._price = run, cache, budget, price
        self._tries = config.tries
        self._breaker = Breaker()
        self._sending: dict[str, asyncio.Task[Call]] = {}
        self._ended: FddError | None = None
        """Why no more requests are sent; None while they are."""
        self._end = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None

    async def ask(self, request: ModelRequest) -> Call:
        """The model's reply, or why there is none after every try.

        Raises `ProviderError` if no request can succeed any more, `LimitReachedError` when the budget is
        used up, `StoppedError` after `stop`, and `StoreError` if the reply cannot be stored.
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

    @property
    def ended(self) -> bool:
        """Whether no more requests are sent."""
        return self._ended is not None

    def stop(self) -> None:
        """Send no more requests; replies in flight are still stored. May be called from any thread."""
        self._ended = self._ended or StoppedError("stopped as asked")
        if self._loop is not None and not self._loop.is_closed():
            # An asyncio event may be set only in its loop's thread.
            self._loop.call_soon_threadsafe(self._end.set)

    async def close(self) -> None:
        """Stop, wait for the requests in flight, and close the model."""
        self.stop()
        await asyncio.gather(*self._sending.values(), return_exceptions=True)
        await self.model.close()

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
        rng = random.Random(key)
        for number in count(1):
            place = await self.limit.enter()
            try:
                call, error = await self._send(key, request, number)
                if error is None:
                    self.limit.answered(place)
                    return call
                last = error.fault is Fault.REJECTED or number >= self._tries
                # What the server asks for, plus full jitter.
                jitter = rng.uniform(0, min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** (number - 1)))
                pause = 0.0 if last else (error.retry_after or 0.0) + jitter
                if error.fault is Fault.TIMEOUT:
                    self.limit.timed_out(place)
                elif error.fault in (Fault.RATE_LIMITED, Fault.OVERLOADED):
                    self.limit.rejected(place)
                    # In its slot, since any other request there would be rejected as well.
                    await self._sleep(pause)
                    pause = 0.0
            finally:
                self.limit.leave()
            if last:
                break
            await self._sleep(pause)
        return call

    async def _send(self, key: str, request: ModelRequest, number: int) -> tuple[Call, CallError | None]:
        async with self._budget.reserve(self._most(request)):
            # The client may have stopped while this request waited for the budget.
            self._check()
            now = asyncio.get_running_loop().time
            begun = now()
            ended = partial(
                Call,
                key=key,
                request=request,
                model=self.model.name,
                tries=number,
                paid=True,
                started=datetime.now(UTC),
            )
            self._breaker.sending(begun)
            try:
                reply = await self.model.complete(request)
            except CallError as failure:
                error = failure
            else:
                usage = self._usage(reply.prompt_tokens, reply.completion_tokens)
                status = STATUSES.get(reply.finish, CallStatus.ANSWERED)
                call = ended(
                    status=status,
                    reply=reply,
                    detail=DETAILS.get(status, ""),
                    cost_usd=usage.cost_usd,
                    seconds=now() - begun,
                )
                self._breaker.replied()
                # Charged even if another process's reply is used below: this one was paid for as well.
                self._budget.spent += usage
                stored = self._cache.put(to_cache(call, self._run))
                if stored.run != self._run:
                    # Another process was faster: every later run gets its reply, so this run must use it too.
                    first = from_cache(stored, request, self._run)
                    call = replace(first, paid=True, cost_usd=call.cost_usd)
                return self._counted(call), None
            reason = self._breaker.failed(error, now())
            if reason is not None:
                url = ", which takes another URL as well" if self.model.address else ""
                self._give_up(f"{reason}; go on later with `resume`{url}")
                self._check()
            call = ended(
                status=CallStatus.FAILED, reply=None, detail=str(error), cost_usd=0.0, seconds=now() - begun
            )
            return self._counted(call), error

    def _counted(self, call: Call) -> Call:
        """Return the same call; send no more if the first calls all failed for one reason."""
        if reason := self._breaker.ended(call):
            self._give_up(reason)
        return call

    def _give_up(self, reason: str) -> None:
        self._ended = ProviderError(f"{self.model.name}: {reason}")
        self._end.set()

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

    async def _sleep(self, seconds: float) -> None:
        """Sleep; when the client stops, wake at once and raise its reason."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._end.wait(), seconds)
        self._check()
