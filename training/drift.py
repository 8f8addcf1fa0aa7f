"""Measures how far a taught student has moved from the untaught one on texts that have nothing to do with it.

No data from outside are needed: the untaught student answers prompts of ours, and both students then say how
the next token of these answers is distributed.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.functional import kl_div

from fdd.training.config import GenerateConfig
from fdd.training.data import IGNORED, Row, encode, to_tensors
from fdd.training.device import choose_runtime
from fdd.training.generate import generate
from fdd.training.student import Student, load_student
from fdd.training.tasks import Batch, Drift, DriftTask, Event, Example, Request

PROMPTS = Path(__file__).with_name("general.txt")
CUE = "Answer in two or three sentences."
ANSWER_TOKENS = 48


def perform(task: DriftTask, _: object) -> Drift:
    runtime = choose_runtime(task.device)
    untaught = load_student(task.before, runtime)
    rows = answered(untaught)
    expected = list(predictions(untaught, rows))
    del untaught
    divergence, same, tokens = 0.0, 0, 0
    for before, after in zip(expected, predictions(load_student(task.after, runtime), rows), strict=True):
        divergence += float(kl_div(after, before, reduction="sum", log_target=True))
        same += int((before.argmax(-1) == after.argmax(-1)).sum())
        tokens += len(before)
    return Drift(tokens=tokens, divergence=divergence / tokens, agreement=same / tokens)


def answered(student: Student) -> list[Row]:
    """Returns the prompts with the student's greedy answers."""
    prompts = PROMPTS.read_text().splitlines()
    texts: dict[str, str] = {}

    def on_event(event: Event) -> None:
        if isinstance(event, Batch):
            texts.update({each.key: each.text for each in event.completions})

    requests = [Request(key=each, question=each, cue=CUE, blank_lines=True) for each in prompts]
    generate(student, requests, GenerateConfig(max_new_tokens=ANSWER_TOKENS), on_event)
    return [
        encode(student.tokenizer, Example(question=each, cue=CUE, rationale=texts[each])) for each in prompts
    ]


@torch.inference_mode()
def predictions(student: Student, rows: list[Row]) -> Iterator[Tensor]:
    """Yields for each row the log-probabilities of the next token in its answer, (tokens, vocabulary).

    The end token is left out, since an answer may have been cut off at its limit.
    """
    student.model.train(False)
    for row in rows:
        ids, mask, labels = (each.to(student.runtime.device) for each in to_tensors([row]))
        logits = student.model(input_ids=ids, attention_mask=mask, use_cache=False).logits[0, :-1]
        yield logits[labels[0, 1:] != IGNORED][:-1].float().log_softmax(-1)
