"""How long a run of a million problems takes and what it costs, for several numbers of GPUs.

    python benchmarks/scale.py [--seeds 500000] [--budget 100000] [--rounds 5] [--gpus 1,8,64] [...]
    python benchmarks/scale.py --run DIR [--speed TRAINING,READING,WRITING]

The first form prints, for each number of GPUs, what the model says and what a simulation finds. The model is
the product's own forecast (`fdd.graph.forecast`), with the student's work divided over the GPUs, and with the
calls to a teacher. It uses averages. The simulation draws the length of every example, answer and call. In it
GPUs wait for the slowest one at the end of each step and of each phase, and a single process receives and
stores everything.

The second form compares the forecast of a finished run with the time that its phases took. Its speed is the
one that the run measured when it began, unless another is given.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, fields
from heapq import heapreplace
from math import ceil, log, sqrt
from pathlib import Path
from statistics import NormalDist

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np

from fdd.graph.forecast import START_SECONDS, dealt, foresee, work
from fdd.graph.plan import count_calls, growth
from fdd.settings import Settings, load_settings
from fdd.storage.folder import open_store
from fdd.storage.tracing import is_finished, select_phases
from fdd.training.tasks import ANSWER_TOKENS, PROMPT_TOKENS, Speed

SPREAD = 0.35
"""Standard deviation of the length of an example or answer, as a share of its mean: GSM8K's solutions."""
CALL_SPREAD = 0.5
"""Standard deviation of a call's seconds, as a share of the mean."""
EXAMPLE_TOKENS = PROMPT_TOKENS + ANSWER_TOKENS


@dataclass(frozen=True, kw_only=True)
class Machine:
    """Speeds and prices. Each has an option of the same name."""

    training: float = 117_000.0
    """Tokens per second that one GPU trains."""
    reading: float = 200_000.0
    """Tokens per second of prompts that one GPU reads."""
    writing: float = 10_000.0
    """Tokens per second that one GPU writes, all answers of a batch together."""
    rows: int = 256
    """Answers that one GPU writes at a time."""
    shard: int = 1024
    """Answers that a GPU takes before it asks for more."""
    exchange: float = 0.02
    """Seconds in which the GPUs add up their gradients at each step."""
    connections: int = 256
    """Calls to the teacher at a time."""
    latency: float = 4.0
    """Seconds of a call."""
    handling: float = 0.006
    """Seconds of the run's own process for each call, checking and storing included."""
    storing: float = 0.0002
    """Seconds of the run's own process for each answer of the student."""
    prompt_tokens: float = 700.0
    """Of a call."""
    completion_tokens: float = 150.0
    """Of a call."""
    prompt_price: float = 0.15
    """Dollars for a million tokens."""
    completion_price: float = 0.60
    """Dollars for a million tokens."""
    gpu_price: float = 3.0
    """Dollars for an hour of one GPU."""

    @property
    def speed(self) -> Speed:
        return Speed(training=self.training, reading=self.reading, writing=self.writing)

    def price(self, calls: int, hours: float, gpus: int) -> tuple[float, float]:
        """Returns the dollars for calls and for GPUs."""
        each = self.prompt_tokens * self.prompt_price + self.completion_tokens * self.completion_price
        return calls * each / 1e6, hours * gpus * self.gpu_price


@dataclass(frozen=True, slots=True)
class Part:
    """The work of one kind of phase."""

    name: str
    sizes: tuple[int, ...]
    """Calls, steps or answers of each phase."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--recipe", default="skills")
    parser.add_argument("--seeds", type=int, default=500_000, metavar="N")
    parser.add_argument("--budget", type=int, default=100_000, metavar="N")
    parser.add_argument("--rounds", type=int, default=5, metavar="N")
    parser.add_argument("--batch-size", type=int, default=256, metavar="N")
    parser.add_argument("--gpus", default="1,8,64", metavar="N,...")
    parser.add_argument("--run", type=Path, metavar="DIR")
    parser.add_argument("--speed", metavar="TRAINING,READING,WRITING")
    for each in fields(Machine):
        flag = "--" + each.name.replace("_", "-")
        parser.add_argument(flag, type=type(each.default), default=each.default, metavar="X")
    given = parser.parse_args()
    if given.run:
        compare(given.run, given.speed)
        return
    machine = Machine(**{each.name: getattr(given, each.name) for each in fields(Machine)})
    settings = load_settings(
        {
            "rounds": given.rounds,
            "recipe": given.recipe,
            "teacher": "openai:gpt-4o-mini",
            "problems.name": "problems.jsonl",
            "budget": given.budget,
            "fine_tune.batch_size": given.batch_size,
        },
        environment={},
    )
    parts = parts_of(settings, given.seeds)
    loading = START_SECONDS * sum(len(part.sizes) for part in parts if part.name != "teach") / 3600
    print(f"{growth(settings, dealt(settings, given.seeds))[-1].total} problems taught")
    print(f"{'GPUs':>6}  {'part':<8}{'size':>12}{'model, h':>12}{'simulation, h':>16}{'ratio':>8}")
    for gpus in map(int, given.gpus.split(",")):
        total = np.full(2, loading)
        for part in parts:
            hours = [way(part, gpus, machine, given.batch_size) / 3600 for way in (model, simulate)]
            total += hours
            show(gpus, part.name, sum(part.sizes), *hours)
        show(gpus, "all", "", *total)
        asked, rented = machine.price(sum(parts[0].sizes), total[0], gpus)
        print(f"{gpus:>6}  ${asked:,.0f} for calls, ${rented:,.0f} for {gpus * total[0]:.1f} hours of GPUs\n")


def show(gpus: int, name: str, size: object, model: float, simulated: float) -> None:
    ratio = model / simulated
    print(f"{gpus:>6}  {name:<8}{size:>12}{model:>12.2f}{simulated:>16.2f}{ratio:>8.2f}", flush=True)


def parts_of(settings: Settings, seeds: int) -> tuple[Part, ...]:
    """Returns the work of a run with a model as teacher."""
    by_round = dealt(settings, seeds)
    phases = work(settings, by_round).values()
    calls = [sum(count_calls(settings, each).values()) for each in growth(settings, by_round)]
    steps = [ceil(each.examples / settings.fine_tune.batch_size) for each in phases if each.examples]
    return (
        Part("teach", tuple(calls)),
        Part("train", tuple(steps)),
        Part("ask", tuple(round(each.answers) for each in phases if each.answers)),
    )


# -- The model: averages -------------------------------------------------------------------------------------


def model(part: Part, gpus: int, machine: Machine, batch: int) -> float:
    """Returns the seconds of this part of the work, without the time to load a student."""
    match part.name:
        case "teach":
            pace = max(machine.latency / machine.connections, machine.handling)
            # Each phase ends only when its last call, a slow one, has ended.
            return sum(part.sizes) * pace + len(part.sizes) * machine.latency * (1 + CALL_SPREAD)
        case "train":
            used = min(gpus, batch)
            rows = batch / used
            # A step waits for the GPU with the most tokens. With more rows for each, they differ less.
            slowest = 1 + SPREAD * NormalDist().inv_cdf((used - 0.375) / (used + 0.25)) / rows**1.5
            step: float = rows * EXAMPLE_TOKENS / machine.training * slowest + machine.exchange * (used > 1)
            return sum(part.sizes) * step
        case _:
            return sum(max(exam(n, gpus, machine), n * machine.storing) for n in part.sizes)


def exam(answers: int, gpus: int, machine: Machine) -> float:
    """Returns the seconds in which GPUs write so many answers."""
    full, rest = divmod(answers, machine.shard)
    rounds, others = divmod(full, gpus)
    # Every GPU answers as many shards. Then some answer one more, or one GPU answers the smaller last one.
    return rounds * shard(machine.shard, machine) + shard(machine.shard if others else rest, machine)


def shard(answers: int, machine: Machine) -> float:
    """Returns the seconds of one shard: towards its end, fewer and fewer rows are being written."""
    written = answers + machine.rows * (1 + SPREAD)
    return written * machine.speed.answer_seconds if answers else 0.0


# -- The simulation: each example, answer and call has a length of its own -----------------------------------


def simulate(part: Part, gpus: int, machine: Machine, batch: int) -> float:
    """Returns the seconds of this part of the work, as `model` does."""
    chance = np.random.default_rng(0)
    match part.name:
        case "teach":
            calls = [lengths(chance, n, machine.latency, CALL_SPREAD) for n in part.sizes]
            return sum(received(served(each, machine.connections), machine.handling) for each in calls)
        case "train":
            used = min(gpus, batch)
            turns = np.tile([*range(used), *reversed(range(used))], ceil(batch / used / 2))[:batch]
            seconds = 0.0
            for _ in range(sum(part.sizes)):
                tokens = np.sort(lengths(chance, batch, EXAMPLE_TOKENS, SPREAD))[::-1]
                share = float(np.bincount(turns, tokens).max())
                seconds += share / machine.training + machine.exchange * (used > 1)
            return seconds
        case _:
            return sum(simulated_exam(chance, n, gpus, machine) for n in part.sizes)


def simulated_exam(chance: np.random.Generator, answers: int, gpus: int, machine: Machine) -> float:
    """Returns the seconds until all answers are stored. GPUs take shards, and send answers as they end."""
    each = lengths(chance, answers, machine.speed.answer_seconds * machine.rows, SPREAD)
    # A row writes one answer after another, and there are as many rows as the speed was measured with.
    shards = [
        served(part, machine.rows) for part in np.split(each, range(machine.shard, answers, machine.shard))
    ]
    ends = served([float(part.max()) for part in shards], gpus)
    sent = [end - part.max() + part for end, part in zip(ends, shards, strict=True)]
    return received(np.concatenate(sent), machine.storing)


def lengths(chance: np.random.Generator, size: int, mean: float, spread: float) -> np.ndarray:
    """Draws lengths with this mean and this standard deviation, as a share of the mean."""
    sigma = sqrt(log(1 + spread**2))
    return mean * chance.lognormal(-(sigma**2) / 2, sigma, size)


def served(jobs: Sequence[float] | np.ndarray, servers: int) -> np.ndarray:
    """Returns when each job ends, if the first free server always takes the next one."""
    free = [0.0] * servers
    ends = np.empty(len(jobs))
    for number, job in enumerate(jobs):
        ends[number] = free[0] + job
        heapreplace(free, ends[number])
    return ends


def received(arrivals: np.ndarray, seconds: float) -> float:
    """Returns when the last arrival was handled, by one process that takes this long for each."""
    waiting = np.arange(len(arrivals), 0, -1) * seconds
    return float((np.sort(arrivals) + waiting).max())


# -- Runs that were measured ---------------------------------------------------------------------------------


def compare(folder: Path, given: str | None) -> None:
    """Prints the forecast seconds of each phase of a run beside those that it took."""
    store = open_store(folder)
    if not store.read(is_finished):
        raise SystemExit(f"the run in {str(folder)!r} has not ended: `resume` it first")
    run = store.run()
    speed = Speed(**run.speed)
    if given:
        training, reading, writing = map(float, given.split(","))
        speed = Speed(training=training, reading=reading, writing=writing)
    seeds = Counter(problem.round for problem in store.problems(splits=["seed"]))
    forecast = foresee(Settings.from_json(run.settings), speed, seeds)
    taken = {(phase.round, phase.phase): phase.seconds for phase in store.read(select_phases)}
    print(f"{speed}\n{'round':>5}  {'phase':<16}{'forecast, s':>12}{'taken, s':>12}")
    for (round_, phase), seconds in forecast.items():
        print(f"{round_:>5}  {phase:<16}{seconds:>12.0f}{taken.get((round_, phase), 0.0):>12.0f}")
    total, real = sum(forecast.values()), sum(taken.values())
    print(f"{'':>5}  {'all':<16}{total:>12.0f}{real:>12.0f}   the forecast is {total / real - 1:+.0%}")


if __name__ == "__main__":
    main()
