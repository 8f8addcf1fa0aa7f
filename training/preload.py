"""What every child of `run_in_child` needs; imported by the process that they are forked from, before it forks."""

import os

from training.child import QUIET

os.environ.update(QUIET)

import training.fine_tune
import training.generate  # noqa: F401
