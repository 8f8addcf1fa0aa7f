"""Tests that the notebooks run from first to last cell and give the outputs that were committed.

`python -m tests.notebooks` runs them again and saves their outputs.
"""
