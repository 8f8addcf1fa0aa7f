"""Fuzzes each parser for an equal share of the time and prints counts; exit status 1 if anything was found.

python -m tests.fuzz --seconds 3600
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

from fdd.agents.models.prompting import examples
from tests.hostile_text.texts import PROBLEMS, SYSTEMS

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
WORK = ROOT / "build" / "fuzz"
"""The corpora stay there, so that the next search starts from them; findings are deleted at the start."""
LONGEST = 1500
"""Most bytes in a text."""
HANG_SECONDS = 20

_DONE = re.compile(r"stat::number_of_executed_units:\s*(\d+)")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description="Fuzz the parsers.")
    parser.add_argument("--seconds", type=int, default=120, help="for all of them together (default: 120)")
    seconds = parser.parse_args().seconds
    findings = WORK / "findings"
    shutil.rmtree(findings, ignore_errors=True)
    findings.mkdir(parents=True)
    seeds = {"derivation": derivation_seeds(), "equation": list(SYSTEMS)}
    cases = sum(fuzz(name, texts, seconds / len(seeds), findings) for name, texts in seeds.items())
    kinds = Counter(finding.name.partition("-")[0] for finding in findings.iterdir())
    crashes = kinds["crash"] + kinds["oom"]
    hangs = kinds["hang"] + kinds["timeout"]
    print(
        f"fuzz: {cases} cases tried in {seconds} s; "
        f"{crashes} crashes, {hangs} hangs, {kinds['wrong']} wrong values",
        flush=True,
    )
    for finding in sorted(findings.iterdir()):
        print(f"  {finding}")
    return 1 if kinds else 0


def derivation_seeds() -> list[str]:
    """Returns texts of a question with its worked solution below it."""
    lessons = [row["question"] + "\n" + row["solution"] for row in examples("lessons")["lesson"]]
    return [*lessons, *(f"{question}\n{solution}" for question, solution in PROBLEMS)]


def fuzz(name: str, seeds: list[str], seconds: float, findings: Path) -> int:
    """Runs one target and returns the number of cases tried; restarts a process that ends early."""
    corpus = WORK / name
    corpus.mkdir(parents=True, exist_ok=True)
    for number, text in enumerate(seeds):
        (corpus / f"seed-{number}").write_text(text, "utf-8")
    end, cases = time.monotonic() + seconds, 0
    while (left := int(end - time.monotonic())) > 0:
        cases += run_target(name, corpus, left, findings)
    return cases


def run_target(name: str, corpus: Path, seconds: int, findings: Path) -> int:
    command = [
        *(sys.executable, "-m", "tests.fuzz.target", name, str(findings)),
        f"-max_total_time={seconds}",
        f"-timeout={HANG_SECONDS}",
        f"-max_len={LONGEST}",
        f"-dict={HERE / 'words.dict'}",
        f"-artifact_prefix={findings}/",
        "-print_final_stats=1",
        "-verbosity=0",
        str(corpus),
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    counted = _DONE.findall(done.stderr)
    if not counted:
        raise SystemExit(f"fuzz: {name} did not start:\n{done.stderr}")
    return int(counted[-1])


if __name__ == "__main__":
    sys.exit(main())
