"""Measures how long `report` takes for a run with many problems, and how large its page is.

    python benchmarks/report_speed.py --problems 100000

The run is generated in the database with SQL. It has ten rounds, and from the second on half of the problems
are generated ones. Each probe has five samples, each problem two rationales and three calls to models. There
is a dev set of 200 problems, and a test set as large as GSM8K's (1,319).
"""

from __future__ import annotations

import argparse
import sys
import time
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from fdd.settings import load_settings
from fdd.storage.database import Database
from fdd.storage.evidence import gather_evidence
from fdd.storage.folder import DATABASE, open_store
from fdd.storage.records import RunRecord
from fdd.storage.store import Store

ROUNDS = 10
EXAM = {"dev": 200, "exam": 1_319}
SPLITS = {"dev": "dev", "exam": "test:exam"}
TEXT = "repeat('Many words of a question that somebody wrote. ', 6) || i"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--problems", type=int, default=100_000, metavar="N")
    size = parser.parse_args().problems
    began = time.perf_counter()
    # Imported here and not at the top, so that it is timed apart from the report.
    for name in ("matplotlib.figure", "matplotlib.backends.backend_svg"):
        import_module(name)
    print(f"import of matplotlib: {time.perf_counter() - began:.2f} s")
    write_report = import_module("fdd.reporting.report").write_report
    with TemporaryDirectory() as folder:
        run = Path(folder)
        make_up(run, size)
        for name, work in (
            ("counting", lambda: open_store(run).read(gather_evidence)),
            ("report", lambda: write_report(run)),
        ):
            began = time.perf_counter()
            work()
            print(f"{name}: {time.perf_counter() - began:.2f} s")
        print(f"page: {(run / 'report.html').stat().st_size / 1e6:.2f} MB")


def make_up(folder: Path, size: int) -> None:
    settings = load_settings({"rounds": ROUNDS - 1, "samples": 5, "thoughts": "pot,cot"}, environment={})
    path = folder / DATABASE
    Store.create(path, RunRecord(id="run-big", settings=settings.to_json(), versions={}, seed=0, speed={}))
    with Database(path).writing() as connection:
        for statement in statements(size):
            connection.execute(statement)


def statements(size: int) -> list[str]:
    each = size // ROUNDS
    parent = f"CASE WHEN i % 2 = 1 AND i >= {each} THEN 'p-' || (i - {each}) END"
    program = "repeat('value = 3 * 4' || chr(10), 12)"
    operator = "CASE WHEN i % 4 = 1 THEN 'harder' ELSE 'similar' END"
    return [
        f"""INSERT INTO problems SELECT 'p-' || i, {TEXT}, '42', '', 'made up', 't' || i % 85,
        't' || i % 85, {parent},
        CASE WHEN {parent} IS NOT NULL THEN {operator} END, i // {each},
        CASE WHEN {parent} IS NULL THEN 'seed' ELSE 'generated' END, '', NULL, '' FROM range({size}) r(i)""",
        f"""INSERT INTO rationales SELECT 'r-' || t || id, id, t, {program}, round, 'symbolic',
        CASE WHEN hash(t || id) % 10 = 0 THEN 'wrong_answer' ELSE 'accepted' END,
        '42', '', false, '', NULL, ''
        FROM problems, (VALUES ('pot'), ('cot')) v(t)""",
        """INSERT INTO probes SELECT id, round - 1, 5, hash(id) % 6, 0.5, 0, 1,
        CASE WHEN hash(id) % 6 > 3 THEN 'easy' WHEN hash(id) % 6 < 3 THEN 'hard' ELSE 'mixed' END,
        0, round - 2, ''
        FROM problems WHERE round > 0""",
        f"""INSERT INTO attempts SELECT 'a-' || s || problem_id, problem_id, round, 'probe', '', 'pot', s,
        {program}, 'wrong_answer', '12', 9, true, '', 'torch', 0, true, '' FROM probes, range(5) q(s)""",
        """INSERT INTO calls SELECT 'c-' || a || id, round, a, 'some model', '', '', 0, 0, 'answered',
        300, 120, 0.001, 2, now()::TIMESTAMP, id, 1, true, '', ''
        FROM problems, (VALUES ('teacher'), ('synthesizer'), ('verifier')) v(a)""",
        f"""INSERT INTO rounds SELECT r, 'students/round-' || r, 1, 1, 1, 1, 0.1, 1, '{{"duplicate": 9}}', ''
        FROM range({ROUNDS}) q(r)""",
        f"INSERT INTO decisions SELECT r, r - 1, 200, 30, 20, 0.2, r <> 5, '' FROM range({ROUNDS}) q(r)",
        *(statement for name, n in EXAM.items() for statement in exam(name, n)),
        """INSERT INTO evaluations SELECT round, evaluation, count(*), count(value), 0, 1, ''
        FROM attempts WHERE evaluation <> '' GROUP BY round, evaluation""",
    ]


def exam(name: str, n: int) -> tuple[str, str]:
    asked = f"""INSERT INTO problems SELECT 'q-{name}-' || i, {TEXT}, '42', '', '', '', '', NULL, NULL, 0,
    '{SPLITS[name]}', '', NULL, '' FROM range({n}) r(i)"""
    answered = f"""INSERT INTO attempts SELECT 'e-' || r || id, id, r,
    CASE WHEN r < 0 THEN 'baseline' ELSE 'evaluation' END, '{name}', 'pot', 0, 'answer = 42', 'accepted',
    CASE WHEN hash(id || r) % 12 <= r THEN '42' END, 9, true, '', 'torch', 0, true, ''
    FROM problems, range(-1, {ROUNDS}) q(r) WHERE split = '{SPLITS[name]}'"""
    return asked, answered


if __name__ == "__main__":
    main()
