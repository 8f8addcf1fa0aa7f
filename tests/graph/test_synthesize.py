"""A model that did not answer while problems were written may answer when the run goes on."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from langgraph.runtime import Runtime

from fdd.agents.models.request import Answer, Call, CallStatus, Finish, Message, ModelReply, ModelRequest
from fdd.agents.synthesizer import Drafted, Wanted
from fdd.domain import Band, Draft, Operator, Reason, Refusal
from fdd.errors import StoppedError
from fdd.graph.nodes.synthesize import Writer, synthesize, write_one_each
from fdd.graph.state import RunContext, RunState
from fdd.settings import load_settings
from fdd.storage.records import RejectionRecord
from fdd.storage.store import Store
from tests.graph.contexts import opened
from tests.storage.samples import RUN, probe, problem

STATE = RunState(run=RUN.id, rounds=1)
PARENTS = [problem(f"Ann has {n} nuts and eats 2. How many are left?", round=1) for n in (7, 8, 9)]


class Moody:
    """A synthesizer that asks a model, which answers or does not."""

    name = "moody"
    proven = True
    answers = False

    async def write(self, wanted: Wanted, rng: random.Random) -> Drafted:
        del rng
        request = ModelRequest(
            agent="synthesizer",
            messages=(Message(role="user", content=wanted.parent.question),),
            temperature=0.0,
            max_tokens=100,
            prompt_hash="version 1",
        )
        reply = ModelReply(text="2 + 2", prompt_tokens=3, completion_tokens=3, finish=Finish.STOP)
        call = Call(
            key=wanted.parent.question,
            request=request,
            model="moody",
            status=CallStatus.ANSWERED if self.answers else CallStatus.FAILED,
            reply=reply if self.answers else None,
            tries=1,
            paid=self.answers,
            cost_usd=0.0,
            seconds=0.1,
            started=datetime.now(UTC),
        )
        if not self.answers:
            return Answer(content=Refusal(reason=Reason.CALL_FAILED), calls=(call,))
        question = f"Bob had what Ann has. {wanted.parent.question}"
        return Answer(
            content=Draft(question=question, solution="1 + 1 = 2", answer=wanted.parent.answer), calls=(call,)
        )


@pytest.fixture
def moody() -> Moody:
    return Moody()


@pytest.fixture
def context(tmp_path: Path, moody: Moody) -> Iterator[RunContext]:
    store = Store.create(tmp_path / "fdd.duckdb", RUN)
    store.add([*PARENTS, *(probe(parent, band=Band.HARD) for parent in PARENTS)])
    settings = load_settings({"rounds": "1", "student": "tiny", "recipe": "fdd"}, environment={})
    with opened(tmp_path, store, settings, base=tmp_path / "nowhere", synthesizer=moody) as context:
        yield context


def test_after_an_interruption_it_may_answer(
    context: RunContext, moody: Moody, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fdd.graph.nodes.synthesize.STEPS_AT_ONCE", 1)
    looks = iter([False, *[True] * 100])
    with pytest.raises(StoppedError):
        synthesize(STATE, Runtime(context=replace(context, should_stop=lambda: next(looks))))
    moody.answers = True
    assert synthesize(STATE, Runtime(context=context))["added"] == len(PARENTS)
    assert {call.status for call in context.store.calls()} == {"answered"}
    assert context.store.verify() == []


def test_after_a_crash_behind_the_last_row_it_may_answer(context: RunContext, moody: Moody) -> None:
    assert synthesize(STATE, Runtime(context=context))["added"] == 0
    moody.answers = True
    assert synthesize(STATE, Runtime(context=context))["added"] == len(PARENTS)
    assert sorted(call.status for call in context.store.calls()) == ["answered"] * 3 + ["failed"] * 3
    assert context.store.verify() == []


def test_what_a_person_rejected_is_chained_to_nothing(context: RunContext) -> None:
    context.store.add([RejectionRecord(problem_id=PARENTS[0].id, round=1, detail="ambiguous")])
    assert {problem.id for problem in Writer(STATE, context).others} == {each.id for each in PARENTS[1:]}


def test_shuffled_operators_are_as_many_and_go_to_others(context: RunContext, moody: Moody) -> None:
    more = [problem(f"Cid has {n} figs and eats 1. How many are left?", round=1) for n in range(10, 30)]
    context.store.add([*more, *(probe(parent, band=Band.EASY) for parent in more)])
    moody.answers = True
    shuffled = replace(context, settings=replace(context.settings, operators="shuffled"))
    writer = Writer(STATE, shuffled)
    shuffled.agents.run(write_one_each, writer, STATE, shuffled)
    assert Counter(each.operator for each in writer.written) == {Operator.HARDER: 20, Operator.SIMILAR: 3}
    similar = {each.parent for each in writer.written if each.operator is Operator.SIMILAR}
    assert similar != {each.id for each in PARENTS}
