"""Teachers write rationales: from a worked solution without a model, or by asking a language model."""

from __future__ import annotations

from fractions import Fraction
from functools import cache
from typing import Protocol

from fdd.agents.models.asker import Asker
from fdd.agents.models.prompting import Conversation, Turn, examples, prompt
from fdd.agents.models.request import Answer
from fdd.agents.symbolic.derivation import Derivation
from fdd.agents.symbolic.numbers import write_plain
from fdd.agents.symbolic.reading.parse import derive
from fdd.agents.synthesizer import Attempt
from fdd.agents.thoughts import thought as find_thought
from fdd.domain import Problem, Reason, Refusal, Verdict, content_hash

# Has currency, a percentage, parentheses and divisions: a change in how they are written changes the hash.
SPECIMEN_QUESTION = (
    "A shop sold 48 kites in May and half as many in June, each for $1,200. It gave 25% of the money away "
    "and shared the rest among 3 owners. How much did each owner get?"
)
SPECIMEN_SOLUTION = (
    "It sold 48 / 2 = <<48/2=24>>24 kites in June.\n"
    "That is (48 + 24) x $1,200 = $<<(48+24)*1200=86400>>86,400.\n"
    "It gave 86400 * .25 = $<<86400*.25=21600>>21600 away.\n"
    "Each owner got (86400 - 21600) / 3 = $<<(86400-21600)/3=21600>>21600."
)
SPECIMEN_ANSWER = Fraction(21600)

Written = Answer[str | Refusal]
"""A rationale, or the reason why there is none."""


class Teacher(Protocol):
    """An agent that explains problems whose answer is known."""

    @property
    def name(self) -> str:
        """The teacher's name in settings and tables."""
        ...

    async def explain(self, problem: Problem, thought: str) -> Written:
        """Write a rationale for the problem in the named thought."""
        ...

    async def repair(self, problem: Problem, thought: str, rationale: str, verdict: Verdict) -> Written:
        """Write a rationale in place of one that was rejected with this verdict."""
        ...

    def prompt_hash(self, thought: str) -> str:
        """Hash of what the teacher is asked for a thought, apart from the problem."""
        ...


class Solver(Teacher, Protocol):
    """A teacher that also solves problems whose answer is uncertain."""

    async def solve(self, problem: Problem, thought: str, sample: int) -> Written:
        """Solve the problem from its question alone; each `sample` number gives an independent solution."""
        ...

    async def repair(
        self, problem: Problem, thought: str, rationale: str, verdict: Verdict, sample: int = 0
    ) -> Written:
        """Like `Teacher.repair`; different samples get independent repairs, also of equal rationales."""
        ...


class SymbolicTeacher:
    """Parses the worked solution into a derivation and writes it in any thought; needs no model.

    Refuses a problem without a worked solution that it can parse.
    """

    name = "symbolic"

    async def explain(self, problem: Problem, thought: str) -> Written:
        return Answer(content=_render(derive(problem.question, problem.solution, problem.answer), thought))

    async def repair(self, problem: Problem, thought: str, rationale: str, verdict: Verdict) -> Written:
        """Parse the worked solution again and correct its slips; rationale and verdict are not used."""
        del rationale, verdict
        derivation = derive(problem.question, problem.solution, problem.answer, repair=True)
        return Answer(content=_render(derivation, thought))

    def prompt_hash(self, thought: str) -> str:
        """Hash of this teacher's rationale for the specimen problem, which changes with its wording."""
        specimen = _render(derive(SPECIMEN_QUESTION, SPECIMEN_SOLUTION, SPECIMEN_ANSWER), thought)
        assert isinstance(specimen, str), specimen
        return content_hash(self.name, thought, specimen)


def _render(derivation: Derivation | Refusal, thought: str) -> str | Refusal:
    return derivation if isinstance(derivation, Refusal) else find_thought(thought).render(derivation)


class ModelTeacher:
    """A language model that explains, repairs and solves."""

    def __init__(self, asker: Asker, *, agent: str = "teacher") -> None:
        """`agent` is the name under which its calls are counted."""
        self._asker = asker
        self._agent = agent

    @property
    def name(self) -> str:
        return self._asker.client.model.name

    async def explain(self, problem: Problem, thought: str) -> Written:
        return await self._write(conversation("explain", problem, thought))

    async def explain_attempt(self, problem: Problem, thought: str, attempt: Attempt) -> Written:
        """Write a rationale for a problem that the student has tried to solve."""
        shown = {"attempt": attempt.text, "verdict": attempt.verdict}
        return await self._write(conversation("explain_attempt", problem, thought, **shown))

    async def solve(self, problem: Problem, thought: str, sample: int) -> Written:
        return await self._write(conversation("solve", problem, thought), sample)

    async def repair(
        self, problem: Problem, thought: str, rationale: str, verdict: Verdict, sample: int = 0
    ) -> Written:
        failed = conversation("repair", problem, thought, rationale=rationale, verdict=finding(verdict))
        return await self._write(failed, sample)

    def prompt_hash(self, thought: str) -> str:
        hashes = (
            prompt(task).hash(_told(thought), _lessons(task, thought))
            for task in ("explain", "solve", "repair")
        )
        return content_hash(self.name, *hashes)

    async def _write(self, conversation: Conversation, sample: int = 0) -> Written:
        reply = await self._asker.ask(conversation, agent=self._agent, parts=("rationale",), sample=sample)
        content = reply.content if isinstance(reply.content, Refusal) else reply.content["rationale"]
        declined = Refusal(reason=Reason.DECLINED, detail="the model left its solution empty")
        return Answer(content=content or declined, calls=reply.calls)


def conversation(task: str, problem: Problem, thought: str, **more: str) -> Conversation:
    """What a model is sent to explain, solve or repair; only explaining shows the worked solution."""
    asked = {"question": problem.question, "solution": problem.solution, **more}
    return prompt(task).conversation(asked, _told(thought), _lessons(task, thought))


def finding(verdict: Verdict) -> str:
    """What a teacher is told about a rejected rationale; never the right answer."""
    # The detail of these verdicts contains the right answer.
    if verdict.reason in (Reason.WRONG_ANSWER, Reason.ROUNDED_REFERENCE):
        assert verdict.value is not None
        return f"It comes to {write_plain(verdict.value)}, which is not the right answer."
    return f"{str(verdict.reason).replace('_', ' ').capitalize()}: {verdict.detail}"


def _told(thought: str) -> dict[str, str]:
    return {"thought": thought, "instructions": find_thought(thought).prompt}


@cache
def _lessons(task: str, thought: str) -> tuple[Turn, ...]:
    """The project's own worked problems, rendered in this thought as example turns."""
    turns = []
    for row in examples("lessons")["lesson"]:
        derivation = derive(row["question"], row["solution"], Fraction(row["answer"]))
        assert isinstance(derivation, Derivation), derivation
        rationale = find_thought(thought).render(derivation)
        plain = "\n".join(step.text for step in derivation.steps)
        asked = {"question": row["question"], "solution": plain if task.startswith("explain") else ""}
        turns.append(Turn(asked, f"<rationale>\n{rationale}\n</rationale>"))
    return tuple(turns)
