"""How a student answers: in batches of like length, what they share read once, ended rows cut out."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import torch
from torch import Tensor

from errors import StudentError
from training.config import GenerateConfig
from training.memory import free_bytes, free_memory, is_out_of_memory, rows_at_once
from training.prompts import prompt_ids, rationale_ids
from training.reading import read_prompts
from training.student import Student
from training.tasks import BLANK_LINE, Batch, Completion, Event, Generated, Notice, Request

SHOWN_ROOM = 2
"""Longest answer, as a share of the longest worked example, which are short ones."""
UNTAUGHT_TOKENS = 256
"""Longest answer of a student whose folder sets no limit."""
LEAST_ROWS = 2
"""Rows that are decoded together even where one would do: for a single one other kernels are chosen, which
round otherwise, and its text would hang on when the others ended."""
LONGEST_PERIOD = 24
"""Tokens of the longest passage whose repetition is recognized: a few lines of a program."""
REPETITIONS = 3
"""Times that a passage stands at the end of a text that is taken to repeat itself for ever, ..."""
LEAST_REPEATED = 24
"""... and the tokens of all of them together; a rationale may well repeat a word or two."""
COMPACT_BELOW = 7 / 8
"""Ended rows are cut out of the cache once fewer than this share of its rows still write."""


@dataclass(frozen=True, slots=True)
class Encoded:
    """A request, its prompt, and how many tokens its answer may have."""

    request: Request
    ids: list[int]
    longest: int


def generate(
    student: Student,
    requests: Sequence[Request],
    config: GenerateConfig,
    on_event: Callable[[Event], None],
    done: frozenset[str] = frozenset(),
) -> Generated:
    """Answer the requests that are not done; each batch arrives as one `Batch` event.

    Batches are made from all requests, done or not, and a batch is left out only when all of it is done. So
    on a CPU every text has the same batch mates however often the work was interrupted, and comes out the
    same. On a CUDA GPU its free memory makes the batches anew: what is done stays as it is, but the rest may
    come out otherwise than in one go, save where `training.reading` says that mates change nothing.
    """
    student.model.train(False)
    began, answered, written = time.monotonic(), 0, 0
    batches = make_batches(student, requests, config)
    for number, batch in enumerate(batches, start=1):
        if all(item.request.key in done for item in batch):
            continue
        texts = answer_batch(student, batch, config, on_event)
        completions = tuple(completion for completion in texts if completion.key not in done)
        answered += len(completions)
        written += sum(completion.new_tokens for completion in completions)
        on_event(Batch(completions=completions, batch=number, batches=len(batches)))
    return Generated(completions=answered, new_tokens=written, seconds=time.monotonic() - began)


def encode(student: Student, request: Request, config: GenerateConfig) -> Encoded:
    """`StudentError` where the student has not the positions for the prompt and a first token behind it."""
    ids = prompt_ids(student.tokenizer, request.question, request.cue, request.shots)
    longest = longest_answer(student, request, config)
    if student.positions is not None:
        longest = min(longest, student.positions - len(ids))
    if longest < 1:
        raise StudentError(
            f"a prompt has {len(ids)} tokens, worked examples (--shots) included, and the student has only "
            f"{student.positions} positions: give a student with more, shorter problems or fewer --shots"
        )
    return Encoded(request, ids, longest)


def longest_answer(student: Student, request: Request, config: GenerateConfig) -> int:
    """Tokens that an answer may have: one that goes far beyond every known rationale has lost its way."""
    if config.max_new_tokens is not None:
        return config.max_new_tokens
    if request.shots:
        shown = [len(rationale_ids(student.tokenizer, shot.rationale)) for shot in request.shots]
        return SHOWN_ROOM * max(shown)
    return student.model.generation_config.max_new_tokens or UNTAUGHT_TOKENS


def make_batches(
    student: Student, requests: Sequence[Request], config: GenerateConfig
) -> list[list[Encoded]]:
    """Longest prompts first, so that a batch too big for the memory shows at once."""
    encoded = [encode(student, request, config) for request in requests]
    encoded.sort(key=lambda item: (-len(item.ids), item.request.key))
    lengths = [len(item.ids) + item.longest for item in encoded]
    free = free_bytes(student.runtime)
    size = rows_at_once(student.model.config, student.runtime.dtype, lengths, config.batch_size, free)
    items = iter(encoded)
    return list(iter(lambda: list(islice(items, size)), []))


def answer_batch(
    student: Student, batch: Sequence[Encoded], config: GenerateConfig, on_event: Callable[[Event], None]
) -> Iterator[Completion]:
    """The batch's completions; on a device without the memory for it, half of the batch at a time."""
    try:
        texts = decode(student, batch, config)
    except RuntimeError as error:
        if len(batch) == 1 or not is_out_of_memory(error):
            raise
        texts = []
    if texts:
        yield from (complete(student, item, ids) for item, ids in zip(batch, texts, strict=True))
        return
    free_memory(student.runtime)
    middle = len(batch) // 2
    on_event(Notice(text=f"out of memory with {len(batch)} questions at once: going on with {middle}"))
    yield from answer_batch(student, batch[:middle], config, on_event)
    yield from answer_batch(student, batch[middle:], config, on_event)


def complete(student: Student, item: Encoded, ids: list[int]) -> Completion:
    text = text_of(student, ids)
    ended = has_ended(student, item.request, ids)
    return Completion(
        key=item.request.key,
        text=text.strip().partition(BLANK_LINE)[0] if ended else text,
        prompt_tokens=len(item.ids),
        new_tokens=len(ids),
        finished=ended or ids[-1] in student.stop_ids,
    )


def text_of(student: Student, ids: list[int]) -> str:
    return str(student.tokenizer.decode(ids, skip_special_tokens=True))


def has_ended(student: Student, request: Request, ids: list[int]) -> bool:
    """The paragraph that was to be written is over, and something else begins."""
    return request.one_paragraph and BLANK_LINE in text_of(student, ids).lstrip()


def repeats_itself(ids: Sequence[int]) -> bool:
    """The text ends in one passage over and over: small students that lose their way go on like this."""
    for period in range(1, LONGEST_PERIOD + 1):
        span = max(REPETITIONS * period, LEAST_REPEATED)
        if len(ids) >= span and all(ids[-i] == ids[-i - period] for i in range(1, span - period + 1)):
            return True
    return False


@torch.inference_mode()
def decode(student: Student, batch: Sequence[Encoded], config: GenerateConfig) -> list[list[int]]:
    """New token ids of each row, the end mark included where one was written."""
    if len(batch) < LEAST_ROWS:
        return decode(student, [*batch, *batch], config)[: len(batch)]
    state = read_prompts(student, [item.ids for item in batch])
    stops = torch.tensor(sorted(student.stop_ids), device=student.runtime.device)
    draws = draw_numbers(batch, config).to(student.runtime.device)
    rows = torch.arange(len(batch), device=student.runtime.device)
    texts: list[list[int]] = [[] for _ in batch]
    writing = torch.ones(len(batch), dtype=torch.bool, device=student.runtime.device)
    for drawn in draws.T:
        chosen = choose(state.logits, config.temperature, drawn[rows])
        alive = zip(writing.nonzero()[:, 0].tolist(), rows[writing].tolist(), strict=True)
        tokens = chosen.tolist()
        for place, row in alive:
            texts[row].append(tokens[place])
            over = len(texts[row]) == batch[row].longest or repeats_itself(texts[row])
            writing[place] = not over and not has_ended(student, batch[row].request, texts[row])
        writing &= ~torch.isin(chosen, stops)
        if not writing.any():
            break
        if (left := max(LEAST_ROWS, int(writing.sum()))) < COMPACT_BELOW * len(rows):
            keep = writing.int().argsort(descending=True, stable=True)[:left]
            state.keep(keep)
            rows, chosen, writing = rows[keep], chosen[keep], writing[keep]
        state.advance(student, chosen)
    return texts


def draw_numbers(batch: Sequence[Encoded], config: GenerateConfig) -> Tensor:
    """(rows, tokens) numbers in [0, 1), made from each row's own key and sample alone."""
    longest = max(item.longest for item in batch)
    if config.temperature == 0:
        return torch.zeros(len(batch), longest)
    drawn = []
    for item in batch:
        name = f"{config.seed}:{item.request.sample}:{item.request.key}"
        seed = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big") >> 1
        drawn.append(torch.rand(longest, generator=torch.Generator().manual_seed(seed)))
    return torch.stack(drawn)


def choose(logits: Tensor, temperature: float, draws: Tensor) -> Tensor:
    """The next token of each row: the likeliest, or where the running sum of odds passes the draw."""
    if temperature == 0:
        return logits.float().argmax(dim=-1)  # five times as fast as in bfloat16 on a CPU
    sums = (logits.float() / temperature).softmax(dim=-1).cumsum(dim=-1)
    passed = torch.searchsorted(sums, draws[:, None] * sums[:, -1:], right=True)[:, 0]
    return passed.clamp(max=logits.shape[-1] - 1)
