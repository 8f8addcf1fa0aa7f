"""Splits problems into the seeds, dev set and test sets of a run, and removes copies across these sets."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

from fdd.domain import Problem
from fdd.errors import ProblemSetError
from fdd.matching import exact_form
from fdd.problems.config import DEV_SIZE, ProblemSettings
from fdd.problems.contamination import DEV, GSM_SYMBOLIC, HELD_OUT, IN_DOMAIN, Decontaminator, Leak
from fdd.problems.gsm8k import GSM8K, load_gsm8k
from fdd.problems.gsm_symbolic import GsmSymbolic
from fdd.problems.jsonl import read_jsonl

Refuse = Callable[[Problem], str | None]
"""Returns the reason to leave a problem out, or None to take it."""

Sets = dict[str, list[Problem]]

NAMES = (GSM_SYMBOLIC, GSM8K)
_LARGEST_SHARE = 4
"""A test or dev set that is split off a file gets at most one problem in four."""
_USUAL_DEV_SHARE = 10
"""A dev set that is split off a file gets one in ten of the problems outside the test set, ..."""
_LEAST_DEV = 50
"""... but at least 50, which detect it if a student with an accuracy of 40 % loses half of that."""


@dataclass(frozen=True, slots=True)
class ProblemSets:
    """The problems of a run by their role."""

    seeds: Sequence[Problem]
    dev: Sequence[Problem]
    tests: Mapping[str, Sequence[Problem]]
    """Test sets by name, `in-domain` first."""
    unasked: Mapping[str, Sequence[Problem]]
    """The other problems of the test sets' sources, by name. This run neither asks nor teaches them."""
    removed: Mapping[str, int]
    """Number of problems left out, by reason: `duplicate`, `malformed`, or a `Match` such as `exact:dev`."""
    leaks: Sequence[Leak]
    """The left-out problems that copy a problem of an evaluation set."""

    @property
    def evaluation_sets(self) -> dict[str, Sequence[Problem]]:
        """The dev and test sets that this run asks, by name."""
        return {DEV: self.dev, **self.tests}


def prepare(settings: ProblemSettings) -> ProblemSets:
    """Builds the problem sets that the settings describe; the same settings give the same sets.

    Raises ProblemSetError if a set cannot be read or is empty, or if the test set that the user named
    overlaps the seeds.
    """
    _check_sizes(settings)
    if settings.name == GSM_SYMBOLIC and settings.limit is None:
        raise ProblemSetError(f"`{GSM_SYMBOLIC}` has no end; say how many problems to take with a limit")
    if settings.test == settings.name and settings.name in NAMES:
        raise ProblemSetError(f"`{settings.name}` comes with its own test set; leave the test set out")
    return _from_templates(settings) if settings.name == GSM_SYMBOLIC else _from_collection(settings)


def test_sets(name: str, *, limit: int | None, seed: int) -> Mapping[str, Sequence[Problem]]:
    """Returns test sets to ask any student; for `gsm-symbolic` those of a run with this seed.

    Each has at most `limit` problems. None takes all problems of a file, and the default size of other sets.
    """
    settings = ProblemSettings(name=name, seed=seed)
    if limit is not None:
        settings = replace(settings, test_size=limit, held_out_size=min(limit, settings.held_out_size))
    _check_sizes(settings)
    if name == GSM_SYMBOLIC:
        return prepare(replace(settings, limit=1)).tests
    if name == GSM8K:
        asked, _ = _sampled({GSM8K: load_gsm8k("test")}, settings)
        return asked
    return {Path(name).stem: read_jsonl(Path(name))[:limit]}


def _check_sizes(settings: ProblemSettings) -> None:
    for name in ("limit", "test_size", "held_out_size", "dev_size"):
        value = getattr(settings, name)
        if value is not None and value < 1:
            raise ProblemSetError(f"{name.replace('_', ' ')} is {value}; it must be at least 1")


def _from_templates(settings: ProblemSettings) -> ProblemSets:
    assert settings.limit is not None
    source = GsmSymbolic(settings.seed)
    chance = random.Random(f"split {settings.seed}")
    asked, unasked = _sampled(_outside_test(settings), settings)
    outside = [*chain(*asked.values(), *unasked.values())]
    fresh = _once(outside)
    # In-domain and dev problems follow the rule for seeds. Otherwise they could come from a template that is
    # never taught because all of its instances copy problems of the outside set.
    like_taught = _once(outside, _Guard(asked, unasked).refuse)
    # Test sets are drawn first, so that they depend on neither the dev set's size nor the number of seeds.
    tests = {
        IN_DOMAIN: source.draw(source.taught, settings.test_size, refuse=like_taught, chance=chance),
        HELD_OUT: source.draw(source.held_out, settings.held_out_size, refuse=fresh, chance=chance),
    }
    dev = source.draw(source.taught, settings.dev_size or DEV_SIZE, refuse=like_taught, chance=chance)
    tests |= asked
    guard = _Guard({DEV: dev, **tests}, unasked)
    seeds = _draw_seeds(source, settings, _once(refuse=guard.refuse), chance)
    return ProblemSets(seeds, dev, tests, unasked, dict(sorted(source.removed.items())), guard.leaks)


def _draw_seeds(
    source: GsmSymbolic, settings: ProblemSettings, refuse: Refuse, chance: random.Random
) -> list[Problem]:
    """Draws as many seeds of each template or, with a skew, one of each and then by Zipf's law."""
    assert settings.limit is not None
    templates = source.taught
    if not settings.skew:
        return source.draw(templates, settings.limit, refuse=refuse, chance=chance)
    seeds = source.draw(templates, min(settings.limit, len(templates)), refuse=refuse, chance=chance)
    ranked = chance.sample(templates, len(templates))
    weights = [1 / rank**settings.skew for rank, _ in enumerate(ranked, start=1)]
    for template in chance.choices(ranked, weights, k=settings.limit - len(seeds)):
        seeds += source.draw([template], 1, refuse=refuse, chance=chance)
    return seeds


def _from_collection(settings: ProblemSettings) -> ProblemSets:
    collection = load_gsm8k("train") if settings.name == GSM8K else read_jsonl(Path(settings.name))
    sources = _outside_test(settings, collection)
    removed: Counter[str] = Counter()
    problems = _filter(collection, _once(), removed)
    random.Random(f"split {settings.seed}").shuffle(problems)
    if settings.name == GSM8K:
        sources[IN_DOMAIN] = load_gsm8k("test")
    asked, unasked = _sampled(sources, settings)
    if settings.name != GSM8K:
        asked[IN_DOMAIN], problems = _cut(problems, settings.test_size)
    test = asked.pop(IN_DOMAIN)
    wanted = min(settings.dev_size or DEV_SIZE, max(_LEAST_DEV, len(problems) // _USUAL_DEV_SHARE))
    dev, problems = _cut(problems, wanted)
    dev = _filter(dev, _once(chain(test, *asked.values(), *unasked.values())), removed)
    tests = {IN_DOMAIN: test, **asked}
    guard = _Guard({DEV: dev, **tests}, unasked)
    seeds = _filter(problems, guard.refuse, removed)[: settings.limit]
    if not (seeds and dev and test):
        raise ProblemSetError(
            f"{settings.name!r} has too few problems: {len(test)} of {len(collection)} go to the test set, "
            f"{len(dev)} to the dev set, {sum(removed.values())} are copies and {len(seeds)} remain to teach"
        )
    return ProblemSets(seeds, dev, tests, unasked, dict(sorted(removed.items())), guard.leaks)


class _Guard:
    """Refuses copies of evaluation problems, whether this run asks them or not, and records the copies."""

    def __init__(
        self, asked: Mapping[str, Sequence[Problem]], unasked: Mapping[str, Sequence[Problem]]
    ) -> None:
        self.leaks: list[Leak] = []
        self._decontaminator = Decontaminator(
            {name: [*problems, *unasked.get(name, ())] for name, problems in asked.items()}
        )

    def refuse(self, problem: Problem) -> str | None:
        match = self._decontaminator.match(problem.question)
        if match is None:
            return None
        self.leaks.append(Leak(problem.question, match))
        return str(match)


def _outside_test(settings: ProblemSettings, collection: Sequence[Problem] = ()) -> Sets:
    """Returns the whole test set that the user named, under its name; empty if none was named."""
    if settings.test is None:
        return {}
    if settings.test == GSM_SYMBOLIC:
        source = GsmSymbolic(settings.seed)
        chance = random.Random(f"test {settings.seed}")
        fresh = _once()
        return {GSM_SYMBOLIC: source.draw(source.templates, settings.test_size, refuse=fresh, chance=chance)}
    if settings.test == GSM8K:
        return {GSM8K: load_gsm8k("test")}
    path = Path(settings.test)
    problems = read_jsonl(path)
    taught = {exact_form(problem.question) for problem in collection}
    shared = [number for number, problem in enumerate(problems, 1) if exact_form(problem.question) in taught]
    if shared:
        raise ProblemSetError(
            f"test set {settings.test!r} overlaps the seeds: {len(shared)} of {len(problems)} problems are "
            f"in {settings.name!r} too, the first is problem {shared[0]}; take them out of one of the two"
        )
    # It must not take the name of one of the run's own sets.
    name = f"{path.stem}-file" if path.stem in (DEV, IN_DOMAIN, HELD_OUT) else path.stem
    return {name: problems}


def _sampled(sources: Mapping[str, Sequence[Problem]], settings: ProblemSettings) -> tuple[Sets, Sets]:
    """Returns test sets sampled with the seed, and the rest of their sources; no problem is in two sets."""
    asked: Sets = {}
    for name, problems in sources.items():
        free = _filter(problems, _once(chain(*asked.values())), Counter())
        size = min(settings.test_size, len(free))
        asked[name] = random.Random(f"test {settings.seed}").sample(free, size)
    fresh = _once(chain(*asked.values()))
    return asked, {name: _filter(problems, fresh, Counter()) for name, problems in sources.items()}


def _cut(problems: Sequence[Problem], size: int) -> tuple[list[Problem], list[Problem]]:
    """Returns the first `size` problems, at most one in `_LARGEST_SHARE` but at least one; and the others."""
    border = min(size, max(1, len(problems) // _LARGEST_SHARE))
    return list(problems[:border]), list(problems[border:])


def _filter(problems: Sequence[Problem], refuse: Refuse, removed: Counter[str]) -> list[Problem]:
    kept = []
    for problem in problems:
        if reason := refuse(problem):
            removed[reason] += 1
        else:
            kept.append(problem)
    return kept


def _once(known: Iterable[Problem] = (), refuse: Refuse = lambda _: None) -> Refuse:
    """Returns `refuse`, extended to refuse questions in `known` and those that it has taken before."""
    seen = {exact_form(problem.question) for problem in known}

    def refuse_again(problem: Problem) -> str | None:
        form = exact_form(problem.question)
        reason = "duplicate" if form in seen else refuse(problem)
        if reason is None:
            seen.add(form)
        return reason

    return refuse_again
