"""Measures the database of a very large run: how fast rows come in, what queries take, and how much memory.

    python benchmarks/store_speed.py [--problems 1000000] [--attempts 10000000]

Fills the tables of a run with generated rows, as `looking_speed.py` does, and with attempts of a probe in
each round. Then it stores more attempts as an exam does, and performs, each in a process of its own, what a
run and its readers ask of the database.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import duckdb

from benchmarks.looking_speed import ROUNDS, addresses, make_up, measure_pages, measure_trace, memory, serving
from fdd.storage.evidence import gather_evidence
from fdd.storage.folder import DATABASE, open_store
from fdd.storage.store import Store
from fdd.storage.summary import probed_skills

PROBED = """
INSERT INTO attempts
SELECT 'b-' || {round} || '-' || sample || substr(id, 3), id, {round}, 'probe', '', 'pot', sample,
       'price = 4\nchange = 5000 - price * ' || sample || '\nanswer = change / 2',
       CASE WHEN hash(id, sample) % 10 <= {round} THEN 'accepted' ELSE 'wrong_answer' END, answer, 40, true,
       'tiny', 'torch', sample, true, content_hash
FROM problems, range({samples}) AS samples(sample)
WHERE split IN ('seed', 'generated')
"""
BATCH, BATCHES = 16, 50
"""Attempts of one event of an exam, and how many such events are stored."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--problems", type=int, default=1_000_000, metavar="N")
    parser.add_argument("--attempts", type=int, default=10_000_000, metavar="N")
    parser.add_argument("--query", help="used inside")
    parser.add_argument("--run", type=Path, help="used inside")
    given = parser.parse_args()
    if given.query:
        store = open_store(given.run)
        began = time.perf_counter()
        QUERIES[given.query](store)
        seconds = time.perf_counter() - began
        print(f"{given.query:<44}{seconds:>9.2f} s{memory_of_this():>9} MB at its peak")
        return
    with TemporaryDirectory() as folder:
        run = Path(folder) / "big"
        fill(run, given.problems, given.attempts)
        write_more(run)
        for name in QUERIES:
            subprocess.run([sys.executable, __file__, "--query", name, "--run", str(run)], check=True)
        with serving(run) as (url, process):
            measure_pages(url, process, addresses(run), 5)
        measure_trace(run, 4)


def fill(run: Path, problems: int, attempts: int) -> None:
    began = time.perf_counter()
    make_up(run, problems, 2 * problems)
    samples = max(1, round(attempts / problems / ROUNDS))
    with duckdb.connect(run / DATABASE) as connection:
        for round_ in range(ROUNDS):
            connection.execute(PROBED.format(round=round_, samples=samples))
        [count] = connection.execute("SELECT count(*) FROM attempts").fetchone() or [0]
    size, seconds = (run / DATABASE).stat().st_size / 1e9, time.perf_counter() - began
    print(f"{problems} problems, {count} attempts: {size:.1f} GB, made up in {seconds:.0f} s", flush=True)


def write_more(run: Path) -> None:
    """Stores attempts as an exam does: a transaction for each few."""
    store = open_store(run)
    known = store.attempts(round=ROUNDS - 1, purpose="evaluation")[:BATCH]
    began = time.perf_counter()
    for number in range(BATCHES):
        store.add(replace(each, id=f"a-new-{number}-{i}", round=ROUNDS) for i, each in enumerate(known))
    seconds = time.perf_counter() - began
    print(f"{BATCH} attempts a transaction: {BATCH * BATCHES / seconds:.0f} rows/s", flush=True)


def memory_of_this() -> int:
    return memory(int(Path("/proc/self").readlink().name), "VmHWM")


QUERIES: dict[str, Callable[[Store], object]] = {
    "nothing": lambda _: None,
    "skills that were probed": lambda store: store.read(probed_skills),
    "attempts of one round's probes": lambda store: store.attempts(round=1, purpose="probe"),
    "problems": lambda store: store.problems(),
    "training set": lambda store: store.training_set(round=ROUNDS - 1),
    "figures of the report": lambda store: store.read(gather_evidence),
    "summary": lambda store: store.summary(),
}

if __name__ == "__main__":
    main()
