"""`gsm-symbolic`: endless instances of 85 templates modelled on GSM8K, from reasoning-gym."""

from __future__ import annotations

import random
import re
import warnings
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Sequence
from typing import Any

from fdd.amounts import parse_number
from fdd.domain import Problem, problem_id
from fdd.problems.contamination import GSM_SYMBOLIC

HELD_OUT_TEMPLATES = frozenset(
    {1, 10, 14, 19, 22, 24, 26, 27, 28, 43, 46, 48, 50, 52, 68, 69, 70, 71, 93, 95}
)
"""Never taught, whatever the seed: the 20 of the 85 whose content hash is smallest, so nobody picked them."""

TAUGHT_TEMPLATES = 65
"""Number of the other templates."""

_REQUEST = " Give the result as your final answer. Do not include units."
"""The end of every question from reasoning-gym. It is removed, since each format says how to answer."""
_CHUNK = 8_500
"""Instances prepared at a time: about 100 per template."""
_PATIENCE = 200
"""A template counts as exhausted once this many of its instances in a row were refused."""
_FLOAT_NOISE = re.compile(r"\d\.\d{5}")
"""Matches numbers that a template computed in floating point, such as `28.250000000000004 hours`."""


class GsmSymbolic:
    """A stream of instances for each template; the same seed gives the same streams."""

    def __init__(self, seed: int) -> None:
        self.removed: Counter[str] = Counter()
        """Number of instances skipped, by reason."""
        # reasoning-gym draws instance i of a data set with seed s from s + i, so that neighbouring seeds give
        # overlapping data sets. The start is therefore random, and each next data set starts _CHUNK later.
        self._next_seed = random.Random(f"{GSM_SYMBOLIC} {seed}").randrange(2**60)
        self._laid_out: dict[str, deque[tuple[Any, int]]] = defaultdict(deque)
        self._lay_out()
        self.templates = tuple(sorted(self._laid_out, key=int))

    @property
    def taught(self) -> tuple[str, ...]:
        return tuple(template for template in self.templates if int(template) not in HELD_OUT_TEMPLATES)

    @property
    def held_out(self) -> tuple[str, ...]:
        return tuple(template for template in self.templates if int(template) in HELD_OUT_TEMPLATES)

    def draw(
        self,
        templates: Sequence[str],
        size: int,
        *,
        refuse: Callable[[Problem], str | None],
        chance: random.Random,
    ) -> list[Problem]:
        """Draws `size` instances, as evenly from the templates as possible; fewer if all are exhausted.

        `refuse` returns the reason to skip an instance, or None to take it.
        """
        drawn: list[Problem] = []
        # In random order, so that an incomplete last turn favours no template.
        turn = deque(chance.sample(templates, len(templates)))
        while turn and len(drawn) < size:
            template = turn.popleft()
            if problem := self._accepted(template, refuse):
                drawn.append(problem)
                turn.append(template)
        return drawn

    def _accepted(self, template: str, refuse: Callable[[Problem], str | None]) -> Problem | None:
        for _ in range(_PATIENCE):
            problem = self._instance(template)
            reason = "malformed" if problem is None else refuse(problem)
            if reason is None:
                return problem
            self.removed[reason] += 1
        return None

    def _instance(self, template: str) -> Problem | None:
        """Returns the template's next instance; None if it is malformed."""
        while not self._laid_out[template]:
            self._lay_out()
        dataset, index = self._laid_out[template].popleft()
        item = dataset[index]
        question = item["question"].removesuffix(_REQUEST).strip()
        answer = parse_number(item["answer"])
        if answer is None or _FLOAT_NOISE.search(question) or _FLOAT_NOISE.search(item["answer"]):
            return None
        solution, _, _ = item["metadata"]["answer_cot"].rpartition("####")
        return Problem(
            id=problem_id(question, answer),
            question=question,
            answer=answer,
            solution=solution.strip(),
            source=GSM_SYMBOLIC,
            template=template,
        )

    def _lay_out(self) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SyntaxWarning)  # raised while a dependency of it is compiled
            import reasoning_gym

        dataset = reasoning_gym.create_dataset("gsm_symbolic", seed=self._next_seed, size=_CHUNK)
        self._next_seed += _CHUNK
        for index, template in enumerate(dataset.task_indices):
            self._laid_out[str(template)].append((dataset, index))
