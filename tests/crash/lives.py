"""Runs made of several processes (lives) that end at chosen points: settings, folders, start and resume."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from fdd.storage.folder import DATABASE
from tests.crash.life import Death, Life
from tests.crash.nursery import DEATH, LIFE
from tests.servers.children import ROOT

SYMBOLIC: Mapping[str, str | int] = {
    "rounds": 1,
    "student": "tiny",
    "thoughts": "pot,cot",
    "policy": "fallback",
    "self_samples": 1,
    "self_samples_where": "everywhere",
    "problems.limit": 8,
    "problems.test_size": 3,
    "problems.held_out_size": 2,
    "problems.dev_size": 2,
    "generate.max_new_tokens": 8,
    "generate.batch_size": 4,
    "device": "cpu",
}
"""Settings of the smallest run that passes through every phase."""


def model(url: str) -> Mapping[str, str | int]:
    """Returns such settings with the model at this URL as teacher, synthesizer and judge."""
    asked = {"teacher": "openai:teaching", "teacher_url": url, "thoughts": "pot", "policy": "single"}
    return {**SYMBOLIC, **asked, "problems.limit": 6, "self_samples": 0, "calls.seconds": 2}


class Nursery:
    """Client of the fork server, the process from which lives are forked."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    @property
    def pid(self) -> int:
        return self._process.pid

    def wait(self) -> None:
        """Waits until the process is ready."""
        self._read()

    def raise_one(self, life: Life) -> Death:
        assert self._process.stdin is not None
        self._process.stdin.write(LIFE.dump_json(life).decode() + "\n")
        self._process.stdin.flush()
        return DEATH.validate_json(self._read())

    def _read(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the nursery ended with {self._process.wait()}")
        return line


@contextlib.contextmanager
def nursery() -> Iterator[Nursery]:
    command = [sys.executable, "-m", "tests.crash.nursery"]
    environment = {**os.environ, "LANGGRAPH_STRICT_MSGPACK": "true", "HF_HUB_OFFLINE": "1"}
    with subprocess.Popen(
        command, cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            yield Nursery(process)
        finally:
            process.kill()


@dataclass(frozen=True)
class Track:
    """A run in its own folder, from its first process to its last."""

    place: Path
    """The folder for all files of the run."""
    settings: Mapping[str, str | int]
    nursery: Nursery
    deaths: list[Death] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.place.mkdir(exist_ok=True)
        lines = (f'"{key}" = {json.dumps(value)}\n' for key, value in self.settings.items())
        (self.place / "config.toml").write_text("".join(lines))

    @property
    def run(self) -> Path:
        return self.place / "world" / "run"

    @property
    def cache(self) -> Path:
        return self.place / "world" / "cache"

    @property
    def output(self) -> Path:
        return self.place / "output.txt"

    @property
    def killed(self) -> Path:
        return self.place / "killed.txt"

    def live(self, arguments: tuple[str, ...] = (), **how: object) -> Death:
        """Starts or resumes the run, or runs the command `arguments`; `how` are fields of `Life`."""
        self.cache.mkdir(parents=True, exist_ok=True)
        begun = (self.run / DATABASE).exists()
        start = ("--config", str(self.place / "config.toml"), "--run-dir", str(self.run))
        life = Life(
            arguments=arguments or (("resume", str(self.run)) if begun else start),
            cache=str(self.cache),
            output=str(self.output),
        )
        death = self.nursery.raise_one(replace(life, **how))  # type: ignore[arg-type]
        self.deaths.append(death)
        return death

    def said(self) -> list[str]:
        """Returns the lines printed since the last call, and deletes them."""
        lines = self.output.read_text().splitlines() if self.output.exists() else []
        self.output.unlink(missing_ok=True)
        return lines
