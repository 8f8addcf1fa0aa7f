"""Judges hostile texts one after the other and records what went wrong with each."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from threading import Thread

from fdd.agents.verifier import Verifier
from fdd.domain import Verdict
from tests.hostile.corpus import FILES, Case, load_cases
from tests.hostile.watch import Watch, watching

BOUND_SECONDS = 30.0
"""Longest time for one text. The limits are far lower, but a worker may have to be started first."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Trial:
    """The result of one case."""

    case: Case
    seconds: float
    misjudged: str | None
    """What is wrong with the verdict; None if it is right."""
    escapes: tuple[str, ...]
    """What the text reached outside of the sandbox."""

    @property
    def hung(self) -> bool:
        return self.seconds >= BOUND_SECONDS

    @property
    def survived(self) -> bool:
        return self.misjudged is None and not self.escapes and not self.hung

    def __str__(self) -> str:
        faults = [*([self.misjudged] if self.misjudged else []), *self.escapes]
        return f"{self.case.thought}, {self.case.name!r}, {self.seconds:.1f} s: {'; '.join(faults)}"


def try_case(case: Case, verifier: Verifier, watch: Watch) -> Trial:
    start = time.monotonic()
    found = _judged(case, verifier)
    seconds = time.monotonic() - start
    if not isinstance(found, Verdict):
        return Trial(case=case, seconds=seconds, misjudged=f"no verdict, but {found!r}", escapes=())
    return Trial(
        case=case,
        seconds=seconds,
        misjudged=case.fault(found),
        escapes=tuple(watch.escapes(found)),
    )


def _judged(case: Case, verifier: Verifier) -> Verdict | Exception:
    """Returns the verdict or the error instead of it, `Empty` after `BOUND_SECONDS`.

    A thread that never ends is left behind.
    """
    found: SimpleQueue[Verdict | Exception] = SimpleQueue()

    def judge() -> None:
        try:
            found.put(verifier.judge(case.thought, case.text, case.answer))
        except Exception as error:
            found.put(error)

    Thread(target=judge, daemon=True).start()
    try:
        return found.get(timeout=BOUND_SECONDS)
    except Empty as late:
        return late


def try_all(*thoughts: str, slow: bool) -> Iterator[Trial]:
    """Tries the cases of these thoughts, by default all; `slow` says whether to try slow cases too."""
    with watching() as watch, Verifier(workers=2) as verifier:
        for thought in thoughts or FILES:
            for case in load_cases(thought, watch.places):
                if slow or not case.slow:
                    yield try_case(case, verifier, watch)


def figures(trials: Sequence[Trial]) -> str:
    survived = sum(trial.survived for trial in trials)
    wrong = sum(trial.misjudged is not None for trial in trials)
    escapes = sum(bool(trial.escapes) for trial in trials)
    hangs = sum(trial.hung for trial in trials)
    return (
        f"{len(trials)} cases tried, {survived} survived: "
        f"{wrong} wrong verdicts, {escapes} escapes, {hangs} hangs"
    )
