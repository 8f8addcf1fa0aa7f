"""Checks and makes folders with a student's weights.

A student is a folder in Hugging Face's format (safetensors and tokenizer). Folders written by this program
contain a file `weights.sha256` for `sha256sum -c`, and are checked against it before they are used.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from fdd.errors import StudentError

CHECKSUMS = "weights.sha256"
ADAPTER = "adapter_config.json"
QUANTIZED = ("quantization_config", "compression_config")
"""Keys of config.json that mark quantized weights."""
POINTER = b"version https://git-lfs"


def check_student(folder: Path) -> Path:
    """Returns the folder; `StudentError` if it holds no student that can be trained, or damaged weights."""
    if (folder / ADAPTER).is_file():
        raise StudentError(
            f"{str(folder)!r} holds an adapter ({ADAPTER}), which is not trained on: merge it into its base "
            "model with `merge_and_unload`, and give the folder of that"
        )
    if not (folder / "config.json").is_file() or not any(folder.glob("*.safetensors")):
        raise StudentError(f"no model in {str(folder)!r}: it needs config.json and *.safetensors")
    for file in sorted(each for each in folder.iterdir() if each.is_file()):
        with file.open("rb") as stream:
            if stream.read(len(POINTER)) == POINTER:
                raise StudentError(
                    f"the model in {str(folder)!r} has a pointer of Git LFS in place of {file.name!r}: run "
                    "`git lfs pull` there"
                )
    try:
        config: Any = json.loads((folder / "config.json").read_bytes())
        quantized = next((config[key] for key in QUANTIZED if config.get(key)), None)
    except (OSError, ValueError, AttributeError) as error:  # the last one if it is no JSON object
        raise StudentError(f"cannot load the model in {str(folder)!r}: config.json: {error}") from None
    if quantized:
        method = quantized.get("quant_method") if isinstance(quantized, dict) else None
        raise StudentError(
            f"the model in {str(folder)!r} is quantized ({method or 'see its config.json'}), which is not "
            "supported: give it in 16 or 32 bits"
        )
    check_checksums(folder)
    return folder


def check_checksums(folder: Path) -> None:
    record = folder / CHECKSUMS
    lines = record.read_text("utf-8", "replace").splitlines() if record.is_file() else []
    for line in filter(str.strip, lines):
        expected, _, name = line.partition(" ")
        file = folder / name[1:]  # drops the second blank, or the `*` that `sha256sum --binary` writes
        if not file.is_file() or file_sha256(file) != expected:
            raise StudentError(
                f"weights file corrupted: {str(file)!r}; delete the folder {str(folder)!r} and run again"
            )


def write_checksums(folder: Path) -> None:
    (folder / CHECKSUMS).write_text(checksums(folder))


def checksums(folder: Path) -> str:
    """Returns the SHA-256 of each weights file, as `sha256sum` prints them."""
    files = sorted(folder.glob("*.safetensors"))
    return "".join(f"{file_sha256(file)}  {file.name}\n" for file in files)


def file_sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


@contextmanager
def new_folder(target: Path) -> Iterator[Path]:
    """Yields a new folder beside `target`, renamed to it if the block succeeds and deleted if it raises.

    Raises `OSError` if it cannot be made. First removes such folders that killed processes left behind.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    for abandoned in target.parent.glob(f".{target.name}-*"):
        with suppress(BlockingIOError, FileNotFoundError), locked(abandoned):  # fails if it is in use
            shutil.rmtree(abandoned)
    with ExitStack() as stack:
        while True:
            folder = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
            # Until it is locked, another process may take it for an abandoned one and remove it.
            with suppress(BlockingIOError, FileNotFoundError):
                stack.enter_context(locked(folder))
                if folder.is_dir():
                    break
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
