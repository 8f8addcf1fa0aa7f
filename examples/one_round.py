"""One round of feedback-driven distillation in a page: no LangGraph, no database, no run folder.

    python examples/one_round.py                          # tiny student: shows every step in half a minute
    python examples/one_round.py --student smollm2-135m   # real student: learns, and takes longer

`python main.py --rounds 1` does the same with storage, traces, undo, other teachers and resuming.
"""

from __future__ import annotations

import asyncio
import random
import sys
import tempfile
from argparse import ArgumentParser
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from fdd.agents.allocation import operator_for
from fdd.agents.evaluator import band
from fdd.agents.statistics import wilson
from fdd.agents.synthesizer import SymbolicSynthesizer, Wanted
from fdd.agents.teacher import SymbolicTeacher
from fdd.agents.thoughts import thought
from fdd.agents.verifier import Verifier
from fdd.domain import Draft, Problem, problem_id
from fdd.problems.config import ProblemSettings
from fdd.problems.split import prepare
from fdd.settings import cache_folder
from fdd.training.config import FineTuneConfig
from fdd.training.fetch import student_path
from fdd.training.tasks import Batch, Completion, Event, Example, FineTuneTask, GenerateTask, Request
from fdd.training.worker import run_in_child

THOUGHT = "pot"
"""The format that is taught: a Python program whose last line assigns the answer."""


def main() -> None:
    parser = ArgumentParser(description="One round of feedback-driven distillation.")
    parser.add_argument("--student", default="tiny")
    parser.add_argument("--seeds", type=int, default=40, help="seed problems; half of them are held back")
    parser.add_argument("--tests", type=int, default=40)
    given = parser.parse_args()

    # The problems. Dev and test problems come from the same templates as the seeds, with other numbers.
    sets = prepare(ProblemSettings(limit=given.seeds, test_size=given.tests, held_out_size=1, dev_size=1))
    half = len(sets.seeds) // 2
    first, held_back = sets.seeds[:half], sets.seeds[half:]
    tests = sets.tests["in-domain"]

    untaught = student_path(given.student, cache_folder())
    with Verifier() as verifier, tempfile.TemporaryDirectory() as folder:
        # 1. The teacher explains the first half of the seeds. Only rationales that pass the verifier count.
        lessons = explain(first, verifier)
        print(f"taught first: {len(lessons)} of {len(first)} problems have an accepted rationale")

        # 2. The student learns from them.
        student = train(untaught, lessons, Path(folder) / "round-0")
        print(f"after round 0: {accuracy(student, tests, verifier)}")

        # 3. Probe: which of the problems that it was not taught can it solve?
        solved = probe(student, held_back, verifier)
        print(f"probed: {sum(solved)} of {len(solved)} solved")

        # 4. The synthesizer writes a child of each: harder where it was solved, similar where it was not.
        children = write_children(held_back, solved)
        print(f"written: {len(children)} new problems")

        # 5. They are explained and verified like the seeds, and the untaught student learns from all of it.
        lessons += explain(held_back, verifier) + explain(children, verifier)
        student = train(untaught, lessons, Path(folder) / "round-1")
        print(f"after round 1: {accuracy(student, tests, verifier)}, {len(lessons)} problems taught")


def explain(problems: Sequence[Problem], verifier: Verifier) -> list[Example]:
    """An example of each problem whose rationale computes the answer from the numbers of the question."""
    lessons, teacher = [], SymbolicTeacher()
    for problem in problems:
        rationale = asyncio.run(teacher.explain(problem, THOUGHT)).content
        # A teacher that cannot explain a problem answers with a Refusal, which names the reason.
        if isinstance(rationale, str) and verifier.judge_rationale(THOUGHT, rationale, problem).accepted:
            lessons.append(Example(question=problem.question, cue=thought(THOUGHT).cue, rationale=rationale))
    return lessons


def train(student: Path, lessons: Sequence[Example], output: Path) -> Path:
    """Fine-tune in a process of its own, so that its memory comes back."""
    task = FineTuneTask(
        student=student, examples=tuple(lessons), output=output, config=FineTuneConfig(epochs=2)
    )
    trained = run_in_child(task, lambda _: None)
    print(f"trained: {trained.steps} steps on {trained.tokens} tokens, last loss {trained.loss:.2f}")
    return output


def answer(student: Path, problems: Sequence[Problem]) -> dict[str, Completion]:
    """The student's greedy answer to each problem, by problem id."""
    requests = [Request(key=each.id, question=each.question, cue=thought(THOUGHT).cue) for each in problems]
    answers: dict[str, Completion] = {}

    def on_event(event: Event) -> None:
        if isinstance(event, Batch):
            answers.update({completion.key: completion for completion in event.completions})

    run_in_child(GenerateTask(student=student, requests=tuple(requests)), on_event)
    return answers


def probe(student: Path, problems: Sequence[Problem], verifier: Verifier) -> list[bool]:
    """Whether the student solves each problem: its program is run, and the value compared exactly."""
    answers = answer(student, problems)
    texts = [(THOUGHT, answers[each.id].text, each.answer, answers[each.id].finished) for each in problems]
    return [verdict.accepted for verdict in verifier.judge_attempts(texts)]


def accuracy(student: Path, problems: Sequence[Problem], verifier: Verifier) -> str:
    solved = probe(student, problems, verifier)
    interval = wilson(sum(solved), len(solved))
    return f"{sum(solved)} of {len(solved)} right, 95 % interval {interval.low:.0%} to {interval.high:.0%}"


def write_children(parents: Sequence[Problem], solved: Sequence[bool]) -> list[Problem]:
    """One new problem for each parent that the synthesizer can vary."""
    children, rng, synthesizer = [], random.Random(0), SymbolicSynthesizer()
    for parent, right in zip(parents, solved, strict=True):
        operator = operator_for(band(int(right), 1))
        draft = asyncio.run(
            synthesizer.write(Wanted(parent=parent, operator=operator, others=parents), rng)
        ).content
        if isinstance(draft, Draft):
            children.append(
                Problem(
                    id=problem_id(draft.question, draft.answer),
                    question=draft.question,
                    answer=draft.answer,
                    solution=draft.solution,
                    source=parent.source,
                    parent=parent.id,
                    operator=operator,
                    round=1,
                )
            )
    return children


if __name__ == "__main__":
    main()
