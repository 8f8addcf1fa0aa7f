"""Forecasts how long a run takes, to choose the size of a default run and to show the time left."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from fdd.domain import Progress
from fdd.graph.plan import Growth, growth, initial_seeds, later_seeds
from fdd.problems.config import DEV_SIZE
from fdd.problems.contamination import GSM_SYMBOLIC
from fdd.problems.gsm_symbolic import TAUGHT_TEMPLATES
from fdd.settings import Settings
from fdd.storage.store import Store
from fdd.training.tasks import ANSWER_TOKENS, PROMPT_TOKENS, Speed

TARGET_SECONDS = 785.0
"""A default run gets the largest of the `SIZES` that fits into this time, or the smallest if none does."""
START_SECONDS = 4.0
"""Seconds until a child process has loaded a student."""
PHASE_SECONDS = 1.0
"""Seconds of a phase that needs no student."""
ASKING = 1.35
"""Time that an answer takes, as a multiple of what the measured speed says: towards the end of an exam few
rows are still being written, and some answers do not end."""
GENERAL_ANSWERS = 60
"""Answers that take as long as measuring how far a student has moved on general text."""
SOLVED_SOMETIMES = 0.5
"""Share of the taught problems that a student is assumed to solve sometimes, but not always."""
PRIOR_SECONDS = 60.0
"""Seconds of forecast work after which the measured pace weighs as much as the forecast."""


@dataclass(frozen=True, slots=True)
class Size:
    """Numbers of seed problems and dev problems."""

    seeds: int
    dev: int


SIZES = (
    *(Size(seeds, 60) for seeds in (72, 85, 100, 140)),
    *(Size(seeds, 80) for seeds in (200, 320)),
    *(Size(seeds, DEV_SIZE) for seeds in (400, 600, 900, 1350, 2000)),
)
"""Coarse steps, so that machines of the same kind choose the same size."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Work:
    """What a student does in one phase."""

    answers: float = 0.0
    examples: float = 0.0
    """That it is trained on; each epoch counts again."""
    shown: float = 0.0
    """Tokens of worked examples that it reads once."""

    def seconds(self, speed: Speed) -> float:
        if not (self.answers or self.examples):
            return PHASE_SECONDS
        trained = self.examples * (PROMPT_TOKENS + ANSWER_TOKENS)
        asked = ASKING * self.answers * speed.answer_seconds + self.shown / speed.reading
        return START_SECONDS + asked + trained / speed.training


Seconds = Mapping[tuple[int, str], float]
"""Seconds of each phase, by round and phase name, in the order of the run."""


def is_open(settings: Settings) -> bool:
    """Returns True if the settings leave a size of the run to the speed of the machine."""
    problems = settings.problems
    return problems.name == GSM_SYMBOLIC and None in (problems.limit, problems.dev_size)


def sized(settings: Settings, speed: Speed) -> Settings:
    """Fills in the sizes that the settings leave open: those of the largest run that is forecast to take at
    most `TARGET_SECONDS`, or else of the smallest.
    """
    if not is_open(settings):
        return settings
    choices = [_with_size(settings, size) for size in SIZES]
    fitting = (each for each in reversed(choices) if duration(each, speed) <= TARGET_SECONDS)
    return next(fitting, choices[0])


def _with_size(settings: Settings, size: Size) -> Settings:
    problems = settings.problems
    limit, dev = problems.limit or size.seeds, problems.dev_size or size.dev
    return replace(settings, problems=replace(problems, limit=limit, dev_size=dev))


def duration(settings: Settings, speed: Speed) -> float:
    """Forecasts the seconds that a run on `gsm-symbolic` takes."""
    return sum(foresee(settings, speed, dealt(settings, settings.problems.limit or 0)).values())


def dealt(settings: Settings, seeds: int) -> Mapping[int, int]:
    """Forecasts the number of seeds of each round, from their number in all."""
    each = settings.allocation == "each"
    first = initial_seeds(min(seeds, TAUGHT_TEMPLATES), seeds, settings) if each else seeds
    return Counter({0: first, **later_seeds(seeds - first, settings.rounds)})


def foresee(settings: Settings, speed: Speed, seeds: Mapping[int, int]) -> Seconds:
    """Forecasts the seconds of each phase, from the number of seeds by round.

    Calls to language models are left out, because their speed is unknown.
    """
    return {phase: each.seconds(speed) for phase, each in work(settings, seeds).items()}


def work(settings: Settings, seeds: Mapping[int, int]) -> dict[tuple[int, str], Work]:
    """Forecasts the student's work in each phase, by round and phase name, in the order of the run."""
    problems, rounds = settings.problems, growth(settings, seeds)
    dev, asks = problems.dev_size or DEV_SIZE, _asks(settings)
    untaught = sum(min(settings.baseline_size, size) for size in (dev, *_test_sizes(settings)))
    found = {(0, "seed"): Work()}
    for number, each in enumerate(rounds):
        found[number, "teach"] = Work()
        if number == 0:
            # The untaught student writes up to the token limit, so its answers count double.
            shown = settings.shots * (PROMPT_TOKENS + ANSWER_TOKENS)
            found[0, "baseline"] = Work(answers=2 * untaught, shown=shown)
        else:
            found[number, "practise"] = Work(answers=settings.self_samples * each.total)
            probed = each.children if settings.probe_children or settings.overgenerate > 1 else 0
            shown = settings.siblings if settings.select in ("shown", "gain") else 0
            found[number, "probe_children"] = Work(answers=settings.samples * (1 + shown) * probed)
        examples = _examples(settings, rounds, number)
        if settings.fine_tune.start == "continue" and number < settings.rounds:
            examples *= 1 + settings.fine_tune.decay_share
        found[number, "fine_tune"] = Work(examples=examples)
        found[number, "refine"] = _second_training(settings, number, each.total)
        found[number, "evaluate"] = Work(answers=asks * dev)
        if number < settings.rounds:
            probed = _probes(settings, number, seeds.get(number + 1, 0), each)
            found[number, "probe"] = Work(answers=settings.samples * probed)
            found[number, "synthesize"] = Work()
    last, tests = settings.rounds, asks * sum(_test_sizes(settings))
    return found | {(last, "test"): Work(answers=tests + GENERAL_ANSWERS), (last, "report"): Work()}


def _probes(settings: Settings, round: int, held_back: int, growth: Growth) -> int:
    """Returns the number of problems that are probed after this round."""
    if settings.adds != "written":
        return 0
    if settings.allocation == "each":
        return held_back + (growth.total if settings.reprobe else growth.children)
    # The number of skills of a file is unknown here; it has one seed for each at least. In each round but the
    # first, each may grow one more.
    return settings.siblings * min(growth.total, TAUGHT_TEMPLATES) * (1 + settings.grow_skills * round)


def _asks(settings: Settings) -> int:
    """Returns the most answers to one problem of an evaluation set."""
    if settings.policy == "samples":
        return settings.policy_samples
    return 1 if settings.policy == "single" else len(settings.thoughts)


def _test_sizes(settings: Settings) -> tuple[int, ...]:
    problems = settings.problems
    held_out = (problems.held_out_size,) if problems.name == GSM_SYMBOLIC else ()
    test = [problems.test_size] if problems.test else []
    return (problems.test_size, min(problems.harder_size, problems.test_size), *held_out, *test)


def _examples(settings: Settings, rounds: Sequence[Growth], number: int) -> float:
    """Counts the examples that the training of this round processes; each epoch counts again."""
    config, each = settings.fine_tune, rounds[number]
    if config.max_steps:
        return config.max_steps * config.batch_size
    old = rounds[number - 1].total if number else 0
    new = each.total - old
    replayed = config.replay_share * old if new else 0
    taught = each.total if config.start == "base" else new + replayed
    return config.epochs * len(settings.thoughts) * taught


def _second_training(settings: Settings, round: int, problems: int) -> Work:
    config, thoughts = settings.refine, len(settings.thoughts)
    if config.method == "distill":
        examples = config.epochs * problems * thoughts
        return Work(examples=examples, answers=examples if config.texts == "student" else 0)
    if config.method == "none" or round == 0:  # its problems are those that the last student solved sometimes
        return Work()
    passes = config.epochs * problems * SOLVED_SOMETIMES
    if config.method == "grpo":
        return Work(examples=passes * config.answers, answers=passes * config.answers)
    # One pair for each problem, whose two answers are read once before they are trained on.
    return Work(examples=2 * passes, shown=2 * passes / config.epochs * (PROMPT_TOKENS + ANSWER_TOKENS))


def clock_of(store: Store, settings: Settings) -> Clock:
    """Returns the clock of a run that is about to begin or to be resumed."""
    speed = store.run().speed

    def foreseen() -> Seconds:
        seeds = Counter(problem.round for problem in store.problems(splits=["seed"]))
        return foresee(settings, Speed(**speed), seeds)

    return Clock(foreseen)


class Clock:
    """Estimates the time that a run has left, from the forecast and from the measured pace."""

    def __init__(self, foreseen: Callable[[], Seconds]) -> None:
        """`foreseen` is called once, after the seed phase, because it needs the seeds in the store."""
        self._foreseen = foreseen
        self._seconds: Seconds | None = None
        self._began = time.monotonic()
        self._from = 0.0
        """Forecast seconds of the phases before the first one that this process reports."""

    def left(self, progress: Progress) -> float | None:
        """Returns the seconds until the end of the run; None during the seed phase or without a forecast."""
        if progress.phase == "seed":
            return None
        if self._seconds is None:
            self._seconds, self._began = self._foreseen(), time.monotonic()
            self._from = self._before(progress) if self._seconds else 0.0
        if not self._seconds:
            return None
        done = self._before(progress) + self._within(progress)
        foreseen, taken = done - self._from, time.monotonic() - self._began
        # The prior keeps the first seconds, where little is measured yet, from changing the estimate much.
        pace = (taken + PRIOR_SECONDS) / (foreseen + PRIOR_SECONDS)
        return max(0.0, pace * (sum(self._seconds.values()) - done))

    def _before(self, progress: Progress) -> float:
        assert self._seconds is not None
        phases = list(self._seconds)
        here = (progress.round, progress.phase)
        return sum(self._seconds[phase] for phase in phases[: phases.index(here)])

    def _within(self, progress: Progress) -> float:
        assert self._seconds is not None
        share = progress.done / progress.total if progress.total else 0.0
        return share * self._seconds[progress.round, progress.phase]
