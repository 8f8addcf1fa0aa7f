import re
from collections.abc import Iterator
from dataclasses import is_dataclass
from pathlib import Path
from typing import get_args, get_type_hints

import pytest

from fdd.errors import UsageError
from fdd.settings import OPTIONS, Settings, Telemetry, cache_folder, find_telemetry, load_settings


def test_the_command_line_wins_over_the_environment_and_that_over_the_file(tmp_path: Path) -> None:
    file = tmp_path / "run.toml"
    file.write_text("rounds = 1\nsamples = 2\n[problems]\nlimit = 10\n[fine_tune]\nepochs = 2\n")
    environment = {"FDD_SAMPLES": "4", "FDD_PROBLEMS_LIMIT": "20"}
    settings = load_settings({"problems.limit": "30"}, file, environment)
    assert settings.rounds == 1
    assert settings.samples == 4
    assert settings.problems.limit == 30
    assert settings.fine_tune.epochs == 2


def test_one_seed_decides_every_draw() -> None:
    settings = load_settings({"rounds": "1", "seed": "7"}, environment={})
    assert {settings.problems.seed, settings.fine_tune.seed, settings.generate.seed} == {7}


def test_settings_survive_the_store() -> None:
    settings = load_settings({"rounds": "2", "thoughts": "pot, cot"}, environment={})
    assert settings.thoughts == ("pot", "cot")
    assert Settings.from_json(settings.to_json()) == settings


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"rounds": "-2"}, "--rounds '-2': input should be greater than or equal to 0"),
        (
            {"rounds": "0", "recipe": "fdd", "initial_share": "0.5"},
            "--initial-share 0.5 holds seeds back for rounds that never",
        ),
        ({"rounds": "two"}, "--rounds 'two': input should be a valid integer"),
        ({"rounds": "1", "device": "tpu"}, "--device 'tpu': input should be 'auto', 'cpu', 'cuda' or 'mps'"),
        (
            {"rounds": "1", "initial_share": "1.5"},
            "--initial-share '1.5': input should be less than or equal",
        ),
        (
            {"rounds": "1", "judge_url": "http://x/v1"},
            "--judge-url 'http://x/v1' needs a model of that server: give --judge openai:MODEL",
        ),
        (
            {"rounds": "1", "teacher": "local:tiny", "teacher_url": "http://x/v1"},
            "--teacher-url 'http://x/v1' needs a model of that server: give --teacher openai:MODEL",
        ),
        (
            {"rounds": "1", "synthesizer": "", "synthesizer_url": "http://x/v1"},
            "--synthesizer-url 'http://x/v1' needs a model of that server: give --synthesizer openai:MODEL",
        ),
        (
            {"rounds": "1", "recipe": "fdd", "initial_share": "1"},
            "--initial-share 1 keeps no seeds back to probe",
        ),
        (
            {"rounds": "1", "recipe": "skills", "initial_share": "0.5"},
            "as only `--allocation each` does: leave it out",
        ),
        ({"rounds": "2", "grow_skills": "true"}, "--grow-skills needs a budget for skills"),
        (
            {"rounds": "1", "recipe": "skills", "grow_skills": "true"},
            "--grow-skills probes new skills in the round after they were written: give --rounds 2",
        ),
        (
            {"rounds": "2", "recipe": "skills", "grow_skills": "true", "operators": "similar"},
            "--grow-skills needs harder problems",
        ),
        ({"rounds": "1", "track": "excel"}, "--track 'excel'"),
        ({"rounds": "1", "recipe": "magic"}, "--recipe 'magic' is none of active_distillation"),
        ({}, "--rounds N"),
    ],
)
def test_a_wrong_value_is_named_with_its_option(given: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        load_settings(given, environment={})
    assert message in str(caught.value)


def numeric_keys(group: type = Settings, prefix: str = "") -> Iterator[str]:
    """Every setting that is a number, by its key; but seeds, which may be any."""
    for name, kind in get_type_hints(group).items():
        if isinstance(kind, type) and is_dataclass(kind):
            yield from numeric_keys(kind, f"{prefix}{name}.")
        elif {int, float} & {kind, *get_args(kind)} and name != "seed":
            yield prefix + name


@pytest.mark.parametrize("more", [{"reprobe": "true"}, {"self_samples": "2"}])
def test_all_seeds_may_be_taught_at_once_where_later_rounds_still_learn_from_something(
    more: dict[str, object],
) -> None:
    given = {"rounds": "1", "recipe": "fdd", "initial_share": "1", **more}
    assert load_settings(given, environment={}).initial_share == 1


MAY_BE_NOTHING = {
    "rounds",
    "self_samples",
    "shots",
    "calls.temperature",
    "calls.max_cost",
    "calls.max_tokens",
    "calls.max_calls",
    "fine_tune.replay_share",
    "fine_tune.warmup_share",
    "fine_tune.decay_share",
    "fine_tune.max_truncated_share",
    "generate.temperature",
    "refine.divergence",
    "refine.interpolation",
    "refine.sft_weight",
    "problems.harder_size",
    "problems.skew",
}


@pytest.mark.parametrize("key", list(numeric_keys()))
def test_a_number_below_its_limit_is_named_with_its_option(key: str) -> None:
    flag = next((option.flag for option in OPTIONS if option.key == key), key)
    value = "-1" if key in MAY_BE_NOTHING else "0"
    with pytest.raises(UsageError, match=f"^{re.escape(f'{flag} {value!r}: input should be greater')}"):
        load_settings({"rounds": 1, key: value}, environment={})


@pytest.mark.parametrize("key", sorted(MAY_BE_NOTHING))
def test_some_numbers_may_be_nothing(key: str) -> None:
    load_settings({"rounds": 1, key: 0}, environment={})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("rounds = 1\nepoch = 3\n", "unknown setting 'epoch'"),
        ("[fine_tune]\nsteps = 3\n", "unknown setting 'fine_tune.steps'"),
        ("rounds = \n", "is not TOML"),
    ],
)
def test_a_wrong_file_is_refused(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "run.toml"
    file.write_text(text)
    with pytest.raises(UsageError, match=message):
        load_settings({}, file, {})


def test_a_group_of_settings_is_no_setting() -> None:
    with pytest.raises(UsageError, match=r"'problems' is a group of settings: give 'problems.\w+' or others"):
        load_settings({"rounds": 1, "problems": "mine.jsonl"}, environment={})


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such file"):
        load_settings({}, tmp_path / "none.toml", {})


def test_a_setting_has_one_name_on_the_command_line_in_files_and_in_the_environment() -> None:
    shown = {option.key: (option.flag, option.variable) for option in OPTIONS}
    assert shown["teacher_url"] == ("--teacher-url", "FDD_TEACHER_URL")
    assert shown["fine_tune.batch_size"] == ("--batch-size", "FDD_FINE_TUNE_BATCH_SIZE")
    assert shown["generate.batch_size"] == ("--generate-batch-size", "FDD_GENERATE_BATCH_SIZE")


def test_the_cache_folder_can_be_moved() -> None:
    assert cache_folder({"FDD_CACHE": "/somewhere"}) == Path("/somewhere")
    assert cache_folder({"XDG_CACHE_HOME": "/x"}) == Path("/x/feedback-driven-distillation")
    assert cache_folder({}) == Path.home() / ".cache" / "feedback-driven-distillation"


def test_a_limit_of_a_run_can_be_raised_and_nothing_else_changes() -> None:
    before = load_settings({"rounds": "1", "calls.max_cost": "2"}, environment={})
    after = before.with_changes({"calls.max_cost": "5"})
    assert after.calls.max_cost == 5
    assert after.with_changes({"calls.max_cost": 2}) == before


def test_the_url_of_a_server_can_be_changed_and_is_checked_again() -> None:
    given = {"rounds": "1", "teacher": "openai:m", "teacher_url": "http://old:8000/v1"}
    before = load_settings(given, environment={})
    assert before.with_changes({"teacher_url": "http://new/v1"}).teacher_url == "http://new/v1"
    with pytest.raises(UsageError, match="--teacher-url 'new' is no URL of a server"):
        before.with_changes({"teacher_url": "new"})
    with pytest.raises(UsageError, match="--judge-url 'http://new/v1' needs a model"):
        before.with_changes({"judge_url": "http://new/v1"})


@pytest.mark.parametrize("part", ["teacher", "synthesizer", "judge"])
@pytest.mark.parametrize(
    ("url", "fault"),
    [
        ("localhost:8000/v1", "it must begin with http:// or https://"),
        ("127.0.0.1:8000/v1", "it must begin with http:// or https://"),
        ("ftp://host/v1", "it must begin with http:// or https://"),
        ("http:/host/v1", "it has no host"),
        ("http://:8000/v1", "it has no host"),
        ("http://127.0.0.1:189000/v1", "port out of range 0-65535"),
        ("http://127.0.0.1:eight/v1", "port could not be cast to integer value"),
        ("http://127.0.0.1:0/v1", "its port must be 1 to 65535"),
        ("http://[::1/v1", "invalid IPv6 URL"),
        ("http://host/v1\n", "it contains a blank or a line break"),
        ("http://my host/v1", "it contains a blank or a line break"),
    ],
)
def test_a_url_that_no_request_can_go_to_is_refused(part: str, url: str, fault: str) -> None:
    given = {"rounds": "1", "teacher": "openai:m", part: "openai:m", f"{part}_url": url}
    with pytest.raises(UsageError, match=f"--{part}-url .* is no URL of a server: {fault}.*for example http"):
        load_settings(given, environment={})


@pytest.mark.parametrize("key", ["seed", "max_cost", "calls.max_price"])
def test_a_setting_of_a_run_that_cannot_be_changed_is_refused_by_name(key: str) -> None:
    settings = load_settings({"rounds": "1"}, environment={})
    with pytest.raises(UsageError, match=f"'{key}' of a run cannot be changed; only calls.max_cost, "):
        settings.with_changes({key: 5})


def test_a_limit_that_is_no_number_is_refused() -> None:
    with pytest.raises(UsageError, match="--max-cost 'much'"):
        load_settings({"rounds": "1"}, environment={}).with_changes({"calls.max_cost": "much"})


@pytest.mark.parametrize(
    ("environment", "found"),
    [
        ({}, None),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": ""}, None),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://h:4318/"}, Telemetry("http://h:4318/v1/traces")),
        (
            {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://h", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "https://t/x"},
            Telemetry("https://t/x"),
        ),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://h", "OTEL_SDK_DISABLED": "True"}, None),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://h", "OTEL_TRACES_EXPORTER": "none"}, None),
    ],
)
def test_spans_go_where_the_variables_of_opentelemetry_say(
    environment: dict[str, str], found: Telemetry | None
) -> None:
    assert find_telemetry(environment) == found


@pytest.mark.parametrize(("value", "content"), [("true", True), ("SPAN_ONLY", True), ("no_content", False)])
def test_prompts_are_sent_only_where_the_convention_s_switch_says_so(value: str, content: bool) -> None:
    switch = {"OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT": value}
    assert find_telemetry({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://h", **switch}) == Telemetry(
        "http://h/v1/traces", content
    )


def test_a_password_in_an_endpoint_is_not_shown() -> None:
    assert Telemetry("https://user:password@h:4318/v1?key=k").server == "https://h:4318"
