import random
from collections.abc import Sequence
from dataclasses import replace

import pytest

from fdd.errors import PreflightError
from fdd.training.config import FineTuneConfig
from fdd.training.data import (
    IGNORED,
    Row,
    encode,
    epoch_batches,
    fitting_rows,
    micro_batches,
    to_tensors,
)
from fdd.training.student import Student
from fdd.training.tasks import Example

EXAMPLE = Example(question="How many?", cue="Compute.", rationale="answer = 2")


def rows_of(*lengths: int) -> list[Row]:
    return [Row(tuple(range(n)), tuple(range(n))) for n in lengths]


def refusal(student: Student, examples: Sequence[Example], config: FineTuneConfig | None = None) -> str:
    with pytest.raises(PreflightError) as caught:
        fitting_rows(examples, student.tokenizer, config or FineTuneConfig(), 1000)
    return str(caught.value)


def test_only_the_rationale_and_its_end_are_labelled(student: Student) -> None:
    row = encode(student.tokenizer, EXAMPLE)
    learnt = [label for label in row.labels if label != IGNORED]
    assert student.tokenizer.decode(learnt) == "answer = 2" + str(student.tokenizer.eos_token)
    assert row.ids[-len(learnt) :] == tuple(learnt)


def test_an_epoch_holds_every_row_once() -> None:
    rows = rows_of(*range(1, 60))
    batches = epoch_batches(rows, 8, random.Random(1))
    assert sorted(len(row) for batch in batches for row in batch) == list(range(1, 60))
    assert max(map(len, batches)) == 8


def test_the_order_of_an_epoch_depends_on_its_seed_alone() -> None:
    rows = rows_of(*range(1, 60))
    assert epoch_batches(rows, 8, random.Random(1)) == epoch_batches(rows, 8, random.Random(1))
    assert epoch_batches(rows, 8, random.Random(1)) != epoch_batches(rows, 8, random.Random(2))


def test_pieces_of_a_batch_stay_within_the_token_budget() -> None:
    pieces = micro_batches(rows_of(5, 9, 10, 10, 30, 100), 40)
    assert [[len(row) for row in piece] for piece in pieces] == [[5, 9, 10, 10], [30], [100]]


def test_padding_is_masked_and_not_labelled() -> None:
    ids, mask, labels = to_tensors(rows_of(2, 3))
    assert ids.shape == (2, 3)
    assert mask.tolist() == [[1, 1, 0], [1, 1, 1]]
    assert labels[0, 2] == IGNORED


def test_sound_examples_pass_the_checks(student: Student) -> None:
    row = encode(student.tokenizer, EXAMPLE)
    assert fitting_rows([EXAMPLE], student.tokenizer, FineTuneConfig(), len(row)) == [row]


def test_training_is_refused_when_an_example_has_nothing_to_learn(student: Student) -> None:
    assert refusal(student, [EXAMPLE, replace(EXAMPLE, rationale="")]).startswith(
        "nothing to learn from the example"
    )


def test_training_is_refused_when_too_many_examples_are_too_long(student: Student) -> None:
    assert refusal(student, [EXAMPLE], FineTuneConfig(max_length=10)).startswith(
        "1 of 1 examples are longer than 10 tokens"
    )


def test_a_few_examples_that_are_too_long_are_left_out(student: Student) -> None:
    row = encode(student.tokenizer, EXAMPLE)
    config = FineTuneConfig(max_length=len(row) - 1, max_truncated_share=1.0)
    assert fitting_rows([EXAMPLE], student.tokenizer, config, 1000) == []


def test_training_is_refused_without_examples(student: Student) -> None:
    assert refusal(student, []) == "there is no example to train on"
