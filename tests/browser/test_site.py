"""The pages of a run in a real browser, as people use them."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from fdd.domain import PHASES
from fdd.errors import StoreError
from fdd.rundir.lock import held
from fdd.storage.folder import DATABASE, open_store
from fdd.storage.life import select_life
from fdd.storage.store import Store
from tests.browser.serving import serving

ROOT = Path(__file__).parent.parent.parent
SMALL = ["--limit", "12", "--test-size", "6", "--held-out-size", "4", "--dev-size", "4"]
PATHS = ("/", "/problems", "/evaluations", "/trace")
PHONE = {"width": 390, "height": 844}
SOON = 20_000.0
"""Milliseconds within which a page shows what the run does, on a busy machine; how fast it is, is measured by
benchmarks/looking_speed.py."""
PATIENCE = 120_000.0
"""Milliseconds that a run may take to its end."""


def test_the_run_is_understood_at_a_glance(page: Page) -> None:
    page.goto("/")
    expect(page.get_by_role("heading", level=1)).to_have_text("How the student learns")
    expect(page.locator("#live")).to_contain_text("✓ finished")
    expect(
        page.get_by_role("img", name=re.compile("Accuracy on in-domain by round: untaught"))
    ).to_be_visible()
    expect(page.locator(".node.done")).to_have_count(len(PHASES))


def test_problems_are_filtered_and_searched(page: Page, run: Path) -> None:
    children = open_store(run).problems(splits=["generated"])
    page.goto("/problems")
    page.get_by_label("Set").select_option("generated")
    page.get_by_role("button", name="Show").click()
    expect(page.get_by_role("status").first).to_have_text(re.compile(rf"{len(children)} problems? found"))
    assert page.url.endswith("/problems?split=generated&sort=round&order=up")
    page.get_by_label("Words of the question").fill(children[0].question[:60])
    page.keyboard.press("Enter")
    expect(page.locator("table.rows")).to_contain_text(children[0].id)


def test_a_lineage_is_followed_to_the_seed_and_back(page: Page, run: Path) -> None:
    child = open_store(run).problems(splits=["generated"])[0]
    page.goto(f"/problems/{child.id}")
    page.get_by_role("link", name=child.parent).click()
    expect(page.get_by_role("heading", level=1)).to_contain_text(child.parent or "")
    page.locator(".tree").get_by_role("link", name=child.id).click()
    expect(page.locator("blockquote")).to_have_text(child.question)


def test_a_transcript_is_read_from_the_rationale_that_came_of_it(page: Page, run: Path) -> None:
    store = open_store(run)
    rationale = next(each for each in store.rationales() if each.reason.accepted and each.call_id)
    life = store.read(select_life, rationale.problem_id)
    assert life is not None
    transcript = life.transcripts[rationale.call_id or ""]
    page.goto(f"/problems/{rationale.problem_id}")
    page.locator(f"#{rationale.id}").get_by_role("link", name="What was asked and answered").click()
    expect(page.locator(".message.answered pre")).to_have_text(transcript.reply or "")
    expect(page.locator(".message.asked pre").last).to_be_visible()
    page.get_by_text("First the instructions and examples").click()
    expect(page.locator(".message.other pre").first).to_be_visible()
    expect(page.get_by_text("✓ accepted")).to_be_visible()


def test_steps_lead_to_what_was_asked(page: Page) -> None:
    page.goto("/trace")
    page.get_by_label("Kind").select_option("call")
    page.get_by_role("button", name="Show").click()
    page.locator("table.trace tbody a").first.click()
    expect(page.get_by_role("heading", name="Asked", exact=True)).to_be_visible()


def test_two_students_are_compared_side_by_side(page: Page) -> None:
    page.goto("/evaluations?name=dev")
    page.locator("td.question a").first.click()
    expect(page.locator(".side")).to_have_count(2)
    page.get_by_role("combobox", name="Before").select_option("0")
    page.get_by_role("button", name="Compare").click()
    expect(page.locator(".side h4").first).to_contain_text("Round 0")


def test_everything_is_reached_by_keyboard(page: Page) -> None:
    page.goto("/")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()
    page.keyboard.press("Tab")
    focused = page.locator(":focus")
    assert focused.evaluate("e => getComputedStyle(e).outlineStyle") == "solid"
    page.keyboard.press("/")
    expect(page.get_by_label("Search problems")).to_be_focused()
    page.keyboard.type("how many")
    page.keyboard.press("Enter")
    page.wait_for_url("**/problems?q=how+many")
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.locator("td.question a:focus").count():
            break
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_contain_text("Problem")


def test_keys_turn_the_pages_of_a_list(page: Page) -> None:
    page.goto("/trace")
    page.keyboard.press("n")
    page.wait_for_url("**/trace?page=2")
    page.keyboard.press("p")
    page.wait_for_url(re.compile(r"/trace\?$"))


@pytest.mark.parametrize("path", PATHS)
def test_headings_are_in_order_and_fields_have_names(page: Page, path: str) -> None:
    page.goto(path)
    levels = page.eval_on_selector_all("h1, h2, h3, h4", "all => all.map(e => Number(e.tagName[1]))")
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    nameless = (
        "all => all.filter(e => e.type !== 'hidden' && !e.labels?.length && !e.textContent.trim()).length"
    )
    assert page.eval_on_selector_all("input, select, button", nameless) == 0


@pytest.mark.parametrize("path", PATHS)
def test_a_phone_needs_no_sideways_scrolling(page: Page, run: Path, path: str) -> None:
    page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    problem = open_store(run).problems(splits=["generated"])[0]
    for each in (path, f"/problems/{problem.id}", f"/calls/{problem.call_id}"):
        page.goto(each)
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_texts_stand_out_from_their_paper(page: Page, scheme: str) -> None:
    """At least 4.5 to 1, as WCAG 2.2 has it for plain text."""
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    page.goto("/problems")
    ratios = page.evaluate(CONTRASTS)
    assert len(ratios) > 20
    assert {text: ratio for text, ratio in ratios.items() if ratio < 4.5} == {}
    paper = page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
    assert (paper == "rgb(255, 255, 255)") == (scheme == "light")


CONTRASTS = """() => {
  const parts = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((c) => c / 255)
    .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const paper = (e) => {
    const colour = parts(getComputedStyle(e).backgroundColor);
    return colour.length === 3 || colour[3] > 0.9 || !e.parentElement ? colour : paper(e.parentElement);
  };
  const found = {};
  for (const e of document.querySelectorAll("body *")) {
    const text = [...e.childNodes].filter((n) => n.nodeType === 3).map((n) => n.data.trim()).join("");
    if (!text || !e.getClientRects().length) continue;
    const [ink, ground] = [light(parts(getComputedStyle(e).color)), light(paper(e))];
    found[text] = (Math.max(ink, ground) + 0.05) / (Math.min(ink, ground) + 0.05);
  }
  return found;
}"""


def test_the_pages_work_without_scripts(browser: Browser, url: str) -> None:
    with browser.new_context(base_url=url, java_script_enabled=False) as context:
        page = context.new_page()
        page.goto("/")
        page.get_by_role("link", name="Problems", exact=True).click()
        page.get_by_label("Set").select_option("dev")
        page.get_by_role("button", name="Show").click()
        page.locator("td.question a").first.click()
        expect(page.get_by_role("heading", level=1)).to_contain_text("Problem")


@pytest.fixture
def growing(tmp_path: Path, cache: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A tiny run in a process of its own, in `tmp_path / "run"`."""
    command = [sys.executable, "main.py", "--rounds", "1", "--student", "tiny", *SMALL]
    process = subprocess.Popen(
        [*command, "--run-dir", str(tmp_path / "run")],
        cwd=ROOT,
        env={**os.environ, "FDD_CACHE": str(cache)},
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )
    yield process
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def freeze(process: subprocess.Popen[bytes], folder: Path) -> None:
    """Stop the run as soon as it has begun, at a moment when it does not hold the database."""
    while True:
        assert process.poll() is None
        os.killpg(process.pid, signal.SIGSTOP)
        with suppress(StoreError):
            if has_stopped(process) and Store.open(folder / DATABASE, patience=0.1).events():
                return
        os.killpg(process.pid, signal.SIGCONT)
        time.sleep(0.1)


def has_stopped(process: subprocess.Popen[bytes]) -> bool:
    """Waits until it has stopped, or long enough: a process cannot stop while it waits for the start of a
    child, which was stopped too.
    """
    for _ in range(100):
        if os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT | os.WNOHANG):
            return True
        time.sleep(0.01)
    return False


def test_a_page_follows_a_run_of_another_process_to_its_end(
    browser: Browser, growing: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    freeze(growing, tmp_path / "run")
    with serving(tmp_path / "run", tmp_path) as url, browser.new_context(base_url=url) as context:
        page, other = context.new_page(), context.new_page()
        page.goto("/")
        other.goto("/problems")
        expect(page.locator("#live")).to_contain_text("▶ running")
        expect(page.locator("#accuracy svg circle")).to_have_count(0)
        page.keyboard.press("Tab")
        os.killpg(growing.pid, signal.SIGCONT)
        expect(page.locator("#live")).to_contain_text("✓ finished", timeout=PATIENCE)
        expect(page.locator("#accuracy svg circle")).not_to_have_count(0)
        expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
        expect(other.get_by_role("link", name="show what is new")).to_be_visible(timeout=SOON)
    assert growing.wait() == 0


def test_a_page_marks_the_phase_that_is_going_on(browser: Browser, run: Path, tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(run, folder, ignore=shutil.ignore_patterns("student*"))
    with serving(folder, tmp_path) as url, browser.new_context(base_url=url) as context:
        page = context.new_page()
        page.goto("/")
        for phase in ("fine_tune", "evaluate"):
            with held(folder):
                open_store(folder).log(round=1, phase=phase, kind="started")
                running = page.locator(f".node.running[data-node={phase}]")
                expect(running).to_have_attribute("aria-current", "step", timeout=SOON)
                expect(page.locator("#events li").first).to_contain_text("started", timeout=SOON)
