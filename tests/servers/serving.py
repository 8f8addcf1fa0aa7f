"""A real server that is not ours: `transformers serve`, with a model from a folder."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.servers.children import running

CHAT_TEMPLATE = "chat_template.jinja"
PLAIN_TEMPLATE = "{% for message in messages %}{{ message.content }}\n{% endfor %}"
"""For a model without a chat template, such as the tiny student."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ServedModel:
    """A running server."""

    url: str
    """What an OpenAI client takes as its base URL."""
    model: str
    """What an OpenAI client takes as the model's name."""


@contextlib.contextmanager
def serving(model: Path, folder: Path) -> Iterator[ServedModel]:
    """Serves the model on the CPU without a network; `folder` receives the server's output."""
    served = model if (model / CHAT_TEMPLATE).is_file() else _with_chat_template(model, folder / "model")
    arguments = ["serve", str(served), "--host", "127.0.0.1", "--port", "0", "--device", "cpu"]
    with running(
        "transformers.cli.transformers",
        arguments,
        output=folder / "serving.output",
        seconds=180,
        environment={"HF_HUB_OFFLINE": "1", "OMP_WAIT_POLICY": "PASSIVE"},
    ) as url:
        yield ServedModel(url=f"{url}/v1", model=str(served))


def _with_chat_template(model: Path, copy: Path) -> Path:
    """Makes a folder with links to the model's files and the template."""
    copy.mkdir()
    for file in model.iterdir():
        (copy / file.name).symlink_to(file.resolve())
    (copy / CHAT_TEMPLATE).write_text(PLAIN_TEMPLATE)
    return copy
