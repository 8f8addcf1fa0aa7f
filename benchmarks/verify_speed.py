"""Compares three ways to verify programs, in programs per second.

    python benchmarks/verify_speed.py [programs]

The ways are the verifier, a fresh Python process for each program, and a pool of processes that call exec.
Programs are those that the symbolic teacher writes for `gsm-symbolic`. Each way runs two at a time and
compares each answer with its reference. They take turns, and the medians are printed. Only the verifier
limits time, memory and what a program can reach. A fresh process has a time limit, the pool no limit at all.
"""

from __future__ import annotations

import multiprocessing
import os
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.lessons import programs
from fdd.agents.verifier import Verifier
from fdd.amounts import meant
from fdd.problems.gsm_symbolic import GsmSymbolic

WORKERS = 2
REPETITIONS = 5
FRESH_PROGRAMS = 100
"""A fresh process for each program is slow, so this way runs only the first 100."""

Task = tuple[str, Fraction]


def load_tasks(size: int) -> list[Task]:
    source = GsmSymbolic(seed=0)
    problems = source.draw(source.templates, 2 * size, refuse=lambda _: None, chance=random.Random(0))
    return [(program, problem.answer) for problem, program in programs(problems)][:size]


def in_fresh_process(task: Task) -> bool:
    program, answer = task
    shown = subprocess.run(
        [sys.executable, "-I", "-c", f"{program}\nprint(repr(answer))"],
        capture_output=True,
        text=True,
        timeout=10,
        check=True,
    )
    return meant(float(shown.stdout)) == answer


def by_exec(task: Task) -> bool:
    program, answer = task
    names: dict[str, float] = {}
    exec(program, names)
    return meant(float(names["answer"])) == answer


def rate(judge: Callable[[], Sequence[bool]]) -> float:
    start = time.perf_counter()
    verdicts = judge()
    elapsed = time.perf_counter() - start
    assert all(verdicts), f"{verdicts.count(False)} of {len(verdicts)} programs were judged wrong"
    return len(verdicts) / elapsed


def peak_megabytes(status: str) -> float:
    """Returns the peak resident memory from the text of a /proc/PID/status, in MiB."""
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def worker_megabytes(processes: set[int]) -> float:
    return max(peak_megabytes(Path(f"/proc/{process}/status").read_text()) for process in processes)


def fresh_megabytes() -> float:
    look = [sys.executable, "-I", "-c", "print(open('/proc/self/status').read())"]
    return peak_megabytes(subprocess.run(look, capture_output=True, text=True, check=True).stdout)


def children() -> set[int]:
    lists = Path(f"/proc/{os.getpid()}/task").glob("*/children")
    return {int(process) for path in lists for process in path.read_text().split()}


def measure(tasks: Sequence[Task]) -> tuple[dict[str, list[float]], dict[str, float]]:
    """Returns, by way, its rate in each turn, and the peak memory of its largest worker in MiB."""
    before = children()
    with Verifier(workers=WORKERS) as verifier, ThreadPoolExecutor(WORKERS) as threads:
        sandboxed = children() - before
        with multiprocessing.get_context("spawn").Pool(WORKERS) as pool:
            executing = children() - sandboxed - before
            fresh = tasks[:FRESH_PROGRAMS]
            ways: dict[str, Callable[[], Sequence[bool]]] = {
                "verifier": lambda: [
                    verdict.accepted for verdict in verifier.judge_many(("pot", *task) for task in tasks)
                ],
                "fresh process each": lambda: list(threads.map(in_fresh_process, fresh)),
                "exec pool, no limits": lambda: pool.map(by_exec, tasks),
            }
            rates: dict[str, list[float]] = {name: [] for name in ways}
            for _ in range(REPETITIONS):
                for name, judge in ways.items():
                    rates[name].append(rate(judge))
            peaks = (worker_megabytes(sandboxed), fresh_megabytes(), worker_megabytes(executing))
    return rates, dict(zip(ways, peaks, strict=True))


def main(size: int) -> None:
    tasks = load_tasks(size)
    print(f"{len(tasks)} programs, {WORKERS} workers, {REPETITIONS} turns, {os.cpu_count()} processors")
    rates, peaks = measure(tasks)
    ours = statistics.median(rates["verifier"])
    print(f"{'':<24}{'a second':>10}{'range':>16}{'verifier x':>12}{'worker MB':>12}")
    for name, values in rates.items():
        middle = statistics.median(values)
        spread = f"{min(values):.0f}-{max(values):.0f}"
        print(f"{name:<24}{middle:>10.0f}{spread:>16}{ours / middle:>12.2f}{peaks[name]:>12.0f}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 2000)
