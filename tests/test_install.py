"""An installed copy stands beside any other package: its only import root is `fdd`."""

from __future__ import annotations

import os
import shutil
import subprocess
import sysconfig
import venv
from pathlib import Path

import pytest

from tests.test_house import ROOT

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the tracked files, as building leaves files behind."""
    folder = tmp_path_factory.mktemp("checkout")
    tracked = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True)
    for name in filter(None, tracked.stdout.split("\0")):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, folder / name, follow_symlinks=False)
    return folder


@pytest.mark.parametrize("options", [(), ("-e",)], ids=["copied", "editable"])
def test_an_installed_copy_works_beside_another_package_called_agents(
    options: tuple[str, ...], checkout: Path, tmp_path: Path
) -> None:
    venv.create(tmp_path / "venv", with_pip=True)
    packages = next((tmp_path / "venv" / "lib").glob("python*")) / "site-packages"
    before = {path.name for path in packages.iterdir()}
    (packages / "agents").mkdir()
    (packages / "agents" / "__init__.py").write_text("OWNER = 'someone else'\n")
    # What it depends on comes from the tests' own environment: packages, and the program of the sandbox.
    path = f"{os.environ['PATH']}:{sysconfig.get_path('scripts')}"
    environment = os.environ | {"PYTHONPATH": sysconfig.get_path("purelib"), "PATH": path}

    def called(name: str, *rest: str) -> str:
        command = [str(tmp_path / "venv" / "bin" / name), *rest]
        ended = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=900
        )
        assert ended.returncode == 0, ended.stderr
        return ended.stdout

    offline = ("--no-deps", "--no-build-isolation", "--no-index")
    called("python", "-m", "pip", "install", "--quiet", *offline, *options, str(checkout))
    added = {path.name for path in packages.iterdir()} - before - {"agents"}

    assert "rounds" in called("fdd", "--help")
    assert called("python", "-c", "import fdd.agents, agents; print(agents.OWNER)").strip() == "someone else"
    called("fdd", "--rounds", "1", "--student", "tiny", "--limit", "12", "--run-dir", "run")
    assert called("fdd", "verify", "run")
    assert {name for name in added if name.isidentifier() and not name.startswith("__")} <= {"fdd"}
