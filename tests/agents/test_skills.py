"""Problems of one skill compute in the same way, whatever they tell."""

from fractions import Fraction

from fdd.agents.skills import OTHER, signature, skills_of
from fdd.agents.symbolic.derivation import Derivation
from fdd.agents.symbolic.reading.parse import derive
from fdd.domain import Problem


def problem(question: str, solution: str, answer: int, template: str = "") -> Problem:
    return Problem(
        id=question,
        question=question,
        answer=Fraction(answer),
        solution=solution,
        source="test",
        template=template,
    )


def trade(bought: int, sold: int) -> Problem:
    left = bought - sold
    question = (
        f"Ann bought {bought} apples and sold {sold} of them. She eats half of the rest. How many are left?"
    )
    return problem(
        question, f"{bought}-{sold}={left} apples are not sold. {left}/2={left // 2} are left.", left // 2
    )


def shared(packs: int, size: int, friends: int) -> Problem:
    question = f"Bob has {packs} packs of {size} cards. {friends} friends share them. How many has each?"
    cards = packs * size
    return problem(
        question, f"{packs}*{size}={cards} cards. {cards}/{friends}={cards // friends}.", cards // friends
    )


def test_a_template_is_a_skill() -> None:
    problems = [problem("One?", "", 1, "7"), problem("Two?", "", 2, "7"), problem("Three?", "", 3, "8")]
    assert skills_of(problems, "template") == ["7", "7", "8"]


def test_the_signature_shows_how_steps_feed_each_other_and_no_numbers() -> None:
    for each in (shared(3, 20, 4), shared(5, 18, 9)):
        derivation = derive(each.question, each.solution, each.answer)
        assert isinstance(derivation, Derivation)
        assert signature(derivation) == "n*n; 1/n"


def test_the_order_of_factors_does_not_matter() -> None:
    given = shared(3, 20, 4)
    turned = given.solution.replace("3*20", "20*3")
    derivation = derive(given.question, turned, given.answer)
    assert isinstance(derivation, Derivation)
    assert signature(derivation) == "n*n; 1/n"


def test_rare_signatures_are_grouped_by_their_number_of_steps() -> None:
    common = [shared(packs, 20, 4) for packs in range(3, 8)]
    rare = trade(30, 14)
    unreadable = problem("What now?", "Nobody knows.", 5)
    found = skills_of([*common, rare, unreadable], "derivation")
    assert found == ["n*n; 1/n"] * 5 + ["2 steps", OTHER]


def test_problems_without_a_template_go_by_their_derivation() -> None:
    assert skills_of([trade(30, 14)], "template") == ["2 steps"]
