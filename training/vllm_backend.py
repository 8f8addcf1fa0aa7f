"""Generates a student's answers with vLLM, which keeps a GPU busier than our own decoding does.

Texts may differ from those of our own decoding, and with the other requests of a batch.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from vllm import EngineArgs, LLMEngine, SamplingParams, TokensPrompt
from vllm.sampling_params import RepetitionDetectionParams, RequestOutputKind

from fdd.training.config import ROWS, Device
from fdd.training.device import Runtime, cache_bytes, choose_runtime
from fdd.training.generate import (
    BLANK_LINE,
    LEAST_REPEATED,
    LONGEST_PERIOD,
    REPETITIONS,
    Encoded,
    completed,
    encode,
    has_one_paragraph,
    seed_of,
)
from fdd.training.student import Student, load_outline, loading
from fdd.training.tasks import Batch, Completion, GenerateTask, OnEvent

GPU_ROWS = 256
"""Answers that are written at a time on a GPU, unless the settings say otherwise."""
COMPLETIONS_PER_EVENT = 16
SHARD = 1024
"""Requests that one process of several answers at a time."""


def perform(task: GenerateTask, on_event: OnEvent) -> None:
    """Answers the requests that are not done, the longest prompts first."""
    engine, student, items = prepared(task)
    found: list[Completion] = []
    for completion in answers(engine, student, items, task):
        found.append(completion)
        if len(found) == COMPLETIONS_PER_EVENT:
            on_event(Batch(completions=tuple(found)))
            found = []
    if found:
        on_event(Batch(completions=tuple(found)))


def prepared(task: GenerateTask) -> tuple[LLMEngine, Student, list[Encoded]]:
    """Returns the student as vLLM has it and without weights, and the requests that are left."""
    runtime = choose_runtime(task.device)
    student = load_outline(task.student, runtime)
    items = encoded(student, task)
    longest = max(len(item.ids) + item.longest for item in items)
    rows = task.config.batch_size or (ROWS if runtime.device.type == "cpu" else GPU_ROWS)
    engine = loaded(task.student, task.device, longest, rows)
    return engine, student, [item for item in items if item.request.key not in task.done]


def shards(task: GenerateTask) -> tuple[tuple[str, ...], ...]:
    """Returns the keys of the requests that one process answers together."""
    items = encoded(load_outline(task.student, choose_runtime(task.device)), task)
    keys = [item.request.key for item in items]
    return tuple(tuple(keys[i : i + SHARD]) for i in range(0, len(keys), SHARD))


def encoded(student: Student, task: GenerateTask) -> list[Encoded]:
    items = [encode(student, request, task.config) for request in task.requests]
    return sorted(items, key=lambda item: (-len(item.ids), item.request.key))


@lru_cache(maxsize=1)
def loaded(folder: Path, device: Device, longest: int, rows: int) -> LLMEngine:
    """Loads a student, once for all shards of a task that this process answers."""
    runtime = choose_runtime(device)
    with loading(folder, "weights, with vLLM"):
        return LLMEngine.from_engine_args(
            EngineArgs(
                model=str(folder),
                dtype=str(runtime.dtype).removeprefix("torch."),
                max_model_len=longest,
                max_num_seqs=rows,
                enable_prefix_caching=True,
                enforce_eager=runtime.device.type == "cpu",  # to compile takes minutes there
                generation_config="vllm",  # no sampling settings of the folder
                kv_cache_memory_bytes=memory_of_keys(folder, runtime, longest * rows),
                disable_log_stats=True,
                use_tqdm_on_load=False,
            )
        )


def memory_of_keys(folder: Path, runtime: Runtime, tokens: int) -> int | None:
    """Returns the bytes of a cache for so many tokens; None on a GPU, of which vLLM takes most."""
    if runtime.device.type != "cpu":
        return None
    return tokens * cache_bytes(load_outline(folder, runtime).model.config, runtime.dtype)


def answers(
    engine: LLMEngine, student: Student, items: list[Encoded], task: GenerateTask
) -> Iterator[Completion]:
    """Yields each completion as soon as its text ends."""
    writing = {item.request.key: item for item in items}
    for item in items:
        prompt = TokensPrompt(prompt_token_ids=item.ids)
        engine.add_request(item.request.key, prompt, parameters(student, item, task))
    while writing:
        for output in engine.step():
            item, [text] = writing[output.request_id], output.outputs
            ended = has_one_paragraph(item.request) and BLANK_LINE in text.text.lstrip()
            if not (ended or output.finished):
                continue
            if not output.finished:
                engine.abort_request([output.request_id])
            del writing[output.request_id]
            yield completed(student, item, list(text.token_ids))


def parameters(student: Student, item: Encoded, task: GenerateTask) -> SamplingParams:
    watched = has_one_paragraph(item.request)
    temperature = task.config.temperature
    return SamplingParams(
        temperature=temperature,
        seed=seed_of(item.request, task.config) if temperature else None,
        max_tokens=item.longest,
        stop_token_ids=sorted(student.stop_ids),
        ignore_eos=True,  # it is among them, unless the student was saved with other ones
        detokenize=watched,
        output_kind=RequestOutputKind.CUMULATIVE if watched else RequestOutputKind.FINAL_ONLY,
        # The same passages as `repeats_itself` finds, and longer copies of short ones.
        repetition_detection=RepetitionDetectionParams(
            max_pattern_size=LONGEST_PERIOD,
            min_pattern_size=LEAST_REPEATED // REPETITIONS,
            min_count=REPETITIONS,
        ),
    )
