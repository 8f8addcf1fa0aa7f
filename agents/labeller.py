"""A model that names the skills of a problem set, then chooses the one that each problem exercises."""

from __future__ import annotations

import re
from collections.abc import Sequence

from fdd.agents.models.asker import Asker
from fdd.agents.models.prompting import Conversation, prompt
from fdd.agents.models.request import Answer
from fdd.domain import Problem, Reason, Refusal

SHOWN = 40
"""Problems that the model sees when it names the skills."""
MOST = 12
"""Most skills. With more of them, a round's probes say too little of each."""
_BULLET = re.compile(r"^(?:[-*•]|\d+[.)])\s+")


class Labeller:
    """Asks one model; its calls are counted as those of the agent `labeller`."""

    def __init__(self, asker: Asker) -> None:
        self._asker = asker

    async def name_skills(self, problems: Sequence[Problem]) -> Answer[tuple[str, ...] | Refusal]:
        """Returns the names of 1 to `MOST` skills, from the questions of these problems."""
        shown = "\n\n".join(problem.question for problem in problems)
        sent = prompt("taxonomy").conversation({"question": shown}, {})
        reply = await self._asker.ask(sent, agent="labeller", parts=("skills",))
        if isinstance(reply.content, Refusal):
            return Answer(content=reply.content, calls=reply.calls)
        lines = (_BULLET.sub("", line.strip()) for line in reply.content["skills"].splitlines())
        names = tuple(dict.fromkeys(filter(None, lines)))[:MOST]
        empty = Refusal(reason=Reason.MALFORMED, detail="the model named no skill")
        return Answer(content=names or empty, calls=reply.calls)

    async def choose(self, problem: Problem, skills: Sequence[str]) -> Answer[str | Refusal]:
        """Returns one of the skills."""
        sent = conversation(problem, skills)
        reply = await self._asker.ask(sent, agent="labeller", parts=("skill",))
        if isinstance(reply.content, Refusal):
            return Answer(content=reply.content, calls=reply.calls)
        chosen = reply.content["skill"].strip().casefold()
        unknown = Refusal(reason=Reason.MALFORMED, detail=f"{chosen[:40]!r} is none of the skills")
        known = next((name for name in skills if name.casefold() == chosen), unknown)
        return Answer(content=known, calls=reply.calls)


def conversation(problem: Problem, skills: Sequence[str]) -> Conversation:
    """What a model is sent to choose a skill."""
    return prompt("label").conversation({"question": problem.question, "skills": "\n".join(skills)}, {})
