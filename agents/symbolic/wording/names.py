"""Gives the people of a problem other names of the same gender, the same in question and solution.

`Natalia sold clips ...` becomes, say, `Mary sold clips ...`. Names that are not in the lists below stay, and
so do parts of longer names, such as `St. Louis`.
"""

from __future__ import annotations

import random
import re

_WOMENS = (
    "Abigail Ada Alice Amanda Amelia Amy Andrea Angela Anna Anne Annie Bella Beth Betty Brenda Camila "
    "Carla Carmen Carol Caroline Cassie Catherine Celia Charlotte Chloe Christina Cindy Claire Clara "
    "Cynthia Daisy Dana Daniela Deborah Diana Donna Doris Dorothy Eleanor Elena Elizabeth Ella Ellen "
    "Emily Emma Erica Eva Evelyn Fiona Gabriela Gina Gloria Haley Hannah Heather Helen Helena Ingrid "
    "Irene Isabel Isabella Janet Janice Jasmine Jean Jenna Jennifer Jenny Jessica Jill Joan Joanna Judy "
    "Julia Julie Karen Kate Katherine Kathy Katie Kelly Kimberly Kristen Laura Lauren Leah Lena Lila "
    "Linda Lisa Lori Lucia Lucy Lydia Maggie Mandy Margaret Maria Marie Marilyn Martha Mary Megan Melanie "
    "Melissa Mia Michelle Miranda Molly Monica Nadia Nancy Naomi Natalia Natalie Nicole Nina Nora Olga "
    "Olivia Pamela Patricia Paula Priya Rachel Rebecca Rosa Rosie Ruth Sally Samantha Sandra Sara Sarah "
    "Sharon Sheila Shelly Sofia Sophia Sophie Stella Stephanie Susan Suzy Tanya Teresa Tina Valerie "
    "Vanessa Wendy Yolanda Zoe"
)
_MENS = (
    "Aaron Adam Ahmed Alan Albert Andrew Andy Anthony Antonio Arnold Arthur Ben Benjamin Bernard Bob "
    "Bobby Brad Brandon Brian Bruce Carl Carlos Charles Christopher Connor Craig Daniel Danny Dave David "
    "Dennis Derek Diego Donald Doug Dylan Edgar Edward Eli Elijah Eric Ethan Eugene Felix Fernando "
    "Francis Fred Gary George Gerald Gordon Greg Gregory Harry Hector Henry Howard Hugo Ian Isaac Ivan "
    "Jackson Jacob Jake James Jared Jason Jeff Jeffrey Jeremy Jerry Jim Jimmy Joe Joel John Johnny "
    "Jonathan Jose Joseph Joshua Juan Julian Justin Karl Keith Ken Kenneth Kevin Kyle Larry Leo Leonard "
    "Liam Louis Lucas Luis Luke Malcolm Marco Marcus Mario Martin Mateo Matt Matthew Michael Miguel Mike "
    "Mohamed Nathan Nathaniel Neil Nicholas Noah Oliver Oscar Owen Pablo Patrick Paul Pedro Peter Philip "
    "Ralph Raul Ray Raymond Richard Rick Ricky Robert Roger Ronald Ryan Samuel Sean Sebastian Simon "
    "Stanley Stephen Steve Steven Ted Thomas Tim Timothy Toby Todd Tom Tommy Tony Travis Tyler Victor "
    "Vincent Walter Wayne William Zachary"
)
_WOMEN, _MEN = _WOMENS.split(), _MENS.split()
_WOMEN_SET, _MEN_SET = frozenset(_WOMEN), frozenset(_MEN)
_KNOWN = _WOMEN_SET | _MEN_SET
_WORD = re.compile(r"[A-Z][a-z]+\b")


def rename(question: str, solution: str, rng: random.Random, avoid: str = "") -> tuple[str, str]:
    """Replace the first names of the lists in both texts; return the new question and solution.

    No new name occurs in `avoid`. Nothing changes where the question is about letters or the alphabet, since
    the letters of a name may matter there.
    """
    names = people(question)
    if not names or re.search(r"\bletters?\b|\binitial|alphabet", question):
        return question, solution
    taken = {word for text in (question, solution, avoid) for word in _WORD.findall(text)}
    new = {}
    for name in names:
        pool = [other for other in _pool(name) if other not in taken and not _alike(other, taken)]
        new[name] = rng.choice(pool)
        taken.add(new[name])
    pattern = re.compile(r"\b(?:" + "|".join(sorted(new, key=len, reverse=True)) + r")\b")
    return (
        pattern.sub(lambda match: new[match[0]], question),
        pattern.sub(lambda match: new[match[0]], solution),
    )


def people(question: str) -> list[str]:
    """Return the first names of the lists that name a person in the question, in order of appearance."""
    found = dict.fromkeys(word for word in _WORD.findall(question) if word in _KNOWN)
    return [name for name in found if not _is_part_of_a_longer_name(question, name)]


def gender(name: str) -> str | None:
    """Return `f`, `m`, or None for a name that is not in the lists."""
    return "f" if name in _WOMEN_SET else "m" if name in _MEN_SET else None


def other_name(question: str, rng: random.Random) -> str:
    """Return a random first name that is not in the question and looks unlike those that are."""
    taken = set(_WORD.findall(question))
    return rng.choice([name for name in (*_WOMEN, *_MEN) if name not in taken and not _alike(name, taken)])


def _pool(name: str) -> list[str]:
    return _WOMEN if name in _WOMEN_SET else _MEN


def _alike(name: str, taken: set[str]) -> bool:
    # Daniel and Daniela, or Nina and Tina, are easily confused.
    return any(name[:4] == other[:4] or name[-3:] == other[-3:] for other in taken if other in _KNOWN)


def _is_part_of_a_longer_name(question: str, name: str) -> bool:
    before = r"(?:[a-z,] [A-Z][a-z]+ |\b(?:St|Mr|Mrs|Ms|Dr)\. |[A-Za-z]-)"
    after = r"(?: [A-Z]|-[A-Za-z]|\.[a-z])"
    return re.search(rf"{before}{name}\b|\b{name}{after}", question) is not None
