"""What every child is forked from."""

import subprocess
import sys
from pathlib import Path

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
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run([sys.executable, "-c", INTERRUPTED], cwd=root, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
