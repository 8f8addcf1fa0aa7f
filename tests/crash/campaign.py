"""Kills runs at every point and at many moments, resumes each until it ends, and counts the damage.

    python -m tests.crash.campaign [--moments 200] [--seed 0] [--only KIND ...]

Points are before and after every node, every commit to the database, the call cache and the checkpoint, and
every renaming of a file. Three runs are killed at each of their points, one after the other: one with the
embedded teacher, one that divides a budget over skills, and one taught by a faulty server. A run by each
recipe is killed at each point of the phase that sets the recipe apart. Other runs of the first three
kinds are killed once each, at moments spread evenly over a run's time; half of these kills spare the children
of the process.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import tempfile
import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from shutil import rmtree

import httpx

from tests.crash.evidence import Evidence, Figures, compare, evidence, paid, stored
from tests.crash.process import Exit
from tests.crash.recipes import OWN_PHASES, small
from tests.crash.runs import SKILLS, SYMBOLIC, CrashRun, ForkServer, fork_server, model
from tests.servers.teaching import TeachingServer, teaching

MODEL = "model"
KINDS = {MODEL: {}, "symbolic": SYMBOLIC, "by-skill": SKILLS}
"""Settings by kind of run, none of which is named like a recipe; those with a model name its server."""
FAULTS = ("malformed", "truncated", "rate_limited", "server_error", "dropped", "slow")
SERVER = (
    *("--gsm-symbolic", "0", "--wrong", "0.2", "--latency", "0.01", "--slow-seconds", "0.1"),
    *(option for fault in FAULTS for option in ("--fault", f"{fault}=0.04")),
)
MOST_POINTS = 2000
"""A limit, should the names of points differ between processes, so that there is always a new one."""
SETTLE = 0.2
"""Seconds, longer than the server's slowest reply."""


@dataclass(frozen=True, kw_only=True)
class Case:
    """A run, and where it is killed."""

    kind: str
    """One of `KINDS`, or a recipe."""
    moment: float | None = None
    """Share of an uninterrupted run's time, from 0 to 1, at which it is killed once. If None, it is killed at
    every point, or with a recipe at every point of that recipe's phase."""
    alone: bool = False
    """Whether a kill at a moment spares the children of the process."""


@dataclass
class Worker:
    """One worker of the campaign: its fork server, its teaching server and the uninterrupted runs."""

    place: Path
    forks: ForkServer
    server: TeachingServer
    wholes: dict[str, tuple[Evidence, float]] = field(default_factory=dict)
    """By kind of run, with its seconds."""

    def track(self, name: str, kind: str) -> CrashRun:
        url = self.server.url
        settings = model(url) if kind == MODEL else KINDS[kind] if kind in KINDS else small(kind, url)
        return CrashRun(self.place / f"{name}-{kind}", settings, self.forks)

    def whole(self, kind: str) -> tuple[Evidence, float]:
        if kind not in self.wholes:
            track = self.track("whole", kind)
            ended = track.start()
            if ended.code != 0:
                raise RuntimeError(f"a run that nobody kills ends with {ended.code}: {track.printed()}")
            self.wholes[kind] = evidence(track), ended.seconds
        return self.wholes[kind]

    def run(self, case: Case) -> Figures:
        """Makes the run of a case. Its files are kept only if it was damaged."""
        name = "everywhere" if case.moment is None else f"at-{case.moment:.4f}"
        whole, _ = self.whole(case.kind)
        track = self.track(name, case.kind)
        before, unstored = len(self.server.log()), 0
        for _ in range(MOST_POINTS if case.moment is None else 1):
            if self._kill(track, case).code >= 0:
                break
            if "teacher" in track.settings:
                unstored = delivered_unstored(track, self.server, before)
        track.start()
        figures = compare(track, whole, self.server.log()[before:], unstored)
        if figures.harmless:
            rmtree(track.place)
        if case.moment is None or not figures.harmless:
            print(f"{case}: {figures}", "" if figures.harmless else f"see {track.place}", flush=True)
        return figures

    def _kill(self, track: CrashRun, case: Case) -> Exit:
        if case.moment is None:
            return track.start(killed=str(track.killed), within=OWN_PHASES.get(case.kind, ""))
        return track.start(moment=case.moment * self.whole(case.kind)[1], alone=case.alone)


def delivered_unstored(track: CrashRun, server: TeachingServer, before: int) -> int:
    """Counts replies that the server has sent to this run and that none of its processes has stored.

    The run's part of the server's log begins at `before`.
    """
    for _ in range(3):  # until the requests of the killed process have ended and are logged
        httpx.get(f"{server.url}/models", timeout=60)
        time.sleep(SETTLE)
    return len(paid(server.log()[before:])) - stored(track.cache)


def cases(moments: int, chance: random.Random) -> list[Case]:
    """Returns a case for the points of each kind of run and of each recipe, and one for each of the moments.

    A run's time is divided into `moments` equal parts; each gives one random moment.
    """
    found = [Case(kind=kind) for kind in (*KINDS, *OWN_PHASES)]
    for number in range(moments):
        share = (number + chance.random()) / moments
        kind = list(KINDS)[number % len(KINDS)]
        found.append(Case(kind=kind, moment=share, alone=number // len(KINDS) % 2 == 1))
    return found


@contextmanager
def workers(place: Path, count: int) -> Iterator[list[Worker]]:
    """Yields workers, each pinned to its own processor, so that results do not depend on their number."""
    with ExitStack() as stack:
        opened = []
        for number, core in zip(range(count), sorted(os.sched_getaffinity(0)), strict=False):
            folder = place / str(number)
            folder.mkdir()
            forks = stack.enter_context(fork_server())
            os.sched_setaffinity(forks.pid, {core})
            forks.wait()
            opened.append(Worker(folder, forks, stack.enter_context(teaching(folder, *SERVER))))
        yield opened


def campaign(place: Path, todo: deque[Case]) -> Figures:
    with workers(place, len(os.sched_getaffinity(0))) as opened, ThreadPoolExecutor(len(opened)) as threads:
        parts = threads.map(lambda worker: clear(worker, todo), opened)
        return sum(parts, Figures())


def clear(worker: Worker, todo: deque[Case]) -> Figures:
    figures = Figures()
    while todo:
        figures += worker.run(todo.popleft())
    return figures


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.crash.campaign")
    parser.add_argument("--moments", type=int, default=200, help="kills at random moments (default: 200)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="+", metavar="KIND", help="only these kinds and recipes")
    given = parser.parse_args()
    every = cases(given.moments, random.Random(given.seed))
    place = Path(tempfile.mkdtemp(prefix="crash-"))
    figures = campaign(place, deque(case for case in every if case.kind in (given.only or (case.kind,))))
    print(figures)
    if figures.harmless:
        rmtree(place)
    return 0 if figures.harmless and figures.kills else 1


if __name__ == "__main__":
    sys.exit(main())
