"""The teaching server over real HTTP: right by default, and wrong when its options say so."""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import httpx
import openai
import pytest

from fdd.agents.models.replies import read_parts
from fdd.agents.thoughts import known
from fdd.agents.verifier import Verifier
from fdd.domain import Reason
from fdd.problems.config import ProblemSettings
from fdd.problems.split import prepare
from tests.agents.symbolic.parents import AGES, BEADS, PARENTS, TANK
from tests.servers.completions import Entry
from tests.servers.manner import Act
from tests.servers.talking import KEY, content, post, request_body
from tests.servers.teaching import TeachingServer, teaching

NEW = ("problem", "solution", "answer")
EXPLAIN = request_body(BEADS.question, "explain", "pot")


@pytest.fixture(scope="module")
def mistaken(
    tmp_path_factory: pytest.TempPathFactory, knowledge: tuple[str, str]
) -> Iterator[TeachingServer]:
    """A server that is always wrong, and keeps its problems in the file `state.jsonl` beside its log."""
    folder = tmp_path_factory.mktemp("mistaken")
    with teaching(folder, *knowledge, "--wrong", "1", "--state", str(folder / "state.jsonl")) as server:
        yield server


def parts(response: httpx.Response, *names: str) -> list[str]:
    found = read_parts(content(response), names)
    assert found is not None, content(response)
    return [found[name] for name in names]


def last_entry(server: TeachingServer) -> Entry:
    return server.log()[-1]


@pytest.mark.parametrize("task", ["explain", "explain_attempt", "solve", "repair"])
@pytest.mark.parametrize("thought", known())
def test_a_rationale_is_right(faultless: TeachingServer, verifier: Verifier, task: str, thought: str) -> None:
    for problem in PARENTS:
        (rationale,) = parts(post(faultless, request_body(problem.question, task, thought)), "rationale")
        assert verifier.judge(thought, rationale, problem.answer).accepted


@pytest.mark.parametrize("thought", known())
def test_a_wrong_rationale_is_wrong_and_right_on_the_page(
    mistaken: TeachingServer, verifier: Verifier, thought: str
) -> None:
    for problem in PARENTS:
        (rationale,) = parts(post(mistaken, request_body(problem.question, "solve", thought)), "rationale")
        verdict = verifier.judge(thought, rationale, problem.answer)
        assert verdict.reason is Reason.WRONG_ANSWER
        assert verdict.value is not None
        assert verifier.judge(thought, rationale, verdict.value).accepted
        assert last_entry(mistaken).wrong


def test_samples_and_formats_are_wrong_independently(tmp_path: Path, knowledge: tuple[str, str]) -> None:
    with teaching(tmp_path, *knowledge, "--wrong", "0.3") as server:
        for sample in range(60):
            post(server, request_body(BEADS.question, "solve", "pot", sample))
            post(server, request_body(BEADS.question, "solve", "eot", sample))
        log = server.log()
    wrong = {name: {e.sample for e in log if e.thought == name and e.wrong} for name in ("pot", "eot")}
    assert all(8 <= len(samples) <= 28 for samples in wrong.values())
    assert len(wrong["pot"] & wrong["eot"]) <= 12


def test_what_was_not_meant_to_be_wrong_is_not_marked_so(faultless: TeachingServer) -> None:
    post(faultless, EXPLAIN)
    assert not last_entry(faultless).wrong


@pytest.mark.parametrize("task", ["similar", "harder"])
def test_a_problem_that_it_wrote_is_known_to_it(
    faultless: TeachingServer, verifier: Verifier, task: str
) -> None:
    question, _, answer = parts(post(faultless, request_body(BEADS.question, task)), *NEW)
    (rationale,) = parts(post(faultless, request_body(question, "solve", "pot")), "rationale")
    assert verifier.judge("pot", rationale, Fraction(answer)).accepted


def test_another_sample_is_another_problem(faultless: TeachingServer) -> None:
    bodies = [request_body(BEADS.question, "similar", sample=sample) for sample in range(5)]
    assert len({content(post(faultless, body)) for body in bodies}) == 5


def test_a_new_problem_that_is_wrong_has_a_wrong_answer_and_is_remembered_with_the_right_one(
    mistaken: TeachingServer, tmp_path: Path, verifier: Verifier
) -> None:
    question, _, proposed = parts(post(mistaken, request_body(TANK.question, "similar")), *NEW)
    assert last_entry(mistaken).wrong
    with teaching(tmp_path, "--state", str(mistaken.log_file.with_name("state.jsonl"))) as restarted:
        (rationale,) = parts(post(restarted, request_body(question, "solve", "pot")), "rationale")
    assert verifier.judge("pot", rationale, Fraction(proposed)).reason is Reason.WRONG_ANSWER


def test_it_learns_a_problem_that_it_does_not_know_from_the_worked_solution(
    faultless: TeachingServer, verifier: Verifier
) -> None:
    body = request_body(
        "Ann has 3 pens and buys 9. How many now?", "explain", "pot", worked="3 + 9 = 12 pens"
    )
    (rationale,) = parts(post(faultless, body), "rationale")
    assert verifier.judge("pot", rationale, Fraction(12)).accepted


@pytest.mark.parametrize(("task", "thought"), [("solve", "cot"), ("harder", "")])
def test_it_declines_a_problem_that_it_does_not_know(
    faultless: TeachingServer, task: str, thought: str
) -> None:
    assert "I cannot" in content(post(faultless, request_body("How many?", task, thought)))
    assert last_entry(faultless).done is Act.DECLINED


def test_it_knows_what_a_run_draws_from_gsm_symbolic(tmp_path: Path, verifier: Verifier) -> None:
    seeds = prepare(ProblemSettings(limit=8, seed=5)).seeds
    with teaching(tmp_path, "--gsm-symbolic", "5") as server:
        for problem in seeds:
            (rationale,) = parts(post(server, request_body(problem.question, "solve", "pot")), "rationale")
            assert rationale == "" or verifier.judge("pot", rationale, problem.answer).accepted
        assert sum(entry.done is Act.ANSWERED for entry in server.log()) >= 6


def test_the_same_body_gets_the_same_reply(tmp_path: Path, knowledge: tuple[str, str]) -> None:
    options = (*knowledge, "--wrong", "0.5", "--fault", "malformed=0.3", "--fault", "truncated=0.3")
    bodies = [request_body(BEADS.question, "solve", "cot", sample) for sample in range(20)]
    bodies += [request_body(TANK.question, "harder", sample=sample) for sample in range(5)]
    replies = []
    for _ in range(2):
        with teaching(tmp_path, *options) as server:
            replies += [[post(server, body).content for body in 2 * bodies]]
    assert replies[0] == replies[1]
    assert replies[0][:25] == replies[0][25:]


def test_an_openai_client_finds_what_it_looks_for(faultless: TeachingServer) -> None:
    with openai.OpenAI(base_url=faultless.url, api_key=KEY, max_retries=0) as client:
        (model,) = client.models.list().data
        system = {"role": "system", "content": "Task: explain\nFormat: pot"}
        user = {"role": "user", "content": f"<problem>\n{AGES.question}\n</problem>"}
        completion = client.chat.completions.create(model=model.id, messages=[system, user], seed=1)  # type: ignore[list-item]
    assert completion.choices[0].finish_reason == "stop"
    assert completion.usage is not None
    assert completion.usage.prompt_tokens == (len(system["content"]) + len(user["content"])) // 4
    assert completion.usage.completion_tokens == len(completion.choices[0].message.content or "") // 4
