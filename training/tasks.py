"""Tasks, events and results of the child process that trains and generates; all of them can be pickled."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Generic, TypeVar

from fdd.domain import Problem
from fdd.training.config import Device, FineTuneConfig, GenerateConfig, RefineConfig

R = TypeVar("R")

PROMPT_TOKENS = 80
ANSWER_TOKENS = 40
"""Typical lengths of a `gsm-symbolic` question with its cue, and of a program that answers it."""

Turn = dict[str, str]
"""One message of a chat, by `role` and `content`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Example:
    """One training example: what the student reads, and the rationale that it is to write."""

    question: str
    cue: str
    """Asks for a format, for example "Write a Python program"; the same text is used when generating."""
    rationale: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    key: str
    question: str
    cue: str
    shots: tuple[Example, ...] = ()
    sample: int = 0
    """Distinguishes samples of one question; part of the random seed."""
    blank_lines: bool = False
    """Whether a blank line never ends the answer. Otherwise it does if no worked example has one."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Completion:
    key: str
    text: str
    prompt_tokens: int
    new_tokens: int
    finished: bool
    """False if the text reached its limit or was stopped for repeating itself."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    step: int
    steps: int
    loss: float
    """Mean over the labelled tokens of the step."""
    tokens_per_second: float
    """Mean since training began, without padding."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Batch:
    completions: tuple[Completion, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Notice:
    """Something a person should know, for example that a batch was halved for lack of memory."""

    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class RefineStep:
    step: int
    steps: int
    loss: float
    reward: float | None = None
    """With `grpo`: share of the step's answers that were right."""


Event = Step | Batch | Notice | RefineStep
OnEvent = Callable[[Event], None]


@dataclass(frozen=True, kw_only=True, slots=True)
class FineTuned:
    steps: int
    loss: float
    """Mean over the last tenth of the steps."""
    tokens: int
    seconds: float
    truncated: int
    """Examples left out because they were longer than `max_length`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class DeviceReport:
    kind: str
    name: str
    cores: int
    """Cores of the CPU that this process may use, or multiprocessors of the GPU."""
    memory_gb: float
    dtype: str
    count: int = 1
    """GPUs of this machine, of which a run uses one, and all of them with `--engine ray`."""
    unused: str = ""
    """With device `auto`: why this machine's NVIDIA GPU cannot be used. Empty otherwise."""

    def __str__(self) -> str:
        name = f"{self.count} x {self.name}" if self.count > 1 else self.name
        used = f"{self.kind} ({name}, {self.cores} cores, {self.memory_gb:.0f} GB, {self.dtype})"
        return f"{used}, for the NVIDIA GPU here cannot be used: {self.unused}" if self.unused else used


@dataclass(frozen=True, kw_only=True, slots=True)
class Speed:
    """Tokens per second of a student's training, and of reading prompts and writing answers in a batch."""

    training: float
    reading: float
    writing: float

    @property
    def answer_seconds(self) -> float:
        """Seconds per answer of usual length, when many are generated together."""
        return PROMPT_TOKENS / self.reading + ANSWER_TOKENS / self.writing


@dataclass(frozen=True, kw_only=True, slots=True)
class Measured:
    device: DeviceReport
    speed: Speed


@dataclass(frozen=True, kw_only=True, slots=True)
class Prompting:
    """How other programs are to prompt a student."""

    chats: tuple[tuple[Turn, ...], ...]
    """For each example, the turns that the student reads and the rationale as the assistant's turn."""
    templated: bool
    """Whether the tokenizer has a chat template; if not, the only user turn of a chat is the whole prompt."""
    max_new_tokens: int
    stop_ids: tuple[int, ...]
    pad_id: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Task(Generic[R]):
    """Work for a child process, whose result has the type R."""

    does: ClassVar[str]
    """`module:function` of the function `(task, on_event) -> R` that performs it. The child imports it by
    name, because the parent must not import torch."""


@dataclass(frozen=True, kw_only=True, slots=True)
class DescribeTask(Task[DeviceReport]):
    does = "fdd.training.device:describe"
    device: Device = "auto"


@dataclass(frozen=True, kw_only=True, slots=True)
class BackendTask(Task[None]):
    """Imports vLLM; `UsageError` if that fails, or if it is built for another device."""

    does = "fdd.training.backend:check"
    device: Device = "auto"


@dataclass(frozen=True, kw_only=True, slots=True)
class CheckTask(Task[None]):
    """Loads the student; `StudentError` if it is not whole or cannot answer the requests."""

    does = "fdd.training.generate:check"
    student: Path
    device: Device = "auto"
    requests: tuple[Request, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class MeasureTask(Task[Measured]):
    """Loads a student that is to be trained, describes its device, and measures its speed."""

    does = "fdd.training.measure:perform"
    student: Path
    config: FineTuneConfig = field(default_factory=FineTuneConfig)
    device: Device = "auto"


@dataclass(frozen=True, kw_only=True, slots=True)
class FineTuneTask(Task[FineTuned]):
    """Trains `student` on the examples and saves it in the folder `output`, completely or not at all."""

    does = "fdd.training.fine_tune:perform"
    student: Path
    examples: tuple[Example, ...]
    output: Path
    config: FineTuneConfig = field(default_factory=FineTuneConfig)
    device: Device = "auto"
    state_from: Path | None = None
    """File with the weights and the optimizer's state to continue from."""
    state_to: Path | None = None
    """File to save them in for the next training; None in the last one."""
    checkpoint: Path | None = None
    """File that keeps an unfinished training. If it exists, the training goes on from there, and the student
    will be the same, on a CPU to the last bit."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Pair:
    """Two answers of a student to one question."""

    question: str
    cue: str
    right: str
    wrong: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Exercise:
    """A problem to be solved in a format while the student is trained."""

    problem: Problem
    thought: str
    cue: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Refined:
    steps: int
    loss: float | None
    """Mean over the last tenth of the steps; None without any."""
    seconds: float


@dataclass(frozen=True, kw_only=True, slots=True)
class RefineTask(Task[Refined]):
    """Trains `student` by `config.method` and saves it in the folder `output`, completely or not at all."""

    does = "fdd.training.refine:perform"
    student: Path
    output: Path
    checkpoints: Path
    """Folder that keeps an unfinished training. If it exists, the training goes on from there."""
    config: RefineConfig
    fine_tune: FineTuneConfig = field(default_factory=FineTuneConfig)
    """Says whether adapters are trained, and how often a checkpoint is written."""
    device: Device = "auto"
    pairs: tuple[Pair, ...] = ()
    """For `dpo`."""
    examples: tuple[Example, ...] = ()
    """For `distill`."""
    teacher: Path | None = None
    """For `distill`."""
    exercises: tuple[Exercise, ...] = ()
    """For `grpo`."""
    judge: str = ""
    """For `grpo`: `module:class` of a verifier, which this package must not import. Its answers are judged as
    rationales, so that one which is right by accident earns nothing."""

    @property
    def size(self) -> int:
        """Number of pairs, examples or exercises."""
        return len(self.pairs) + len(self.examples) + len(self.exercises)


@dataclass(frozen=True, kw_only=True, slots=True)
class RefineCheckTask(Task[None]):
    """Checks before a run that a `RefineTask` can be performed: `UsageError` if TRL is missing,
    `StudentError` if the teacher has another tokenizer than the student."""

    does = "fdd.training.refine:check"
    student: Path
    teacher: Path | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Drift:
    """The difference between two students on general texts, over their tokens."""

    tokens: int
    divergence: float
    """Mean Kullback-Leibler divergence of the taught student from the untaught one, in nats a token."""
    agreement: float
    """Share of tokens for which both find the same next token likeliest."""


@dataclass(frozen=True, kw_only=True, slots=True)
class DriftTask(Task[Drift]):
    does = "fdd.training.drift:perform"
    before: Path
    after: Path
    device: Device = "auto"


@dataclass(frozen=True, kw_only=True, slots=True)
class LikelihoodTask(Task[tuple[float, ...]]):
    """Computes the logarithm of each rationale's probability, without its end token, given its question."""

    does = "fdd.training.likelihood:perform"
    student: Path
    examples: tuple[Example, ...]
    device: Device = "auto"


@dataclass(frozen=True, kw_only=True, slots=True)
class GenerateTask(Task[None]):
    """Answers every request that is not done; texts arrive as `Batch` events."""

    does = "fdd.training.answers:perform"
    student: Path
    requests: tuple[Request, ...]
    config: GenerateConfig = field(default_factory=GenerateConfig)
    device: Device = "auto"
    done: frozenset[str] = frozenset()
    """Keys already answered. Nothing is sent for them, but their texts may be generated again, so that the
    others share their batches with the same texts."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ShardTask(Task[tuple[tuple[str, ...], ...]]):
    """Divides the requests of a task into shards, by key. Requests of different shards share no batch, so
    each shard may be answered on another machine. Unless vLLM answers, its texts stay the same."""

    does = "fdd.training.answers:shards"
    whole: GenerateTask


@dataclass(frozen=True, kw_only=True, slots=True)
class PromptTask(Task[Prompting]):
    does = "fdd.training.student:describe_prompts"
    student: Path
    examples: tuple[Example, ...]
    config: GenerateConfig = field(default_factory=GenerateConfig)


@dataclass(frozen=True, kw_only=True, slots=True)
class ConvertTask(Task[None]):
    """Writes the weights and tokenizer of a GGUF file into the (existing, empty) folder `output`."""

    does = "fdd.training.student:convert"
    gguf: Path
    output: Path
    tied: bool = False
    """Whether the file's output layer is its embedding again, with more bits, and takes its place."""
