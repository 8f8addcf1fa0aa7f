"""When a run stops asking a server that does not answer."""

from __future__ import annotations

from fdd.agents.models.breaker import BLIP, FAILURES, SILENCE, TRIES_IN_SILENCE, Breaker
from fdd.agents.models.request import CallError, Fault

DOWN = CallError(Fault.CONNECTION, "refused")
BUSY = CallError(Fault.RATE_LIMITED, "slow down")


def fail(
    breaker: Breaker, error: CallError, times: int, apart: float, start: float = 0.0
) -> list[str | None]:
    breaker.sending(start)
    return [breaker.failed(error, start + apart * number) for number in range(1, times + 1)]


def test_nothing_but_failures_end_the_run_with_a_line() -> None:
    *before, last = fail(Breaker(), DOWN, FAILURES, apart=1)
    assert before == [None] * (FAILURES - 1)
    assert last == "30 tries in 30 s brought no reply, the last one: connection: refused"


def test_many_requests_that_break_in_the_same_moment_do_not() -> None:
    assert not any(fail(Breaker(), DOWN, 300, apart=BLIP / 1000))


def test_a_reply_in_between_starts_the_count_again() -> None:
    breaker = Breaker()
    fail(breaker, DOWN, FAILURES - 1, apart=1)
    breaker.replied()
    assert not any(fail(breaker, DOWN, FAILURES - 1, apart=1, start=100))


def test_rejections_alone_end_it_only_after_a_long_silence() -> None:
    apart = SILENCE / TRIES_IN_SILENCE / 10
    *before, last = fail(Breaker(), BUSY, 10 * TRIES_IN_SILENCE, apart=apart)
    assert not any(before)
    assert last is not None
    assert "rate_limited: slow down" in last


def test_a_few_failures_of_a_slow_server_are_no_silence() -> None:
    assert not any(fail(Breaker(), DOWN, TRIES_IN_SILENCE - 1, apart=SILENCE))


def test_time_without_requests_is_no_silence() -> None:
    breaker = Breaker()
    breaker.sending(0)
    breaker.replied()
    assert not any(fail(breaker, BUSY, TRIES_IN_SILENCE, apart=1, start=10 * SILENCE))
