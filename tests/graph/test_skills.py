"""The loop over skills on the tiny student: what is probed, written and taught; no kill changes it."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from fdd.domain import Operator
from fdd.graph.curriculum import Share, attempts_to_show, beliefs, plan
from fdd.graph.run import create, opened, resume, start
from fdd.main import main
from fdd.matching import exact_form
from fdd.problems.gsm_symbolic import TAUGHT_TEMPLATES
from fdd.rundir.control import KINDS, control_of
from fdd.rundir.listener import UNWATCHED
from fdd.settings import Settings, load_settings
from fdd.storage.folder import open_store
from fdd.storage.records import SIBLING
from fdd.storage.store import Store
from fdd.storage.summary import probed_skills
from tests.graph.test_run import rows

ROUNDS, SEEDS, BUDGET, SIBLINGS = 2, 12, 20, 2


def skill_settings(**more: object) -> Settings:
    given = {
        "rounds": ROUNDS,
        "student": "tiny",
        "recipe": "skills",
        "budget": BUDGET,
        "siblings": SIBLINGS,
        "problems.limit": SEEDS,
        "problems.test_size": 6,
        "problems.held_out_size": 2,
        "problems.dev_size": 3,
        "problems.harder_size": 3,
        "generate.max_new_tokens": 8,
        "device": "cpu",
    }
    return load_settings({**given, **more}, environment={})


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Path:
    folder = tmp_path_factory.mktemp("skills") / "run"
    start(skill_settings(), folder, UNWATCHED, cache=cache)
    return folder


@pytest.fixture(scope="module")
def store(run: Path) -> Store:
    return open_store(run)


def test_every_seed_is_taught_at_once_and_every_round_adds_its_budget(store: Store) -> None:
    by_round = Counter(problem.round for problem in store.problems(splits=["generated"]))
    assert {problem.round for problem in store.problems(splits=["seed"])} == {0}
    assert by_round == {1: BUDGET, 2: BUDGET}
    taught = {lesson.problem.id for lesson in store.training_set(round=ROUNDS)}
    assert {problem.id for problem in store.problems(splits=["generated"])} <= taught


def test_what_is_probed_is_never_taught_and_its_skill_was_taught_before(store: Store) -> None:
    siblings = {problem.id: problem for problem in store.problems(splits=[SIBLING])}
    probes = [probe for probe in store.probes() if probe.problem_id in siblings]
    assert Counter(probe.round for probe in probes).keys() == {0, 1}
    assert len(probes) == len(store.probes())
    for round in range(ROUNDS):
        lessons = store.training_set(round=round)
        questions = {exact_form(lesson.problem.question) for lesson in lessons}
        skills = {lesson.problem.skill for lesson in lessons}
        asked = [siblings[probe.problem_id] for probe in probes if probe.round == round]
        assert not {exact_form(problem.question) for problem in asked} & questions
        assert sum(problem.skill in skills for problem in asked) >= 0.9 * len(asked)


def test_each_round_has_fresh_siblings_of_each_skill(store: Store) -> None:
    for problem in store.problems(splits=[SIBLING]):
        assert problem.parent is None or problem.round in range(ROUNDS)
    counts = Counter((each.round, each.skill) for each in store.problems(splits=[SIBLING]) if each.parent)
    assert set(counts.values()) <= {1, SIBLINGS}


def test_the_view_counts_what_each_skill_was_taught_before_its_probe(store: Store) -> None:
    for row in store.read(probed_skills):
        lessons = store.training_set(round=row["round"])
        assert row["taught"] == len({x.problem.id for x in lessons if x.problem.skill == row["skill"]})
        assert 0 <= row["correct"] <= row["n"] <= SIBLINGS


def test_what_was_written_is_the_plan_of_the_round_before(store: Store) -> None:
    """Only what could not be written of a skill goes to others."""
    removed = {row["round"]: row["removed"] for row in store.summary()["rounds"]}
    for round in range(ROUNDS):
        shares = plan(store, round, skill_settings())
        written = Counter(
            problem.skill for problem in store.problems(splits=["generated"]) if problem.round == round + 1
        )
        assert sum(share.problems for share in shares.values()) == BUDGET == written.total()
        missing = sum(max(0, share.problems - written[skill]) for skill, share in shares.items())
        assert missing <= sum(removed[round + 1].values())


def test_why_tells_what_was_known_of_the_skill_when_a_problem_was_written(
    run: Path, store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    written = next(each for each in store.problems(splits=["generated"]) if each.round == 1)
    known = next(
        each for each in store.summary()["skills"] if (each["round"], each["skill"]) == (0, written.skill)
    )
    assert main(["why", str(run), written.id]) == 0
    told = capsys.readouterr().out
    assert f"\nSkill\n{written.skill}\n" in told
    assert (
        f"after round 0  0 of {known['n']} probes right, {known['taught']} of its problems taught; "
        f"then {known['written']} written ({known['operators']})"
    ) in " ".join(told.split("\n"))


def test_children_share_the_skill_of_their_parent(store: Store) -> None:
    skills = {problem.id: problem.skill for problem in store.problems()}
    assert all(child.skill == skills[child.parent or ""] for child in store.problems(splits=["generated"]))


def test_a_student_that_solves_nothing_yet_gets_similar_problems(store: Store) -> None:
    assert {belief.correct for belief in beliefs(store, 1).values()} == {0.0}
    operators = {child.operator for child in store.problems(splits=["generated"])}
    assert operators == {Operator.SIMILAR}


def test_what_is_not_harder_is_similar_or_where_it_is_needed_simpler_by_turns() -> None:
    assert Share(3, harder=1).operators() == [Operator.SIMILAR, Operator.SIMILAR, Operator.HARDER]
    assert Share(3, simpler=True).operators() == [Operator.SIMPLER, Operator.SIMILAR, Operator.SIMPLER]


def test_there_is_a_test_set_of_harder_problems(store: Store) -> None:
    assert {each.name for each in store.evaluations(round=ROUNDS)} >= {"in-domain", "harder", "held-out"}


def test_a_run_interrupted_before_each_phase_of_the_loop_ends_with_the_same_rows(
    run: Path, tmp_path: Path, cache: Path
) -> None:
    folder = tmp_path / "run"
    create(skill_settings(), folder, cache=cache)
    for phase in ("seed", "probe", "synthesize"):
        with opened(folder, cache=cache) as again:
            for _ in again.stream(interrupt_before=[phase]):
                pass
    resume(folder, UNWATCHED, cache=cache)
    assert rows(folder) == rows(run)


def test_a_writer_may_see_the_wrong_answers_of_its_skill_and_for_comparison_those_of_another(
    store: Store,
) -> None:
    wrong = attempts_to_show(store, 0, skill_settings())
    siblings = {problem.question: problem.skill for problem in store.problems(splits=[SIBLING])}
    assert all(siblings[each.question] == skill for skill, shown in wrong.items() for each in shown)
    assert sum(map(len, wrong.values())) == len(store.attempts(round=0, purpose="probe"))  # it solves nothing
    assert all("; right is " in each.verdict for shown in wrong.values() for each in shown)
    shuffled = attempts_to_show(store, 0, skill_settings(show_attempts="shuffled"))
    assert sorted(map(len, shuffled.values())) == sorted(map(len, wrong.values()))
    assert shuffled != wrong
    for nothing in ("none", "right"):
        assert attempts_to_show(store, 0, skill_settings(show_attempts=nothing)) == {}


def test_a_control_is_the_same_run_with_another_policy(run: Path) -> None:
    whole = skill_settings()
    for kind, control in KINDS.items():
        assert control_of(run, kind) == replace(whole, **control.settings)  # type: ignore[arg-type]


def test_controls_are_taught_the_same_seeds_even_where_a_skill_gave_one_up(
    tmp_path: Path, cache: Path
) -> None:
    taught, given_up = [], []
    for adds in ("written", "repeat", "seeds"):
        settings = skill_settings(adds=adds, **{"problems.limit": 2 * TAUGHT_TEMPLATES})
        create(settings, tmp_path / adds, cache=cache)
        with opened(tmp_path / adds, cache=cache) as run:
            for _ in run.stream(interrupt_after=["seed"]):
                pass
        store = open_store(tmp_path / adds)
        taught.append({each.id for each in store.problems(splits=["seed"]) if each.round == 0})
        given_up.append({each.id for each in store.problems(splits=[SIBLING]) if each.parent is None})
    assert given_up[0]
    assert taught[0] == taught[1] == taught[2]
    assert given_up[0] == given_up[1] == given_up[2]


@pytest.mark.parametrize("kind", ["uniform", "repeat", "seeds", "shuffled"])
def test_controls_make_as_many_steps_with_as_many_problems(
    kind: str, run: Path, tmp_path: Path, cache: Path
) -> None:
    folder = tmp_path / kind
    start(control_of(run, kind), folder, UNWATCHED, cache=cache)
    ours, theirs = open_store(run).rounds(), open_store(folder).rounds()
    assert [each.examples for each in theirs] == [each.examples for each in ours]
    assert [each.steps for each in theirs] == [each.steps for each in ours]
    written = open_store(folder).problems(splits=["generated"])
    if kind == "uniform":
        assert {each.operator for each in written} == {Operator.SIMILAR}
    if kind in ("repeat", "seeds"):
        assert not written


@pytest.fixture(scope="module")
def grown(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Path:
    folder = tmp_path_factory.mktemp("grown") / "run"
    settings = skill_settings(grow_skills="true", operators="harder")
    start(settings, folder, UNWATCHED, cache=cache)
    return folder


def test_harder_problems_become_a_skill_that_is_probed_and_written_for(grown: Path) -> None:
    store = open_store(grown)
    seeded = {problem.skill for problem in store.problems(splits=["seed"])}
    harder = [each for each in store.problems(splits=["generated"]) if each.operator is Operator.HARDER]
    first = {problem.skill for problem in harder if problem.round == 1}
    assert first and first == {f"{skill} +1" for skill in seeded if f"{skill} +1" in first}
    probed = {(row["round"], row["skill"]) for row in store.read(probed_skills)}
    assert {(1, skill) for skill in first} & probed
    assert not {skill for round, skill in probed if round == 0} - seeded
    by_id = {problem.id: problem for problem in store.problems()}
    for sibling in store.problems(splits=[SIBLING]):
        if sibling.skill not in seeded:
            assert sibling.parent and by_id[sibling.parent].skill == sibling.skill
            assert by_id[sibling.parent].split == "generated"
    assert {problem.skill for problem in harder if problem.round == 2} & {
        skill.replace(" +1", " +2") for skill in first
    }


def test_a_skill_that_has_grown_another_gets_no_more_harder_problems(grown: Path) -> None:
    settings = skill_settings(grow_skills="true")
    store = open_store(grown)
    now = beliefs(store, 1)
    above = [skill for skill in now if f"{skill} +1" in now]
    assert above
    solved = {skill: replace(belief, alpha=9.0, beta=1.0, correct=9.0) for skill, belief in now.items()}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("fdd.graph.curriculum.beliefs", lambda *_: solved)
        shares = plan(store, 1, settings)
    assert all(shares[skill].harder == 0 for skill in above)
    assert any(share.harder for skill, share in shares.items() if skill not in above)


def test_a_grown_tree_is_written_again_as_it_was(grown: Path, cache: Path) -> None:
    before = rows(grown)
    (grown / "checkpoints.sqlite").unlink()
    resume(grown, UNWATCHED, cache=cache)
    assert rows(grown) == before
