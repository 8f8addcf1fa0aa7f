from dataclasses import replace

import pytest
import torch

from fdd.training.config import GenerateConfig
from fdd.training.generate import (
    Queue,
    choose,
    decode,
    encode,
    generate,
    has_ended,
    make_queues,
    repeats_itself,
)
from fdd.training.prompts import prompt_ids, rationale_ids
from fdd.training.student import Student
from fdd.training.tasks import Batch, Completion, Event, Example, Notice, Request

QUESTIONS = ["How many?", "What is left after two days of rain?", "One", "Two and two make what?", "Why?"]
REQUESTS = [Request(key=f"r{i}", question=question, cue="Compute.") for i, question in enumerate(QUESTIONS)]
SHORT = GenerateConfig(max_new_tokens=12, batch_size=2)


def answers(
    student: Student,
    config: GenerateConfig,
    requests: list[Request] = REQUESTS,
    done: frozenset[str] = frozenset(),
) -> dict[str, Completion]:
    events: list[Event] = []
    generate(student, requests, config, events.append, done)
    return {c.key: c for event in events if isinstance(event, Batch) for c in event.completions}


def greedy_alone(student: Student, request: Request, length: int) -> list[int]:
    """The obvious way: the whole text through the network for every token."""
    ids = prompt_ids(student.tokenizer, request.question, request.cue, request.shots)
    new: list[int] = []
    with torch.inference_mode():
        while len(new) < length and not (new and new[-1] in student.stop_ids):
            logits = student.model(input_ids=torch.tensor([ids + new])).logits
            new.append(int(logits[0, -1].argmax()))
    return new


def test_a_batch_with_cache_and_padding_writes_what_each_row_would_alone(exact: Student) -> None:
    expected = {r.key: greedy_alone(exact, r, 12) for r in REQUESTS}
    queue = Queue([encode(exact, request, SHORT) for request in REQUESTS], rows=5)
    assert {item.request.key: ids for item, ids in decode(exact, queue, SHORT)} == expected


@pytest.mark.parametrize("rows", [1, 2, 3, 5])
def test_rows_that_are_given_to_the_next_request_change_no_text(exact: Student, rows: int) -> None:
    exact.model.generation_config.eos_token_id = list(range(30))
    requests = [replace(each, key=f"{each.key}-{n}", sample=n) for each in REQUESTS for n in range(5)]
    config = GenerateConfig(max_new_tokens=30, temperature=1.0)
    items = [encode(exact, request, config) for request in requests]
    expected = {item.request.key: ids for item, ids in decode(exact, Queue(items, len(items)), config)}
    found = {item.request.key: ids for item, ids in decode(exact, Queue(items, rows), config)}
    assert found == expected
    assert len({len(ids) for ids in found.values()}) > 5


def test_rows_that_end_leave_the_batch_without_a_trace_in_the_others(exact: Student) -> None:
    exact.model.generation_config.eos_token_id = list(range(30))
    config = GenerateConfig(max_new_tokens=30, temperature=1.0)
    together = answers(exact, replace(config, batch_size=5))
    assert together == answers(exact, replace(config, batch_size=1))
    assert len({completion.new_tokens for completion in together.values()}) > 2
    assert any(completion.finished for completion in together.values())


def test_shots_that_all_prompts_begin_with_change_no_text(exact: Student) -> None:
    shot = Example(question="One?", cue="Compute.", rationale="answer = 1")
    requests = [replace(request, shots=(shot,)) for request in REQUESTS]
    alone = {r.key: greedy_alone(exact, r, 12) for r in requests}
    together = answers(exact, replace(SHORT, batch_size=5), requests)
    assert {key: c.new_tokens for key, c in together.items()} == {k: len(ids) for k, ids in alone.items()}
    assert together["r1"].text == exact.tokenizer.decode(alone["r1"], skip_special_tokens=True)


def test_every_request_is_answered_once_and_long_prompts_come_first(student: Student) -> None:
    found = answers(student, SHORT)
    assert sorted(found) == ["r0", "r1", "r2", "r3", "r4"]
    (queues,) = make_queues(student, REQUESTS, SHORT)
    for queue in queues:
        lengths = [len(item.ids) for item in queue.items]
        assert lengths == sorted(lengths, reverse=True)


def test_a_text_that_does_not_end_is_unfinished(student: Student) -> None:
    completion = answers(student, SHORT)["r0"]
    assert completion.new_tokens == 12
    assert not completion.finished


def test_an_answer_may_be_as_long_as_the_student_says_or_twice_what_was_shown(student: Student) -> None:
    def longest(config: GenerateConfig, *shown: str) -> int:
        shots = tuple(Example(question="One?", cue="Compute.", rationale=text) for text in shown)
        return encode(student, replace(REQUESTS[0], shots=shots), config).longest

    own = GenerateConfig()
    assert longest(own) == 256
    student.model.generation_config.max_new_tokens = 10
    assert longest(own) == 10
    assert longest(own, "answer = 1", "1") == 2 * len(rationale_ids(student.tokenizer, "answer = 1"))
    assert longest(SHORT, "answer = 1") == 12


def test_a_blank_line_ends_an_answer_after_worked_examples_unless_the_request_allows_it(
    student: Student,
) -> None:
    shot = Example(question="One?", cue="Compute.", rationale="answer = 1")
    shown, ids = replace(REQUESTS[0], shots=(shot,)), student.tokenizer("a\n\nb")["input_ids"]
    assert has_ended(student, shown, ids)
    assert not has_ended(student, replace(shown, blank_lines=True), ids)


def test_a_resumed_run_writes_the_same_texts_and_none_that_is_there(student: Student) -> None:
    whole = answers(student, SHORT)
    first_batch, (third, *rest) = list(whole)[:2], list(whole)[2:]
    resumed = answers(student, SHORT, done=frozenset([*first_batch, third]))
    assert resumed == {key: whole[key] for key in rest}


def test_no_text_is_written_again_after_the_batches_have_moved(student: Student) -> None:
    done = frozenset(list(answers(student, SHORT))[:2])
    resumed = answers(student, replace(SHORT, batch_size=3), done=done)
    assert resumed.keys() == {request.key for request in REQUESTS} - done


def test_a_sampled_text_depends_on_its_own_key_seed_and_sample(exact: Student) -> None:
    config = GenerateConfig(max_new_tokens=12, temperature=1.0, batch_size=5)
    once = answers(exact, config)
    assert answers(exact, config, REQUESTS[:1])["r0"] == once["r0"]
    assert answers(exact, replace(config, seed=1))["r0"].text != once["r0"].text
    second = [replace(REQUESTS[0], sample=1)]
    assert answers(exact, config, second)["r0"].text != once["r0"].text


def test_sampling_follows_the_odds() -> None:
    logits = torch.tensor([[0.0, 1.0, -9.0, 2.0]]).repeat(2000, 1)
    draws = torch.rand(2000, generator=torch.Generator().manual_seed(0))
    counts = torch.bincount(choose(logits, 1.0, draws), minlength=4) / 2000
    assert counts.tolist() == pytest.approx(logits[0].softmax(-1).tolist(), abs=0.03)


@pytest.mark.parametrize(
    "error",
    [torch.OutOfMemoryError("CUDA out of memory"), RuntimeError("MPS backend out of memory")],
)
def test_a_batch_that_needs_too_much_memory_is_halved(
    student: Student, monkeypatch: pytest.MonkeyPatch, error: RuntimeError
) -> None:
    expected = answers(student, replace(SHORT, batch_size=5))
    forward = student.model.forward

    def cramped(*, input_ids: torch.Tensor, **options: object) -> object:
        if len(input_ids) > 2:
            raise error
        return forward(input_ids=input_ids, **options)

    monkeypatch.setattr(student.model, "forward", cramped)
    events: list[Event] = []
    generate(student, REQUESTS, replace(SHORT, batch_size=5), events.append)
    assert [event.text for event in events if isinstance(event, Notice)] == [
        "out of memory with 5 questions at once: going on with 2"
    ]
    assert {c.key for e in events if isinstance(e, Batch) for c in e.completions} == set(expected)


def test_another_error_ends_the_work_at_once(student: Student, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(**_: object) -> object:
        raise RuntimeError("shapes do not fit")

    monkeypatch.setattr(student.model, "forward", broken)
    events: list[Event] = []
    with pytest.raises(RuntimeError, match="shapes do not fit"):
        generate(student, REQUESTS, SHORT, events.append)
    assert events == []


def test_memory_that_does_not_even_hold_two_questions_ends_the_work(
    student: Student, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(**_: object) -> object:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(student.model, "forward", full)
    with pytest.raises(torch.OutOfMemoryError):
        generate(student, REQUESTS, SHORT, lambda _: None)


@pytest.mark.parametrize(
    ("ids", "repeats"),
    [
        ([1, 2, 3, 4] * 6, True),
        ([9, 9, *[1, 2, 3, 4] * 6], True),
        ([7] * 24, True),
        ([*range(20)] * 3, True),
        ([1, 2, 3, 4] * 5, False),
        ([7] * 23, False),
        ([*range(20)] * 2, False),
        ([*[1, 2, 3, 4] * 6, 5], False),
        ([*range(60)], False),
    ],
)
def test_a_text_repeats_itself_where_one_passage_stands_at_its_end_again_and_again(
    ids: list[int], repeats: bool
) -> None:
    assert repeats_itself(ids) == repeats
