"""The fuzzer starts: a stand-in that tries one text replaces atheris, which only `make fuzz` installs."""

from pathlib import Path

import pytest

from tests.fuzz.__main__ import run_target

ATHERIS = """
import contextlib
import sys

CHECKS = []


def instrument_imports(include):
    return contextlib.nullcontext()


def Setup(arguments, check):
    CHECKS.append(check)


def Fuzz():
    CHECKS[0](b"x + 4 = 9\\nsolve for x")
    print("stat::number_of_executed_units: 1", file=sys.stderr)
"""


def test_a_target_starts_tries_texts_and_counts_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "atheris.py").write_text(ATHERIS)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    findings = tmp_path / "findings"
    findings.mkdir()
    assert run_target("equation", tmp_path, 1, findings) == 1
    assert list(findings.iterdir()) == []
