"""Runs made of several processes that end at chosen points: settings, folders, start and resume."""

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
from tests.crash.fork_server import EXIT, LAUNCH
from tests.crash.process import Exit, Launch
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
SKILLS: Mapping[str, str | int] = {
    **SYMBOLIC,
    "recipe": "skills",
    "overgenerate": 2,
    "select": "gain",
    "thoughts": "pot",
    "policy": "single",
    "self_samples": 0,
    "problems.harder_size": 2,
}
"""Settings of such a run that divides its budget over skills, and leaves out half of what is written."""

DISTILLED: Mapping[str, str | int] = {
    **SYMBOLIC,
    "thoughts": "pot",
    "policy": "single",
    "self_samples": 0,
    "refine.method": "distill",
    "refine.teacher": "tiny",
    "refine.batch_size": 2,
}
"""Settings of such a run with a second training in each round."""


def model(url: str) -> Mapping[str, str | int]:
    """Returns such settings with the model at this URL as teacher, synthesizer and judge."""
    asked = {"teacher": "openai:teaching", "teacher_url": url, "thoughts": "pot", "policy": "single"}
    return {**SYMBOLIC, **asked, "problems.limit": 6, "self_samples": 0, "calls.seconds": 2}


class ForkServer:
    """Client of the fork server, from which the processes of runs are forked."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    @property
    def pid(self) -> int:
        return self._process.pid

    def wait(self) -> None:
        """Waits until the process is ready."""
        self._read()

    def fork(self, launch: Launch) -> Exit:
        assert self._process.stdin is not None
        self._process.stdin.write(LAUNCH.dump_json(launch).decode() + "\n")
        self._process.stdin.flush()
        return EXIT.validate_json(self._read())

    def _read(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the fork server ended with {self._process.wait()}")
        return line


@contextlib.contextmanager
def fork_server() -> Iterator[ForkServer]:
    command = [sys.executable, "-m", "tests.crash.fork_server"]
    environment = {**os.environ, "LANGGRAPH_STRICT_MSGPACK": "true", "HF_HUB_OFFLINE": "1"}
    with subprocess.Popen(
        command, cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            yield ForkServer(process)
        finally:
            process.kill()


@dataclass(frozen=True)
class CrashRun:
    """A run in its own folder, from its first process to its last."""

    place: Path
    """The folder for all files of the run."""
    settings: Mapping[str, str | int]
    forks: ForkServer
    exits: list[Exit] = field(default_factory=list)

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

    def start(self, arguments: tuple[str, ...] = (), **how: object) -> Exit:
        """Starts or resumes the run, or runs the command `arguments`; `how` are fields of `Launch`."""
        self.cache.mkdir(parents=True, exist_ok=True)
        begun = (self.run / DATABASE).exists()
        start = ("--config", str(self.place / "config.toml"), "--run-dir", str(self.run))
        launch = Launch(
            arguments=arguments or (("resume", str(self.run)) if begun else start),
            cache=str(self.cache),
            output=str(self.output),
        )
        ended = self.forks.fork(replace(launch, **how))  # type: ignore[arg-type]
        self.exits.append(ended)
        return ended

    def printed(self) -> list[str]:
        """Returns the lines printed since the last call, and deletes them."""
        lines = self.output.read_text().splitlines() if self.output.exists() else []
        self.output.unlink(missing_ok=True)
        return lines
