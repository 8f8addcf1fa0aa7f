"""How a student answers: longest prompts first, what they share read once, and a row of the batch that has
ended its text is given to the next request.
"""

from __future__ import annotations

import hashlib
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice, repeat

import torch
from torch import Tensor

from errors import StudentError
from training.config import GenerateConfig
from training.memory import free_bytes, free_memory, is_out_of_memory, rows_at_once
from training.parallel import merged, threads_for
from training.prompts import prompt_ids, rationale_ids
from training.reading import PackedReading, Reading, read_prompts
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
REQUESTS_PER_ROW = 4
"""Requests of a queue to each of its rows. More would leave fewer rows idle at the end of a queue, but an
interruption loses all of a queue."""
COMPACT_BELOW = 7 / 8
"""Ended rows are cut out of the cache once fewer than this share of its rows still write."""
REFILL_BELOW = 3 / 4
"""The next prompts are read once the cache has fewer than this share of the rows that it may have."""
COMPLETIONS_PER_EVENT = 16
"""At most; fewer where fewer requests are answered at once."""


@dataclass(frozen=True, slots=True)
class Encoded:
    """A request, its prompt, and how many tokens its answer may have."""

    request: Request
    ids: list[int]
    longest: int


@dataclass(frozen=True, slots=True)
class Queue:
    """Requests that are answered one after another, so many of them at once as there are rows."""

    items: list[Encoded]
    rows: int


@dataclass(slots=True)
class Text:
    """What stands in one row of the cache."""

    item: Encoded
    draws: Iterator[float]
    """A number for each token, which decides what is sampled."""
    ids: list[int] = field(default_factory=list)
    ended: bool = False


def generate(
    student: Student,
    requests: Sequence[Request],
    config: GenerateConfig,
    on_event: Callable[[Event], None],
    done: frozenset[str] = frozenset(),
) -> Generated:
    """Answer the requests that are not done; their completions arrive in `Batch` events.

    Queues are made from all requests, done or not, and a queue is left out only when all of it is done. So
    on a CPU every text has the same mates however often the work was interrupted, and comes out the same. On
    a CUDA GPU its free memory makes the queues anew: what is done stays as it is, but the rest may come out
    otherwise than in one go, save where `training.reading` says that mates change nothing.
    """
    student.model.train(False)
    began, answered, written = time.monotonic(), 0, 0
    for queues in make_queues(student, requests, config):
        left = [queue for queue in queues if any(item.request.key not in done for item in queue.items)]
        found = merged([answer(student, queue, config) for queue in left], len(queues))
        completions = (each for each in without_notices(found, on_event) if each.key not in done)
        size = min(COMPLETIONS_PER_EVENT, queues[0].rows)
        while some := tuple(islice(completions, size)):
            answered += len(some)
            written += sum(completion.new_tokens for completion in some)
            on_event(Batch(completions=some))
    return Generated(completions=answered, new_tokens=written, seconds=time.monotonic() - began)


def without_notices(
    found: Iterator[Completion | Notice], on_event: Callable[[Event], None]
) -> Iterator[Completion]:
    for each in found:
        if isinstance(each, Notice):
            on_event(each)
        else:
            yield each


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


def make_queues(
    student: Student, requests: Sequence[Request], config: GenerateConfig
) -> Iterator[list[Queue]]:
    """Queues to work on at the same time, a thread each, longest prompts first: rows too many for the memory
    show at once.
    """
    encoded = [encode(student, request, config) for request in requests]
    encoded.sort(key=lambda item: (-len(item.ids), item.request.key))
    lengths = [len(item.ids) + item.longest for item in encoded]
    free = free_bytes(student.runtime)
    rows = rows_at_once(student.model.config, student.runtime.dtype, lengths, config.batch_size, free)
    items, threads = iter(encoded), threads_for(student.runtime)
    while part := list(islice(items, threads * REQUESTS_PER_ROW * rows)):
        parts = [part[i::threads] for i in range(min(threads, len(part)))]
        yield [Queue(each, min(rows, len(each))) for each in parts]


def answer(student: Student, queue: Queue, config: GenerateConfig) -> Iterator[Completion | Notice]:
    """The queue's completions; on a device without the memory for its rows, the rest with half as many."""
    left = {item.request.key: item for item in queue.items}
    try:
        for item, ids in decode(student, queue, config):
            del left[item.request.key]
            yield complete(student, item, ids)
    except RuntimeError as error:
        if queue.rows == 1 or not is_out_of_memory(error):
            raise
    if left:
        free_memory(student.runtime)
        rows = queue.rows // 2
        yield Notice(text=f"out of memory with {queue.rows} questions at once: going on with {rows}")
        yield from answer(student, Queue(list(left.values()), rows), config)


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
def decode(student: Student, queue: Queue, config: GenerateConfig) -> Iterator[tuple[Encoded, list[int]]]:
    """Each item with its new token ids, end mark included where one was written, as soon as its text ends."""
    waiting, texts, stops = deque(queue.items), list[Text](), student.stop_ids
    state: Reading | None = None
    while waiting or texts:
        has_room = isinstance(state, PackedReading) and len(texts) < REFILL_BELOW * queue.rows
        if waiting and (has_room or not texts):
            new = [waiting.popleft() for _ in range(min(queue.rows - len(texts), len(waiting)))]
            added = [Text(item, draw_numbers(item, config)) for item in new]
            if len(added) < LEAST_ROWS:
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
                text.ended = token in stops or is_over(student, text)
                if text.ended:
                    yield text.item, text.ids
        writing = sum(not text.ended for text in texts)
        if not writing:
            texts = []
            continue
        if (left := max(LEAST_ROWS, writing)) < COMPACT_BELOW * len(texts):
            rows = sorted(range(len(texts)), key=lambda row: texts[row].ended)[:left]
            texts, keep = [texts[row] for row in rows], torch.tensor(rows, device=chosen.device)
            state.keep(keep)
            chosen = chosen[keep]
        state.advance(student, chosen)


def is_over(student: Student, text: Text) -> bool:
    """The text may not go on, or should not."""
    is_full = len(text.ids) == text.item.longest
    return is_full or repeats_itself(text.ids) or has_ended(student, text.item.request, text.ids)


def draw_numbers(item: Encoded, config: GenerateConfig) -> Iterator[float]:
    """A number in [0, 1) for each token, made from the item's own key and sample alone."""
    if config.temperature == 0:
        return repeat(0.0)
    name = f"{config.seed}:{item.request.sample}:{item.request.key}"
    seed = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big") >> 1
    return iter(torch.rand(item.longest, generator=torch.Generator().manual_seed(seed)).tolist())


def choose(logits: Tensor, temperature: float, draws: Tensor) -> Tensor:
    """The next token of each row: the likeliest, or where the running sum of odds passes the draw."""
    if temperature == 0:
        return logits.float().argmax(dim=-1)  # five times as fast as in bfloat16 on a CPU
    sums = (logits.float() / temperature).softmax(dim=-1).cumsum(dim=-1)
    passed = torch.searchsorted(sums, draws[:, None] * sums[:, -1:], right=True)[:, 0]
    return passed.clamp(max=logits.shape[-1] - 1)
