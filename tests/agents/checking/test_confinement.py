"""The layers round the sandbox, each proven by trying from inside what it forbids."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import pytest

from fdd import IMPORT_ROOT
from fdd.agents.checking import confinement
from fdd.agents.checking.confinement import Layer
from fdd.agents.checking.diagnosis import FORBIDS, Action, active_layers, refused, refused_to_workers
from fdd.agents.checking.sandbox import LimitedSandbox
from fdd.errors import WorkerError
from tests.hostile.watch import SECRET, children, watching

AS_NOBODY = """
import os, sys
from pathlib import Path
from fdd.agents.checking.confinement import Layer
from fdd.agents.checking.diagnosis import try_actions

os.setgid(65534)
os.setuid(65534)
try_actions(Path(sys.argv[1]), int(sys.argv[2]), [Layer(sys.argv[3])])
"""
WITHOUT_LANDLOCK = """
import sys
from fdd.agents.checking import confinement

confinement.CREATE_RULESET = 100_000
print(*confinement.confine(256, sys.path), sep=",")
"""
IS_CONFINED = """
from fdd.agents.checking.sandbox import LimitedSandbox

with LimitedSandbox(workers=1) as sandbox:
    print(sandbox.confined, sandbox.run_program("answer = 42").value)
"""
CONFINE = (
    "import sys; from fdd.agents.checking.confinement import confine; print(*confine(256, sys.path), sep=',')"
)


@cache
def offered() -> frozenset[Layer]:
    """What the kernel of this machine takes."""
    return frozenset(map(Layer, in_child(CONFINE).split(",")))


def in_child(source: str, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", source, *arguments],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(IMPORT_ROOT)},
    )
    return done.stdout.strip()


def test_without_a_layer_nothing_is_refused() -> None:
    assert refused([]) == frozenset()


@pytest.mark.parametrize("layer", Layer)
def test_each_layer_alone_refuses_what_it_is_there_for(layer: Layer) -> None:
    if layer not in offered():
        pytest.skip(f"this kernel offers no {layer}")
    assert FORBIDS[layer] in refused([layer])


def test_together_they_refuse_everything() -> None:
    if offered() != frozenset(Layer):
        pytest.skip("this kernel does not offer every layer")
    assert refused(Layer) == frozenset(Action)


def test_the_layers_called_active_are_those_that_the_kernel_took() -> None:
    assert frozenset(active_layers()) == offered()


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become nobody")
@pytest.mark.parametrize("layer", Layer)
def test_each_layer_holds_for_a_user_without_privileges(layer: Layer) -> None:
    with watching() as watch:
        watch.folder.chmod(0o777)
        found = in_child(AS_NOBODY, str(watch.folder), watch.places["port"], layer)
    assert FORBIDS[layer] in found.splitlines()


def test_a_layer_that_the_kernel_does_not_know_is_left_out() -> None:
    assert frozenset(map(Layer, in_child(WITHOUT_LANDLOCK).split(","))) == offered() - {Layer.LANDLOCK}


def test_where_confined_workers_do_not_start_others_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with LimitedSandbox(workers=1) as sandbox:
        assert not sandbox.confined
        assert sandbox.run_program("answer = 42").value == 42


def test_a_diagnosis_that_does_not_start_is_no_proof(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(WorkerError, match="cannot be tried"):
        refused(Layer)


def test_what_workers_are_refused_is_tried_in_a_process_that_is_started_as_they_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if offered() == frozenset(Layer):
        assert refused_to_workers() == frozenset(Action)
    monkeypatch.setattr(confinement, "__file__", "/nowhere")
    assert refused_to_workers() == frozenset()


@pytest.mark.skipif(os.getuid() != 0, reason="only root can mount a folder")
def test_workers_are_confined_where_nothing_may_be_executed_in_the_temporary_folder(tmp_path: Path) -> None:
    mounted = ["sh", "-c", 'mount -t tmpfs -o noexec tmpfs "$TMPDIR" && exec "$@"', "sh"]
    done = subprocess.run(
        ["unshare", "--mount", *mounted, sys.executable, "-c", IS_CONFINED],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(IMPORT_ROOT), "TMPDIR": str(tmp_path)},
    )
    if "unshare" in done.stderr or "mount:" in done.stderr:
        pytest.skip("this machine lets nobody mount a folder")
    assert done.stdout == "True 42\n", done.stderr


def test_the_worker_of_the_interpreter_runs_behind_every_layer() -> None:
    others = children(os.getpid())
    with LimitedSandbox(workers=1) as sandbox:
        sandbox.run_program("answer = 42")
        assert sandbox.confined
        (worker,) = children(os.getpid()) - others
        assert layers_of(worker) == offered()


def test_a_worker_has_no_capabilities_even_where_root_started_it() -> None:
    others = children(os.getpid())
    with LimitedSandbox(workers=1) as sandbox:
        sandbox.run_program("answer = 42")
        (worker,) = children(os.getpid()) - others
        assert "CapEff:\t0000000000000000" in Path(f"/proc/{worker}/status").read_text()


def test_a_worker_that_replaces_a_killed_one_is_confined_as_well() -> None:
    others = children(os.getpid())
    with LimitedSandbox(workers=1) as sandbox:
        (first,) = children(os.getpid()) - others
        os.kill(first, signal.SIGKILL)
        assert sandbox.run_program("answer = 42").value == 42
        (second,) = children(os.getpid()) - others - {first}
        assert layers_of(second) == offered()


def test_workers_inherit_no_secret_and_no_open_folder() -> None:
    others = children(os.getpid())
    with watching() as watch, inheritable(watch.folder), LimitedSandbox(workers=1) as sandbox:
        sandbox.run_program("answer = 42")
        for worker in children(os.getpid()) - others:
            environment = Path(f"/proc/{worker}/environ").read_bytes()
            opened = [str(link.readlink()) for link in Path(f"/proc/{worker}/fd").iterdir()]
            assert SECRET.encode() not in environment
            assert str(watch.folder) not in opened


@contextmanager
def inheritable(folder: Path) -> Iterator[None]:
    """A folder kept open in a way that careless children inherit."""
    handle = os.open(folder, os.O_RDONLY)
    os.set_inheritable(handle, True)
    yield
    os.close(handle)


def layers_of(process: int) -> frozenset[Layer]:
    """What the kernel says of a living process; of Landlock it tells only the vow that goes with it."""
    status = Path(f"/proc/{process}/status").read_text()
    networks = [Path(f"/proc/{each}/ns/net").readlink() for each in ("self", process)]
    found = {
        Layer.LIMITS: resource.prlimit(process, resource.RLIMIT_FSIZE) == (0, 0),
        Layer.NAMESPACE: networks[0] != networks[1],
        Layer.LANDLOCK: "NoNewPrivs:\t1" in status and Layer.LANDLOCK in offered(),
        Layer.SECCOMP: "Seccomp:\t2" in status,
    }
    return frozenset(layer for layer, active in found.items() if active)


def test_the_launcher_confines_whatever_program_it_is_given(tmp_path: Path) -> None:
    if Layer.LANDLOCK not in offered():
        pytest.skip("this kernel offers no landlock")
    (tmp_path / "secret").write_text("secret")
    launch = [sys.executable, "-I", "-S", confinement.__file__, "256", ""]
    read = subprocess.run([*launch, "/bin/cat", tmp_path / "secret"], capture_output=True)
    subprocess.run([*launch, "/bin/sh", "-c", f"echo 42 > {tmp_path}/written"])
    assert (read.returncode, read.stdout) == (1, b"")
    assert not (tmp_path / "written").exists()
