from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, DynamicCache

from fdd.training.config import GenerateConfig
from fdd.training.device import Runtime
from fdd.training.generate import Queue, decode, encode, repeats_itself
from fdd.training.prompts import prompt_ids
from fdd.training.reading import PackedReading, PaddedReading, Reading, common_start
from fdd.training.student import Student
from fdd.training.tasks import Request

REQUESTS = [
    Request(key=f"r{i}", question=f"{'Tom has 3 kites. ' * i}How many in {i} days?", cue="Compute.")
    for i in range(7)
]
CONFIG = GenerateConfig(max_new_tokens=40)


def test_rows_share_their_common_start() -> None:
    assert common_start([[1, 2, 3], [1, 2, 4, 5], [1, 2]]) == [1, 2]
    assert common_start([[1], [2]]) == []


def test_a_text_does_not_depend_on_its_batch(student: Student) -> None:
    items = [encode(student, request, CONFIG) for request in REQUESTS]
    together = {item.request.key: ids for item, ids in decode(student, Queue(items, len(items)), CONFIG)}
    for rows in (1, 3):
        found = decode(student, Queue(items, rows), CONFIG)
        assert {item.request.key: ids for item, ids in found} == together


def test_a_text_is_what_plain_transformers_writes_to_the_prompt_given_twice(
    student: Student, tiny: Path, runtime: Runtime
) -> None:
    plain: Any = AutoModelForCausalLM.from_pretrained(tiny, dtype=runtime.dtype, attn_implementation="eager")
    items = [encode(student, request, CONFIG) for request in REQUESTS]
    for item, ids in decode(student, Queue(items, len(items)), CONFIG):
        twice = torch.tensor([item.ids, item.ids])
        texts = plain.generate(
            twice,
            attention_mask=torch.ones_like(twice),
            do_sample=False,
            max_new_tokens=CONFIG.max_new_tokens,
        )
        expected = texts[0, len(item.ids) :].tolist()
        assert ids == (expected[: len(ids)] if repeats_itself(ids) else expected)


def test_padded_and_packed_texts_are_the_same_but_for_rounding(exact: Student) -> None:
    """Some models keep less than all positions, so that their texts cannot be packed."""
    prompts = [prompt_ids(exact.tokenizer, request.question, request.cue) for request in REQUESTS]
    cache = DynamicCache(config=exact.model.config)
    with torch.inference_mode():
        readings: list[Reading] = [
            PackedReading(exact, prompts, len(cache.layers)),
            PaddedReading(exact, prompts, cache),
        ]
        for reading in readings:
            for token in range(20):
                reading.advance(torch.full((len(prompts),), token))
            reading.keep(torch.tensor([5, 0, 2]))
            for token in range(20):
                reading.advance(torch.full((3,), token))
    packed, padded = (reading.logits for reading in readings)
    assert packed.shape == (3, exact.model.config.vocab_size)
    assert torch.allclose(packed, padded, atol=1e-5)
