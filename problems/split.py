"""Seeds, dev and test sets of a run, disjoint and free of copies of each other."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from domain import Problem
from errors import ProblemSetError
from matching import exact_form
from problems.config import ProblemSettings
from problems.contamination import DEV, GSM_SYMBOLIC, HELD_OUT, IN_DOMAIN, Decontaminator
from problems.gsm8k import GSM8K, load_gsm8k
from problems.gsm_symbolic import GsmSymbolic
from problems.jsonl import read_jsonl

Refuse = Callable[[Problem], str | None]
"""Names the reason to leave a problem out; None lets it in."""

NAMES = (GSM_SYMBOLIC, GSM8K)
_LARGEST_TEST_SHARE = 4
"""A test set split off a file takes at most one problem in four, ..."""
_LARGEST_DEV_SHARE = 10
"""... and the dev set one in ten of the others."""


@dataclass(frozen=True, slots=True)
class ProblemSets:
    """The problems of a run by their part in it."""

    seeds: tuple[Problem, ...]
    dev: tuple[Problem, ...]
    tests: dict[str, tuple[Problem, ...]]
    """Test sets by name, `in-domain` first."""
    removed: dict[str, int]
    """Problems kept out, by reason: `duplicate`, `malformed`, `exact:SET`, `masked:SET`."""

    @property
    def evaluation_sets(self) -> dict[str, tuple[Problem, ...]]:
        """What `Decontaminator` takes: everything that must not be taught."""
        return {DEV: self.dev, **self.tests}


def prepare(settings: ProblemSettings) -> ProblemSets:
    """The problem sets that the settings describe; the same settings give the same sets.

    Raises ProblemSetError where a set cannot be read or is empty, and where the test set that the user named
    overlaps the seeds.
    """
    _check(settings)
    if settings.name == GSM_SYMBOLIC:
        return _from_templates(settings)
    return _from_collection(settings)


def test_sets(name: str, *, limit: int | None, seed: int) -> dict[str, tuple[Problem, ...]]:
    """What to ask any student; of `gsm-symbolic`, what a run of this seed tests with.

    `limit` None takes all of a file, and the usual size of any other set.
    """
    settings = ProblemSettings(name=name, seed=seed)
    if limit is not None:
        settings = replace(settings, test_size=limit, held_out_size=min(limit, settings.held_out_size))
    if name == GSM_SYMBOLIC:
        return prepare(replace(settings, limit=1)).tests
    problems = load_gsm8k("test") if name == GSM8K else read_jsonl(Path(name))[:limit]
    return {Path(name).stem: tuple(_sample(problems, settings) if name == GSM8K else problems)}


def _check(settings: ProblemSettings) -> None:
    for name in ("limit", "test_size", "held_out_size", "dev_size"):
        value = getattr(settings, name)
        if value is not None and value < 1:
            raise ProblemSetError(f"{name.replace('_', ' ')} is {value}; it must be at least 1")
    if settings.name == GSM_SYMBOLIC and settings.limit is None:
        raise ProblemSetError(f"`{GSM_SYMBOLIC}` has no end; say how many problems to take with a limit")
    if settings.test == settings.name and settings.name in NAMES:
        raise ProblemSetError(f"`{settings.name}` comes with its own test set; leave the test set out")


def _from_templates(settings: ProblemSettings) -> ProblemSets:
    assert settings.limit is not None
    source = GsmSymbolic(settings.seed)
    chance = random.Random(f"split {settings.seed}")
    fresh = _once(_nothing)
    tests = {
        IN_DOMAIN: source.draw(source.taught, settings.test_size, refuse=fresh, chance=chance),
        HELD_OUT: source.draw(source.held_out, settings.held_out_size, refuse=fresh, chance=chance),
    }
    dev = source.draw(source.taught, settings.dev_size, refuse=fresh, chance=chance)
    tests |= _outside_test(settings)
    refuse = _once(_copies({DEV: dev, **tests}))
    seeds = source.draw(source.taught, settings.limit, refuse=refuse, chance=chance)
    return _problem_sets(seeds, dev, tests, source.removed)


def _from_collection(settings: ProblemSettings) -> ProblemSets:
    collection = load_gsm8k("train") if settings.name == GSM8K else read_jsonl(Path(settings.name))
    outside = _outside_test(settings, collection)
    removed: Counter[str] = Counter()
    problems = _filter(collection, _once(_nothing), removed)
    random.Random(f"split {settings.seed}").shuffle(problems)
    if settings.name == GSM8K:
        test = _sample(load_gsm8k("test"), settings)
    else:
        test, problems = _cut(problems, settings.test_size, _LARGEST_TEST_SHARE)
    dev, problems = _cut(problems, settings.dev_size, _LARGEST_DEV_SHARE)
    tests = {IN_DOMAIN: test, **outside}
    seeds = _filter(problems, _copies({DEV: dev, **tests}), removed)[: settings.limit]
    if not (seeds and dev and test):
        raise ProblemSetError(
            f"{settings.name!r} has too few problems: {len(test)} of {len(collection)} go to the test set, "
            f"{len(dev)} to the dev set, {sum(removed.values())} are copies and {len(seeds)} remain to teach"
        )
    return _problem_sets(seeds, dev, tests, removed)


def _problem_sets(
    seeds: Sequence[Problem],
    dev: Sequence[Problem],
    tests: Mapping[str, Sequence[Problem]],
    removed: Mapping[str, int],
) -> ProblemSets:
    return ProblemSets(
        seeds=tuple(seeds),
        dev=tuple(dev),
        tests={name: tuple(problems) for name, problems in tests.items()},
        removed=dict(sorted(removed.items())),
    )


def _outside_test(settings: ProblemSettings, collection: Sequence[Problem] = ()) -> dict[str, list[Problem]]:
    """The test set that the user named, under its name; empty where none was."""
    if settings.test is None:
        return {}
    if settings.test == GSM_SYMBOLIC:
        source = GsmSymbolic(settings.seed)
        chance = random.Random(f"test {settings.seed}")
        fresh = _once(_nothing)
        return {GSM_SYMBOLIC: source.draw(source.templates, settings.test_size, refuse=fresh, chance=chance)}
    if settings.test == GSM8K:
        return {GSM8K: _sample(load_gsm8k("test"), settings)}
    path = Path(settings.test)
    problems = read_jsonl(path)
    _refuse_overlap(settings, problems, collection)
    name = f"{path.stem}-file" if path.stem in (DEV, IN_DOMAIN, HELD_OUT) else path.stem
    return {name: _sample(problems, settings)}


def _refuse_overlap(
    settings: ProblemSettings, test: Sequence[Problem], collection: Sequence[Problem]
) -> None:
    taught = {exact_form(problem.question) for problem in collection}
    shared = [number for number, problem in enumerate(test, 1) if exact_form(problem.question) in taught]
    if shared:
        raise ProblemSetError(
            f"test set {settings.test!r} overlaps the seeds: {len(shared)} of {len(test)} problems are in "
            f"{settings.name!r} too, the first is problem {shared[0]}; take them out of one of the two"
        )


def _sample(problems: Sequence[Problem], settings: ProblemSettings) -> list[Problem]:
    """A test set of different problems, chosen by the seed."""
    unique = _filter(problems, _once(_nothing), Counter())
    size = min(settings.test_size, len(unique))
    return random.Random(f"test {settings.seed}").sample(unique, size)


def _cut(problems: Sequence[Problem], size: int, share: int) -> tuple[list[Problem], list[Problem]]:
    """The first `size` problems, at most one in `share` of them but at least one; and the others."""
    border = min(size, max(1, len(problems) // share))
    return list(problems[:border]), list(problems[border:])


def _filter(problems: Sequence[Problem], refuse: Refuse, removed: Counter[str]) -> list[Problem]:
    kept = []
    for problem in problems:
        if reason := refuse(problem):
            removed[reason] += 1
        else:
            kept.append(problem)
    return kept


def _once(refuse: Refuse) -> Refuse:
    """`refuse`, and every question that this function has let in before."""
    seen: set[str] = set()

    def refuse_again(problem: Problem) -> str | None:
        form = exact_form(problem.question)
        reason = "duplicate" if form in seen else refuse(problem)
        if reason is None:
            seen.add(form)
        return reason

    return refuse_again


def _copies(sets: Mapping[str, Sequence[Problem]]) -> Refuse:
    guard = Decontaminator(sets)

    def refuse(problem: Problem) -> str | None:
        match = guard.match(problem.question)
        return str(match) if match else None

    return refuse


def _nothing(_: Problem) -> None:
    return None
