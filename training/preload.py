"""Imports what every child of `run_in_child` needs, once, in the server process that they are forked from.

Ctrl-C reaches that process as well. Python makes it ignore the signal only after this import, so this module
ignores it until then.
"""

import gc
import os
import signal

_handler = signal.signal(signal.SIGINT, signal.SIG_IGN)

from fdd.training.worker import LIBRARY_VARIABLES  # noqa: E402

os.environ.update(LIBRARY_VARIABLES)

import torch  # noqa: E402
import transformers.models.llama.modeling_llama  # noqa: E402, F401
from transformers.conversion_mapping import get_checkpoint_conversion_mapping  # noqa: E402

import fdd.training.answers  # noqa: E402
import fdd.training.measure  # noqa: E402, F401

# Kept for the children: it compiles a thousand patterns, which takes longer than loading a small model.
get_checkpoint_conversion_mapping("llama")  # type: ignore[no-untyped-call]

# With a CUDA context here, no process forked from this one could use the GPU.
assert not torch.cuda.is_initialized()  # type: ignore[no-untyped-call]

# So that no child's garbage collector walks through all of this, which would copy the pages that it lies on.
gc.collect()
gc.freeze()

signal.signal(signal.SIGINT, _handler)
