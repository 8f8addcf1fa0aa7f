"""Generates a student's answers in batches, whose rows go to the next requests as soon as their text ends."""

from __future__ import annotations

import gc
import hashlib
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import islice, repeat
from pathlib import Path

import torch
from torch import Tensor

from fdd.errors import StudentError
from fdd.training.config import Device, GenerateConfig
from fdd.training.device import choose_runtime, free_bytes, free_memory, rows_at_once
from fdd.training.parallel import merged, threads_for
from fdd.training.prompts import prompt_ids, rationale_ids
from fdd.training.reading import PackedReading, Reading, read_prompts
from fdd.training.student import UNTAUGHT_TOKENS, Student, load_student
from fdd.training.tasks import (
    Batch,
    CheckTask,
    Completion,
    GenerateTask,
    Notice,
    OnEvent,
    Request,
)
from fdd.training.worker import is_out_of_memory

BLANK_LINE = "\n\n"
SHOWN_ROOM = 2
"""Longest answer, as a multiple of the longest worked example; worked examples are short."""
LEAST_ROWS = 2
"""Smallest batch that is decoded, also if memory runs out. A batch of one uses other kernels that round
differently, so its text would depend on when the other rows finished."""
LONGEST_PERIOD = 24
"""Length in tokens of the longest passage whose repetition is recognized: a few lines of a program."""
REPETITIONS, LEAST_REPEATED = 3, 24
"""A text is stopped for repeating itself if it ends in so many copies of a passage, and these have so many
tokens in all. A rationale may well repeat a word or two."""
REQUESTS_PER_ROW = 4
"""Requests in a queue for each of its rows. With more, fewer rows would be idle at the end of a queue, but an
interrupted queue is generated again from its start."""
COMPACT_BELOW = 7 / 8
"""Finished rows are removed from the cache once less than this share of its rows is still being written."""
REFILL_BELOW = 3 / 4
"""The next prompts are read once the cache has less than this share of the queue's rows."""
COMPLETIONS_PER_EVENT = 16
"""Most completions in one `Batch` event; fewer if fewer rows are decoded together."""


@dataclass(frozen=True, slots=True)
class Encoded:
    request: Request
    ids: list[int]
    """Of the prompt."""
    longest: int
    """Most tokens that the answer may have."""


@dataclass(frozen=True, slots=True)
class Queue:
    """Requests that one thread answers, at most `rows` of them at a time."""

    items: list[Encoded]
    rows: int


@dataclass(slots=True)
class Text:
    """One row of the batch, and the token ids written so far."""

    item: Encoded
    draws: Iterator[float]
    ids: list[int] = field(default_factory=list)
    ended: bool = False


def check(task: CheckTask, _: object) -> None:
    student = load_student(task.student, choose_runtime(task.device))
    for request in task.requests:
        encode(student, request, GenerateConfig())


def perform(task: GenerateTask, on_event: OnEvent) -> None:
    student = loaded(task.student, task.device)
    generate(student, task.requests, task.config, on_event, task.done)


@lru_cache(maxsize=1)
def loaded(folder: Path, device: Device) -> Student:
    """Loads a student, once for all shards of a task that this process answers."""
    return load_student(folder, choose_runtime(device))


def forget() -> None:
    """Frees the memory of the student that was loaded last."""
    loaded.cache_clear()
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def shards(task: GenerateTask) -> tuple[tuple[str, ...], ...]:
    """Returns the keys of the requests that share their batches."""
    student = loaded(task.student, task.device)
    return tuple(
        tuple(item.request.key for queue in queues for item in queue.items)
        for queues in make_queues(student, task.requests, task.config)
    )


def generate(
    student: Student,
    requests: Sequence[Request],
    config: GenerateConfig,
    on_event: OnEvent,
    done: frozenset[str] = frozenset(),
) -> None:
    """Answers the requests whose keys are not in `done`.

    Queues are built from all requests, and a queue is skipped only if all of it is done. So on a CPU a text
    shares its batches with the same texts, and comes out the same, however often the work is interrupted. On
    a CUDA GPU the queues depend on the free memory, so the texts after an interruption may differ, unless a
    text does not depend on its batch (`training.reading` says when).
    """
    student.model.train(False)
    for queues in make_queues(student, requests, config):
        left = [queue for queue in queues if any(item.request.key not in done for item in queue.items)]
        found = merged([answer(student, queue, config) for queue in left], len(queues))
        batch: list[Completion] = []
        for each in found:
            if isinstance(each, Notice):
                on_event(each)
            elif each.key not in done:
                batch.append(each)
            if len(batch) == min(COMPLETIONS_PER_EVENT, queues[0].rows):
                on_event(Batch(completions=tuple(batch)))
                batch = []
        if batch:
            on_event(Batch(completions=tuple(batch)))


def encode(
    student: Student, request: Request, config: GenerateConfig, positions: int | None = None
) -> Encoded:
    """Tokenizes a request; raises `StudentError` if the prompt and one more token exceed the positions.

    These are the student's, unless they are given.
    """
    positions = positions or student.positions
    ids = prompt_ids(student.tokenizer, request.question, request.cue, request.shots)
    if config.max_new_tokens is not None:
        longest = config.max_new_tokens
    elif request.shots:
        shown = [len(rationale_ids(student.tokenizer, shot.rationale)) for shot in request.shots]
        longest = SHOWN_ROOM * max(shown)
    else:
        longest = student.model.generation_config.max_new_tokens or UNTAUGHT_TOKENS
    if positions is not None:
        longest = min(longest, positions - len(ids))
    if longest < 1:
        raise StudentError(
            f"a prompt has {len(ids)} tokens, worked examples (--shots) included, and the student has only "
            f"{positions} positions: give a student with more, shorter problems or fewer --shots"
        )
    return Encoded(request, ids, longest)


def make_queues(
    student: Student, requests: Sequence[Request], config: GenerateConfig
) -> Iterator[list[Queue]]:
    """Yields lists of queues to work on at the same time, one thread each."""
    encoded = [encode(student, request, config) for request in requests]
    # A batch that is too large for the memory fails at the start. Keys make the order of requests irrelevant.
    encoded.sort(key=lambda item: (-len(item.ids), item.request.key))
    lengths = [len(item.ids) + item.longest for item in encoded]
    free = free_bytes(student.runtime)
    rows = rows_at_once(student.model.config, student.runtime.dtype, lengths, config.batch_size, free)
    items, threads = iter(encoded), threads_for(student.runtime)
    while part := list(islice(items, threads * REQUESTS_PER_ROW * rows)):
        # Dealt in turn, so that the threads get prompts of similar length.
        parts = [part[i::threads] for i in range(min(threads, len(part)))]
        yield [Queue(each, min(rows, len(each))) for each in parts]


def answer(student: Student, queue: Queue, config: GenerateConfig) -> Iterator[Completion | Notice]:
    """Yields the queue's completions. If memory runs out, generates the rest with half as many rows."""
    left = {item.request.key: item for item in queue.items}
    rows = max(queue.rows, LEAST_ROWS)
    try:
        for item, ids in decode(student, queue, config):
            del left[item.request.key]
            yield completed(student, item, ids)
    except RuntimeError as error:
        if rows == LEAST_ROWS or not is_out_of_memory(error):
            raise
    if left:  # not in the handler, whose error keeps the batch in memory
        half = max(rows // 2, LEAST_ROWS)
        free_memory(student.runtime)
        yield Notice(text=f"out of memory with {rows} questions at once: going on with {half}")
        yield from answer(student, Queue(list(left.values()), half), config)


def text_of(student: Student, ids: list[int]) -> str:
    return str(student.tokenizer.decode(ids, skip_special_tokens=True))


def completed(student: Student, item: Encoded, ids: list[int]) -> Completion:
    ended, text = has_ended(student, item.request, ids), text_of(student, ids)
    return Completion(
        key=item.request.key,
        text=text.strip().partition(BLANK_LINE)[0] if ended else text,
        prompt_tokens=len(item.ids),
        new_tokens=len(ids),
        finished=ended or ids[-1] in student.stop_ids,
    )


def has_ended(student: Student, request: Request, ids: list[int]) -> bool:
    """Whether another paragraph begins, while every worked example has only one."""
    return has_one_paragraph(request) and BLANK_LINE in text_of(student, ids).lstrip()


def has_one_paragraph(request: Request) -> bool:
    """Whether an answer ends at its first blank line, as every worked example does."""
    shown = [shot.rationale.strip() for shot in request.shots]
    return bool(shown) and not request.blank_lines and not any(BLANK_LINE in text for text in shown)


def repeats_itself(ids: Sequence[int]) -> bool:
    """Whether the text ends in many copies of one passage, which small students can go on with for ever."""
    for period in range(1, LONGEST_PERIOD + 1):
        span = max(REPETITIONS * period, LEAST_REPEATED)
        if len(ids) >= span and all(ids[-i] == ids[-i - period] for i in range(1, span - period + 1)):
            return True
    return False


@torch.inference_mode()
def decode(student: Student, queue: Queue, config: GenerateConfig) -> Iterator[tuple[Encoded, list[int]]]:
    """Yields each item with its new token ids, a written end token included, as soon as its text ends."""
    waiting, texts, stops = deque(queue.items), list[Text](), student.stop_ids
    state: Reading | None = None
    while waiting or texts:
        # A padded batch cannot take new rows, so it is first finished.
        has_room = isinstance(state, PackedReading) and len(texts) < REFILL_BELOW * queue.rows
        if waiting and (has_room or not texts):
            new = [waiting.popleft() for _ in range(min(queue.rows - len(texts), len(waiting)))]
            added = [Text(item, draw_numbers(item, config)) for item in new]
            if len(added) < LEAST_ROWS:  # add a row that nobody reads
                added.append(Text(new[0], repeat(0.0), ended=True))
            fresh = read_prompts(student, [text.item.ids for text in added])
            if texts:
                assert isinstance(state, PackedReading) and isinstance(fresh, PackedReading)
                state.join(fresh)
            else:
                state = fresh
            texts += added
        assert state is not None
        draws = torch.tensor([next(text.draws, 0.0) for text in texts], device=state.logits.device)
        chosen = choose(state.logits, config.temperature, draws)
        for text, token in zip(texts, chosen.tolist(), strict=True):
            if not text.ended:
                text.ids.append(token)
                text.ended = (
                    token in stops
                    or len(text.ids) == text.item.longest
                    or repeats_itself(text.ids)
                    or has_ended(student, text.item.request, text.ids)
                )
                if text.ended:
                    yield text.item, text.ids
        writing = sum(not text.ended for text in texts)
        if not writing:
            texts = []
            continue
        if (left := max(LEAST_ROWS, writing)) < COMPACT_BELOW * len(texts):
            # Unfinished rows first; a finished one only fills the batch up to its least size.
            rows = sorted(range(len(texts)), key=lambda row: texts[row].ended)[:left]
            texts, keep = [texts[row] for row in rows], torch.tensor(rows, device=chosen.device)
            state.keep(keep)
            chosen = chosen[keep]
        state.advance(chosen)


def draw_numbers(item: Encoded, config: GenerateConfig) -> Iterator[float]:
    """Returns a number in [0, 1) for each token, which does not depend on the batch."""
    if config.temperature == 0:
        return repeat(0.0)
    generator = torch.Generator().manual_seed(seed_of(item.request, config))
    return iter(torch.rand(item.longest, generator=generator).tolist())


def seed_of(request: Request, config: GenerateConfig) -> int:
    """Returns the seed of the random numbers of one answer, in [0, 2**63)."""
    name = f"{config.seed}:{request.sample}:{request.key}"
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big") >> 1


def choose(logits: Tensor, temperature: float, draws: Tensor) -> Tensor:
    """Returns a token for each row: the likeliest at temperature 0, otherwise the first one at which the
    cumulative probability exceeds the row's draw.
    """
    if temperature == 0:
        return logits.float().argmax(dim=-1)  # on a CPU five times as fast as in bfloat16
    sums = (logits.float() / temperature).softmax(dim=-1).cumsum(dim=-1)
    passed = torch.searchsorted(sums, draws[:, None] * sums[:, -1:], right=True)[:, 0]
    return passed.clamp(max=logits.shape[-1] - 1)  # rounding can raise a draw to the last sum
