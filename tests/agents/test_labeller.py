"""How a model's names of skills, and its choices among them, are read."""

from dataclasses import replace

import pytest

from fdd.agents.labeller import MOST, Labeller
from fdd.agents.models.asker import Asker
from fdd.domain import Refusal
from tests.agents.models.test_client import REPLY, ScriptedModel, open_client
from tests.agents.models.virtual import run
from tests.agents.symbolic.parents import BREAD, BUSES


def labeller(reply: str) -> Labeller:
    model = ScriptedModel([replace(REPLY, text=reply)])
    return Labeller(Asker(open_client(model), temperature=0.0, max_tokens=100))


@pytest.mark.parametrize(
    ("reply", "names"),
    [
        ("<skills>\na sum\na ratio\n</skills>", ("a sum", "a ratio")),
        (
            "Here:\n<skills>\n1. a sum\n2) a ratio\n- a sum\n\n* percentages\n</skills>",
            ("a sum", "a ratio", "percentages"),
        ),
        (
            f"<skills>{''.join(f'{n} parts{chr(10)}' for n in range(99))}</skills>",
            tuple(f"{n} parts" for n in range(MOST)),
        ),
    ],
)
def test_skills_are_named_one_a_line_with_or_without_bullets(reply: str, names: tuple[str, ...]) -> None:
    assert run(labeller(reply).name_skills([BREAD, BUSES])).content == names


def test_a_reply_that_names_nothing_is_a_refusal() -> None:
    answer = run(labeller("<skills>\n\n</skills>").name_skills([BREAD]))
    assert isinstance(answer.content, Refusal)
    assert answer.content.detail == "the model named no skill"


def test_a_chosen_skill_is_one_of_those_named_whatever_its_case() -> None:
    assert run(labeller("<skill>A Ratio</skill>").choose(BREAD, ["a sum", "a ratio"])).content == "a ratio"


def test_another_name_is_a_refusal() -> None:
    answer = run(labeller("<skill>geometry</skill>").choose(BREAD, ["a sum", "a ratio"]))
    assert isinstance(answer.content, Refusal)
    assert answer.content.detail == "'geometry' is none of the skills"
