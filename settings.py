"""A run's settings, typed, and where they come from: defaults, a TOML file, environment, command line.

Each source overrides the ones before it. This is the only place that reads the environment.
"""

from __future__ import annotations

import os
import tomllib
from argparse import SUPPRESS, ArgumentParser
from collections.abc import Collection, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from math import isfinite
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import (
    BeforeValidator,
    Field,
    JsonValue,
    NonNegativeInt,
    PositiveInt,
    TypeAdapter,
    ValidationError,
)

from agents.calling.config import CallConfig
from errors import StoreError, UsageError, brief, command_line, is_unicode
from network import has_login, url_fault, without_login
from problems.config import ProblemSettings
from training.config import ROWS, Device, FineTuneConfig, GenerateConfig

ENVIRONMENT_PREFIX = "FDD_"
STUDENT_DEFAULTS: Mapping[str, Mapping[str, object]] = {
    "tiny": {
        "shots": 1,
        "problems.limit": 36,
        "problems.test_size": 24,
        "problems.held_out_size": 12,
        "problems.dev_size": 12,
        "fine_tune.max_length": 4096,
        "generate.max_new_tokens": 32,
    }
}
"""Defaults of their own: the tiny student shows in seconds that everything works, and learns nothing."""

INTEGER_BITS = 63
"""Of the database's integers, the sign aside."""

SYMBOLIC = "symbolic"
"""The agents that need no model."""

Share = Annotated[float, Field(gt=0, le=1)]
PolicyName = Literal["single", "fallback", "vote", "samples"]


def _split(value: object) -> tuple[object, ...]:
    """`pot,cot` as a person writes it; a list stays as it is, and anything else is for pydantic to refuse."""
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(","))
    return tuple(value) if isinstance(value, list | tuple) else (value,)


@dataclass(frozen=True, slots=True)
class Role:
    """Who plays a part: `symbolic` or a model's name, and the address of its server if it has one."""

    name: str
    url: str

    @property
    def is_model(self) -> bool:
        return self.name != SYMBOLIC


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Everything that decides what a run does. Stored with the run; `resume` reads it from there."""

    rounds: NonNegativeInt
    """Rounds of feedback after the first round of teaching; 0 teaches the seeds and nothing else."""
    seed: int = 0
    student: str = "smollm2-135m"
    teacher: str = SYMBOLIC
    """`symbolic`, or a language model as `provider:model`."""
    teacher_url: str = ""
    """Server of one's own that speaks OpenAI's protocol; empty for the provider's."""
    synthesizer: str | None = None
    """Who writes problems; the teacher where it is None."""
    synthesizer_url: str = ""
    judge: str | None = None
    """Who solves written problems without seeing their answers; the teacher where it is None."""
    judge_url: str = ""
    solutions: Annotated[int, Field(ge=2)] = 4
    """Independent solutions of a problem that a model wrote."""
    agreement: Annotated[float, Field(gt=0.5, le=1)] = 0.75
    """Share of them that must come to the answer written with the problem."""
    thoughts: Annotated[tuple[str, ...], BeforeValidator(_split), Field(min_length=1)] = ("pot",)
    """Formats the student is taught, the first before all: it is probed and practises in that one."""
    samples: PositiveInt = 1
    """Answers to each probed problem: one is greedy, more are drawn at `probe_temperature`."""
    probe_temperature: Annotated[float, Field(gt=0)] = 0.7
    reprobe: bool = False
    """Probe what was trained on as well, as the paper does."""
    initial_share: Share | None = None
    """Share of the seeds in the first training set; the same for every round where it is None."""
    taught: PositiveInt | None = None
    """Problems in the first training set, of spare ones; where it is None, all that can be explained."""
    operators: Literal["band", "shuffled"] = "band"
    """Whose child is harder and whose similar: by the `band` of the parent, or as many of each by chance."""
    policy: PolicyName = "single"
    """What counts in evaluations as a student's answer: `single` its greedy one in the first thought,
    `fallback` the first thought's that gives a value, `vote` the majority of all thoughts, `samples` the
    majority of several answers in the first."""
    policy_samples: PositiveInt = 5
    """With `samples`: how many answers at most."""
    policy_temperature: Annotated[float, Field(gt=0)] = 0.7
    solver: str | None = None
    """Student that works out the answers where the one that is taught learns only to decompose."""
    self_samples: Annotated[int, Field(ge=0)] = 0
    """Answers that the last student gives to each problem of the set; those found right join the set."""
    self_samples_where: Literal["missing", "everywhere"] = "missing"
    """Problems that it gives them to: those without an accepted rationale of the teacher's, or all."""
    shots: Annotated[int, Field(ge=0)] = 4
    """Worked examples shown to the untaught student."""
    baseline_size: PositiveInt = 30
    """Problems of each evaluation set that the untaught student is asked."""
    workers: PositiveInt = 2
    """Lessons given at a time, and sandbox processes."""
    device: Device = "auto"
    calls: CallConfig = field(default_factory=CallConfig)
    problems: ProblemSettings = field(default_factory=ProblemSettings)
    fine_tune: FineTuneConfig = field(default_factory=FineTuneConfig)
    generate: GenerateConfig = field(default_factory=GenerateConfig)

    def roles(self) -> dict[str, Role]:
        """Teacher, synthesizer and judge; who is not named is the teacher."""
        teacher = Role(self.teacher, self.teacher_url)
        named = {
            "synthesizer": (self.synthesizer, self.synthesizer_url),
            "judge": (self.judge, self.judge_url),
        }
        others = {part: Role(name, url) if name else teacher for part, (name, url) in named.items()}
        return {"teacher": teacher, **others}

    def with_changes(self, given: Mapping[str, object]) -> Settings:
        """The same run with others of the `CHANGEABLE`, by their keys; UsageError for what is none."""
        values: dict[str, object] = dict(self.to_json())
        calls = asdict(self.calls)
        for key, value in given.items():
            (calls if key.startswith("calls.") else values)[key.removeprefix("calls.")] = value
        settings = _read({**values, "calls": calls})
        _check_urls(settings)
        return settings

    @property
    def urls(self) -> dict[str, str]:
        """The servers of models, by their keys."""
        return {key: getattr(self, key) for key in URLS}

    def to_json(self) -> dict[str, JsonValue]:
        values: dict[str, JsonValue] = _SETTINGS.dump_python(self, mode="json")
        return values

    def to_store(self) -> dict[str, JsonValue]:
        """As `to_json`, with no password of a URL in it."""
        return self.to_json() | {key: without_login(url) for key, url in self.urls.items() if has_login(url)}

    @staticmethod
    def from_json(values: Mapping[str, object]) -> Settings:
        """What `to_json` gave; StoreError for anything else."""
        try:
            return _SETTINGS.validate_python(values)
        except ValidationError as error:
            raise StoreError(
                f"the settings stored with the run are none that this version knows: {_explain(error)}; "
                "finish the run with the version that began it, or let `verify` say whether they were changed"
            ) from None


_SETTINGS = TypeAdapter(Settings)


@dataclass(frozen=True, kw_only=True)
class Option:
    """A setting as a person gives it: `--flag VALUE`, `key = value` in TOML, `FDD_KEY=value`."""

    flag: str
    key: str
    """Where it stands in `Settings`: `rounds`, `problems.limit`."""
    group: str
    help: str
    metavar: str | None = None
    switch: bool = False

    @property
    def variable(self) -> str:
        return ENVIRONMENT_PREFIX + self.key.replace(".", "_").upper()

    @property
    def default(self) -> object:
        return self.of(Settings(rounds=1))

    def of(self, settings: Settings) -> object:
        """Its value, a list of names with commas."""
        value: object = settings
        for name in self.key.split("."):
            value = getattr(value, name)
        return ",".join(value) if isinstance(value, tuple) else value


def _options(group: str, *rows: tuple[str, str, str | None, str]) -> Iterator[Option]:
    for flag, key, metavar, text in rows:
        yield Option(flag=flag, key=key, group=group, metavar=metavar, help=text, switch=metavar is None)


OPTIONS = (
    *_options(
        "the run",
        ("--rounds", "rounds", "N", "rounds of feedback after the first round of teaching"),
        ("--seed", "seed", "S", "the same seed and settings give the same data set"),
        ("--device", "device", "NAME", "auto, cpu, cuda or mps"),
        ("--workers", "workers", "N", "lessons given at a time, and sandbox processes"),
    ),
    *_options(
        "problems",
        ("--problems", "problems.name", "SET", "gsm-symbolic, gsm8k, or a JSONL file in GSM8K's format"),
        (
            "--limit",
            "problems.limit",
            "N",
            "seed problems to take (default: what the machine teaches in about twelve minutes)",
        ),
        ("--test", "problems.test", "SET", "one more test set: a name as above or a JSONL file"),
        ("--test-size", "problems.test_size", "N", "problems in each test set"),
        (
            "--held-out-size",
            "problems.held_out_size",
            "N",
            "test problems of templates that are never taught",
        ),
        (
            "--dev-size",
            "problems.dev_size",
            "N",
            "problems that choose between the rounds' students (default: 80 or 150, by speed)",
        ),
    ),
    *_options(
        "teaching",
        ("--teacher", "teacher", "NAME", "symbolic (needs no model), or a model: openai:MODEL"),
        ("--teacher-url", "teacher_url", "URL", "server of your own that speaks OpenAI's protocol"),
        ("--synthesizer", "synthesizer", "NAME", "who writes problems (default: the teacher)"),
        ("--synthesizer-url", "synthesizer_url", "URL", "its server"),
        ("--judge", "judge", "NAME", "who solves written problems unseen (default: the teacher)"),
        ("--judge-url", "judge_url", "URL", "its server"),
        ("--solutions", "solutions", "N", "independent solutions of a problem that a model wrote"),
        ("--agreement", "agreement", "X", "share of them that must come to the answer written with it"),
        (
            "--thoughts",
            "thoughts",
            "LIST",
            "formats to teach, with commas: pot, cot, eot, kp_pot, kp_cot, decompose; probes use the first",
        ),
        ("--samples", "samples", "K", "answers to each probed problem: 1 is greedy"),
        ("--probe-temperature", "probe_temperature", "T", "temperature of probes with several samples"),
        ("--reprobe", "reprobe", None, "probe what was trained on as well, as the paper does"),
        ("--initial-share", "initial_share", "X", "share of the seeds in the first training set"),
        (
            "--operators",
            "operators",
            "NAME",
            "harder or similar by the parent's band, or shuffled: a control",
        ),
        ("--self-samples", "self_samples", "K", "the student's own answers to each problem; right ones join"),
        (
            "--self-samples-where",
            "self_samples_where",
            "NAME",
            "missing: only where no rationale of the teacher's was accepted; or everywhere",
        ),
        ("--shots", "shots", "N", "worked examples shown to the untaught student"),
    ),
    *_options(
        "evaluation",
        ("--baseline-size", "baseline_size", "N", "problems of each set that the untaught student is asked"),
        ("--policy", "policy", "NAME", "how the student is asked: single, fallback, vote or samples"),
        ("--policy-samples", "policy_samples", "K", "with samples: most answers to one question"),
        ("--policy-temperature", "policy_temperature", "T", "with samples: temperature of the answers"),
    ),
    *_options(
        "calls to models",
        ("--max-cost", "calls.max_cost", "USD", "stop before the run has spent more"),
        ("--max-tokens", "calls.max_tokens", "N", "stop before it has used more tokens"),
        ("--max-calls", "calls.max_calls", "N", "stop before it has made more calls"),
        ("--prices", "calls.prices", "FILE", "TOML file of prices that override those known"),
        ("--temperature", "calls.temperature", "T", "temperature of every agent that is a model"),
        ("--max-reply-tokens", "calls.max_reply_tokens", "N", "longest reply of a model"),
        ("--call-seconds", "calls.seconds", "S", "time-out of one request"),
        ("--call-tries", "calls.tries", "N", "requests for one call before it is given up"),
        ("--calls-at-once", "calls.at_once", "N", "most requests in flight"),
    ),
    *_options(
        "student and fine-tuning",
        ("--student", "student", "ID", "smollm2-135m, tiny, a folder, or a hub's ORG/NAME"),
        ("--solver", "solver", "ID", "who answers what the student only decomposes; as --student"),
        ("--method", "fine_tune.method", "NAME", "full or lora"),
        (
            "--start",
            "fine_tune.start",
            "NAME",
            "base: from the untaught student each round; continue: one training over all rounds",
        ),
        (
            "--replay-share",
            "fine_tune.replay_share",
            "X",
            "with continue: share of the old examples that is taught again",
        ),
        ("--epochs", "fine_tune.epochs", "N", "passes over the training set"),
        ("--max-steps", "fine_tune.max_steps", "N", "optimizer steps of a training, in place of --epochs"),
        ("--learning-rate", "fine_tune.learning_rate", "X", "highest learning rate"),
        ("--batch-size", "fine_tune.batch_size", "N", "examples to one optimizer step"),
        ("--max-length", "fine_tune.max_length", "N", "tokens of prompt and rationale together"),
        (
            "--max-new-tokens",
            "generate.max_new_tokens",
            "N",
            "longest answer of the student (default: what it was taught decides)",
        ),
        (
            "--generate-batch-size",
            "generate.batch_size",
            "N",
            f"most questions answered together (default: {ROWS}, or what a CUDA GPU holds)",
        ),
    ),
)


URLS = ("teacher_url", "synthesizer_url", "judge_url")
CHANGEABLE = ("calls.max_cost", "calls.max_tokens", "calls.max_calls", *URLS)
"""What `resume` may change: how far a run goes and where its models are, not what it does."""


POLICY = ("thoughts", "policy", "policy_samples", "policy_temperature")
"""How a student is asked, by `evaluate` as well."""


def add_options(parser: ArgumentParser, only: Collection[str] | None = None) -> None:
    """Settings as command-line options, in groups, with their defaults; all, or those of these keys."""
    options = [option for option in OPTIONS if only is None or option.key in only]
    groups = {name: parser.add_argument_group(name) for name in dict.fromkeys(o.group for o in options)}
    for option in options:
        if option.switch:
            groups[option.group].add_argument(
                option.flag, dest=option.key, default=SUPPRESS, action="store_true", help=option.help
            )
            continue
        shown = (
            "" if option.key == "rounds" or option.default in (None, "") else f" (default: {option.default})"
        )
        groups[option.group].add_argument(
            option.flag, dest=option.key, default=SUPPRESS, metavar=option.metavar, help=option.help + shown
        )


def load_settings(
    given: Mapping[str, object], file: Path | None = None, environment: Mapping[str, str] = os.environ
) -> Settings:
    """Settings from a TOML file, the environment, and what was given on the command line, in this order."""
    values: dict[str, object] = dict(_read_toml(file)) if file else {}
    values |= {o.key: environment[o.variable] for o in OPTIONS if o.variable in environment}
    values |= given
    values = {**STUDENT_DEFAULTS.get(str(values.get("student")), {}), **values}
    if "rounds" not in values:
        raise UsageError("say how many rounds of feedback to run: --rounds N, for example --rounds 2")
    values |= {f"{part}.seed": values.get("seed", 0) for part in ("problems", "fine_tune", "generate")}
    nested: dict[str, object] = {}
    for key, value in values.items():
        table = nested
        *tables, name = key.split(".")
        for part in tables:
            table = table.setdefault(part, {})  # type: ignore[assignment]
        table[name] = value
    settings = _read(nested)
    _check_solver(settings)
    _check_urls(settings)
    _check_share(settings)
    return settings


def _read(values: Mapping[str, object]) -> Settings:
    try:
        settings = _SETTINGS.validate_python(values)
    except ValidationError as error:
        raise UsageError(_explain(error)) from None
    for option in OPTIONS:
        value = option.of(settings)
        if fault := _fault(value):
            raise UsageError(f"{option.flag} {brief(value)}: {fault}")
    return settings


def _fault(value: object) -> str | None:
    """Why a value of the right type cannot be stored with the run all the same."""
    if isinstance(value, float) and not isfinite(value):
        return "give a finite number"
    if isinstance(value, int) and value.bit_length() > INTEGER_BITS:
        return f"give a number of at most {INTEGER_BITS} bits"
    if isinstance(value, str) and ("\0" in value or not is_unicode(value)):
        return "give it in UTF-8, without NUL"
    return None


def _check_solver(settings: Settings) -> None:
    if settings.solver is not None and settings.thoughts != ("decompose",):
        raise UsageError(
            f"--solver {settings.solver!r} answers what a student decomposes: add --thoughts decompose"
        )
    if settings.solver is not None and settings.self_samples:
        raise UsageError(
            f"--self-samples {settings.self_samples} needs a student that answers by itself: drop --solver"
        )


def _check_urls(settings: Settings) -> None:
    parts = {
        "teacher": (settings.teacher, settings.teacher_url),
        "synthesizer": (settings.synthesizer, settings.synthesizer_url),
        "judge": (settings.judge, settings.judge_url),
    }
    for part, (name, url) in parts.items():
        if url and not Role(name or SYMBOLIC, url).is_model:
            raise UsageError(
                f"--{part}-url {without_login(url)!r} needs a model: give --{part} openai:MODEL with the "
                "name that the server knows"
            )
        if url and (fault := url_fault(url)):
            raise UsageError(
                f"--{part}-url {without_login(url)!r} is no URL of a server: {fault}, for example "
                "http://127.0.0.1:8000/v1"
            )
        if has_login(url) and url == without_login(url):
            raise UsageError(
                f"--{part}-url {url!r} is stored without its user and password: give the whole URL again, "
                f"`{command_line('resume', 'DIR', f'--{part}-url', 'URL')}`"
            )


def _check_share(settings: Settings) -> None:
    if settings.rounds == 0:
        if settings.initial_share is not None:
            raise UsageError(
                f"--initial-share {settings.initial_share:g} holds seeds back for rounds that never come: "
                "leave it out with --rounds 0"
            )
    elif settings.initial_share == 1 and not (settings.reprobe or settings.self_samples):
        raise UsageError(
            "--initial-share 1 keeps no seeds back to probe, so every round would train on the same set: "
            "give less than 1, or add --reprobe"
        )


def cache_folder(environment: Mapping[str, str] = os.environ) -> Path:
    """Where students are kept between runs."""
    root = environment.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(environment.get("FDD_CACHE") or f"{root}/feedback-driven-distillation").expanduser()


@dataclass(frozen=True, slots=True)
class Telemetry:
    """Where a run's spans are sent, by OTLP over HTTP."""

    endpoint: str
    """URL with its path."""
    content: bool = False
    """Send what models were asked and answered as well."""

    @property
    def server(self) -> str:
        """The endpoint as it can be shown: without path and query, user and password."""
        url = urlsplit(self.endpoint)
        return f"{url.scheme}://{url.netloc.rpartition('@')[2]}"


def find_telemetry(environment: Mapping[str, str] = os.environ) -> Telemetry | None:
    """What OpenTelemetry's own variables say; None where they name no endpoint, or switch it off."""
    endpoint = environment.get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "")
    if not endpoint and (base := environment.get("OTEL_EXPORTER_OTLP_ENDPOINT")):
        endpoint = f"{base.rstrip('/')}/v1/traces"
    off = environment.get("OTEL_SDK_DISABLED", "").lower() == "true"
    if not endpoint or off or environment.get("OTEL_TRACES_EXPORTER") == "none":
        return None
    content = environment.get("OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT", "").lower()
    found = Telemetry(endpoint, content in ("true", "span_only", "span_and_event"))
    if not endpoint.startswith(("http://", "https://")) or not _can_be_split(endpoint):
        raise UsageError("OTEL_EXPORTER_OTLP_ENDPOINT is no URL of a collector: give http://HOST:PORT")
    return found


def _can_be_split(url: str) -> bool:
    try:
        return bool(urlsplit(url).hostname)
    except ValueError:
        return False


def may_block(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether event loops of ours may wait for files: `langgraph dev` forbids it unless it is told not to."""
    return environment.get("LANGGRAPH_ALLOW_BLOCKING", "true") == "true"


def _read_toml(file: Path) -> Iterator[tuple[str, object]]:
    try:
        settings = dict(_flatten(tomllib.loads(file.read_text("utf-8"))))
    except OSError as error:
        raise UsageError(f"cannot read settings file {str(file)!r}: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise UsageError(f"settings file {str(file)!r} is not TOML that can be read: {error}") from None
    yield from known_settings(settings, repr(str(file)))


def known_settings(table: Mapping[str, object], where: str) -> Iterator[tuple[str, object]]:
    """Settings by their keys, `problems.limit`, of tables in tables; UsageError for an unknown one."""
    known = {option.key for option in OPTIONS}
    for key, value in _flatten(table):
        if key not in known:
            raise UsageError(f"unknown setting {brief(key)} in {where}: known are {', '.join(sorted(known))}")
        yield key, value


def _flatten(table: Mapping[str, object], prefix: str = "") -> Iterator[tuple[str, object]]:
    for name, value in table.items():
        if isinstance(value, dict):
            yield from _flatten(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value


def _explain(error: ValidationError) -> str:
    first = error.errors()[0]
    key = ".".join(str(part) for part in first["loc"] if isinstance(part, str))
    flag = next((option.flag for option in OPTIONS if option.key == key), key)
    return f"{flag} {brief(first['input'])}: {first['msg'][0].lower()}{first['msg'][1:]}"
