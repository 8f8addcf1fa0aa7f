"""Feedback-driven distillation: a multi-agent teaching system for small language models.

The shared types are here. Each link leads to a folder at the top level of the repository, so that everything
has one import root, `fdd`, and can be installed beside any other package.
"""

from pathlib import Path

IMPORT_ROOT = Path(__file__).parent.parent
"""The folder on the import path: the repository, or `site-packages`."""
