"""The pages of a run as a browser gets them: what is on them, what is refused, what is escaped."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import quote

import pytest
from starlette.testclient import TestClient

from fdd.domain import Band, Operator, Reason
from fdd.graph.build import build_run
from fdd.reporting.site.app import HEADERS, PAGES, build_app
from fdd.reporting.site.site import Site
from fdd.rundir.lock import held
from fdd.storage.folder import DATABASE, open_store
from fdd.storage.store import Store
from tests.reporting.site.made_up import (
    HOSTILE,
    attempt,
    call,
    client,
    evaluation,
    hostile_records,
    make_run,
    probe,
    problem,
    rationale,
    span,
    transcript,
)
from tests.storage.samples import ROUND

HOLD = """
import sys, duckdb
connection = duckdb.connect(sys.argv[1])
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture(scope="module")
def site(finished: Path) -> Iterator[TestClient]:
    with client(finished) as site:
        yield site


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    folder = tmp_path_factory.mktemp("hostile")
    make_run(folder, *hostile_records())
    with client(folder) as site:
        yield site


class Page(HTMLParser):
    """What a browser would find in a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def found(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def shown(site: TestClient, path: str) -> Page:
    answer = site.get(path)
    assert answer.status_code == 200, answer.text
    return Page(answer.text)


def linked(site: TestClient, path: str, beginning: str) -> list[str]:
    """Where the page leads to, below an address."""
    addresses = [link.get("href") or "" for link in shown(site, path).found("a")]
    return [address for address in addresses if address.startswith(beginning)]


def questions(site: TestClient, path: str) -> list[str]:
    return [" ".join(text.split()) for text in re.findall(r"<bdi>(Q[^<]*)</bdi>", site.get(path).text)]


def test_every_page_of_a_run_can_be_followed_from_the_first(site: TestClient) -> None:
    """And none of them is broken, nor asks anything of another server."""
    seen, todo = set[str](), ["/"]
    while todo:
        path = todo.pop()
        seen.add(path)
        page = shown(site, path)
        assert len(page.found("h1")) == len(page.found("main")) == 1
        addresses = [a.get(name) for _, a in page.tags for name in ("href", "src", "action") if a.get(name)]
        assert [each for each in addresses if not re.match(r"/(?!/)|#|\?", each or "")] == []
        kinds = {re.sub(r"[pc]-[0-9a-f]{16}", "*", each.partition("?")[0]) for each in seen}
        links = [link.partition("#")[0] for link in linked(site, path, "/") if not link.startswith("/static")]
        todo = [*todo, *(link for link in links if link not in (*seen, *todo))][: 60 - len(seen)]
    assert kinds == set(PAGES) - {"/live", "/problems/{name}", "/calls/{name}"} | {"/problems/*", "/calls/*"}


@pytest.mark.parametrize(
    "path", ["/", "/live", "/nowhere", "/static/style.css", "/static/nothing.css", "/trace?page=0"]
)
def test_every_answer_says_what_a_browser_may_do_with_it(site: TestClient, path: str) -> None:
    headers = site.get(path).headers
    assert {name: headers[name] for name in HEADERS} == HEADERS
    assert "'unsafe" not in headers["content-security-policy"]
    assert "script-src 'self';" in headers["content-security-policy"]


def test_the_graph_on_the_page_is_the_graph_that_runs(site: TestClient) -> None:
    graph = build_run().compile().get_graph()
    page = shown(site, "/")
    nodes = {a["data-node"] for _, a in page.tags if a.get("data-node")}
    arrows = {(a["data-from"], a["data-to"]) for _, a in page.tags if a.get("data-from")}
    assert nodes == set(graph.nodes)
    assert arrows == {(edge.source, edge.target) for edge in graph.edges}
    labels = [str(edge.data) for edge in graph.edges if edge.conditional]
    assert sorted(labels) == sorted(re.findall(r'class="when"[^>]*>(\w+)<', site.get("/").text))


def test_the_first_page_tells_what_the_report_tells(finished: Path, site: TestClient) -> None:
    text = " ".join(shown(site, "/").text.split())
    summary = open_store(finished).summary()
    [first, second] = summary["rounds"]
    assert "✓ finished 2 students trained in" in text
    assert "solves 0.0 % of the 6 in-domain problems" in text
    assert f"{second['problems']} +{second['added']} {second['quarantined']}" in text
    assert f"{first['easy']} · {first['mixed']} · {first['hard']}" in text
    assert "No agent of this run has asked a model: it cost nothing." in text


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:8765", "10.0.0.1", ""]
)
def test_a_foreign_host_is_refused(site: TestClient, host: str) -> None:
    answer = site.get("/", headers={"host": host})
    assert answer.status_code == 400
    assert "<main" not in answer.text


@pytest.mark.parametrize("host", ["127.0.0.1:1234", "localhost", "LOCALHOST:80", "[::1]:9"])
def test_the_names_of_this_machine_are_taken(site: TestClient, host: str) -> None:
    assert site.get("/live", headers={"host": host}).status_code == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_nothing_but_reading_is_possible(site: TestClient, method: str) -> None:
    assert {site.request(method, path.format(name="x")).status_code for path in PAGES} == {405}


@pytest.mark.parametrize(
    ("path", "status", "message"),
    [
        ("/nowhere", 404, "Not found"),
        ("/problems/p-0", 404, "This run has no problem p-0."),
        ("/problems/..%2f..%2fetc%2fpasswd", 404, "Not Found"),
        ("/static/../app.py", 404, "Not Found"),
        ("/calls/c-0", 404, "This run has no call c-0."),
        ("/evaluations?name=none", 404, "This run has no evaluation set none."),
        ("/problems?round=x", 400, "round cannot be 'x'"),
        ("/problems?page=0", 400, "page cannot be '0'"),
        ("/problems?sort=answer%3Bdrop", 400, "sort cannot be 'answer;drop'"),
        ("/problems?round=99999999999999999999", 400, "round cannot be"),
        ("/trace?seconds=nan", 400, "seconds cannot be 'nan'"),
        ("/trace?kind=shell", 400, "kind cannot be 'shell'"),
        ("/evaluations?show=none", 400, "show cannot be 'none'"),
    ],
)  # fmt: skip
def test_what_cannot_be_shown_is_explained(site: TestClient, path: str, status: int, message: str) -> None:
    answer = site.get(path)
    assert answer.status_code == status
    assert message in Page(answer.text).text


def test_problems_are_found_by_words_id_and_filters(tmp_path: Path) -> None:
    parent = problem("Q Anna has 3 apples and 2 pears.", template="7")
    child = problem(
        "Q Anna has 13 APPLES.", split="generated", parent=parent.id, operator=Operator.SIMILAR, round=1
    )
    other = problem("Q Bob has 100 % of the pears_.", split="dev", answer=9)
    make_run(
        tmp_path,
        *(parent, child, other),
        *(probe(parent, Band.HARD, 0.25), probe(child, Band.EASY, 0.75)),
        *(rationale(parent, "r-1", Reason.ACCEPTED), rationale(child, "r-2", Reason.WRONG_ANSWER)),
    )
    with client(tmp_path) as site:

        def found(query: str) -> set[str]:
            return set(questions(site, f"/problems?{query}"))

        first, second, third = (each.question for each in (parent, child, other))
        assert found("") == {first, second, third}
        assert found("q=apples+anna") == {first, second}
        assert found("q=100+%25") == found("q=pears_") == {third}
        assert found(f"q={parent.id[:6]}") == {first}
        assert found("split=dev") == found("q=bob&split=dev") == {third}
        assert found("round=1") == found("operator=similar") == found("band=easy") == {second}
        assert found("reason=accepted") == found("template=7") == {first}
        assert found("q=anna&split=dev") == set()
        assert questions(site, "/problems?sort=rate&order=down")[:2] == [second, first]
        assert questions(site, "/problems?sort=length")[0] == second


def test_a_long_list_comes_in_pages_that_keep_the_filter(tmp_path: Path) -> None:
    make_run(tmp_path, *(problem(f"Q number {number:03}") for number in range(120)))
    with client(tmp_path) as site:
        pages = [questions(site, f"/problems?q=number&sort=id&page={page}") for page in (1, 2, 3)]
        assert [len(page) for page in pages] == [50, 50, 20]
        assert len({question for page in pages for question in page}) == 120
        links = {a.get("rel"): a["href"] for a in shown(site, "/problems?q=number&page=2").found("a")}
        assert links["next"] == "?q=number&page=3"
        assert links["prev"] == "?q=number"
        assert "120 problems found" in " ".join(shown(site, "/problems?page=9").text.split())


def test_flipped_items_are_those_right_in_one_round_only(tmp_path: Path) -> None:
    marks = {
        "Q gained": (False, True),
        "Q lost": (True, False),
        "Q right": (True, True),
        "Q wrong": (False, False),
    }
    items = {text: problem(text, split="dev") for text in marks}
    attempts = [
        attempt(items[text], round, right=right)
        for text, both in marks.items()
        for round, right in zip((-1, 0), both, strict=True)
    ]
    make_run(tmp_path, *items.values(), *attempts, evaluation(-1, 2), evaluation(0, 2))
    with client(tmp_path) as site:
        shown_by = {
            show: set(questions(site, f"/evaluations?show={show}"))
            for show in ("all", "flipped", "gained", "lost")
        }
        text = " ".join(shown(site, "/evaluations").text.split())
    assert shown_by["all"] == set(marks)
    assert shown_by["flipped"] == {"Q gained", "Q lost"}
    assert (shown_by["gained"], shown_by["lost"]) == ({"Q gained"}, {"Q lost"})
    assert "From untaught to round 0, of 4 items 1 gained and 1 lost." in text


def test_items_that_a_student_is_still_asked_are_neither_right_nor_lost(tmp_path: Path) -> None:
    items = [problem(text, split="dev") for text in ("Q first", "Q second")]
    answered = [attempt(each, -1, right=True) for each in items]
    pending = replace(attempt(items[0], 0, right=False), value=None)
    make_run(tmp_path, *items, *answered, pending, evaluation(-1, 2), policy="fallback", thoughts="pot,cot")
    with client(tmp_path) as site:
        text = " ".join(shown(site, "/evaluations?before=-1&after=0").text.split())
    assert "of 2 items 0 gained and 0 lost." in text


def test_the_headline_is_about_the_student_that_is_delivered(tmp_path: Path) -> None:
    students = [replace(ROUND, round=round, student=f"students/round-{round}") for round in (0, 1)]
    make_run(tmp_path, *students, evaluation(-1, 0), evaluation(0, 3), evaluation(1, 2))
    with client(tmp_path) as site:
        text = " ".join(shown(site, "/").text.split())
    assert "After 1 round of teaching, tiny solves 75.0 % of the 4 dev problems" in text


def test_the_page_says_how_many_problems_the_untaught_student_was_asked(tmp_path: Path) -> None:
    make_run(tmp_path, replace(ROUND, round=0), evaluation(-1, 0, n=2), evaluation(0, 3))
    with client(tmp_path) as site:
        text = " ".join(shown(site, "/").text.split())
    assert "solves 75.0 % of the 4 dev problems; untaught it solved 0.0 % of 2." in text
    assert "dev 2 → 4 problems 0.0 % → 75.0 %" in text


def test_what_a_student_only_planned_stands_beside_its_answer(tmp_path: Path) -> None:
    item = problem("Q what", split="dev")
    answer = attempt(item, 0, right=True, text="answer = 2")
    plan = replace(
        answer, id="a-plan", purpose="plan", text="What is asked?", reason=Reason.NO_ANSWER, value=None
    )
    make_run(tmp_path, item, answer, plan, evaluation(0, 1))
    with client(tmp_path) as site:
        text = site.get(f"/problems/{item.id}").text
    assert "<h3>dev, pot</h3>" in text
    assert "<h3>plan, pot</h3>" in text


def test_two_students_stand_side_by_side_with_what_differs_marked(tmp_path: Path) -> None:
    item = problem("Q what", split="dev")
    attempts = [
        attempt(item, -1, right=False, text="x = 3\nanswer = x"),
        attempt(item, 0, right=True, text="x = 2\nanswer = x"),
    ]
    make_run(tmp_path, item, *attempts, evaluation(-1, 0), evaluation(0, 1))
    with client(tmp_path) as site:
        text = site.get(f"/problems/{item.id}").text
        same = site.get(f"/problems/{item.id}?before=0&after=0").text
    assert "x = <del>3</del>\nanswer = x" in text
    assert "x = <ins>2</ins>\nanswer = x" in text
    assert text.index("<del>") < text.index("<ins>")
    assert "<ins>" not in same
    assert "<del>" not in same


def test_a_problem_leads_to_its_parent_its_children_and_the_call_that_wrote_it(
    site: TestClient, finished: Path
) -> None:
    child = open_store(finished).problems(splits=["generated"])[0]
    assert f"/problems/{child.parent}" in linked(site, f"/problems/{child.id}", "/problems/p-")
    assert f"/problems/{child.id}" in linked(site, f"/problems/{child.parent}", "/problems/p-")
    assert f"/calls/{child.call_id}" in linked(site, f"/problems/{child.id}", "/calls/")
    written = shown(site, f"/calls/{child.call_id}").text
    assert child.question in written
    assert "Given" in written


def test_a_transcript_shows_the_messages_the_reply_and_the_verdict(tmp_path: Path) -> None:
    seed = problem("Q one and one?")
    verdict = rationale(seed, "r-1", Reason.WRONG_ANSWER, value=None, detail="it says 3", call_id="c-1")
    make_run(
        tmp_path, seed, call("c-1", seed), transcript("c-1", "Explain: one and one?", "answer = 3"), verdict
    )
    with client(tmp_path) as site:
        text = " ".join(shown(site, "/calls/c-1").text.split())
    for part in ("You teach.", "Explain: one and one?", "answer = 3", "✗ wrong answer", "it says 3"):
        assert part in text
    for part in ("1 000 asked, 20 answered", "$0.5000", "0.2 s, begun 2026-01-02 03:04:05", "openai:some"):
        assert part in text


def test_steps_are_found_by_phase_status_problem_and_duration(tmp_path: Path) -> None:
    seed, other = problem("Q seed"), problem("Q other")
    spans = [span(1, seed), span(2, other, status="refused"), span(3, seed, phase="probe", kind="program")]
    make_run(tmp_path, seed, other, *spans)
    with client(tmp_path) as site:

        def total(query: str) -> str:
            found = re.search(r"<b>(\d+)</b> step", site.get(f"/trace?{query}").text)
            return found[1] if found else ""

        assert total("kind=agent") == total("phase=teach") == total(f"problem={seed.id}") == "2"
        assert total("status=refused") == total("phase=probe") == total("seconds=1.2&kind=program") == "1"
        assert total("agent=nobody") == total("round=9") == "0"


def test_hostile_texts_are_only_texts(hostile: TestClient) -> None:
    """On every page, and on every page that these lead to."""
    paths = ["/", "/live", "/problems", "/problems?page=2", "/trace", "/evaluations", "/evaluations?name=dev"]
    paths += [f"/evaluations?name={quote(text)}" for text in HOSTILE if len(text) < 200]
    paths += linked(hostile, "/problems", "/problems/p-") + [
        f"/calls/c-{number}" for number in range(len(HOSTILE))
    ]
    assert len(paths) > 30
    for path in paths:
        answer = hostile.get(path)
        assert answer.status_code == 200, path
        page = Page(answer.text)
        assert {script.get("src") for script in page.found("script")} <= {"/static/script.js"}
        assert page.found("img") == page.found("textarea") == []
        assert [name for _, attributes in page.tags for name in attributes if name.startswith("on")] == []
        links = [attributes.get("href") or "" for attributes in page.found("a")]
        assert [link for link in links if not re.match(r"[/?#]", link)] == []
        assert re.findall(r"[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e\u2066-\u2069\u200f]", answer.text) == []
        assert len(answer.text) < 400_000


def test_characters_that_nobody_would_see_are_named(hostile: TestClient) -> None:
    text = shown(hostile, "/problems?q=turned").text
    assert "⟨U+202E⟩turned⟨U+202C⟩" in text


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
@pytest.mark.parametrize(
    "path",
    [
        "/problems?q=",
        "/problems?template=",
        "/trace?agent=",
        "/trace?problem=",
        "/evaluations?name=",
        "/problems/",
        "/calls/",
    ],
)
def test_hostile_questions_are_answered_or_refused(hostile: TestClient, path: str, text: str) -> None:
    answer = hostile.get(path + quote(text, safe=""))
    assert answer.status_code in (200, 400, 404)
    page = Page(answer.text)
    assert len(page.found("script")) == 1
    assert [name for _, attributes in page.tags for name in attributes if name.startswith("on")] == []


def test_a_page_waits_for_a_writer_and_then_asks_to_try_again(tmp_path: Path) -> None:
    path = make_run(tmp_path, problem("Q seed")).path
    app = build_app(Site(tmp_path, Store.open(path, patience=0.1)))
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with holder, TestClient(app, base_url="http://localhost") as site:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        answer = site.get("/problems")
        assert answer.status_code == 503
        assert answer.headers["retry-after"] == "1"
        assert '<meta http-equiv="refresh" content="1">' in answer.text
        holder.communicate("")
        assert site.get("/problems").status_code == 200


def test_the_run_page_stays_while_the_run_writes(tmp_path: Path) -> None:
    path = make_run(tmp_path, problem("Q seed")).path
    with TestClient(
        build_app(Site(tmp_path, Store.open(path, patience=0.1))), base_url="http://localhost"
    ) as site:
        assert site.get("/").status_code == 200
        command = [sys.executable, "-c", HOLD, str(path)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
            assert holder.stdout is not None
            holder.stdout.readline()
            path.touch()
            assert site.get("/").status_code == 200
            holder.communicate("")


def test_a_damaged_database_is_named(tmp_path: Path) -> None:
    make_run(tmp_path, problem("Q seed"))
    with client(tmp_path) as site:
        file = tmp_path / DATABASE
        file.write_bytes(b"\0" * file.stat().st_size)
        answer = site.get("/problems")
    assert answer.status_code == 500
    assert "fdd.duckdb" in answer.text


def test_a_run_at_work_is_told_from_one_that_was_left(tmp_path: Path) -> None:
    store = make_run(tmp_path, problem("Q seed"))
    store.log(round=0, phase="teach", kind="started")
    with client(tmp_path) as site:
        text = " ".join(shown(site, "/").text.split())
        assert (
            f"‖ interrupted in round 0, while teaching; go on with python main.py resume {tmp_path}" in text
        )
        assert "‖ teach interrupted" in text
        with held(tmp_path):
            text = " ".join(shown(site, "/").text.split())
        assert "▶ running round 0 of 1: teaching" in text
        assert "▶ teach at work" in text
