"""What every child of `run_in_child` needs; imported once, by the process that they are forked from.

Ctrl-C goes to that process as well, which ignores it, but only once it has imported this.
"""

import os
import signal

_handler = signal.signal(signal.SIGINT, signal.SIG_IGN)

from training.child import ENVIRONMENT  # noqa: E402

os.environ.update(ENVIRONMENT)

import torch  # noqa: E402

import training.check  # noqa: E402
import training.fine_tune  # noqa: E402, F401

# No process that is forked from this one could use the GPU.
assert not torch.cuda.is_initialized()  # type: ignore[no-untyped-call]

signal.signal(signal.SIGINT, _handler)
