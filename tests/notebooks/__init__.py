"""The notebooks run from their first cell to their last, and what they show is what they were committed with.

`python -m tests.notebooks` runs them again and keeps what they show.
"""
