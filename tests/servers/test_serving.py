"""Processes of servers, and `transformers serve` as a teacher that is not ours."""

from pathlib import Path

import httpx
import openai
import pytest
from openai.types.chat import ChatCompletion

from fdd.training.fetch import student_path
from tests.servers.children import running
from tests.servers.serving import ServedModel, serving
from tests.servers.teaching import teaching


def ask(served: ServedModel) -> ChatCompletion:
    with openai.OpenAI(base_url=served.url, api_key="none", max_retries=0) as client:
        return client.chat.completions.create(
            model=served.model,
            messages=[{"role": "user", "content": "What is 2 + 2? Answer in a few words."}],
            max_tokens=24,
            temperature=0,
            seed=1,
        )


def test_a_server_ends_with_its_block(tmp_path: Path) -> None:
    with teaching(tmp_path) as server:
        assert httpx.get(f"{server.url}/models").status_code == 200
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{server.url}/models")


def test_a_server_ends_when_its_block_raises(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), teaching(tmp_path) as server:
        raise ZeroDivisionError
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{server.url}/models")


def test_a_server_that_does_not_start_is_quoted(tmp_path: Path) -> None:
    server = running("tests.servers.teaching", ["--loud"], output=tmp_path / "output", seconds=30)
    with pytest.raises(RuntimeError, match=r"(?s)ended with 2; it wrote:.*required: --log"), server:
        pass


@pytest.mark.slow
def test_transformers_serves_the_tiny_student(tmp_path: Path, cache: Path) -> None:
    with serving(student_path("tiny", cache), tmp_path) as served:
        completion = ask(served)
    assert completion.choices[0].finish_reason == "length"
    assert completion.usage is not None
    assert completion.usage.completion_tokens == 24
