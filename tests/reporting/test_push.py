"""What `export --push` uploads, and what it says where it cannot."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from fdd.main import main
from fdd.reporting.export import DATA, STUDENT
from tests.servers.hub import TOKEN, Hub, hub


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    with hub() as known:
        monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", known.url)
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
        monkeypatch.setenv("HF_TOKEN", TOKEN)
        yield known


def contents(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def test_student_and_data_arrive_whole_in_private_repositories_and_again_in_the_same_ones(
    served: Hub, finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("first", "second"):
        output = tmp_path / name
        assert main(["export", str(finished), "--to", str(output), "--push", "us/pupil", "--json"]) == 0
        addresses = [f"{served.url}/us/pupil", f"{served.url}/datasets/us/pupil"]
        assert json.loads(capsys.readouterr().out)["uploaded"] == addresses
        assert served.private == {"models/us/pupil": True, "datasets/us/pupil": True}
        uploaded = {
            kind: {path: text for path, text in files.items() if path != ".gitattributes"}
            for kind, files in served.files.items()
        }
        assert uploaded["models/us/pupil"] == contents(output / STUDENT)
        assert uploaded["datasets/us/pupil"] == contents(output / DATA)


def test_weights_and_rows_of_an_earlier_export_are_removed_and_other_files_stay(
    served: Hub, finished: Path, tmp_path: Path
) -> None:
    earlier = {"model-00001-of-00002.safetensors": b"", "model.safetensors.index.json": b"{}"}
    served.private["models/us/pupil"] = served.private["datasets/us/pupil"] = False
    served.files["models/us/pupil"] = {**earlier, "model.safetensors": b"old", "LICENSE": b"mine"}
    served.files["datasets/us/pupil"] = {"validation.jsonl": b"{}", "picture.png": b"mine"}
    output = tmp_path / "out"
    assert main(["export", str(finished), "--to", str(output), "--push", "us/pupil"]) == 0
    assert served.files["models/us/pupil"] == {**contents(output / STUDENT), "LICENSE": b"mine"}
    assert served.files["datasets/us/pupil"] == {**contents(output / DATA), "picture.png": b"mine"}


@pytest.mark.parametrize(
    ("name", "token", "fault"),
    [
        ("pupil", TOKEN, "--push 'pupil' does not say whose repository it is: give ORG/NAME"),
        ("us/pu pil", TOKEN, "--push 'us/pu pil' is not a repository name"),
        ("them/pupil", TOKEN, "--push 'them/pupil': you can only write to repositories of somebody, us"),
        ("us/pupil", "hf_wrong", "--push: the hub refused"),
        ("us/pupil", "", "--push needs to know who you are: run `hf auth login`, or set HF_TOKEN"),
    ],
)
def test_what_cannot_be_uploaded_is_refused_before_anything_is_written(
    name: str,
    token: str,
    fault: str,
    served: Hub,
    finished: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("HF_TOKEN", token)
    monkeypatch.setattr("huggingface_hub.constants.HF_TOKEN_PATH", str(tmp_path / "none"))
    assert main(["export", str(finished), "--to", str(tmp_path / "out"), "--push", name]) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert fault in line
    assert not (tmp_path / "out").exists() and not served.files


def test_an_upload_that_is_refused_leaves_the_export_and_says_how_to_go_on(
    served: Hub, finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    served.full = True
    assert main(["export", str(finished), "--to", str(tmp_path / "out"), "--push", "us/pupil"]) == 1
    assert (tmp_path / "out" / STUDENT / "README.md").exists()
    [line] = capsys.readouterr().err.splitlines()
    assert f"hf upload us/pupil {tmp_path / 'out' / STUDENT} --repo-type model" in line


@pytest.mark.usefixtures("served")
@pytest.mark.parametrize("offline", [True, False])
def test_a_hub_that_cannot_be_reached_is_one_line(
    offline: bool,
    finished: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", offline)
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    assert main(["export", str(finished), "--to", str(tmp_path / "out"), "--push", "us/pupil"]) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert "--push cannot reach the hub" in line
    assert not (tmp_path / "out").exists()
