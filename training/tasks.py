"""What goes into and comes out of the child process that trains and generates: plain types, all picklable."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from errors import FddError
from training.config import Device, FineTuneConfig, GenerateConfig, Method

BLANK_LINE = "\n\n"
PROMPT_TOKENS = 80
ANSWER_TOKENS = 40
"""Of a usual question of `gsm-symbolic` with its cue, and of a program that answers it."""

Turn = dict[str, str]
"""One message of a chat, by `role` and `content`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Example:
    """One text to learn from: what the student reads, and the rationale that it shall write."""

    question: str
    cue: str
    """Asks for the thought, for example "Write a Python program"; the same text is used when generating."""
    rationale: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """One question to the student."""

    key: str
    """Comes back with the text."""
    question: str
    cue: str
    shots: tuple[Example, ...] = ()
    """Worked examples shown before the question, as earlier turns."""
    sample: int = 0
    """Tells samples of one question apart; it is part of the seed."""

    @property
    def one_paragraph(self) -> bool:
        """The worked examples show that an answer ends at a blank line at the latest."""
        return bool(self.shots) and all(BLANK_LINE not in shot.rationale.strip() for shot in self.shots)


@dataclass(frozen=True, kw_only=True, slots=True)
class Completion:
    """What the student wrote to the request with this key."""

    key: str
    text: str
    prompt_tokens: int
    new_tokens: int
    finished: bool
    """The student ended its text, or the paragraph that it was to write; False where `max_new_tokens` did."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FineTuneTask:
    """Train `student` on the examples and save the result in the folder `output`, whole or not at all."""

    student: Path
    examples: tuple[Example, ...]
    output: Path
    config: FineTuneConfig = field(default_factory=FineTuneConfig)
    device: Device = "auto"
    state_from: Path | None = None
    """File with the weights and the optimizer's state to continue from."""
    state_to: Path | None = None
    """File to save them in for the next training; None in the last one."""


@dataclass(frozen=True, kw_only=True, slots=True)
class GenerateTask:
    """Answer every request that is not done; texts arrive as `Batch` events."""

    student: Path
    requests: tuple[Request, ...]
    config: GenerateConfig = field(default_factory=GenerateConfig)
    device: Device = "auto"
    done: frozenset[str] = frozenset()
    """Keys already answered: no text comes for them, though they may be written again as batch mates."""


@dataclass(frozen=True, kw_only=True, slots=True)
class DescribeTask:
    """Say what the students will run on."""

    device: Device = "auto"


@dataclass(frozen=True, kw_only=True, slots=True)
class MeasureTask:
    """Say what this student runs on, and how fast."""

    student: Path
    config: FineTuneConfig = field(default_factory=FineTuneConfig)
    device: Device = "auto"


@dataclass(frozen=True, kw_only=True, slots=True)
class CheckTask:
    """Load the student; `StudentError` where it cannot answer the requests or cannot be trained."""

    student: Path
    device: Device = "auto"
    requests: tuple[Request, ...] = ()
    method: Method | None = None
    """How it is to be trained; None for one that is only asked."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PromptTask:
    """Say how the student in this folder is asked these questions; its weights are not loaded."""

    student: Path
    examples: tuple[Example, ...]
    config: GenerateConfig = field(default_factory=GenerateConfig)


@dataclass(frozen=True, kw_only=True, slots=True)
class ConvertTask:
    """Write the weights and tokenizer of a GGUF file into the (existing, empty) folder `output`."""

    gguf: Path
    output: Path


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """Event: one optimizer step was made."""

    step: int
    steps: int
    loss: float
    """Mean over the labelled tokens of the step."""
    tokens_per_second: float
    """Tokens of the examples, without padding, since training began."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Batch:
    """Event: these requests are answered."""

    completions: tuple[Completion, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Notice:
    """Event: something a person should know, for example that a batch was halved for want of memory."""

    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class FineTuned:
    """Result of a `FineTuneTask`."""

    student: Path
    steps: int
    loss: float
    """Mean over the last tenth of the steps."""
    tokens: int
    seconds: float
    truncated: int
    """Examples left out because they were longer than `max_length`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Generated:
    """Result of a `GenerateTask`; the texts came as events."""

    completions: int
    new_tokens: int
    seconds: float


@dataclass(frozen=True, kw_only=True, slots=True)
class DeviceReport:
    """What the students run on."""

    kind: str
    """cpu, cuda or mps"""
    name: str
    cores: int
    memory_gb: float
    dtype: str
    unused: str = ""
    """Why an NVIDIA GPU that is there cannot be used."""

    def __str__(self) -> str:
        used = f"{self.kind} ({self.name}, {self.cores} cores, {self.memory_gb:.0f} GB, {self.dtype})"
        return f"{used}, for the NVIDIA GPU here cannot be used: {self.unused}" if self.unused else used


@dataclass(frozen=True, kw_only=True, slots=True)
class Checked:
    """Result of a `CheckTask`: nothing is wrong."""

    student: Path


@dataclass(frozen=True, kw_only=True, slots=True)
class Speed:
    """Tokens a second of a student on a device."""

    training: float
    reading: float
    """Of prompts, many at a time."""
    writing: float
    """Of answers, many at a time."""

    @property
    def answer_seconds(self) -> float:
        """Of one answer of usual length among many."""
        return PROMPT_TOKENS / self.reading + ANSWER_TOKENS / self.writing


@dataclass(frozen=True, kw_only=True, slots=True)
class Measured:
    """Result of a `MeasureTask`."""

    device: DeviceReport
    speed: Speed


@dataclass(frozen=True, kw_only=True, slots=True)
class Prompting:
    """Result of a `PromptTask`."""

    chats: tuple[tuple[Turn, ...], ...]
    """Of each example: the turns that the student reads, and the rationale as the assistant's."""
    templated: bool
    """Its tokenizer has a chat template; where it has none, a chat's only user turn is the whole prompt."""
    max_new_tokens: int
    """Longest answer."""
    stop_ids: tuple[int, ...]
    """Tokens that end its answer."""
    pad_id: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Converted:
    """Result of a `ConvertTask`."""

    student: Path


@dataclass(frozen=True, slots=True)
class Failure:
    """The error that ended the task."""

    error: FddError


Task = FineTuneTask | GenerateTask | DescribeTask | MeasureTask | CheckTask | PromptTask | ConvertTask
Event = Step | Batch | Notice
Outcome = FineTuned | Generated | DeviceReport | Measured | Checked | Prompting | Converted
