"""Fine-tune: trains this round's student.

With `start="base"` it trains the untaught student on the whole training set so far. With `continue` it trains
the last student on what is new in that set, and a share of the rest.
"""

from __future__ import annotations

import random
import shutil
from collections.abc import Sequence
from itertools import chain
from pathlib import Path

from langgraph.runtime import Runtime

from fdd.domain import Progress
from fdd.errors import RunFailedError
from fdd.graph.curriculum import problems_per_round
from fdd.graph.nodes.refine import FINE_TUNED
from fdd.graph.state import RunContext, RunState, RunUpdate
from fdd.rundir.examples import as_example
from fdd.settings import Settings
from fdd.storage.records import RoundRecord
from fdd.storage.store import Lesson
from fdd.training.tasks import Event, Example, FineTuned, FineTuneTask, Notice, Step

STATES = "optimizer"
"""Folder in the run folder for optimizer states and for the checkpoint of an unfinished training. It is
deleted after the last training."""


def fine_tune(state: RunState, runtime: Runtime[RunContext]) -> RunUpdate:
    context = runtime.context
    lessons = context.store.training_set(round=state.round, thoughts=context.settings.thoughts)
    problems = len({lesson.problem.id for lesson in lessons})
    if not problems:
        raise RunFailedError(
            f"nothing is left to teach in round {state.round}: every problem was rejected; begin a new run"
        )
    record = next((each for each in context.store.rounds() if each.round == state.round), None)
    if record is None:  # else the training had finished before the run was interrupted
        examples = choose_examples(state, context.settings, lessons)
        record = _teach(problems, examples, state, context)
        context.store.add([record])
    states = context.folder / STATES
    if state.round == state.rounds and states.exists():
        shutil.rmtree(states)
    return {"student": record.student, "problems": problems}


def choose_examples(state: RunState, settings: Settings, lessons: Sequence[Lesson]) -> tuple[Example, ...]:
    """Returns the whole training set in round 0 and with `start="base"`. With `continue` it returns the
    rationales of this round, and a random share of the older ones as replay.

    Without new rationales, `continue` gives no examples. With `--adds repeat`, each round's new rationales
    are some of round 0 again.
    """
    planning = settings.solver is not None
    new = [lesson for lesson in lessons if lesson.rationale.round == state.round]
    old = [lesson for lesson in lessons if lesson.rationale.round < state.round]
    if settings.adds == "repeat" and state.round:
        *before, new = (_repeated(lessons, number, settings) for number in range(1, state.round + 1))
        old = [*lessons, *chain(*before)]
    if settings.fine_tune.start == "base" or state.round == 0:
        return tuple(as_example(lesson, planning=planning) for lesson in [*old, *new])
    # Seeded by round, so that a resumed run draws the same replay.
    rng = random.Random(f"replay {settings.seed} {state.round}")
    replayed = rng.sample(old, round(settings.fine_tune.replay_share * len(old)) if new else 0)
    return tuple(as_example(lesson, planning=planning) for lesson in [*new, *replayed])


def _repeated(lessons: Sequence[Lesson], round: int, settings: Settings) -> list[Lesson]:
    """Draws the rationales that a round teaches again, each as often as any other if possible."""
    rng = random.Random(f"repeat {settings.seed} {round}")
    problems = problems_per_round(settings, len({lesson.problem.id for lesson in lessons}))
    size = problems * len(settings.thoughts)
    drawn: list[Lesson] = []
    while len(drawn) < size:
        drawn += rng.sample(lessons, min(len(lessons), size - len(drawn)))
    return drawn


def _teach(problems: int, examples: tuple[Example, ...], state: RunState, context: RunContext) -> RoundRecord:
    """Trains a student on the examples. Without examples, the last student stays and no step is made."""
    context.listener.advanced(Progress(round=state.round, phase="fine_tune", done=0, total=0))
    if examples:
        name = f"students/round-{state.round}"
        return _record(name, problems, len(examples), _train(name, examples, state, context), state)
    assert state.student  # old lessons come from rounds that were kept, so there is a taught student
    context.listener.noticed(f"round {state.round} has nothing new to teach: the student before it goes on")
    return RoundRecord(
        round=state.round,
        student=state.student,
        problems=problems,
        steps=0,
        examples=0,
        tokens=0,
        loss=None,
        seconds=0.0,
        removed=state.removed,
    )


def _train(name: str, examples: tuple[Example, ...], state: RunState, context: RunContext) -> FineTuned:
    config = context.settings.fine_tune
    goes_on = config.start == "continue"
    state_from = _optimizer_state(state.student, context) if goes_on and state.student else None
    state_to = _optimizer_state(name, context) if goes_on and state.round < state.rounds else None
    checkpoint = _optimizer_state(f"{name}.checkpoint", context)
    for file in (context.folder / STATES).glob("*"):
        if file not in (state_from, state_to, checkpoint):  # left by undone rounds and by earlier ones
            file.unlink()

    def on_event(event: Event) -> None:
        if isinstance(event, Step):
            note = f"loss {event.loss:.3f}, {event.tokens_per_second:.0f} tokens/s"
            progress = Progress(
                round=state.round,
                phase="fine_tune",
                done=event.step,
                total=event.steps,
                note=note,
                loss=event.loss,
            )
            context.listener.advanced(progress)
        elif isinstance(event, Notice):
            context.listener.noticed(event.text)

    ending = "" if context.settings.refine.method == "none" else FINE_TUNED
    task = FineTuneTask(
        student=context.base,
        examples=examples,
        output=context.folder / f"{name}{ending}",
        config=config,
        device=context.settings.device,
        state_from=state_from,
        state_to=state_to,
        checkpoint=checkpoint,
    )
    return context.engine.run(task, on_event, context.should_stop)


def _optimizer_state(student: str, context: RunContext) -> Path:
    """Returns the file with the state of this student's training, from which the next one continues."""
    return context.folder / STATES / f"{Path(student).name}.safetensors"


def _record(name: str, problems: int, examples: int, result: FineTuned, state: RunState) -> RoundRecord:
    return RoundRecord(
        round=state.round,
        student=name,
        problems=problems,
        steps=result.steps,
        examples=examples - result.truncated,
        tokens=result.tokens,
        loss=result.loss,
        seconds=result.seconds,
        removed=state.removed,
    )
