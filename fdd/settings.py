"""Typed settings of a run, and their sources: defaults, a TOML file, the environment, the command line.

Each source overrides the ones before it. Only this module reads settings and keys from the environment.
tests/test_house.py lists the few other modules that touch the environment of libraries and child processes.
"""

from __future__ import annotations

import os
from argparse import SUPPRESS, ArgumentParser, BooleanOptionalAction
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, is_dataclass
from math import isfinite
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, get_type_hints
from urllib.parse import urlsplit

from pydantic import (
    BeforeValidator,
    Field,
    JsonValue,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    TypeAdapter,
    ValidationError,
)

from fdd.agents.models.config import LOCAL, CallConfig
from fdd.domain import AllocationName, PolicyName, SelectName, SkillKind
from fdd.engines.config import EngineConfig
from fdd.errors import StoreError, UsageError, brief, command_line, is_unicode
from fdd.flags import Flag
from fdd.network import has_login, url_fault, without_login
from fdd.problems.config import ProblemSettings
from fdd.toml import read_toml
from fdd.training.config import Device, FineTuneConfig, GenerateConfig, RefineConfig

ENVIRONMENT: Mapping[str, str] = os.environ
"""Environment of this process. It is passed on for the keys of providers and for child processes."""
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
"""Other defaults for some students. The tiny student shows in seconds that everything works, but learns
nothing.
"""

RECIPES = Path(__file__).parent / "recipes"
"""Folder of the recipes: settings of one method each, in TOML."""
INTEGER_BITS = 63
"""Bits of the database's integers, without the sign."""

SYMBOLIC = "symbolic"
"""Name of the agents that need no model."""
ROLES = ("teacher", "synthesizer", "judge", "expert")

T = TypeVar("T")
Share = Annotated[float, Field(gt=0, le=1)]


def _split(value: object) -> tuple[object, ...]:
    """Splits a text such as `pot,cot` and keeps a list. Pydantic refuses anything else."""
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(","))
    return tuple(value) if isinstance(value, list | tuple) else (value,)


@dataclass(frozen=True, slots=True)
class Role:
    """The agent in a role: `symbolic` or the name of a model, and the URL of its server (may be empty)."""

    name: str
    url: str

    @property
    def is_model(self) -> bool:
        return self.name != SYMBOLIC

    @property
    def local_id(self) -> str:
        """The model's ID, as for `--student`, if the run loads it by itself; otherwise empty."""
        return self.name.removeprefix(LOCAL) if self.name.startswith(LOCAL) else ""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Everything that determines what a run does. Stored with the run; `resume` reads it from there."""

    rounds: Annotated[
        NonNegativeInt, Flag("N", "rounds of feedback after the first round of teaching", group="the run")
    ]
    """0 teaches the seeds and nothing else."""
    seed: Annotated[int, Flag("S", "the same seed and settings give the same data set")] = 0
    device: Annotated[Device, Flag("NAME", "auto, cpu, cuda or mps")] = "auto"
    workers: Annotated[PositiveInt, Flag("N", "lessons given at a time, and sandbox processes")] = 2
    track: Annotated[
        Literal["none", "trackio", "wandb", "mlflow"],
        Flag("NAME", "also send losses, accuracies, skills and costs to trackio, wandb or mlflow"),
    ] = "none"
    track_project: Annotated[str, Flag("NAME", "project or experiment there")] = (
        "feedback-driven-distillation"
    )
    problems: ProblemSettings = field(default_factory=ProblemSettings)

    teacher: Annotated[
        str,
        Flag(
            "NAME",
            "symbolic (needs no model); local:ID, a model on this machine, with ID as for --student; or a "
            "model of a provider: openai:MODEL",
            group="teaching",
        ),
    ] = SYMBOLIC
    teacher_url: Annotated[str, Flag("URL", "server of your own that speaks OpenAI's protocol")] = ""
    synthesizer: Annotated[str | None, Flag("NAME", "who writes problems (default: the teacher)")] = None
    synthesizer_url: Annotated[str, Flag("URL", "its server")] = ""
    judge: Annotated[
        str | None, Flag("NAME", "who solves written problems unseen (default: the teacher)")
    ] = None
    judge_url: Annotated[str, Flag("URL", "its server")] = ""
    expert: Annotated[
        str | None, Flag("NAME", "who explains what the teacher could not (default: nobody)")
    ] = None
    expert_url: Annotated[str, Flag("URL", "its server")] = ""
    solutions: Annotated[
        int, Field(ge=2), Flag("N", "independent solutions of a problem that a model wrote")
    ] = 4
    agreement: Annotated[
        float, Field(gt=0.5, le=1), Flag("X", "share of them that must come to the answer written with it")
    ] = 0.75
    thoughts: Annotated[
        tuple[str, ...],
        BeforeValidator(_split),
        Field(min_length=1),
        Flag(
            "LIST",
            "formats to teach, with commas: pot, cot, eot, kp_pot, kp_cot, cot_pot, decompose; probes use "
            "the first",
        ),
    ] = ("pot",)
    """The first one is also the format of probes and practice."""
    samples: Annotated[PositiveInt, Flag("K", "answers to each probed problem: 1 is greedy")] = 1
    """With more than one answer, all are drawn at `probe_temperature`."""
    probe_temperature: Annotated[PositiveFloat, Flag("T", "temperature of probes with several samples")] = 0.7
    reprobe: Annotated[bool, Flag(None, "probe what was trained on as well, as the paper does")] = False
    probe_children: Annotated[
        bool, Flag(None, "also probe new problems before they are taught, to compare them with their parents")
    ] = False
    initial_share: Annotated[Share | None, Flag("X", "share of the seeds in the first training set")] = None
    """None spreads the seeds over all rounds, with one seed per template in round 0 if possible (see
    `graph.plan.initial_seeds`).
    """
    recipe: Annotated[
        str, Flag("NAME", "settings of a method: a name in recipes/, or a TOML file", group="feedback")
    ] = "default"
    allocation: Annotated[
        AllocationName,
        Flag(
            "NAME",
            "which skills new problems go to: uniform, balanced, weak, frontier, progress or oracle; each: "
            "one child for each probed problem",
        ),
    ] = "each"
    """See `agents.allocation`; `each` is the method of the paper."""
    taught: PositiveInt | None = None
    """Number of problems to teach in round 0; None teaches every problem that has an accepted rationale."""
    budget: Annotated[
        PositiveInt | None, Flag("N", "problems that each round adds (default: as many as there are seeds)")
    ] = None
    overgenerate: Annotated[
        float,
        Field(ge=1),
        Flag("X", "problems written for each one taught; --select chooses those to teach"),
    ] = 1.0
    select: Annotated[
        SelectName,
        Flag(
            "NAME",
            "which of them are taught: sometimes (the student solves it sometimes); uncertain (its answers "
            "differ); need (it fails, and the teacher is sure); shown (as a worked example it helps with "
            "other problems); gain (the same, compared with no example); likelihood (a larger model finds "
            "its rationale likelier)",
        ),
    ] = "sometimes"
    """See `agents.selection`."""
    select_with: Annotated[
        str | None, Flag("ID", "with --select likelihood: the larger model; as --student")
    ] = None
    skills: Annotated[
        SkillKind,
        Flag("NAME", "what a skill is: the template of a problem, its derivation, or a label by the model"),
    ] = "template"
    siblings: Annotated[
        PositiveInt, Flag("N", "probes of each skill and round: variants of seeds that are never taught")
    ] = 2
    grow_skills: Annotated[
        bool, Flag(None, "make the harder problems of a skill a skill of their own, with probes of its own")
    ] = False
    parents: Annotated[
        Literal["probed", "unsolved"],
        Flag(
            "NAME",
            "with --allocation each, problems that get a child: probed ones, or seeds that are unsolved",
        ),
    ] = "probed"
    operators: Annotated[
        Literal["profile", "similar", "harder", "shuffled"],
        Flag("NAME", "by the skill profile; always similar, always harder; or shuffled"),
    ] = "profile"
    """`shuffled` gives each skill the number and the operator of a random other one."""
    show_attempts: Annotated[
        Literal["wrong", "right", "shuffled", "none"],
        Flag(
            "NAME",
            "answers to probes that a model sees when it writes: wrong ones, right ones, wrong ones to other "
            "problems, or none",
        ),
    ] = "wrong"
    """All but `wrong` are for comparison."""
    explain_attempts: Annotated[
        bool,
        Flag(None, "a model that explains a problem sees the wrong answer that the student gave to it"),
    ] = False
    adds: Annotated[
        Literal["written", "seeds", "repeat"],
        Flag("NAME", "what a round adds: written problems; new seeds; or the same seeds again"),
    ] = "written"
    """The last two are controls."""
    self_samples: Annotated[
        NonNegativeInt, Flag("K", "the student's own answers to each problem; right ones join")
    ] = 0
    self_samples_where: Annotated[
        Literal["missing", "everywhere"],
        Flag("NAME", "missing: only where no rationale of the teacher's was accepted; or everywhere"),
    ] = "missing"
    self_right: Annotated[
        PositiveInt | None,
        Flag("M", "right answers to a problem after which it is not asked again (default: no such limit)"),
    ] = None
    self_right_by: Annotated[
        Literal["problem", "difficulty"],
        Flag("NAME", "problem: M for each; difficulty: M times the share of its answers that are wrong"),
    ] = "problem"
    """The two forms of DART-Math (Tong et al., arXiv 2407.13690)."""
    shots: Annotated[NonNegativeInt, Flag("N", "worked examples shown to the untaught student")] = 4

    baseline_size: Annotated[
        PositiveInt, Flag("N", "problems of each set that the untaught student is asked", group="evaluation")
    ] = 12
    policy: Annotated[
        PolicyName, Flag("NAME", "how the student is asked: single, fallback, vote or samples")
    ] = "single"
    """What counts as a student's answer.

    - `single`: the greedy answer in the first thought.
    - `fallback`: the answer in the first thought that gives a value.
    - `vote`: the majority over all thoughts.
    - `samples`: the majority over several answers in the first thought.
    """
    policy_samples: Annotated[PositiveInt, Flag("K", "with samples: most answers to one question")] = 5
    policy_temperature: Annotated[PositiveFloat, Flag("T", "with samples: temperature of the answers")] = 0.7
    calls: CallConfig = field(default_factory=CallConfig)

    student: Annotated[
        str,
        Flag(
            "ID",
            "smollm2-135m, qwen2.5-coder-0.5b, qwen2.5-coder-1.5b, tiny, a folder, or a hub's ORG/NAME",
            group="student and fine-tuning",
        ),
    ] = "smollm2-135m"
    solver: Annotated[
        str | None, Flag("ID", "who answers what the student only decomposes; as --student")
    ] = None
    fine_tune: FineTuneConfig = field(default_factory=FineTuneConfig)
    refine: RefineConfig = field(default_factory=RefineConfig)
    generate: GenerateConfig = field(default_factory=GenerateConfig)
    engine: EngineConfig = field(default_factory=EngineConfig)

    def roles(self) -> dict[str, Role]:
        """Returns the agents for teacher, synthesizer and judge, and for the expert if there is one.

        The teacher takes other roles without a name.
        """
        teacher = Role(self.teacher, self.teacher_url)
        given = {part: (getattr(self, part), getattr(self, f"{part}_url")) for part in ROLES}
        if not self.expert:
            del given["expert"]
        return {part: Role(name, url) if name else teacher for part, (name, url) in given.items()}

    def with_changes(self, given: Mapping[str, object]) -> Settings:
        """Returns the settings with some of the `CHANGEABLE` ones replaced, by key.

        Raises `UsageError` for another key and for an invalid value.
        """
        if others := sorted(given.keys() - set(CHANGEABLE)):
            raise UsageError(f"{others[0]!r} of a run cannot be changed; only {', '.join(CHANGEABLE)} can")
        values: dict[str, Any] = dict(self.to_json())
        for key, value in given.items():
            *tables, name = key.split(".")
            (values[tables[0]] if tables else values)[name] = value
        if values["engine"]["name"] == "local":
            values["engine"] = {}  # which drops what only a cluster needs
        settings = _read(values)
        _check_urls(settings)
        _check_engine(settings)
        return settings

    @property
    def urls(self) -> dict[str, str]:
        """The URLs of the servers of models, by settings key; empty for a role without one."""
        return {key: getattr(self, key) for key in URLS}

    def to_json(self) -> dict[str, JsonValue]:
        values: dict[str, JsonValue] = _SETTINGS.dump_python(self, mode="json")
        return values

    def to_store(self) -> dict[str, JsonValue]:
        """Returns what `to_json` does, with users and passwords removed from URLs."""
        return self.to_json() | {key: without_login(url) for key, url in self.urls.items() if has_login(url)}

    @staticmethod
    def from_json(values: Mapping[str, object]) -> Settings:
        """Reads what `to_json` returned. Raises `StoreError` for anything else."""
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
    """A setting as people give it: `--flag VALUE`, `key = value` in TOML, `FDD_KEY=value`."""

    flag: str
    key: str
    """Its path in `Settings`: `rounds`, `problems.limit`."""
    group: str
    help: str
    metavar: str | None
    """None for a switch."""

    @property
    def variable(self) -> str:
        return ENVIRONMENT_PREFIX + self.key.replace(".", "_").upper()

    @property
    def default(self) -> object:
        return self.of(Settings(rounds=1))

    def of(self, settings: Settings) -> object:
        """Returns its value in these settings; a list of names becomes a text with commas."""
        value: object = settings
        for name in self.key.split("."):
            value = getattr(value, name)
        return ",".join(value) if isinstance(value, tuple) else value


def _options(settings: type, tables: str = "", group: str = "") -> Iterator[Option]:
    """Yields an option for each field with a `Flag`, in order, including the fields of nested settings."""
    for name, kind in get_type_hints(settings, include_extras=True).items():
        if isinstance(kind, type) and is_dataclass(kind):
            yield from _options(kind, f"{tables}{name}.", group)
        for flag in getattr(kind, "__metadata__", ()):
            if isinstance(flag, Flag):
                group = flag.group or group
                given, key = flag.name or f"--{name.replace('_', '-')}", f"{tables}{name}"
                yield Option(flag=given, key=key, group=group, help=flag.help, metavar=flag.metavar)


OPTIONS = tuple(_options(Settings))
URLS = tuple(f"{part}_url" for part in ROLES)
CHANGEABLE = (
    *("calls.max_cost", "calls.max_tokens", "calls.max_calls"),
    *URLS,
    *("engine.name", "engine.address"),
    *("track", "track_project"),
)
"""Settings that `resume` may change: the limits of a run, the URLs of its models, the machines that it
uses and its tracker, but not what it does."""


ANSWERING = ("thoughts", "policy", "policy_samples", "policy_temperature", "generate.backend")
"""Settings for how a student is asked, which are also options of `evaluate`."""


def add_options(parser: ArgumentParser, only: Collection[str] | None = None) -> None:
    """Adds settings to a parser as options, in groups with their defaults: all, or only those keys."""
    options = [option for option in OPTIONS if only is None or option.key in only]
    groups = {name: parser.add_argument_group(name) for name in dict.fromkeys(o.group for o in options)}
    for option in options:
        value: dict[str, Any] = {"action": BooleanOptionalAction}
        if option.metavar:
            value = {"metavar": option.metavar}
        silent = option.key == "rounds" or not option.metavar or option.default in (None, "")
        text = option.help if silent else f"{option.help} (default: {option.default})"
        groups[option.group].add_argument(option.flag, dest=option.key, default=SUPPRESS, help=text, **value)


def load_settings(
    given: Mapping[str, object], file: Path | None = None, environment: Mapping[str, str] = ENVIRONMENT
) -> Settings:
    """Builds settings from a TOML file, the environment and the command line; later sources override earlier.

    `given` has the options of the command line by key, `problems.limit` for example. Raises `UsageError` for
    anything invalid.
    """
    values = _settings_in(file) if file else {}
    values |= {o.key: environment[o.variable] for o in OPTIONS if o.variable in environment}
    values |= given
    # Last, because any source may name the recipe and the student, but below all of them in precedence.
    recipe = str(values.get("recipe", "default"))
    values = {**_settings_in(_recipe_file(recipe)), **values}
    values = {**STUDENT_DEFAULTS.get(str(values.get("student")), {}), **values}
    if "rounds" not in values:
        raise UsageError("say how many rounds of feedback to run: --rounds N, for example --rounds 2")
    seeded = ("problems", "fine_tune", "refine", "generate")
    values |= {f"{part}.seed": values.get("seed", 0) for part in seeded}
    nested: dict[str, object] = {}
    for key, value in values.items():
        table = nested
        *tables, name = key.split(".")
        for part in tables:
            table = table.setdefault(part, {})  # type: ignore[assignment]
            if not isinstance(table, dict):
                raise UsageError(f"setting {part!r} is a group of settings: give {key!r} or others of it")
        table[name] = value
    settings = _read(nested)
    _check_solver(settings)
    _check_urls(settings)
    _check_share(settings)
    _check_selection(settings)
    _check_attempts(settings)
    _check_engine(settings)
    _check_refinement(settings)
    return settings


def _recipe_file(name: str) -> Path:
    """Returns the file of a recipe that is known by name, or that is given as a file."""
    known = {each.stem: each for each in sorted(RECIPES.glob("*.toml"))}
    if name in known:
        return known[name]
    if (file := Path(name)).suffix == ".toml" and file.is_file():
        return file
    raise UsageError(
        f"--recipe {brief(name)} is none of {', '.join(known)}: give one of these or a TOML file of settings"
    )


def _read(values: Mapping[str, object]) -> Settings:
    try:
        settings = _SETTINGS.validate_python(values)
    except ValidationError as error:
        raise UsageError(_explain(error)) from None
    # Pydantic accepts infinite floats, huge integers and NUL, which the database does not.
    for option in OPTIONS:
        value = option.of(settings)
        if fault := _fault(value):
            raise UsageError(f"{option.flag} {brief(value)}: {fault}")
    return settings


def _fault(value: object) -> str | None:
    """Returns the reason why a value of the right type cannot be stored with the run; None if it can."""
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
    for part in ROLES:
        url = getattr(settings, f"{part}_url")
        role = Role(getattr(settings, part) or SYMBOLIC, url)
        if url and (role.local_id or not role.is_model):
            raise UsageError(
                f"--{part}-url {without_login(url)!r} needs a model of that server: give --{part} "
                "openai:MODEL with the name that the server knows"
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


def _check_refinement(settings: Settings) -> None:
    refine = settings.refine
    if (refine.teacher is None) == (refine.method == "distill"):
        given = f"--distill-from {brief(refine.teacher)}" if refine.teacher else "--refine distill"
        raise UsageError(f"{given} needs {'--refine distill' if refine.teacher else '--distill-from ID'}")
    if refine.method == "none":
        return
    if settings.solver is not None:
        raise UsageError(
            f"--refine {refine.method} trains on answers, which --solver gives: drop one of them"
        )
    if settings.engine.name == "ray":
        raise UsageError(f"--refine {refine.method} runs on this machine alone: leave --engine ray out")
    practises = settings.self_samples > 1 and settings.self_samples_where == "everywhere"
    probes = settings.samples > 1 and (settings.allocation == "each" or settings.overgenerate > 1)
    if refine.method != "distill" and not (practises or probes):
        raise UsageError(
            f"--refine {refine.method} needs several answers of the student to problems that it is taught: "
            "add --self-samples 4 --self-samples-where everywhere"
        )
    if refine.method != "distill" and settings.rounds == 0:
        raise UsageError(
            f"--refine {refine.method} trains on answers of the student of the round before: give --rounds 1 "
            "or more"
        )


def _check_engine(settings: Settings) -> None:
    if settings.engine.name == "ray":
        return
    if settings.engine.address:
        raise UsageError(f"--address {brief(settings.engine.address)} needs --engine ray")
    if settings.engine.data_parallel is not None:
        raise UsageError(f"--data-parallel {settings.engine.data_parallel} needs --engine ray")


def _check_selection(settings: Settings) -> None:
    if settings.select != "sometimes" and settings.overgenerate == 1:
        raise UsageError(
            f"--select {settings.select} chooses among too many problems: add --overgenerate 2, and "
            "--allocation weak for example"
        )
    if settings.select == "uncertain" and settings.samples == 1:
        raise UsageError("--select uncertain needs several answers to a problem: add --samples 4")
    if settings.select in ("shown", "gain") and settings.solver is not None:
        raise UsageError(f"--select {settings.select} needs a student that answers by itself: drop --solver")
    if settings.select == "likelihood" and settings.select_with is None:
        raise UsageError("--select likelihood compares with a larger model: add --select-with ID")
    if settings.select_with is not None and settings.select != "likelihood":
        raise UsageError(f"--select-with {brief(settings.select_with)} needs --select likelihood")


def _check_attempts(settings: Settings) -> None:
    if not settings.explain_attempts:
        return
    if not settings.roles()["teacher"].is_model:
        raise UsageError(
            "--explain-attempts needs a model to read them: give --teacher openai:MODEL or local:ID"
        )
    if settings.solver is not None:
        raise UsageError("--explain-attempts needs a student that answers by itself: drop --solver")
    is_asked = settings.allocation == "each" and settings.adds == "written" and settings.rounds
    if not is_asked or settings.initial_share == 1:
        raise UsageError(
            "--explain-attempts needs seeds that are kept back and probed before they are explained: give "
            "--rounds 1 or more and --allocation each, and leave out --adds and --initial-share 1"
        )


def _check_share(settings: Settings) -> None:
    if settings.parents != "probed" and settings.allocation != "each":
        raise UsageError(
            f"--parents {settings.parents} chooses among probed problems: add --allocation each, or leave "
            "it out"
        )
    if settings.self_right is not None and settings.self_right > settings.self_samples:
        raise UsageError(
            f"--self-right {settings.self_right} needs as many answers: give --self-samples "
            f"{4 * settings.self_right}, for example"
        )
    if settings.overgenerate > 1 and settings.allocation == "each":
        raise UsageError(
            f"--overgenerate {settings.overgenerate:g} needs a budget of problems, which `--allocation each` "
            "does not have: add another --allocation, or leave it out"
        )
    if settings.grow_skills and settings.allocation == "each":
        raise UsageError("--grow-skills needs a budget for skills: add --allocation weak, for example")
    if settings.grow_skills and (settings.rounds < 2 or settings.adds != "written"):
        raise UsageError(
            "--grow-skills probes new skills in the round after they were written: give --rounds 2 or more, "
            "and leave out --adds"
        )
    if settings.grow_skills and settings.operators == "similar":
        raise UsageError("--grow-skills needs harder problems: leave out --operators similar")
    if (share := settings.initial_share) is None:
        return
    if settings.allocation != "each":
        fault = "holds seeds back to be probed, as only `--allocation each` does: leave it out, or add that"
    elif settings.rounds == 0:
        fault = "holds seeds back for rounds that never come: leave it out with --rounds 0"
    elif share == 1 and not (settings.reprobe or settings.self_samples):
        fault = (
            "keeps no seeds back to probe, so every round would train on the same set: give less than 1, or "
            "add --reprobe"
        )
    else:
        return
    raise UsageError(f"--initial-share {share:g} {fault}")


def cache_folder(environment: Mapping[str, str] = ENVIRONMENT) -> Path:
    """Returns the folder for students and model replies that are kept between runs."""
    root = environment.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(environment.get("FDD_CACHE") or f"{root}/feedback-driven-distillation").expanduser()


@dataclass(frozen=True, slots=True)
class Telemetry:
    """Destination of a run's spans, for OTLP over HTTP."""

    endpoint: str
    """URL including its path."""
    content: bool = False
    """Whether to send the prompts and replies of models too."""

    @property
    def server(self) -> str:
        """The endpoint without path, query, user and password, so that it can be shown."""
        url = urlsplit(self.endpoint)
        return f"{url.scheme}://{url.netloc.rpartition('@')[2]}"


def find_telemetry(environment: Mapping[str, str] = ENVIRONMENT) -> Telemetry | None:
    """Reads OpenTelemetry's own environment variables.

    Returns None if they name no endpoint or switch the export off. Raises `UsageError` for an invalid URL.
    """
    endpoint = environment.get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "")
    if not endpoint and (base := environment.get("OTEL_EXPORTER_OTLP_ENDPOINT")):
        endpoint = f"{base.rstrip('/')}/v1/traces"
    off = environment.get("OTEL_SDK_DISABLED", "").lower() == "true"
    if not endpoint or off or environment.get("OTEL_TRACES_EXPORTER") == "none":
        return None
    if url_fault(endpoint.partition("?")[0]):
        raise UsageError("OTEL_EXPORTER_OTLP_ENDPOINT is no URL of a collector: give http://HOST:PORT")
    content = environment.get("OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT", "").lower()
    return Telemetry(endpoint, content in ("true", "span_only", "span_and_event"))


def may_block(environment: Mapping[str, str] = ENVIRONMENT) -> bool:
    """Returns True if our event loops may block on files. `langgraph dev` forbids it by default."""
    return environment.get("LANGGRAPH_ALLOW_BLOCKING", "true") == "true"


def _settings_in(file: Path) -> dict[str, object]:
    return known_settings(read_toml(file, "settings file"), repr(str(file)))


def known_settings(tables: Mapping[str, object], where: str) -> dict[str, object]:
    """Returns the settings of nested tables by dotted key (`problems.limit`).

    Raises `UsageError` for an unknown key.
    """
    settings, known = dict(flat(tables)), sorted(option.key for option in OPTIONS)
    if unknown := [key for key in settings if key not in known]:
        raise UsageError(f"unknown setting {brief(unknown[0])} in {where}: known are {', '.join(known)}")
    return settings


DEEPEST = 2
"""Tables around a setting."""


def flat(table: Mapping[str, T], prefix: str = "") -> Iterator[tuple[str, T]]:
    """Yields each value that is not a table, under its dotted key.

    Tables deeper than a setting's are values, so that no depth of them ends Python's recursion.
    """
    for name, value in table.items():
        if isinstance(value, dict) and prefix.count(".") < DEEPEST:
            yield from flat(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value


def _explain(error: ValidationError) -> str:
    first = error.errors()[0]
    key = ".".join(str(part) for part in first["loc"] if isinstance(part, str))
    flag = next((option.flag for option in OPTIONS if option.key == key), key)
    return f"{flag} {brief(first['input'])}: {first['msg'][0].lower()}{first['msg'][1:]}"
