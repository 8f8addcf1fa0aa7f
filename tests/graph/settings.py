"""Settings for runs that take only seconds."""

from __future__ import annotations

from collections.abc import Mapping

from fdd.settings import Settings, load_settings

SMALL: Mapping[str, str | int] = {
    "rounds": 1,
    "student": "tiny",
    "device": "cpu",
    "problems.limit": 8,
    "problems.test_size": 2,
    "problems.held_out_size": 1,
    "problems.dev_size": 2,
    "generate.max_new_tokens": 8,
}
"""Of the smallest run, which does nothing in some phases."""


def tiny_settings(allocation: str = "each") -> Settings:
    """Returns settings for a run that takes seconds and still passes through every phase."""
    given = {
        "rounds": "1",
        "student": "tiny",
        "thoughts": "pot,cot",
        "policy": "fallback",
        "self_samples": "1",
        "self_samples_where": "everywhere",
        "problems.limit": "16",
        "problems.test_size": "6",
        "problems.held_out_size": "3",
        "problems.dev_size": "3",
        "problems.harder_size": "3",
        "allocation": allocation,
        "probe_children": "true",
        "fine_tune.epochs": "1",
        "fine_tune.checkpoint_seconds": "0.001",  # after each step, so that killed runs go on from one
        "generate.max_new_tokens": "12",
        "generate.batch_size": "4",
        "device": "cpu",
    }
    return load_settings(given, environment={})


def model_settings(url: str, **more: object) -> Settings:
    """Returns settings for a round of feedback with 16 seeds; the model at this URL has every role."""
    given = {
        "rounds": 1,
        "student": "tiny",
        "allocation": "each",
        "teacher": "openai:teaching",
        "teacher_url": url,
        "problems.limit": 16,
        "problems.test_size": 2,
        "problems.held_out_size": 2,
        "problems.dev_size": 2,
        "generate.max_new_tokens": 8,
        "calls.seconds": 2,
        "device": "cpu",
    }
    return load_settings({**given, **more}, environment={})
