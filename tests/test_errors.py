"""The lines in which errors and advice are told."""

import shlex

import pytest

from fdd.errors import command_line


@pytest.mark.parametrize(
    "folder", ["my run", "it's", 'a "b" [c] (d)', "$HOME & co; ls", "*", "\\", "plain/run"]
)
def test_a_shell_reads_back_every_path_of_a_command_line(folder: str) -> None:
    assert shlex.split(command_line("resume", folder)) == ["python", "main.py", "resume", folder]
