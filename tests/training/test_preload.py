"""What every child is forked from."""

import subprocess
import sys
from pathlib import Path

from fdd.training.fetch import student_path
from tests.test_house import ROOT

INTERRUPTED = """
import os, signal, sys

class Interrupt:
    def find_spec(self, name, *rest):
        if name == "fdd.training.fine_tune":
            os.kill(os.getpid(), signal.SIGINT)

signal.signal(signal.SIGINT, signal.default_int_handler)  # shells start what runs beside them without one
sys.meta_path.insert(0, Interrupt())
import fdd.training.preload
assert "fdd.training.generate" in sys.modules
assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
"""


def test_ctrl_c_while_torch_is_imported_is_left_to_the_process_that_was_asked() -> None:
    done = subprocess.run([sys.executable, "-c", INTERRUPTED], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


ANSWERING = """
import sys
from pathlib import Path
import fdd.training.preload
from fdd.training.answers import perform
from fdd.training.tasks import GenerateTask, Request
from transformers import conversion_mapping

asked = Request(key="k", question="How much is 1 and 1?", cue="", shots=())
before = set(sys.modules)
assert conversion_mapping._checkpoint_conversion_mapping_cache
perform(GenerateTask(student=Path(sys.argv[1]), requests=(asked,), device="cpu"), lambda _: None)
print(sorted(set(sys.modules) - before))
"""


def test_a_child_that_answers_finds_everything_imported(cache: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", ANSWERING, str(student_path("tiny", cache))],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout) == (0, "[]\n"), done.stderr
