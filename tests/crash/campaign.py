"""Kills runs at every point and at many moments, resumes each until it ends, and counts the damage.

    python -m tests.crash.campaign [--moments 200] [--seed 0]

Points are before and after every node, every commit to the database, the call cache and the checkpoint, and
every renaming of a file. Two runs, one with the embedded teacher and one taught by a faulty server, are
killed at each of their points, one after the other. Other runs of both kinds are killed once each, at moments
spread evenly over a run's time; half of these kills spare the children of the process.
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
from tests.crash.life import Death
from tests.crash.lives import SYMBOLIC, Nursery, Track, model, nursery
from tests.servers.teaching import TeachingServer, teaching

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
    """Where a run is killed: once at `moment`, or at every point if that is None."""

    with_model: bool
    moment: float | None = None
    """Share of an uninterrupted run's time, from 0 to 1."""
    alone: bool = False
    """Whether a kill at a moment spares the children of the process."""


@dataclass
class Ward:
    """One worker of the campaign: its fork server, its teaching server and the uninterrupted runs."""

    place: Path
    nursery: Nursery
    server: TeachingServer
    wholes: dict[bool, Evidence] = field(default_factory=dict)
    seconds: dict[bool, float] = field(default_factory=dict)

    def track(self, name: str, *, with_model: bool) -> Track:
        settings = model(self.server.url) if with_model else SYMBOLIC
        return Track(self.place / f"{name}-{'model' if with_model else 'symbolic'}", settings, self.nursery)

    def run_whole(self) -> None:
        for with_model in (False, True):
            track = self.track("whole", with_model=with_model)
            death = track.live()
            if death.code != 0:
                raise RuntimeError(f"a run that nobody kills ends with {death.code}: {track.said()}")
            self.wholes[with_model] = evidence(track)
            self.seconds[with_model] = death.seconds

    def run(self, case: Case) -> Figures:
        """Makes the run of a case. Its files are kept only if it was damaged."""
        name = "everywhere" if case.moment is None else f"at-{case.moment:.4f}"
        track = self.track(name, with_model=case.with_model)
        before, unstored = len(self.server.log()), 0
        for _ in range(MOST_POINTS if case.moment is None else 1):
            if self._die(track, case).code >= 0:
                break
            if case.with_model:
                unstored = delivered_unstored(track, self.server, before)
        track.live()
        figures = compare(track, self.wholes[case.with_model], self.server.log()[before:], unstored)
        if figures.harmless:
            rmtree(track.place)
        if case.moment is None or not figures.harmless:
            print(f"{case}: {figures}", "" if figures.harmless else f"see {track.place}", flush=True)
        return figures

    def _die(self, track: Track, case: Case) -> Death:
        if case.moment is None:
            return track.live(killed=str(track.killed))
        return track.live(moment=case.moment * self.seconds[case.with_model], alone=case.alone)


def delivered_unstored(track: Track, server: TeachingServer, before: int) -> int:
    """Counts replies that the server has sent to this run and that none of its processes has stored.

    The run's part of the server's log begins at `before`.
    """
    for _ in range(3):  # until the requests of the killed process have ended and are logged
        httpx.get(f"{server.url}/models", timeout=60)
        time.sleep(SETTLE)
    return len(paid(server.log()[before:])) - stored(track.cache)


def cases(moments: int, chance: random.Random) -> list[Case]:
    """Returns a case for every point of each kind of run, and one for each of `moments` moments.

    A run's time is divided into `moments` equal parts; each gives one random moment.
    """
    found = [Case(with_model=with_model) for with_model in (True, False)]
    for number in range(moments):
        share = (number + chance.random()) / moments
        found.append(Case(with_model=number % 2 == 1, moment=share, alone=number % 4 >= 2))
    return found


@contextmanager
def wards(place: Path, count: int) -> Iterator[list[Ward]]:
    """Yields workers, each pinned to its own processor, so that results do not depend on their number."""
    with ExitStack() as stack:
        opened = []
        for number, core in zip(range(count), sorted(os.sched_getaffinity(0)), strict=False):
            folder = place / str(number)
            folder.mkdir()
            raised = stack.enter_context(nursery())
            os.sched_setaffinity(raised.pid, {core})
            raised.wait()
            opened.append(Ward(folder, raised, stack.enter_context(teaching(folder, *SERVER))))
        yield opened


def campaign(place: Path, moments: int, chance: random.Random) -> Figures:
    with wards(place, len(os.sched_getaffinity(0))) as opened, ThreadPoolExecutor(len(opened)) as threads:
        list(threads.map(Ward.run_whole, opened))
        todo = deque(cases(moments, chance))
        parts = threads.map(lambda ward: clear(ward, todo), opened)
        return sum(parts, Figures())


def clear(ward: Ward, todo: deque[Case]) -> Figures:
    figures = Figures()
    while todo:
        figures += ward.run(todo.popleft())
    return figures


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.crash.campaign")
    parser.add_argument("--moments", type=int, default=200, help="kills at random moments (default: 200)")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    place = Path(tempfile.mkdtemp(prefix="crash-"))
    figures = campaign(place, given.moments, random.Random(given.seed))
    print(figures)
    if figures.harmless:
        rmtree(place)
    return 0 if figures.harmless and figures.kills else 1


if __name__ == "__main__":
    sys.exit(main())
