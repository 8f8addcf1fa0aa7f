"""Students whose folder does not hold what its config.json and its tokenizer say."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file
from tokenizers import Tokenizer
from tokenizers.processors import TemplateProcessing
from transformers import GPT2Config, GPT2LMHeadModel

from fdd.errors import PreflightError, StudentError
from fdd.training.config import FineTuneConfig, GenerateConfig
from fdd.training.device import Runtime
from fdd.training.fetch import student_path
from fdd.training.fine_tune import fine_tune
from fdd.training.generate import generate
from fdd.training.student import load_student
from fdd.training.tasks import Batch, CheckTask, Event, Example, Request
from fdd.training.tiny import random_weights
from fdd.training.worker import run_in_child

UP = "model.layers.1.mlp.up_proj.weight"
Weights = dict[str, np.ndarray]
Change = Callable[[Weights], object]


@pytest.fixture
def folder(tiny: Path, tmp_path: Path) -> Path:
    """A student as a person would give it, without the record of its checksums."""
    copy = shutil.copytree(tiny, tmp_path / "odd")
    (copy / "weights.sha256").unlink()
    return copy


def edit(file: Path, **values: object) -> None:
    file.write_text(json.dumps({**json.loads(file.read_text()), **values}))


def edit_weights(folder: Path, change: Change) -> None:
    weights = load_file(folder / "model.safetensors")
    change(weights)
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


def rename(start: str) -> Change:
    def change(weights: Weights) -> None:
        for name in list(weights):
            weights[start + name] = weights.pop(name)

    return change


def fill(name: str, value: float) -> Change:
    return lambda weights: weights[name].fill(value)


def add(name: str) -> Change:
    return lambda weights: weights.update({name: weights[UP].copy()})


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda weights: weights.pop(UP), rf"1 weights are not in its files \({UP}\)"),
        (
            rename("module."),
            r"21 weights are not in its files, which have module\.model\.embed_tokens\.weight",
        ),
        (rename("_orig_mod."), r"21 weights are not in its files, which have _orig_mod\.model"),
        (fill("model.norm.weight", np.nan), r"1 weights have numbers that are not finite \(model\.norm"),
        (fill(UP, -np.inf), "1 weights have numbers that are not finite"),
        (add("model.layers.2.mlp.up_proj.weight"), r"1 weights have no place .*\(model\.layers\.2\.mlp"),
        (add("model.layers.0.mlp.up_proj.bias"), "1 weights have no place in the network"),
    ],
)
def test_weights_that_are_missing_or_strange_are_named(
    folder: Path, runtime: Runtime, change: Change, told: str
) -> None:
    edit_weights(folder, change)
    with pytest.raises(StudentError, match=told) as caught:
        load_student(folder, runtime)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "change",
    [
        lambda weights: weights.update({"lm_head.weight": weights["model.embed_tokens.weight"].copy()}),
        add("v_head.summary.weight"),
        add("model.vision_tower.layers.0.mlp.up_proj.weight"),
        add("model.layers.0.self_attn.rotary_emb.inv_freq"),
        lambda weights: [weights.update({name[6:]: weights.pop(name)}) for name in list(weights)],
    ],
)
def test_what_changes_nothing_of_the_network_is_let_through(
    folder: Path, runtime: Runtime, change: Change
) -> None:
    edit_weights(folder, change)
    model = load_student(folder, runtime).model
    assert torch.equal(model.get_parameter(UP), torch.tensor(random_weights()[UP]).to(runtime.dtype))


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"num_hidden_layers": 3}, r"9 weights are not in its files \(model\.layers\.2\."),
        ({"num_hidden_layers": 1}, r"9 weights have no place .*\(model\.layers\.1\."),
        ({"tie_word_embeddings": False}, r"1 weights are not in its files \(lm_head\.weight\)"),
        ({"attention_bias": True}, r"8 weights are not in its files"),
        ({"intermediate_size": 96}, r"6 weights have another size .*\(64, 128\), not \(64, 96\)"),
        ({"quantization_config": {"quant_method": "gptq", "bits": 4}}, r"is quantized \(gptq\)"),
        ({"quantization_config": {"load_in_4bit": True}}, r"is quantized \(see its config\.json\)"),
        ({"hidden_size": "abc"}, "its config.json: .*expected int, got str"),
        ({"num_attention_heads": 0}, "its config.json: ZeroDivisionError"),
        ({"hidden_act": "nope"}, "its weights: KeyError: 'nope'"),
    ],
)
def test_a_config_that_does_not_belong_to_the_weights_is_refused(
    folder: Path, runtime: Runtime, values: dict[str, object], told: str
) -> None:
    edit(folder / "config.json", **values)
    with pytest.raises(StudentError, match=told) as caught:
        load_student(folder, runtime)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["{", "[]", ""])
def test_a_config_that_is_no_json_object_is_named(folder: Path, text: str) -> None:
    (folder / "config.json").write_text(text)
    with pytest.raises(StudentError, match=r"cannot load the model in .*config\.json"):
        student_path(str(folder), folder)


def test_an_adapter_is_refused_with_or_without_its_base(folder: Path) -> None:
    (folder / "adapter_config.json").write_text("{}")
    for _ in range(2):
        with pytest.raises(StudentError, match=r"holds an adapter .*: merge it into its base model"):
            student_path(str(folder), folder)
        (folder / "config.json").unlink(missing_ok=True)


@pytest.mark.parametrize("name", ["model.safetensors", "tokenizer.json", "config.json"])
def test_a_pointer_of_git_lfs_in_place_of_a_file_is_named_with_what_to_do(folder: Path, name: str) -> None:
    (folder / name).write_text("version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 269\n")
    with pytest.raises(StudentError, match=rf"pointer of Git LFS in place of '{name}': run `git lfs pull`"):
        student_path(str(folder), folder)


def test_a_file_of_the_weights_that_is_missing_is_named(folder: Path, runtime: Runtime) -> None:
    names = [f"model-0000{number}-of-00002.safetensors" for number in (1, 2)]
    weights = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").rename(folder / names[0])
    places = {name: names[number % 2] for number, name in enumerate(weights)}
    (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": places}))
    with pytest.raises(StudentError, match=r"its weights: .*No such file or directory: .*/model-00002"):
        load_student(folder, runtime)
    shutil.copy(folder / names[0], folder / names[1])
    load_student(folder, runtime)


@pytest.mark.parametrize(
    "kind", ["PreTrainedTokenizerFast", "LlamaTokenizer", "GPT2Tokenizer", "BertTokenizer"]
)
def test_a_student_without_its_tokenizers_file_is_refused(folder: Path, runtime: Runtime, kind: str) -> None:
    (folder / "tokenizer.json").unlink()
    edit(folder / "tokenizer_config.json", tokenizer_class=kind)
    with pytest.raises(StudentError, match=r"tokenizer.*\(tokenizer\.json or tokenizer\.model\)"):
        load_student(folder, runtime)


def test_ordinary_tokens_without_an_embedding_are_counted_and_special_ones_are_not(
    folder: Path, runtime: Runtime
) -> None:
    file = str(folder / "tokenizer.json")
    tokenizer = Tokenizer.from_file(file)
    tokenizer.add_special_tokens(["<image>"])
    tokenizer.save(file)
    load_student(folder, runtime)
    tokenizer.add_tokens(["answer", " = "])
    tokenizer.save(file)
    with pytest.raises(StudentError, match="has 257 embeddings, and 2 tokens of its tokenizer have none"):
        load_student(folder, runtime)


def test_special_tokens_of_the_chat_template_need_an_embedding_too(folder: Path, runtime: Runtime) -> None:
    file = str(folder / "tokenizer.json")
    tokenizer = Tokenizer.from_file(file)
    tokenizer.add_special_tokens(["<|turn|>"])
    tokenizer.save(file)
    (folder / "chat_template.jinja").write_text(
        "{% for turn in messages %}<|turn|>{{ turn['content'] }}{% endfor %}"
    )
    with pytest.raises(StudentError, match="has 257 embeddings, and 1 tokens of its tokenizer have none"):
        load_student(folder, runtime)


@pytest.mark.parametrize(
    ("template", "told"),
    [
        ("{% for turn in messages %}{{ turn['role'] }}{% endfor %}", "leaves out what a user asks"),
        (
            "{% for part in messages[0]['content'] %}{{ part['text'] }}{% endfor %}",
            "leaves out what a user asks",
        ),
        ("{% for turn in messages %}", "its chat template: TemplateSyntaxError"),
        ("{{ raise_exception('no') }}", "its chat template: TemplateError: no"),
    ],
)
def test_a_chat_template_that_cannot_ask_is_refused(
    folder: Path, runtime: Runtime, template: str, told: str
) -> None:
    (folder / "chat_template.jinja").write_text(template)
    with pytest.raises(StudentError, match=told):
        load_student(folder, runtime)


def test_a_tokenizer_that_ends_every_text_is_trained_and_asked_without_that(
    folder: Path, runtime: Runtime, tmp_path: Path
) -> None:
    file = str(folder / "tokenizer.json")
    tokenizer = Tokenizer.from_file(file)
    tokenizer.post_processor = TemplateProcessing(single="$A <|end|>", special_tokens=[("<|end|>", 256)])
    tokenizer.save(file)
    example = Example(question="1 + 1?", cue="Compute.", rationale="answer = 2")
    config = FineTuneConfig(epochs=30, batch_size=4, learning_rate=1e-2)
    fine_tune(load_student(folder, runtime), [example] * 4, tmp_path / "taught", config, lambda _: None)
    assert answers(tmp_path / "taught", runtime, Request(key="r", question="1 + 1?", cue="Compute.")) == [
        "answer = 2"
    ]


@pytest.fixture
def short(folder: Path) -> Path:
    """A student with 120 positions, which it learns."""
    (folder / "model.safetensors").unlink()
    config = GPT2Config(vocab_size=257, n_positions=120, n_embd=32, n_layer=1, n_head=2)
    config.bos_token_id = config.eos_token_id = 256
    GPT2LMHeadModel(config).save_pretrained(folder)
    return folder


def answers(folder: Path, runtime: Runtime, *requests: Request) -> list[str]:
    events: list[Event] = []
    generate(load_student(folder, runtime), requests, GenerateConfig(), events.append)
    return [each.text for event in events if isinstance(event, Batch) for each in event.completions]


def test_a_prompt_that_is_longer_than_the_positions_says_how_long_and_how_many_there_are(
    short: Path, runtime: Runtime
) -> None:
    shot = Example(question="1 + 1?", cue="Compute.", rationale="answer = 2")
    request = Request(key="r", question="x" * 90, cue="Compute.", shots=(shot,))
    told = r"a prompt has 156 tokens, .* and the student has only 120 positions"
    with pytest.raises(StudentError, match=told):
        answers(short, runtime, request)
    with pytest.raises(StudentError, match=told):
        run_in_child(CheckTask(student=short, device="cpu", requests=(request,)), lambda _: None)


def test_an_answer_ends_at_the_last_position(short: Path, runtime: Runtime) -> None:
    requests = [Request(key=str(n), question="x" * n, cue="Compute.") for n in (1, 80)]
    assert len(answers(short, runtime, *requests)) == 2


def test_examples_that_are_longer_than_the_positions_are_refused_with_their_number(
    short: Path, runtime: Runtime, tmp_path: Path
) -> None:
    example = Example(question="x" * 90, cue="Compute.", rationale="answer = 2")
    with pytest.raises(PreflightError, match=r"1 of 1 examples are longer than 120 tokens.*more positions"):
        fine_tune(
            load_student(short, runtime), [example], tmp_path / "taught", FineTuneConfig(), lambda _: None
        )


def test_a_student_that_computes_its_positions_has_no_number_of_them(tiny: Path, runtime: Runtime) -> None:
    assert load_student(tiny, runtime).positions is None
