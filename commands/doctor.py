"""`main.py doctor`: checks what this machine has for a run, and what is missing."""

from __future__ import annotations

import shutil
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from fdd.agents.checking.confinement import Layer
from fdd.agents.checking.diagnosis import FORBIDS, Action, active_layers, refused_to_workers
from fdd.agents.checking.sandbox import LimitedSandbox
from fdd.agents.verifier import Verifier
from fdd.commands.arguments import add_json, print_json
from fdd.domain import Reason
from fdd.errors import FddError
from fdd.settings import Settings, cache_folder
from fdd.training.backend import INSTALL, vllm_version
from fdd.training.fetch import EMBEDDED, models_here
from fdd.training.tasks import BackendTask, CheckTask, DescribeTask
from fdd.training.worker import run_in_child

DISK_GB = 4
"""Gigabytes that a default run writes: three students of half a gigabyte, the cache, the database."""
HOSTILE = "import os\nanswer = len(os.listdir('/'))"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that a run needs."""

    name: str
    ok: bool
    detail: str


def add(parser: ArgumentParser) -> None:
    """what this machine has for a run, and what is missing"""
    add_json(parser)
    parser.set_defaults(command=doctor)


def doctor(given: Namespace) -> int:
    from fdd.reporting.terminal import shown, terminal

    checks = examine(cache_folder(), Path.cwd())
    if given.json:
        print_json({"checks": [asdict(check) for check in checks]})
    else:
        width = max(len(check.name) for check in checks)
        for check in checks:
            found = "ok     " if check.ok else "missing"
            terminal().print(shown(f"{found}  {check.name:<{width}}  {check.detail}"))
    return 0 if all(check.ok for check in checks) else 1


def examine(cache: Path, folder: Path) -> list[Check]:
    """Runs every check, even after one has failed; `folder` is the one that runs would be written to."""
    default = Settings(rounds=0).student
    looks: dict[str, Callable[[], str]] = {
        "packages": _packages,
        "device": _device,
        "engines": _engines,
        "backends": _backends,
        "sandbox": _sandbox,
        "confinement": _confinement,
        f"weights {default}": partial(_weights, cache / default),
        "models": partial(_models, cache),
        "disk": partial(_disk, folder),
    }
    checks = []
    for name, look in looks.items():
        try:
            checks.append(Check(name, True, look()))
        except FddError as error:
            checks.append(Check(name, False, str(error)))
    return checks


def _packages() -> str:
    from fdd.graph.run import PACKAGES

    try:
        return ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    except PackageNotFoundError as error:
        raise FddError(
            f"{error.name} is not installed: run `make run`, or pip install -r requirements.lock"
        ) from None


def _device() -> str:
    device = run_in_child(DescribeTask(), lambda _: None)
    if device.unused:
        raise FddError(str(device))
    return str(device)


def _engines() -> str:
    try:
        return f"local; ray {version('ray')}"
    except PackageNotFoundError:
        return "local; ray is not installed: pip install 'feedback-driven-distillation[scale]'"


def _backends() -> str:
    if not (found := vllm_version()):
        return f"torch; vllm is not installed: {INSTALL}"
    run_in_child(BackendTask(), lambda _: None)
    return f"torch; {found}"


def _sandbox() -> str:
    with Verifier(workers=1) as verifier:
        right = verifier.judge("pot", "answer = 6 * 7", Fraction(42))
        hostile = verifier.judge("pot", HOSTILE, Fraction(42))
    if right.reason is not Reason.ACCEPTED or hostile.reason.accepted:
        raise FddError(f"the sandbox judged {right.reason} and {hostile.reason}: reinstall pydantic-monty")
    return f"runs programs, and refuses files ({hostile.reason})"


def _confinement() -> str:
    """Lists what the layers around the sandbox refused when they were tried. Fails if a layer is missing."""
    cannot = refused_to_workers()
    active = [layer for layer in active_layers() if FORBIDS[layer] in cannot]
    with LimitedSandbox(workers=1) as sandbox:
        loose = [] if sandbox.confined else ["the interpreter's workers"]
    found: dict[str, Sequence[str]] = {
        "workers cannot": [action for action in Action if action in cannot],
        "but can": [action for action in Action if action not in cannot],
        "by": active,
        "not active": [layer for layer in Layer if layer not in active],
        "not confined": loose,
    }
    detail = "; ".join(f"{name} {', '.join(parts)}" for name, parts in found.items() if parts)
    if loose or len(active) < len(Layer):
        raise FddError(detail)
    return detail


def _weights(folder: Path) -> str:
    if not folder.is_dir():
        raise FddError(f"not fetched yet: the first run does it ({folder})")
    run_in_child(CheckTask(student=folder), lambda _: None)
    return str(folder)


def _models(cache: Path) -> str:
    here = models_here(cache)
    others = [name for name in EMBEDDED if name not in here]
    return f"here: {', '.join(here) or 'none'}; fetched at their first use: {', '.join(others) or 'none'}"


def _disk(folder: Path) -> str:
    free = shutil.disk_usage(folder).free / 1e9
    if free < DISK_GB:
        raise FddError(f"{free:.1f} GB free in {folder}, a default run needs {DISK_GB}: make room")
    return f"{free:.0f} GB free in {folder}"
