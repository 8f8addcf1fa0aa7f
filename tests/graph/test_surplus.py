"""Which of too many written problems are taught, by each policy of `--select`."""

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest

from fdd.agents.selection import Evidence
from fdd.agents.thoughts import thought
from fdd.domain import Reason, SelectName
from fdd.graph import exam as exams
from fdd.graph.exam import Exam
from fdd.graph.run import start
from fdd.graph.state import RunContext
from fdd.graph.surplus import surplus
from fdd.main import main
from fdd.rundir.answers import Question
from fdd.rundir.listener import UNWATCHED
from fdd.storage.folder import open_store
from fdd.storage.records import SIBLING, AttemptRecord, ProblemRecord
from fdd.storage.store import Store
from fdd.training.config import FineTuneConfig
from fdd.training.device import choose_runtime
from fdd.training.fetch import student_path
from fdd.training.fine_tune import fine_tune
from fdd.training.likelihood import perform
from fdd.training.student import load_student
from fdd.training.tasks import Example, LikelihoodTask
from tests.graph.test_skills import BUDGET, skill_settings

OVERGENERATE, SAMPLES = 2, 3
CHILD = ProblemRecord(
    id="child",
    question="How much is 1 + 1?",
    answer=Fraction(2),
    solution="1 + 1 = 2",
    source="test",
    split="generated",
    skill="one",
)


def described(right: int = 0, n: int = 4, **more: float) -> Evidence:
    """Evidence of `right` right answers among `n`, all of whose wrong answers differ."""
    values = [*[Fraction(-1)] * right, *map(Fraction, range(n - right))]
    given = {"confidence": 1.0, **more}
    return Evidence(values=values, right=right, **given)


@pytest.fixture
def started(tmp_path: Path, cache: Path) -> Callable[..., Store]:
    def started(**more: object) -> Store:
        settings = skill_settings(rounds=1, overgenerate=OVERGENERATE, samples=SAMPLES, **more)
        start(settings, tmp_path / "run", UNWATCHED, cache=cache)
        return open_store(tmp_path / "run")

    return started


def test_of_too_many_problems_those_are_taught_that_the_student_solves_sometimes(
    started: Callable[..., Store], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = started()
    written = {each.id: each for each in store.problems(splits=["generated"])}
    taught = {lesson.problem.id for lesson in store.training_set(round=1)} & written.keys()
    assert len(written) == OVERGENERATE * BUDGET
    assert len(taught) == BUDGET
    assert {each.problem_id for each in store.rejections()} == written.keys() - taught
    assert {each.problem_id for each in store.probes(round=0) if each.n == SAMPLES} >= written.keys()

    assert main(["why", str(tmp_path / "run"), store.rejections()[0].problem_id]) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert "Left out from round 1 on: others teach more: the student solved it 0 of 3 times" in told


def test_each_written_problem_is_shown_with_its_rationale_before_all_siblings_of_its_skill(
    started: Callable[..., Store],
) -> None:
    store = started(select="gain")
    siblings = Counter(each.skill for each in store.problems(splits=[SIBLING]) if each.round == 0)
    skills = {each.id: each.skill for each in store.problems()}
    shown: defaultdict[str, set[str]] = defaultdict(set)
    for attempt in store.attempts(round=0, purpose="shown"):
        assert skills[attempt.problem_id] == skills[attempt.evaluation]
        shown[attempt.evaluation].add(attempt.problem_id)
    written = store.problems(splits=["generated"])
    assert {each.id: len(shown[each.id]) for each in written} == {
        each.id: siblings[each.skill] for each in written
    }
    assert "the student solved 0% of other problems, and 0% without" in store.rejections()[0].detail
    assert store.verify() == []


def test_a_larger_model_chooses_by_how_likely_it_finds_a_rationale(started: Callable[..., Store]) -> None:
    store = started(select="likelihood", select_with="tiny")
    assert len(store.rejections()) == BUDGET
    # The larger model is the student here.
    assert {each.detail for each in store.rejections()} == {
        "others teach more: a larger model finds its rationale likelier by +0.00 nats per character"
    }


def test_the_rationales_that_a_larger_model_finds_likelier_are_taught(
    started: Callable[..., Store], cache: Path, tmp_path: Path
) -> None:
    """The larger model is the tiny student, taught a little."""
    base, larger = student_path("tiny", cache), tmp_path / "larger"
    student = load_student(base, choose_runtime("cpu"))
    taught = [Example(question=f"What is {n} + 1?", cue="Compute.", rationale=f"{n}") for n in range(8)]
    fine_tune(student, taught, larger, FineTuneConfig(epochs=2), lambda _: None)
    store = started(select="likelihood", select_with=str(larger))
    lessons = {each.problem_id: each for each in store.rationales(round=1) if each.reason.accepted}
    children = {each.id: each for each in store.problems(splits=["generated"])}
    cue = thought("pot").cue
    examples = tuple(
        Example(question=children[key].question, cue=cue, rationale=each.text)
        for key, each in lessons.items()
    )
    more, less = (
        perform(LikelihoodTask(student=folder, examples=examples, device="cpu"), None)
        for folder in (larger, base)
    )
    ratios = {key: (more[i] - less[i]) / len(examples[i].rationale) for i, key in enumerate(lessons)}
    left_out = {each.problem_id: each.detail for each in store.rejections()}
    assert len(set(ratios.values())) > BUDGET
    for key, detail in left_out.items():
        assert f"likelier by {ratios[key]:+.2f} nats" in detail
        kept = [each for each in children.keys() - left_out if children[each].skill == children[key].skill]
        assert all(ratios[each] >= ratios[key] for each in kept)


def test_what_helps_the_student_when_it_sees_it_is_taught(
    started: Callable[..., Store], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tiny student solves nothing, so its answers are made right where the id of the child is even."""

    def helps(child: str) -> bool:
        return int(child[-1], 16) % 2 == 0

    def examine(exam: Exam, questions: Sequence[Question], context: RunContext) -> list[AttemptRecord]:
        assert all(len(each.shots) == 1 for each in questions)
        return [
            replace(each, reason=Reason.ACCEPTED) if helps(each.evaluation) else each
            for each in exams.examine(exam, questions, context)
        ]

    monkeypatch.setattr("fdd.graph.surplus.examine", examine)
    store = started(select="shown")
    left_out = {each.problem_id for each in store.rejections()}
    by_skill: defaultdict[str, list[ProblemRecord]] = defaultdict(list)
    for child in store.problems(splits=["generated"]):
        by_skill[child.skill].append(child)
    for members in by_skill.values():
        kept = [each for each in members if each.id not in left_out]
        best = sum(helps(each.id) for each in members)
        assert sum(helps(each.id) for each in kept) == min(best, len(kept))


@pytest.mark.parametrize(
    ("policy", "best", "other"),
    [
        ("sometimes", described(right=1), described(right=0)),
        ("sometimes", described(right=1), described(right=3)),
        ("sometimes", described(right=0), described(right=4)),
        ("uncertain", described(right=0), described(right=2)),
        ("uncertain", described(right=2), described(right=4)),
        ("need", described(right=1, confidence=0.9), described(right=1, confidence=0.5)),
        ("need", described(right=1, confidence=0.9), described(right=4, confidence=1.0)),
        ("shown", described(shown=0.6, alone=0.6), described(shown=0.5, alone=0.0)),
        ("gain", described(shown=0.5, alone=0.0), described(shown=0.6, alone=0.6)),
        ("likelihood", described(ratio=0.2), described(ratio=-0.1)),
    ],
)
def test_the_policy_says_which_of_two_problems_of_a_skill_is_taught(
    policy: SelectName, best: Evidence, other: Evidence
) -> None:
    for names in (("a", "b"), ("b", "a")):
        children = [replace(CHILD, id=name) for name in names]
        found = dict(zip(names, (best, other), strict=True))
        assert [each.problem_id for each in surplus(children, 1, policy, found, 1)] == [names[1]]


def test_of_each_skill_what_is_solved_sometimes_is_kept_before_what_is_never_and_always_solved() -> None:
    solved = {"always": ("one", 4), "mostly": ("one", 3), "never": ("one", 0)}
    solved |= {"too": ("other", 4), "all": ("other", 4)}
    children = [replace(CHILD, id=name, skill=skill) for name, (skill, _) in solved.items()]
    found = {name: described(right) for name, (_, right) in solved.items()}

    def kept(budget: int) -> set[str]:
        left_out = surplus(children, budget, "sometimes", found, 1)
        return solved.keys() - {each.problem_id for each in left_out}

    assert kept(2) == {"mostly", "all"}
    assert kept(3) == {"mostly", "never", "all"}
    assert kept(5) == kept(9) == solved.keys()


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("--overgenerate 2", "--overgenerate 2 needs a budget of problems"),
        ("--select need", "--select need chooses among too many problems: add --overgenerate 2"),
        ("--recipe skills --overgenerate 2 --select uncertain", "needs several answers to a problem"),
        ("--recipe skills --overgenerate 2 --select likelihood", "add --select-with ID"),
        ("--select-with tiny", "--select-with 'tiny' needs --select likelihood"),
        (
            "--recipe skills --overgenerate 2 --select gain --solver tiny --thoughts decompose",
            "--select gain needs a student that answers by itself: drop --solver",
        ),
    ],
)
def test_what_cannot_be_chosen_is_refused_before_the_run(
    given: str, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--rounds", "1", "--limit", "12", *given.split()]) == 2
    assert told in capsys.readouterr().err
