"""The whole loop on the tiny student: what it leaves behind, and that no interruption changes it."""

import json
from collections import Counter
from pathlib import Path

import duckdb
import pytest

from fdd.domain import Operator, Progress
from fdd.errors import ProblemSetError, StoppedError, StudentError, UsageError
from fdd.graph.run import resume, start
from fdd.graph.state import RunState
from fdd.settings import load_settings
from fdd.storage.folder import DATABASE, open_store
from tests.graph.settings import tiny_settings

SAME_ROWS = ("problems", "rationales", "attempts", "evaluations", "decisions", "probes", "contamination")


class Recorder:
    """A listener that remembers."""

    def __init__(self) -> None:
        self.phases: list[str] = []
        self.done = Counter[str]()
        """What was done in the latest round of each phase."""
        self.evaluations: list[int] = []
        self.notices: list[str] = []

    def advanced(self, progress: Progress) -> None:
        if not self.phases or self.phases[-1] != progress.phase:
            self.phases.append(progress.phase)
        self.done[progress.phase] = progress.done

    def evaluated(self, round: int) -> None:
        self.evaluations.append(round)

    def noticed(self, text: str) -> None:
        self.notices.append(text)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> tuple[Path, Recorder, RunState]:
    folder = tmp_path_factory.mktemp("runs") / "whole"
    recorder = Recorder()
    state = start(tiny_settings(), folder, recorder, cache=cache)
    return folder, recorder, state


def rows(folder: Path) -> dict[str, list[tuple[object, ...]]]:
    with duckdb.connect(str(folder / DATABASE), read_only=True) as connection:
        return {
            name: connection.execute(f"SELECT * FROM {name} ORDER BY ALL").fetchall() for name in SAME_ROWS
        }


def test_a_run_passes_through_every_phase_in_order(finished: tuple[Path, Recorder, RunState]) -> None:
    first = ["seed", "teach", "baseline", "fine_tune", "refine", "evaluate", "probe", "synthesize"]
    later = ["teach", "practise", "probe_children", "fine_tune", "refine", "evaluate", "test", "report"]
    assert finished[1].phases == first + later
    assert finished[1].evaluations == [-1, 0, 1, 1]


def test_a_run_leaves_a_student_a_data_set_and_a_sound_database(
    finished: tuple[Path, Recorder, RunState],
) -> None:
    folder, _, state = finished
    assert (folder / "student" / "model.safetensors").is_file()
    lines = [json.loads(line) for line in (folder / "dataset.jsonl").read_text().splitlines()]
    assert {line["thought"] for line in lines} == {"pot", "cot"}
    assert len({line["id"] for line in lines}) == state.problems
    assert open_store(folder).verify() == []


def test_every_written_problem_has_a_parent_an_operator_and_a_round(
    finished: tuple[Path, Recorder, RunState],
) -> None:
    store = open_store(finished[0])
    children = store.problems(splits=["generated"])
    seeds = {problem.id for problem in store.problems(splits=["seed"])}
    assert children
    assert {child.parent for child in children} <= seeds
    # A tiny student solves nothing, so that every skill needs a stepping stone, where there is one.
    assert {child.operator for child in children} <= {Operator.SIMPLER, Operator.SIMILAR}
    assert {child.round for child in children} == {1}


def test_every_text_of_an_agent_names_its_call(finished: tuple[Path, Recorder, RunState]) -> None:
    store = open_store(finished[0])
    calls = {call.id: call.agent for call in store.calls()}
    assert {calls[rationale.call_id or ""] for rationale in store.rationales()} == {"teacher"}
    children = store.problems(splits=["generated"])
    assert {calls[problem.call_id or ""] for problem in children} == {"synthesizer"}


def test_every_phase_leaves_its_start_and_end(finished: tuple[Path, Recorder, RunState]) -> None:
    events = [(event.phase, event.kind) for event in open_store(finished[0]).events()]
    assert events[:2] == [("seed", "started"), ("seed", "finished")]
    assert events[-2:] == [("report", "started"), ("report", "finished")]
    assert len(events) == 2 * len(finished[1].phases)


def test_the_papers_way_compares_a_child_with_its_parent_by_the_same_student(
    tmp_path: Path, cache: Path
) -> None:
    start(tiny_settings(), tmp_path / "run", Recorder(), cache=cache)
    store = open_store(tmp_path / "run")
    children = {problem.id for problem in store.problems(splits=["generated"])}
    compared = [probe for probe in store.probes(round=0) if probe.problem_id in children]
    assert compared
    assert {(probe.change, probe.parent_round) for probe in compared} == {(0.0, 0)}
    # A tiny student solves nothing, so that everything it was asked is hard.
    assert {child.operator for child in store.problems(splits=["generated"])} == {Operator.SIMILAR}


def test_the_summary_counts_what_the_tables_hold(finished: tuple[Path, Recorder, RunState]) -> None:
    folder, _, state = finished
    summary = open_store(folder).summary()
    names = [entry["name"] for entry in summary["baseline"]["evaluations"]]
    assert names == ["dev", "harder", "held-out", "in-domain"]
    assert [entry["round"] for entry in summary["rounds"]] == [0, 1]
    last = summary["rounds"][-1]
    assert last["problems"] == state.problems
    assert last["problems"] == summary["rounds"][0]["problems"] + last["added"]


def test_a_dev_set_that_sees_no_harm_is_said_once(finished: tuple[Path, Recorder, RunState]) -> None:
    said = [text for text in finished[1].notices if "dev set" in text]
    assert len(said) == 1
    assert said[0].startswith("The dev set of 3 cannot see any loss")


def test_a_finished_run_is_left_as_it_is(finished: tuple[Path, Recorder, RunState], cache: Path) -> None:
    before = rows(finished[0])
    recorder = Recorder()
    resume(finished[0], recorder, cache=cache)
    assert recorder.phases == []
    assert rows(finished[0]) == before


def test_a_run_that_is_asked_to_stop_can_be_resumed(
    finished: tuple[Path, Recorder, RunState], tmp_path: Path, cache: Path
) -> None:
    folder = tmp_path / "stopped"
    recorder = Recorder()
    with pytest.raises(StoppedError):
        start(
            tiny_settings(),
            folder,
            recorder,
            cache=cache,
            should_stop=lambda: recorder.phases[-1:] == ["baseline"],
        )
    resume(folder, Recorder(), cache=cache)
    assert rows(folder) == rows(finished[0])


def test_a_run_whose_bookmark_was_lost_finds_its_way_by_the_database(
    finished: tuple[Path, Recorder, RunState], cache: Path
) -> None:
    before = rows(finished[0])
    (finished[0] / "checkpoints.sqlite").unlink()
    resume(finished[0], Recorder(), cache=cache)
    assert rows(finished[0]) == before


def test_an_existing_run_folder_is_refused_with_the_way_to_resume(tmp_path: Path, cache: Path) -> None:
    with pytest.raises(UsageError, match="resume"):
        start(tiny_settings(), tmp_path, Recorder(), cache=cache)


def test_problems_without_a_usable_solution_leave_no_run_folder(tmp_path: Path, cache: Path) -> None:
    file = tmp_path / "bare.jsonl"
    rows = (
        {"question": f"How much is {n} and {n} when {chr(64 + n)} asks?", "answer": f"#### {2 * n}"}
        for n in range(1, 41)
    )
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    settings = load_settings({"rounds": "1", "student": "tiny", "problems.name": str(file)}, environment={})
    with pytest.raises(ProblemSetError, match=r"no problem of .* has a usable solution"):
        start(settings, tmp_path / "run", Recorder(), cache=cache)
    assert not (tmp_path / "run").exists()


class Vandal(Recorder):
    """Damages the first student once it is trained."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.weights = folder / "students" / "round-0" / "model.safetensors"

    def advanced(self, progress: Progress) -> None:
        super().advanced(progress)
        if progress.phase == "evaluate":
            self.weights.write_bytes(b"")


def test_a_student_that_is_damaged_on_the_way_does_not_take_the_run_with_it(
    tmp_path: Path, cache: Path
) -> None:
    folder = tmp_path / "run"
    with pytest.raises(StudentError, match="weights file corrupted"):
        start(tiny_settings(), folder, Vandal(folder), cache=cache)
    assert open_store(folder).rounds()


def test_the_way_of_the_paper_with_three_thoughts_and_adapters_runs(tmp_path: Path, cache: Path) -> None:
    """Every seed in the first set, probed again after training, several samples each."""
    ways = {"thoughts": "pot,eot,cot", "samples": "2", "reprobe": "true", "initial_share": "1"}
    small = {"problems.limit": "6", "problems.test_size": "2", "problems.held_out_size": "2"}
    given = {"rounds": "1", "student": "tiny", "recipe": "fdd", "fine_tune.method": "lora", **ways, **small}
    state = start(load_settings(given, environment={}), tmp_path / "run", Recorder(), cache=cache)
    store = open_store(tmp_path / "run")
    assert {probe.n for probe in store.probes()} == {2}
    assert {rationale.thought for rationale in store.rationales()} == {"pot", "eot", "cot"}
    assert state.problems > len(store.problems(splits=["seed"]))
    assert store.verify() == []


def test_going_on_from_the_last_student_replays_old_examples(tmp_path: Path, cache: Path) -> None:
    given = {
        "rounds": "1",
        "student": "tiny",
        "fine_tune.start": "continue",
        "fine_tune.replay_share": "0.5",
        "problems.limit": "8",
    }
    start(load_settings(given, environment={}), tmp_path / "run", Recorder(), cache=cache)
    first, second = open_store(tmp_path / "run").rounds()
    new = second.problems - first.problems
    assert second.examples == new + round(first.examples / 2)


def test_what_the_papers_way_probes_was_taught_before_and_its_latest_student_answers(
    tmp_path: Path, cache: Path
) -> None:
    given = {
        "rounds": "2",
        "recipe": "fdd",
        "student": "tiny",
        "problems.limit": "80",
        "problems.test_size": "1",
        "problems.held_out_size": "1",
        "problems.dev_size": "1",
        "generate.max_new_tokens": "4",
        "device": "cpu",
    }
    folder = tmp_path / "run"
    start(load_settings(given, environment={}), folder, Recorder(), cache=cache)
    with duckdb.connect(str(folder / DATABASE), read_only=True) as connection:
        probed = connection.execute(
            """
            SELECT probes.round, template IN (
                SELECT template FROM taught JOIN problems AS each ON each.id = taught.problem_id
                WHERE first_round <= probes.round
            ) FROM probes JOIN problems ON problems.id = probes.problem_id WHERE parent IS NULL
            """
        ).fetchall()
        deciding = connection.execute(
            """
            SELECT count(*), count(probes.round)
            FROM problems AS child JOIN problems AS parent ON parent.id = child.parent
            LEFT JOIN probes ON probes.problem_id = parent.id AND probes.round = child.round - 1
            WHERE child.split = 'generated'
            """
        ).fetchone()
    for number in (0, 1):
        taught = [known for round, known in probed if round == number]
        assert taught and sum(taught) >= 0.9 * len(taught)
    children, by_the_latest_student = deciding or (0, 0)
    assert 0 < children == by_the_latest_student
