"""The page of a run: it needs nothing else, it shows what is there, and nothing in it acts."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from fdd.domain import Reason
from fdd.errors import printable
from fdd.reporting.report import LONGEST_TEXT, PAGE, write_report
from fdd.storage.folder import DATABASE
from fdd.storage.records import DecisionRecord
from tests.reporting.runs import HOSTILE, add_evaluation, explained, full_run, new_run
from tests.storage.samples import RUN, problem

VOID = {"meta", "link", "img", "br"}
Attributes = list[tuple[str, str | None]]


class Reading(HTMLParser):
    """What a browser would make of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.open: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: Attributes) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: Attributes) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def all(self, name: str) -> list[str]:
        """Every value of an attribute."""
        return [value for _, attributes in self.tags if (value := attributes.get(name))]

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("runs") / "full"
    full_run(folder)
    assert write_report(folder) == folder / PAGE
    return (folder / PAGE).read_text("utf-8")


@pytest.fixture(scope="module")
def read(page: str) -> Reading:
    reading = Reading(page)
    assert reading.open == []
    return reading


def written(folder: Path) -> Reading:
    return Reading(write_report(folder).read_text("utf-8"))


def test_the_page_loads_nothing(page: str, read: Reading) -> None:
    assert not {"script", "link", "img", "iframe", "image", "object", "base"} & {tag for tag, _ in read.tags}
    assert read.all("src") == []
    assert all(link.startswith("#") for link in (*read.all("href"), *read.all("xlink:href")))
    assert set(re.findall(r"url\((.)", page)) <= {"#"}
    assert "@import" not in page
    assert any("default-src 'none'" in policy for policy in read.all("content"))


def test_what_is_pointed_at_is_there_once(page: str, read: Reading) -> None:
    names = read.all("id")
    assert len(names) == len(set(names))
    pointed = {link[1:] for link in (*read.all("href"), *read.all("xlink:href"))}
    pointed |= set(re.findall(r"url\(#([^)]+)\)", page))
    labels = {name for value in read.all("aria-labelledby") for name in value.split()}
    assert pointed | labels <= set(names)


def test_pictures_and_tables_can_be_read_without_seeing_them(read: Reading) -> None:
    tags = [tag for tag, _ in read.tags]
    pictures = [attributes for tag, attributes in read.tags if tag == "svg"]
    assert len(pictures) == 5
    assert all(each["role"] == "img" and each["aria-labelledby"] for each in pictures)
    assert tags.count("desc") == 5
    assert tags.count("table") == tags.count("caption") > 5
    assert {attributes.get("scope") for tag, attributes in read.tags if tag == "th"} == {"row", "col"}


def test_hostile_text_stays_text(page: str, read: Reading) -> None:
    for each in ("\u202e", "\u202c", "\u200f", "\x1b", "\0"):
        assert each in HOSTILE
        assert each not in page
    assert " ".join(printable(HOSTILE).split()) in read.text
    assert not any(name.startswith("on") for _, attributes in read.tags for name in attributes)


def test_every_verdict_has_an_example_with_its_lineage(read: Reading) -> None:
    for reason in Reason:
        assert f"{reason} : " in read.text or f"{reason}: " in read.text
    assert "7/3" in read.text
    assert ", seed, round 0" in read.text
    assert ", similar, round 1" in read.text


def test_numbers_come_with_n_interval_and_p(read: Reading) -> None:
    assert "0.0 % → 66.7 % 0.0–56.1 % → 20.8–93.9 %, n = 3 2 gained, 0 lost, p = 0.5" in read.text
    assert "the test sets decide nothing" in read.text
    assert "1 0 3 0 2 0.04 undone: it did harm none" in read.text
    assert "not adjusted for several" in read.text
    assert "0: teacher 1 1 300 120 0.5000" in read.text


def test_a_set_with_templates_says_so_with_an_interval_and_a_test(tmp_path: Path) -> None:
    store = new_run(tmp_path / "run", rounds=1)
    add_evaluation(store, -1, {"dev": [None] * 12}, templates=4)
    add_evaluation(store, 0, {"dev": [*range(100, 109), None, None, None]}, templates=4)
    text = written(tmp_path / "run").text
    assert "over 4 templates 0.0–49.0 % → over 4 templates 30.1–95.4 %" in text
    assert "9 gained, 0 lost, p = 0.0039" in text
    assert "by template = 0.12" in text
    assert "75.0 % (9 of 12; 46.8–91.1 %; over 4 templates 30.1–95.4 %)" in text


def test_what_was_kept_out_stands_beside_what_it_copies(read: Reading) -> None:
    assert "are not taught: 2 in all" in read.text
    assert "masked, round 1: repeats 100.0 % of a problem of dev" in read.text
    assert "Question 0 of dev: how many?" in read.text


def test_the_limits_are_those_of_this_run(read: Reading, tmp_path: Path) -> None:
    assert "The run is not finished" in read.text
    assert "A model wrote the new problems." in read.text
    store = new_run(tmp_path / "run", rounds=1)
    store.add([problem("Of a template?", split="dev", template="t")])
    for round in (-1, 0, 1):
        add_evaluation(store, round, {"dev": [100]})
    store.log(round=1, phase="report", kind="finished")
    finished = written(tmp_path / "run").text
    assert "not finished" not in finished
    assert "A model wrote" not in finished
    assert "dev: new numbers in templates that are taught" in finished
    assert "rest on one greedy answer" in finished


def test_a_run_that_has_just_begun_says_what_is_not_there_yet(tmp_path: Path) -> None:
    new_run(tmp_path / "run")
    text = written(tmp_path / "run").text
    for sentence in (
        "No student is delivered yet.",
        "No student has been evaluated yet.",
        "Nothing is taught yet",
        "Nothing has been probed yet.",
        "No decision is recorded.",
        "Nobody asked a language model",
        "No rationale has been written yet.",
        "No question was found to copy",
    ):
        assert sentence in text


def test_a_run_whose_every_round_did_harm_delivers_nobody(tmp_path: Path) -> None:
    store = new_run(tmp_path / "run", rounds=1)
    for round in (0, 1):
        add_evaluation(store, round, {"dev": [None]})
        store.add([DecisionRecord(round=round, against=-1, n=1, gained=0, lost=9, p=0.004, kept=False)])
    store.log(round=1, phase="report", kind="finished")
    assert "No student is delivered: on the dev set every round did harm" in written(tmp_path / "run").text


def test_long_texts_are_cut_and_the_cut_is_counted(tmp_path: Path) -> None:
    store = new_run(tmp_path / "run")
    seeds = [problem(f"{n}" + "x" * 9_999, n) for n in range(2 * len(Reason))]
    store.add(
        [
            *seeds,
            *(
                explained(each, reason, text="y" * 50_000)
                for each, reason in zip(seeds, 2 * list(Reason), strict=True)
            ),
        ]
    )
    page = write_report(tmp_path / "run")
    assert f"{10_000 - LONGEST_TEXT} characters more" in page.read_text("utf-8")
    assert page.stat().st_size < 1_000_000


def test_a_report_changes_nothing_and_leaves_no_draft(tmp_path: Path) -> None:
    full_run(tmp_path / "run")
    (tmp_path / "run" / PAGE).write_text("an older one")
    database = (tmp_path / "run" / DATABASE).read_bytes()
    write_report(tmp_path / "run")
    assert {each.name for each in (tmp_path / "run").iterdir()} == {DATABASE, PAGE}
    assert (tmp_path / "run" / DATABASE).read_bytes() == database


def test_the_run_itself_may_have_a_hostile_name(tmp_path: Path) -> None:
    store = new_run(tmp_path / "run", teacher="<b>&amp;</b>")
    assert "taught by <b>&amp;</b> on" in written(store.path.parent).text
    assert RUN.id in written(store.path.parent).text
