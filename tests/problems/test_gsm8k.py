"""GSM8K by name: read through `datasets` from a folder laid out like the hub's, and a clear word without."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from fdd.errors import ProblemSetError
from fdd.problems import gsm8k
from fdd.problems.config import ProblemSettings
from fdd.problems.split import prepare


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder that `datasets` reads as it reads the hub's repository, with a cache of its own."""
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "gsm8k"
    for split, count in (("train", 60), ("test", 12)):
        rows = [
            f'{{"question": "{split}, {chr(97 + n % 26) * (n + 1)}?", "answer": "#### {n}"}}'
            for n in range(count)
        ]
        (folder / "main").mkdir(parents=True, exist_ok=True)
        (folder / "main" / f"{split}.jsonl").write_text("\n".join(rows))
    (folder / "README.md").write_text(
        "---\nconfigs:\n- config_name: main\n  data_files:\n"
        "  - split: train\n    path: main/train.jsonl\n  - split: test\n    path: main/test.jsonl\n---\n"
    )
    yield folder


def test_gsm8k_is_taught_from_its_training_split_and_tested_on_its_test_split(
    hub: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gsm8k, "HUB_NAME", str(hub))
    sets = prepare(ProblemSettings(name="gsm8k", limit=30))
    assert all(problem.question.startswith("train") for problem in (*sets.seeds, *sets.dev))
    assert (len(sets.seeds), len(sets.dev), len(sets.tests["in-domain"])) == (30, 15, 12)
    assert all(problem.question.startswith("test") for problem in sets.tests["in-domain"])
    with pytest.raises(ProblemSetError, match="comes with its own test set"):
        prepare(ProblemSettings(name="gsm8k", test="gsm8k"))


def test_gsm8k_can_test_what_another_set_teaches(hub: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gsm8k, "HUB_NAME", str(hub))
    sets = prepare(ProblemSettings(limit=65, test="gsm8k", test_size=10))
    assert len(sets.tests["gsm8k"]) == 10


def test_a_test_file_may_hold_problems_of_gsm8k(
    hub: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A problem in two evaluation sets once broke the run when it was stored."""
    monkeypatch.setattr(gsm8k, "HUB_NAME", str(hub))
    half = tmp_path / "half.jsonl"
    half.write_text("\n".join((hub / "main" / "test.jsonl").read_text().splitlines()[:6]))
    sets = prepare(ProblemSettings(name="gsm8k", limit=30, test=str(half), test_size=4))
    assert (len(sets.tests["half"]), len(sets.tests["in-domain"])) == (4, 4)
    parts = (sets.dev, *sets.tests.values(), *sets.unasked.values())
    questions = [problem.question for part in parts for problem in part]
    assert len(set(questions)) == len(questions) == 15 + 12


LOAD = (
    "from fdd.errors import ProblemSetError\nfrom problems.gsm8k import load_gsm8k\n"
    "try:\n    load_gsm8k('train')\nexcept ProblemSetError as error:\n    print(error)"
)


@pytest.mark.parametrize(
    ("variable", "value"), [("ALL_PROXY", "socks5://127.0.0.1:1080"), ("HF_ENDPOINT", "hf-mirror.com")]
)
def test_a_variable_that_keeps_the_hub_from_being_reached_is_named(
    variable: str, value: str, tmp_path: Path
) -> None:
    environment = {"HF_HOME": str(tmp_path), "PATH": "", variable: value}
    finished = subprocess.run(
        [sys.executable, "-c", LOAD], check=True, capture_output=True, text=True, env=environment
    )
    assert finished.stdout.startswith(f"cannot load 'openai/gsm8k' from the hub ({variable}={value!r} ")
    assert finished.stdout.count("\n") == 1


def test_without_the_hub_one_line_says_what_to_do(tmp_path: Path) -> None:
    environment = {"HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path), "PATH": ""}
    finished = subprocess.run(
        [sys.executable, "-c", LOAD], check=True, capture_output=True, text=True, env=environment
    )
    assert finished.stdout.startswith("cannot load 'openai/gsm8k' from the hub")
    assert "download its train split as JSONL" in finished.stdout
    assert finished.stdout.count("\n") == 1
    assert finished.stderr == ""


def test_importing_the_problems_loads_nothing_heavy() -> None:
    text = "import sys, problems.split; print({'datasets', 'reasoning_gym', 'torch'} & sys.modules.keys())"
    finished = subprocess.run([sys.executable, "-c", text], check=True, capture_output=True, text=True)
    assert finished.stdout.strip() == "set()"
