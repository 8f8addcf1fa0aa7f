"""What every child of `run_in_child` needs; imported once, by the process that they are forked from."""

import os

from training.child import ENVIRONMENT

os.environ.update(ENVIRONMENT)

import training.fine_tune
import training.generate  # noqa: F401
