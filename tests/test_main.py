"""The command line as a person meets it: what it prints, what it refuses, how it stops."""

import json
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from fdd.errors import one_line
from fdd.main import main

ROOT = Path(__file__).parent.parent
SMALL = ["--rounds", "1", "--student", "tiny", "--limit", "8", "--test-size", "4", "--held-out-size", "2"]


def complaint(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """The one line that wrong input gives."""
    assert main(arguments) == 2
    captured = capsys.readouterr()
    lines = captured.err.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("error: ")
    return lines[0]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "--rounds N"),
        (["--rounds", "-1"], "--rounds '-1': input should be greater than or equal to 0"),
        (
            ["--rounds", "0", "--operators", "none"],
            "--operators 'none': input should be 'profile', 'similar', 'harder' or 'shuffled'",
        ),
        (["--rounds", "1", "--nonsense"], "unrecognized arguments: --nonsense"),
        (["--rounds", "1", "--student", "nobody"], "unknown model 'nobody'"),
        (["--rounds", "1", "--student", "tiny", "--teacher", "local:nobody"], "unknown model 'nobody'"),
        (["--rounds", "1", "--student", "tiny", "--judge", "local:."], "no model in '.'"),
        (
            ["--rounds", "1", "--thoughts", "pot,tot"],
            "choose from cot, cot_pot, decompose, eot, kp_cot, kp_pot, pot",
        ),
        (["--rounds", "1", "--problems", "none.jsonl", "--student", "tiny"], "none.jsonl"),
        (
            ["--rounds", "1", "--limit", "0", "--student", "tiny"],
            "--limit '0': input should be greater than 0",
        ),
        (["--rounds", "1", "--epochs", "0", "--student", "tiny"], "--epochs '0': input should be greater"),
        (["evaluate", "tiny", "--limit", "-5"], "--limit -5: input should be greater than 0"),
        (["evaluate", "tiny", "--max-new-tokens", "0"], "--max-new-tokens 0: input should be greater than 0"),
        (["evaluate", "tiny", "--seed", "9" * 30], "--seed 9999"),
        (
            ["--rounds", "1", "--student", "tiny", "--run-dir", "/proc/run"],
            "cannot make the run folder '/proc/run'",
        ),
        (["report", "nowhere"], "no run in 'nowhere'"),
        (["resume", "nowhere"], "no run in 'nowhere'"),
        (["evaluate", "nobody"], "unknown model 'nobody'"),
    ],
)
def test_wrong_input_gives_one_line_and_leaves_nothing(
    arguments: list[str],
    message: str,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert message in complaint(arguments, capsys)
    assert list(tmp_path.rglob("*.duckdb")) == []


def test_a_malformed_problem_is_named_by_line_and_field(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "bad.jsonl"
    file.write_text('{"question": "1 + 1?", "answer": "#### 2"}\n{"question": "2 + 2?"}\n')
    arguments = [*SMALL, "--problems", str(file), "--run-dir", str(tmp_path / "run")]
    assert re.search(r"bad\.jsonl.*line 2.*answer", complaint(arguments, capsys))
    assert not (tmp_path / "run").exists()


def test_a_test_set_that_is_taught_as_well_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "same.jsonl"
    lines = (json.dumps({"question": f"{n} + {n}?", "answer": f"#### {2 * n}"}) for n in range(40))
    file.write_text("\n".join(lines))
    arguments = [*SMALL, "--problems", str(file), "--test", str(file), "--run-dir", str(tmp_path / "run")]
    assert "overlaps the seeds: 40 of 40" in complaint(arguments, capsys)


def test_an_existing_run_folder_is_offered_for_resuming(
    finished: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert f"main.py resume {finished}" in complaint([*SMALL, "--run-dir", str(finished)], capsys)


def test_report_prints_the_promised_json(finished: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", str(finished), "--json"]) == 0
    summary = json.loads(capsys.readouterr().out)
    assert {"run", "baseline", "rounds"} <= set(summary)
    first = summary["rounds"][0]
    assert {"round", "problems", "added", "accepted", "quarantined", "easy", "hard"} <= set(first)
    evaluation = first["evaluations"][0]
    precise = {"by_template", "by_depth", "by_width"}
    assert set(evaluation) == {"name", "n", "correct", "accuracy", "low", "high", "form", *precise}
    assert sum(each["n"] for each in evaluation["by_depth"]) <= evaluation["n"]
    assert [set(each) for each in evaluation["by_width"][:1]] == [{"value", "n", "correct"}]
    assert set(evaluation["by_template"]) == {"templates", "low", "high"}
    assert {"p", "kept", "visible_loss"} <= set(first["decision"])


def test_report_shows_where_everything_is(finished: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", str(finished)]) == 0
    printed = capsys.readouterr().out
    assert "untaught" in printed
    assert str(finished / "student") in printed


def test_report_writes_a_page_of_a_finished_run(finished: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", str(finished)]) == 0
    assert f"page      {finished / 'report.html'}\n" in capsys.readouterr().out
    page = (finished / "report.html").read_text("utf-8")
    assert "not finished" not in page
    assert page.count("<figure>") == 5


def test_a_run_compared_with_itself_differs_in_nothing(
    finished: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["compare", str(finished), str(finished), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["settings"] == found["versions"] == found["first_only"] == []
    assert {each["name"] for each in found["evaluations"]} == {"dev", "harder", "held-out", "in-domain"}
    assert {each["p"] for each in found["evaluations"]} == {1.0}
    assert all(each["shared"] == each["first"]["n"] for each in found["evaluations"])


def test_verify_finds_a_sound_run_sound(finished: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", str(finished)]) == 0
    assert capsys.readouterr().out == "0 findings\n"


def test_evaluate_scores_the_student_of_a_run(finished: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["evaluate", str(finished / "student"), "--limit", "4", "--max-new-tokens", "8", "--json"]
    assert main(arguments) == 0
    evaluations = json.loads(capsys.readouterr().out)["evaluations"]
    assert [(entry["name"], entry["n"]) for entry in evaluations] == [("held-out", 4), ("in-domain", 4)]


def test_a_stronger_student_answers_what_the_student_is_not_sure_of(
    finished: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A tiny student gives no value, so that each problem goes to the other one."""
    student = str(finished / "student")
    arguments = ["evaluate", student, "--limit", "3", "--max-new-tokens", "4", "--stronger", "tiny"]
    assert main(arguments) == 2
    assert "answers where the student's answers differ: add --policy samples" in capsys.readouterr().err
    assert main([*arguments, "--policy", "samples", "--json"]) == 0
    printed = capsys.readouterr()
    found = json.loads(printed.out)["evaluations"]
    assert [(each["n"], each["passed_on"]) for each in found] == [(3, 3), (3, 3)]
    assert "tiny was asked 6 of 6 problems" in printed.err


def test_evaluate_asks_nothing_that_a_run_has_taught_its_student(
    finished: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A run of few test problems takes its seeds from where a larger test set goes on."""
    arguments = ["evaluate", "--limit", "30", "--max-new-tokens", "2", "--json"]
    sizes = []
    for student in (finished / "student", finished / "students" / "round-1", "tiny"):
        assert main([*arguments, str(student)]) == 0
        printed = capsys.readouterr()
        sizes.append(sum(each["n"] for each in json.loads(printed.out)["evaluations"]))
        assert ("problems were taught to " in printed.err) == (student != "tiny")
    assert sizes[0] == sizes[1] < sizes[2] == 60


def test_evaluate_asks_a_problem_that_is_there_twice_once_and_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [("1 + 1?", "1 + 1 = 2\n#### 2"), ("1 + 1?", "two\n#### 2"), ("2 / 3?", "#### 0.6666666666666666")]
    path = tmp_path / "mine.json"
    path.write_text(json.dumps([{"question": question, "answer": answer} for question, answer in rows]))
    assert main(["evaluate", "tiny", "--problems", str(path), "--max-new-tokens", "2", "--json"]) == 0
    printed = capsys.readouterr()
    assert [each["n"] for each in json.loads(printed.out)["evaluations"]] == [2]
    assert "1 of 3 problems are copies of others: asked once each" in printed.err


def test_doctor_names_what_is_missing(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--json"]) == 1
    checks = {check["name"]: check for check in json.loads(capsys.readouterr().out)["checks"]}
    assert checks["sandbox"]["ok"]
    assert checks["confinement"]["ok"]
    assert checks["device"]["detail"].startswith("cpu")
    assert not checks["weights smollm2-135m"]["ok"]


def test_ctrl_c_stops_at_a_safe_point_and_says_how_to_go_on(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    command = [sys.executable, "main.py", *SMALL, "--run-dir", str(folder)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if "teaching" in line:
                break
        process.send_signal(signal.SIGINT)
        rest = process.stdout.read()
    assert process.returncode == 130
    assert f"python main.py resume {folder}" in rest
    assert main(["resume", str(folder)]) == 0


@pytest.mark.parametrize("size", [2**18, 2**20])
def test_a_full_disk_ends_the_run_with_one_line_and_loses_nothing(size: int, tmp_path: Path) -> None:
    """A limit on the size of files stands in for the disk: writing past it fails in the same way."""
    folder = tmp_path / "run"
    limited = f"import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, ({size}, {size})); "
    script = limited + "from fdd.main import main; sys.exit(main(sys.argv[1:]))"
    command = [sys.executable, "-c", script, *SMALL, "--run-dir", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith("error: cannot ")
    assert not folder.exists() or main(["resume", str(folder)]) == 0


def test_damaged_weights_are_named_with_what_to_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], finished: Path
) -> None:
    student = tmp_path / "student"
    shutil.copytree(finished / "student", student)
    weights = bytearray((student / "model.safetensors").read_bytes())
    weights[-1] ^= 1
    (student / "model.safetensors").write_bytes(weights)
    assert "weights file corrupted" in complaint(["evaluate", str(student), "--limit", "1"], capsys)


def test_help_answers_without_heavy_imports() -> None:
    command = [sys.executable, "-X", "importtime", "main.py", "--help"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert "--rounds N" in done.stdout
    heavy = {"torch", "transformers", "langgraph", "duckdb", "sympy"}
    assert heavy.isdisjoint(line.rsplit("|", 1)[-1].strip() for line in done.stderr.splitlines())


@pytest.mark.parametrize(
    ("command", "options"), [("trace", ["--json"]), ("report", ["--json"]), ("trace", []), ("report", [])]
)
def test_whoever_reads_only_the_beginning_of_the_output_is_told_of_no_error(
    command: str, options: list[str], finished: Path
) -> None:
    arguments = [sys.executable, "main.py", command, str(finished), *options]
    with subprocess.Popen(
        arguments, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == ""
    assert process.returncode == 141


def test_a_pipe_that_breaks_elsewhere_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise BrokenPipeError

    monkeypatch.setattr("fdd.storage.folder.open_store", broken)
    with pytest.raises(BrokenPipeError):
        main(["verify", "nowhere"])


def test_text_from_outside_cannot_steer_the_terminal() -> None:
    assert one_line("a\x1b[31mb\nc\u202ed") == "a [31mb c d"


def test_other_systems_are_refused_in_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    assert main(["doctor"]) == 2
    assert capsys.readouterr().err == (
        "error: runs on Linux and macOS, not on 'win32': on Windows, use WSL\n"
    )
