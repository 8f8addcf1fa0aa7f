"""Fixtures: a real browser, and the pages of a finished run whose teacher was a language model."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from fdd.graph.run import start
from tests.browser.serving import serving
from tests.graph.settings import model_settings
from tests.graph.test_run import Recorder
from tests.servers.teaching import teaching


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """The system's Chromium, or the one that `playwright install chromium` downloads."""
    with sync_playwright() as playwright:
        found = shutil.which("chromium")
        expect.set_options(timeout=20_000)  # milliseconds; a busy machine must not fail a test
        browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    with teaching(folder, "--gsm-symbolic", "0", "--wrong", "0.2") as server:
        start(model_settings(server.url), folder / "taught", Recorder(), cache=cache)
    return folder / "taught"


@pytest.fixture(scope="session")
def url(run: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serving(run, tmp_path_factory.mktemp("output")) as url:
        yield url


@pytest.fixture
def page(browser: Browser, url: str) -> Iterator[Page]:
    """A page. The test fails if it logs to the console, raises an error or requests another server."""
    with browser.new_context(base_url=url, viewport={"width": 1280, "height": 900}) as context:
        page = context.new_page()
        complaints: list[str] = []
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda request: complaints.append(request.url) if url not in request.url else None)
        yield page
        assert complaints == []
