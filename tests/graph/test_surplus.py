"""Which of too many written problems are taught, by each policy of `--select`."""

from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest

from fdd.agents.selection import Evidence
from fdd.domain import SelectName
from fdd.graph.run import start
from fdd.graph.surplus import surplus
from fdd.main import main
from fdd.rundir.listener import UNWATCHED
from fdd.storage.folder import open_store
from fdd.storage.records import SIBLING, ProblemRecord
from fdd.storage.store import Store
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
        "others teach more: for the larger model its rationale is likelier by +0.00 nats a character"
    }


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
            "--select gain shows rationales, and --solver gets plans: drop one",
        ),
    ],
)
def test_what_cannot_be_chosen_is_refused_before_the_run(
    given: str, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--rounds", "1", "--limit", "12", *given.split()]) == 2
    assert told in capsys.readouterr().err
