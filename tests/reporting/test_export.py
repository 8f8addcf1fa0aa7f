"""What `export` leaves: data and a student that programs of others read, whole or not at all."""

from __future__ import annotations

import json
import re
import resource
import shutil
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import torch
from datasets import disable_progress_bars, load_dataset
from huggingface_hub import DatasetCard, ModelCard
from markdown_it import MarkdownIt
from safetensors import safe_open
from tokenizers import Tokenizer
from tokenizers.processors import TemplateProcessing
from transformers import AutoModelForCausalLM, AutoTokenizer

from fdd.domain import Operator, Progress
from fdd.errors import StoppedError
from fdd.graph.run import start
from fdd.main import main
from fdd.reporting.dataset import CHATS, JSONL, PARQUET, SCHEMA
from fdd.reporting.export import CARD, DATA, STUDENT
from fdd.settings import load_settings
from fdd.storage.folder import open_store
from fdd.training.config import GenerateConfig
from fdd.training.device import Runtime
from fdd.training.generate import generate
from fdd.training.prompts import prompt_ids
from fdd.training.student import load_student
from fdd.training.tasks import Batch, Request
from tests.graph.settings import tiny_settings
from tests.graph.test_run import Recorder
from tests.problems.made_up import made_up

HOSTILE = "a|b `c` <img src=x onerror=alert(1)> [d](http:e) $f$ {{ 7 * 7 }} www.g.org"
ATTACKS = (
    "<|end|>\n\n---\nlicense: other\n---\n\n# Owned\n\n<script>alert(1)</script>",
    "| x | y |\n|---|---|\n```\n[click](http://evil.example) http://evil.example",
    "\u202e\u2028 \x1b[31m {% raw %} {{ lessons }}",
)


def exported(run: Path, output: Path, *options: str) -> Path:
    assert main(["export", str(run), "--to", str(output), *options]) == 0
    return output


@pytest.fixture(scope="module")
def whole(finished: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return exported(finished, tmp_path_factory.mktemp("exported") / "whole")


@pytest.fixture(scope="module")
def low_rank(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Path:
    """Of a run with LoRA, on a file whose name and problems mean harm."""
    folder = tmp_path_factory.mktemp("hostile")
    problems = folder / f"{HOSTILE}.jsonl"
    rows = (
        {
            "question": f"{made_up(n)} {ATTACKS[n % 3]} {n} + {n}?",
            "answer": f"<<{n}+{n}={2 * n}>>\n#### {2 * n}",
        }
        for n in range(40)
    )
    problems.write_text("".join(json.dumps(row) + "\n" for row in rows))
    given = {
        "rounds": "1",
        "student": "tiny",
        "thoughts": "pot",
        "problems.name": str(problems),
        "problems.limit": "8",
        "fine_tune.method": "lora",
        "generate.max_new_tokens": "8",
        "device": "cpu",
    }
    start(load_settings(given, environment={}), folder / "run", Recorder(), cache=cache)
    assert main(["export", str(folder / "run")]) == 0
    return folder / "run" / "export"


def rows_in(export: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (export / DATA / JSONL).read_text().split("\n")[:-1]]


def html(card: Path) -> str:
    """As a page shows it, the front matter left out."""
    text = card.read_text().partition("\n---\n")[2]
    return str(MarkdownIt("commonmark", {"html": True}).enable("table").render(text))


def test_every_rationale_of_the_round_is_in_the_set(finished: Path, whole: Path) -> None:
    store = open_store(finished)
    student = (finished / "student").readlink().name
    lessons = store.training_set(round=int(student.removeprefix("round-")), thoughts=("pot", "cot"))
    found = [(row["id"], row["thought"], row["rationale"]) for row in rows_in(whole)]
    assert found == [(each.problem.id, each.rationale.thought, each.rationale.text) for each in lessons]


def test_a_row_knows_its_ancestors_and_how_it_was_solved_before_it_was_taught(
    finished: Path, whole: Path
) -> None:
    store, rows = open_store(finished), rows_in(whole)
    children = [row for row in rows if row["parent"] is not None]
    assert children
    for row in rows:
        assert row["lineage"][-1:] == [row["parent"]][: len(row["lineage"])]
        probes = [p for p in store.probes(problem_id=row["id"]) if p.round < row["round"]]
        assert row["solve_rate"] == (probes[-1].mean if probes else None)
        assert row["verdict"] == "accepted"
    assert any(row["solve_rate"] is not None for row in children)


def test_parquet_and_jsonl_hold_the_same_rows(whole: Path, low_rank: Path) -> None:
    for export in (whole, low_rank):
        table = pq.read_table(export / DATA / PARQUET)
        assert table.schema.equals(SCHEMA)
        assert table.to_pylist() == rows_in(export)


def test_the_chats_are_what_the_student_is_trained_on(whole: Path, low_rank: Path, tmp_path: Path) -> None:
    disable_progress_bars()
    for export in (whole, low_rank):
        files = str(export / DATA / CHATS)
        chats = load_dataset("json", data_files=files, split="train", cache_dir=str(tmp_path))
        rows, tokenizer = rows_in(export), AutoTokenizer.from_pretrained(export / STUDENT)
        cues = {"pot": "Write a Python program.", "cot": "Think step by step."}
        assert len(chats) == len(rows)
        for row, chat in zip(rows, chats, strict=True):
            user, assistant = chat["messages"]
            assert assistant == {"role": "assistant", "content": row["rationale"]}
            ids = tokenizer(user["content"], split_special_tokens=True)["input_ids"]
            assert ids == prompt_ids(tokenizer, row["question"], cues[row["thought"]])


def test_the_data_folder_is_a_data_set_of_the_hub(whole: Path, tmp_path: Path) -> None:
    disable_progress_bars()
    rows = load_dataset(str(whole / DATA), "default", split="train", cache_dir=str(tmp_path))
    assert list(rows) == rows_in(whole)
    assert DatasetCard.load(whole / DATA / CARD).data.license == "apache-2.0"


def from_card(export: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the code of the model card defines, in float32, which rounds alike in batches of any shape."""
    (code,) = re.findall(
        r"^```python\n(.*?)^```", (export / STUDENT / CARD).read_text(), re.DOTALL | re.MULTILINE
    )
    assert 'dtype="auto"' in code
    found: dict[str, Any] = {}
    monkeypatch.chdir(export)
    exec(compile(code.replace('dtype="auto"', 'dtype="float32"'), CARD, "exec"), found)
    return found


@pytest.mark.parametrize("kind", ["whole", "low_rank"])
def test_the_code_of_the_model_card_answers_as_the_exams_did(
    kind: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    export = request.getfixturevalue(kind)
    card = from_card(export, monkeypatch)
    student = load_student(export / STUDENT, Runtime(torch.device("cpu"), torch.float32))
    questions = {row["id"]: row["question"] for row in rows_in(export)}
    events: list[Any] = []
    asked = [
        Request(key=key, question=text, cue="Write a Python program.") for key, text in questions.items()
    ]
    generate(student, asked, GenerateConfig(batch_size=4), events.append)
    written = {each.key: each for event in events if isinstance(event, Batch) for each in event.completions}
    for key, text in questions.items():
        assert card["write"](card["read"](text).repeat(2, 1))[0] == (
            written[key].text if written[key].finished else ""
        )


def test_the_code_of_the_model_card_asks_without_the_end_mark_that_a_tokenizer_puts_behind_every_text(
    whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    export = shutil.copytree(whole, tmp_path / "export")
    file = str(export / STUDENT / "tokenizer.json")
    tokenizer = Tokenizer.from_file(file)
    tokenizer.post_processor = TemplateProcessing(single="$A <|end|>", special_tokens=[("<|end|>", 256)])
    tokenizer.save(file)
    read = from_card(export, monkeypatch)["read"]
    expected = prompt_ids(AutoTokenizer.from_pretrained(whole / STUDENT), "2 + 3?", "Write a Python program.")
    assert read("2 + 3?").tolist() == [expected]


def test_low_rank_additions_are_merged(low_rank: Path, cache: Path) -> None:
    names = []
    for folder in (low_rank / STUDENT, cache / "tiny"):
        with safe_open(folder / "model.safetensors", "pt") as weights:
            names.append(set(weights.keys()))
    assert names[0] <= names[1]
    assert not list((low_rank / STUDENT).glob("adapter*"))
    assert AutoModelForCausalLM.from_pretrained(low_rank / STUDENT).generation_config.max_new_tokens == 8


def test_the_model_card_holds_the_numbers_of_the_report(
    finished: Path, whole: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["report", str(finished), "--json"]) == 0
    summary = json.loads(capsys.readouterr().out)
    card = ModelCard.load(whole / STUDENT / CARD)
    number = int((finished / "student").readlink().name.removeprefix("round-"))
    evaluations = summary["rounds"][number]["evaluations"]
    stated = {each.dataset_name: each.metric_value for each in card.data.eval_results}
    assert stated == {each["name"]: each["accuracy"] for each in evaluations}
    for each in [*evaluations, *summary["baseline"]["evaluations"]]:
        share, low, high = (f"{100 * each[key]:.1f}" for key in ("accuracy", "low", "high"))
        assert f"{share} % ({low}–{high})" in card.text
    assert all(
        f"| {row['round']} | {row['problems']} | {row['added']} |" in card.text for row in summary["rounds"]
    )


def test_the_data_card_counts_what_is_in_the_set_and_what_was_removed(finished: Path, whole: Path) -> None:
    card, rows = (whole / DATA / CARD).read_text(), rows_in(whole)
    counts = [sum(row["operator"] == operator for row in rows) for operator in (None, *Operator)]
    assert "| round | seed | similar | harder | simpler | all |\n|---:|---:|---:|---:|---:|---:|\n" in card
    assert "| all | " + " | ".join(map(str, [*counts, len(rows)])) + " |" in card
    for row in open_store(finished).summary()["rounds"]:
        for reason, count in row["removed"].items():
            assert (
                f"| {row['round']} | problem not taken | {reason.replace('_', chr(92) + '_')} | {count} |"
                in card
            )


def test_hostile_names_stay_plain_text_in_both_cards(low_rank: Path) -> None:
    for card in (low_rank / STUDENT / CARD, low_rank / DATA / CARD):
        shown = html(card)
        assert "&lt;img src=x onerror=alert(1)&gt; [d](http:e) $f$ {{ 7 * 7 }} www.g.org" in shown
        for made in ("<img", "<script", "<a ", "Owned", "evil.example"):
            assert made not in shown
    card = ModelCard.load(low_rank / STUDENT / CARD)
    assert card.data.license == "mit"
    assert DatasetCard.load(low_rank / DATA / CARD).data.license == "unknown"


def test_another_round_is_exported_with_the_set_that_taught_it(finished: Path, tmp_path: Path) -> None:
    first = exported(finished, tmp_path / "first", "--round", "0")
    assert {row["taught_round"] for row in rows_in(first)} == {0}
    weights = [(finished / "students" / "round-0"), first / STUDENT]
    assert len({(folder / "model.safetensors").read_bytes() for folder in weights}) == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--round", "7"], "--round 7: no student of that round was evaluated; there are: 0, 1"),
        (["--to", "{run}"], "exists: give another folder with --to"),
    ],
)
def test_wrong_input_gives_one_line_and_exports_nothing(
    options: list[str], message: str, finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = [option.format(run=finished) for option in options]
    to = [] if "--to" in given else ["--to", str(tmp_path / "out")]
    assert main(["export", str(finished), *given, *to]) == 2
    assert message in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_an_export_is_never_overwritten(low_rank: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = {file: file.stat().st_mtime_ns for file in low_rank.rglob("*")}
    assert main(["export", str(low_rank.parent)]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert {file: file.stat().st_mtime_ns for file in low_rank.rglob("*")} == before


def test_a_run_without_a_student_exports_its_data_and_says_so(
    tmp_path: Path, cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    class Stopper(Recorder):
        stop = False

        def advanced(self, progress: Progress) -> None:
            super().advanced(progress)
            self.stop = progress.phase == "baseline"

    listener = Stopper()
    with pytest.raises(StoppedError):
        start(tiny_settings(), tmp_path / "run", listener, cache=cache, should_stop=lambda: listener.stop)
    export = exported(tmp_path / "run", tmp_path / "out")
    assert [path.name for path in export.iterdir()] == [DATA]
    assert "no student" in capsys.readouterr().out
    assert "the run has kept no student" in (export / DATA / CARD).read_text()
    assert rows_in(export)


def test_an_export_that_cannot_be_finished_leaves_nothing(
    finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A limit on the size of files stands in for a full disk."""
    ruin = tmp_path / ".out-killed"
    ruin.mkdir()
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2**17, before[1]))
    try:
        assert main(["export", str(finished), "--to", str(tmp_path / "out")]) == 1
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert re.fullmatch(r"error: cannot write the export .*: File too large\n", capsys.readouterr().err)
    assert list(tmp_path.iterdir()) == []


def test_damaged_weights_are_not_exported(
    finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = tmp_path / "run"
    shutil.copytree(finished, copy, symlinks=True, ignore=shutil.ignore_patterns("export"))
    for file in copy.glob("students/*/model.safetensors"):
        file.write_bytes(file.read_bytes()[:-1] + b"!")
    assert main(["export", str(copy), "--to", str(tmp_path / "out")]) == 2
    assert "weights file corrupted" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
