"""Fine-tune: the whole training set so far becomes this round's student."""

from __future__ import annotations

import random
from collections.abc import Sequence

from langgraph.runtime import Runtime

from domain import Progress
from graph.examples import as_example
from graph.state import RunContext, RunState, RunUpdate
from settings import Settings
from storage.records import RoundRecord
from storage.store import Lesson
from training.tasks import Event, Example, FineTuned, FineTuneTask, Notice, Step
from training.worker import run_in_child


def fine_tune(state: RunState, runtime: Runtime[RunContext]) -> RunUpdate:
    context = runtime.context
    name = f"students/round-{state.round}"
    if all(record.round != state.round for record in context.store.rounds()):
        lessons = context.store.training_set(round=state.round, thoughts=context.settings.thoughts)
        examples = choose_examples(state, context.settings, lessons)
        result = _train(name, examples, state, context)
        context.store.add([_record(name, len(examples), result, state)])
    return {"student": name}


def choose_examples(state: RunState, settings: Settings, lessons: Sequence[Lesson]) -> tuple[Example, ...]:
    """The whole set; when going on from the last student, the new part and a draw from the rest as replay."""
    planning = settings.solver is not None
    if settings.fine_tune.start == "base" or state.round == 0:
        return tuple(as_example(lesson, planning=planning) for lesson in lessons)
    new = [lesson for lesson in lessons if lesson.rationale.round == state.round]
    old = [lesson for lesson in lessons if lesson.rationale.round < state.round]
    rng = random.Random(f"replay {settings.seed} {state.round}")
    replayed = rng.sample(old, min(len(old), round(settings.fine_tune.replay_share * len(new))))
    return tuple(as_example(lesson, planning=planning) for lesson in [*new, *replayed])


def _train(name: str, examples: tuple[Example, ...], state: RunState, context: RunContext) -> FineTuned:
    config = context.settings.fine_tune
    start = context.base if config.start == "base" else context.student(state)

    def on_event(event: Event) -> None:
        if isinstance(event, Step):
            note = f"loss {event.loss:.3f}, {event.tokens_per_second:.0f} tokens/s"
            progress = Progress(
                round=state.round, phase="fine_tune", done=event.step, total=event.steps, note=note
            )
            context.listener.advanced(progress)
        elif isinstance(event, Notice):
            context.listener.noticed(event.text)

    context.listener.advanced(Progress(round=state.round, phase="fine_tune", done=0, total=0))
    task = FineTuneTask(
        student=start,
        examples=examples,
        output=context.folder / name,
        config=config,
        device=context.settings.device,
    )
    return run_in_child(task, on_event, context.should_stop)


def _record(name: str, examples: int, result: FineTuned, state: RunState) -> RoundRecord:
    return RoundRecord(
        round=state.round,
        student=name,
        problems=state.problems,
        steps=result.steps,
        examples=examples,
        tokens=result.tokens,
        loss=result.loss,
        seconds=result.seconds,
        removed=state.removed,
    )
