"""Measures how fast a large run can be viewed, and how much viewing slows down a run that goes on.

    python benchmarks/looking_speed.py [--problems 100000] [--spans 1000000] [--repeats 20] [--pairs 5]

1. Fills the tables of a run with generated rows. `serve` answers for it in its own process, one request at a
   time. Prints the time of a whole request and the server's resident memory. `trace` is timed as a whole
   process, once with each of its filters.
2. Logs steps at random moments in a folder that is locked as by a running process. Prints how long it takes
   until `trace --follow` has printed a step, and until a page open in a browser shows it.
3. Starts tiny runs in turn, each with a server: one that gets no request; one with a client that requests
   what the script of an open page requests (the state of the run every second, and the whole page when the
   database has changed); and one with `trace --follow` beside it. There is no browser, as its drawing does
   not need the run. Prints how much longer the watched runs took than the unwatched one of the same turn,
   with an interval, and the share of processor time that watching took. Apart from making the run wait, that
   share is all that watching can cost.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import shutil
import statistics
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from math import comb
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.error import URLError

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import duckdb
from playwright.sync_api import sync_playwright

from fdd.rundir.lock import held
from fdd.settings import load_settings
from fdd.storage.folder import DATABASE
from fdd.storage.records import RunRecord
from fdd.storage.store import Store

ROOT = Path(__file__).resolve().parent.parent
RUN = ["--rounds", "1", "--student", "tiny"]
WATCHED = ("alone", "a page", "trace --follow")
FILTERS = (
    "",
    "--round 1 --kind program",
    "--phase teach --limit 1000",
    "--agent verifier",
    "--verdict wrong_answer",
    "--problem {problem}",
    "--min-seconds 1",
    "--min-cost 0.001",
)
ROUNDS = 5
EVALUATED = 1319
"""Number of items of the evaluation set; GSM8K's test set has as many."""

PROBLEMS = """
INSERT INTO problems
SELECT 'p-' || printf('%016x', i * 2654435761), question, (i % 1000)::VARCHAR, question, 'gsm-symbolic',
       (i % 85)::VARCHAR, (i % 85)::VARCHAR,
       CASE WHEN i > {evaluated} AND i % 5 > 0 THEN 'p-' || printf('%016x', (i - i % 5) * 2654435761) END,
       CASE WHEN i > {evaluated} AND i % 5 > 0 THEN ['harder', 'similar'][1 + i % 2] END,
       CASE WHEN i > {evaluated} THEN i % {rounds} ELSE 0 END,
       CASE WHEN i <= {evaluated} THEN 'test:in-domain' WHEN i % 5 > 0 THEN 'generated' ELSE 'seed' END,
       'symbolic', NULL, 'sha256:' || sha256(i::VARCHAR)
FROM (SELECT i, 'At the market of town number ' || i || ', ' || ['Anna', 'Bob', 'Chen', 'Dara'][1 + i % 4] ||
             ' buys ' || (2 + i % 97) || ' boxes of ' || ['apples', 'pencils', 'stamps'][1 + i % 3] ||
             ' for $' || (3 + i % 41) || ' each and pays with a note of $5000. A friend covers ' ||
             (i % 60) || ' % of it. How much change is left to share, and what does each pay?' AS question
      FROM range(1, {problems} + 1) AS numbers(i))
"""
OTHERS = """
INSERT INTO rationales
SELECT 'r-' || substr(id, 3), id, 'pot', 'price = 4\nanswer = 5000 - price', round, 'symbolic',
       CASE WHEN hash(id) % 20 = 0 THEN 'no_derivation' ELSE 'accepted' END,
       CASE WHEN hash(id) % 20 > 0 THEN answer END, '', false, '', 'c-' || substr(id, 3), content_hash
FROM problems WHERE split IN ('seed', 'generated');
INSERT INTO calls
SELECT call_id, round, 'teacher', 'openai:some', '', '', 0, 0, 'answered', 900, 80, 0.002, 1.5,
       TIMESTAMP '2026-01-01' + INTERVAL (hash(id) % 100000) SECOND, problem_id, 1, true, '', content_hash
FROM rationales;
INSERT INTO transcripts
SELECT id, '{"messages": [{"role": "user", "content": "Explain the problem."}], "temperature": 0.7}',
       'price = 4', 'stop', content_hash
FROM calls;
INSERT INTO probes
SELECT id, greatest(round - 1, 0), 4, hash(id) % 5, (1 + hash(id) % 5) / 6, 0.1, 0.9,
       CASE WHEN hash(id) % 5 > 2 THEN 'easy' WHEN hash(id) % 5 = 2 THEN 'mixed' ELSE 'hard' END, NULL, NULL,
       content_hash
FROM problems WHERE split IN ('seed', 'generated');
"""
ROUND = """
INSERT INTO attempts
SELECT 'a-' || {round} || substr(id, 3), id, {round},
       CASE WHEN {round} < 0 THEN 'baseline' ELSE 'evaluation' END,
       'in-domain', 'pot', 0, 'price = 4\nanswer = 5000 - price',
       CASE WHEN hash(id) % 10 <= {round} THEN 'accepted' ELSE 'wrong_answer' END,
       CASE WHEN hash(id) % 10 <= {round} THEN answer ELSE '-1' END, 40, true, 'tiny', 'torch',
       0, true, content_hash
FROM problems WHERE split = 'test:in-domain';
INSERT INTO evaluations BY NAME
SELECT {round} AS round, 'in-domain' AS name, count(*) AS n, count(*) FILTER (reason = 'accepted') AS correct,
       0.0 AS low, 0.6 AS high, '' AS content_hash
FROM attempts WHERE round = {round};
"""
SPANS = """
INSERT INTO spans
SELECT 's-' || printf('%016x', i), 'round-' || round || '/teach', kind,
       ['explain pot', 'pot', 'openai:some'][1 + i % 3], round,
       ['teach', 'evaluate', 'probe', 'synthesize'][1 + i % 4],
       'p-' || printf('%016x', (1 + i % {problems}) * 2654435761),
       ['teacher', 'verifier', 'student', 'synthesizer'][1 + i % 4],
       ['accepted', 'wrong_answer', 'answered', 'no_derivation'][1 + (hash(i) % 4)::INTEGER], 'r-' || i,
       CASE WHEN kind = 'call' THEN 0.002 ELSE 0 END,
       TIMESTAMP '2026-01-01' + INTERVAL (i * 100) MILLISECOND, (hash(i) % 10000) / 1000,
       'sha256:' || sha256(i::VARCHAR)
FROM (SELECT i, (i * {rounds}) // ({spans} + 1) AS round, ['agent', 'program', 'call'][1 + i % 3] AS kind
      FROM range({spans}) AS numbers(i));
INSERT INTO events
SELECT 2 * i + j, TIMESTAMP '2026-01-01' + INTERVAL (i * 3600 + j * 3000) SECOND, i // 4,
       ['teach', 'evaluate', 'probe', 'synthesize'][1 + i % 4], ['started', 'finished'][1 + j], '{{}}'
FROM range({rounds} * 4) AS phases(i), range(2) AS ends(j);
"""
PAGES = {
    "run": "/",
    "where it stands": "/live",
    "problems": "/problems",
    "search a word": "/problems?q=pencils",
    "search words": "/problems?q=dara+stamps+number+9",
    "search an id": "/problems?q=p-0000",
    "filters": "/problems?split=generated&round=2&band=easy&reason=accepted",
    "sorted by rate": "/problems?sort=rate&order=down",
    "last page": "/problems?page=2000",
    "problem": "/problems/{problem}",
    "transcript": "/calls/{call}",
    "flipped items": "/evaluations?show=flipped",
    "trace": "/trace",
    "trace of a round": "/trace?round=2&phase=probe&status=accepted",
    "trace, slow steps": "/trace?seconds=9.9&kind=call",
    "trace of a problem": "/trace?problem={problem}",
    "trace, deep page": "/trace?page=10000",
}


def main() -> None:
    given = _arguments()
    with TemporaryDirectory() as folder:
        big = Path(folder) / "big"
        make_up(big, given.problems, given.spans)
        size = (big / DATABASE).stat().st_size / 1e6
        print(f"{given.problems} problems, {given.spans} spans, {size:.0f} MB")
        with serving(big) as (url, process):
            measure_pages(url, process, addresses(big), given.repeats)
        measure_trace(big, given.repeats)
        measure_delays(Path(folder) / "delays", given.repeats)
        compare_runs(Path(folder), given.pairs)


def make_run(folder: Path) -> Store:
    folder.mkdir()
    settings = load_settings({"rounds": ROUNDS - 1, "student": "tiny"}, environment={})
    record = RunRecord(
        id="run-big",
        settings=settings.to_json(),
        versions={},
        seed=0,
        speed={},
        created=datetime(2026, 1, 1, tzinfo=UTC),
    )
    return Store.create(folder / DATABASE, record)


def make_up(folder: Path, problems: int, spans: int) -> None:
    with duckdb.connect(make_run(folder).path) as connection:
        numbers = {
            "problems": problems,
            "spans": spans,
            "rounds": ROUNDS,
            "evaluated": min(EVALUATED, problems),
        }
        connection.execute(PROBLEMS.format(**numbers))
        connection.execute(OTHERS)
        for round in range(-1, ROUNDS):
            connection.execute(ROUND.format(round=round))
        connection.execute(SPANS.format(**numbers))


def addresses(folder: Path) -> dict[str, str]:
    with duckdb.connect(folder / DATABASE, read_only=True) as connection:
        [problem] = connection.execute("SELECT parent FROM problems WHERE round = 3 LIMIT 1").fetchone() or [
            ""
        ]
        [call] = connection.execute("SELECT id FROM calls LIMIT 1").fetchone() or [""]
    return {name: path.format(problem=problem, call=call) for name, path in PAGES.items()}


@contextmanager
def serving(folder: Path) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    command = [sys.executable, "main.py", "serve", str(folder), "--port", "0"]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    found = re.search(r"http://\S+(?=/ )", process.stdout.readline())
    assert found, "serve did not start"
    yield found[0], process
    process.terminate()
    process.communicate()


def measure_pages(url: str, process: subprocess.Popen[str], paths: dict[str, str], repeats: int) -> None:
    print(f"\n{'page':<20}{'median ms':>10}{'95 % ms':>10}")
    times: dict[str, list[float]] = {name: [] for name in paths}
    most = 0
    for _ in range(repeats):
        for name, path in paths.items():
            begun = time.perf_counter()
            get(url + path)
            times[name].append(1000 * (time.perf_counter() - begun))
            most = max(most, memory(process.pid, "VmRSS"))
    for name, taken in times.items():
        print(f"{name:<20}{statistics.median(taken):>10.0f}{statistics.quantiles(taken, n=20)[-1]:>10.0f}")
    print(f"server: {most} MB between requests, {memory(process.pid, 'VmHWM')} MB at its peak")


def memory(pid: int, name: str) -> int:
    """Returns a field of /proc/PID/status in MB; 0 if it is not there."""
    found = re.search(rf"{name}:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    return int(found[1]) // 1000 if found else 0


def get(url: str) -> str:
    with urllib.request.urlopen(url) as answer:
        return str(answer.read().decode())


def measure_trace(folder: Path, repeats: int) -> None:
    print(f"\n{'trace':<32}{'median s':>10}{'most s':>10}")
    with duckdb.connect(folder / DATABASE, read_only=True) as connection:
        [problem] = connection.execute("SELECT min(problem_id) FROM spans").fetchone() or [""]
    for options in (options.format(problem=problem) for options in FILTERS):
        taken = []
        for _ in range(max(3, repeats // 4)):  # fewer than for pages: each starts a process
            begun = time.perf_counter()
            command = [sys.executable, "main.py", "trace", str(folder), *options.split()]
            subprocess.run(command, cwd=ROOT, stdout=subprocess.DEVNULL, check=True)
            taken.append(time.perf_counter() - begun)
        print(f"{options or '(no filter)':<32}{statistics.median(taken):>10.2f}{max(taken):>10.2f}")


def measure_delays(folder: Path, steps: int) -> None:
    store = make_run(folder)
    print(f"\n{'a step is shown after':<32}{'median s':>10}{'most s':>10}")
    with held(folder):
        report_delays("trace --follow", seen_by_trace(store, folder, steps))
        report_delays("an open page", seen_on_a_page(store, folder, steps))


def report_delays(name: str, delays: Sequence[float]) -> None:
    print(f"{name:<32}{statistics.median(delays):>10.2f}{max(delays):>10.2f}")


def logged(store: Store, name: str) -> float:
    """Logs a step after a random pause, so that it is not in step with any polling; returns the time."""
    time.sleep(random.uniform(0, 2))
    store.log(round=0, phase=name, kind="started")
    return time.perf_counter()


def seen_by_trace(store: Store, folder: Path, steps: int) -> list[float]:
    command = [sys.executable, "main.py", "trace", str(folder), "--follow"]
    delays = []
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for step in range(steps):
            begun = logged(store, f"followed-{step}")
            assert any(f"followed-{step}" in line for line in process.stdout), "trace ended"
            delays.append(time.perf_counter() - begun)
        process.terminate()
    return delays


def seen_on_a_page(store: Store, folder: Path, steps: int) -> list[float]:
    delays = []
    with serving(folder) as (url, _), sync_playwright() as playwright:
        found = shutil.which("chromium")
        browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        page = browser.new_page()
        page.goto(url)
        for step in range(steps):
            begun = logged(store, f"opened-{step}")
            page.get_by_text(f"opened-{step} started").wait_for()
            delays.append(time.perf_counter() - begun)
        browser.close()
    return delays


@dataclass(frozen=True, slots=True)
class Run:
    """Seconds that a tiny run took, and seconds of processor time that watching it took."""

    seconds: float
    looking: float


def compare_runs(folder: Path, pairs: int) -> None:
    """Makes the runs in turn, so that whatever else the machine does slows all of them alike."""
    runs: dict[str, list[Run]] = {watched: [] for watched in WATCHED}
    for pair in range(pairs):
        # The order alternates, so that a machine that slows down or speeds up favours none of them.
        for watched in WATCHED if pair % 2 else reversed(WATCHED):
            runs[watched].append(run(folder / f"{pair}-{watched}", watched))
    alone, cores = runs["alone"], os.cpu_count() or 1
    print(f"\ntiny run, median of {pairs}: {statistics.median(run.seconds for run in alone):.1f} s alone")
    for watched in WATCHED[1:]:
        slower = sorted(
            100 * (run.seconds / other.seconds - 1) for run, other in zip(runs[watched], alone, strict=True)
        )
        low, high = median_interval(slower)
        looking = statistics.median(run.looking for run in runs[watched])
        share = statistics.median(100 * run.looking / run.seconds / cores for run in runs[watched])
        print(
            f"beside {watched}: {statistics.median(slower):+.1f} % [{low:+.1f}, {high:+.1f}] in pairs; "
            f"looking took {looking:.2f} s, {share:.1f} % of the processors' time"
        )


def median_interval(values: Sequence[float]) -> tuple[float, float]:
    """Returns the 95 % interval of the median of sorted values, by the binomial distribution of their ranks.

    Five values or fewer cannot give 95 %; for these it is their range.
    """
    chance, outside = 0.0, 0
    while (chance := chance + comb(len(values), outside) / 2 ** len(values)) <= 0.025:
        outside += 1
    lowest = max(outside - 1, 0)
    return values[lowest], values[-1 - lowest]


def run(folder: Path, watched: str) -> Run:
    """Makes a run that is watched in this way from the moment it has a database."""
    command = [sys.executable, "main.py", *RUN, "--run-dir", str(folder)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL) as process:
        while not (folder / DATABASE).is_file():
            time.sleep(0.01)
        begun, ended = time.perf_counter(), threading.Event()
        with serving(folder) as (url, server):
            used = processor_time(server.pid)
            follower = threading.Thread(target=follow, args=(url, ended))
            tracing = None
            if watched == "a page":
                follower.start()
            if watched == "trace --follow":
                trace = [sys.executable, "main.py", "trace", str(folder), "--follow"]
                tracing = subprocess.Popen(trace, cwd=ROOT, stdout=subprocess.DEVNULL)
            process.wait()
            seconds = time.perf_counter() - begun
            ended.set()
            if watched == "a page":
                follower.join()
            used = processor_time(server.pid) - used
            if tracing is not None:
                _, status, spent = os.wait4(tracing.pid, 0)
                tracing.returncode = os.waitstatus_to_exitcode(status)
                used += spent.ru_utime + spent.ru_stime
    assert process.returncode == 0
    return Run(seconds, used)


def processor_time(pid: int) -> float:
    """Returns the user and system time of a process in seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def follow(url: str, ended: threading.Event) -> None:
    version = ""
    while not ended.wait(1.0):
        try:
            found = re.search(r'data-version="([^"]*)"', get(f"{url}/live"))
            if found and found[1] != version:
                get(f"{url}/")
                version = found[1]
        except URLError:  # the run is writing; the next request will succeed
            continue


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--problems", type=int, default=100_000, metavar="N")
    parser.add_argument("--spans", type=int, default=1_000_000, metavar="N")
    parser.add_argument("--repeats", type=int, default=20, metavar="N", help="requests of each page")
    parser.add_argument("--pairs", type=int, default=5, metavar="N", help="tiny runs alone and followed")
    return parser.parse_args()


if __name__ == "__main__":
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    main()
