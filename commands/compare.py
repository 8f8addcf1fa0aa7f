"""`main.py compare DIR DIR`: the differences between two runs, in settings, accuracy and answers."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from fdd.commands.arguments import add_json, print_json
from fdd.errors import one_line

if TYPE_CHECKING:
    from fdd.reporting.comparison import Comparison, Difference, Flip, SetComparison, Side
    from fdd.storage.summary import EvaluationSummary, TemplateInterval

FLIPS = 10
"""Most flipped problems shown for each set; `--json` has all of them."""
LONGEST_QUESTION = 100
"""Most characters shown of a question; a longer one is cut."""
CHANCE = (
    "Both are about the problems that were asked; how much another draw of what is taught would change is "
    "not in them."
)
TEMPLATES = (
    "Intervals over templates (bootstrap) and p by template (exact sign flips) also say what other templates "
    "might have given."
)
NOTHING_DECIDED = (
    "Each student is the best of its run on dev, so its accuracy there is on average too high; the test sets "
    "decide nothing."
)


def add(parser: ArgumentParser) -> None:
    """settings, accuracy and answers in which two runs differ"""
    parser.add_argument("first", type=Path, metavar="DIR", help="folder of a run")
    parser.add_argument("second", type=Path, metavar="DIR", help="folder of the run to hold against it")
    parser.add_argument(
        "--round",
        type=int,
        metavar="N",
        help="students of this round of both, -1 for the untaught ones (default: those that are delivered)",
    )
    add_json(parser)
    parser.set_defaults(command=compare)


def compare(given: Namespace) -> int:
    from fdd.reporting import comparison

    found = comparison.compare(given.first, given.second, round=given.round)
    if given.json:
        print_json(found)
    else:
        show(found, chosen=given.round is None)
    return 0


def show(found: Comparison, *, chosen: bool) -> None:
    """Prints a comparison. `chosen` says that each student is its run's best on dev, which adds a note."""
    from fdd.reporting.terminal import shown, terminal

    console = terminal()
    for line in _lines(found, chosen=chosen):
        console.print(shown(line))


def _lines(found: Comparison, *, chosen: bool) -> Iterator[str]:
    yield f"first   {_side(found['first'])}"
    yield f"second  {_side(found['second'])}"
    yield ""
    yield from _differences("settings", found["settings"])
    yield from _differences("versions", found["versions"])
    for each in found["evaluations"]:
        yield ""
        yield from _set(each)
    yield from _missing(found)
    if found["evaluations"]:
        yield ""
        yield "Intervals are 95 % (Wilson), p is of McNemar's exact test, two-sided, for each set alone."
        if any("by_template" in each["first"] for each in found["evaluations"]):
            yield TEMPLATES
        yield CHANCE
        yield NOTHING_DECIDED if chosen else "Nothing here decides anything."


def _side(side: Side) -> str:
    if side["round"] is None:
        return f"{side['folder']} ({side['run']}): no student delivered"
    made = "untaught"
    if side["round"] >= 0:
        made = f"round {side['round']}, {side['problems']} problems in {side['steps']} steps"
    return f"{side['folder']} ({side['run']}): {side['student']}, {made}"


def _differences(what: str, differences: Sequence[Difference]) -> Iterator[str]:
    if not differences:
        yield f"{what}: the same"
        return
    yield f"{what} that differ:"
    from fdd.reporting.comparison import worded

    width = max(len(each["key"]) for each in differences)
    for each in differences:
        first, second = (one_line(worded(value)) for value in (each["first"], each["second"]))
        yield f"  {each['key']:<{width}}  {first}  ->  {second}"


def _set(each: SetComparison) -> Iterator[str]:
    yield f"{each['name']}: {_accuracy(each['first'])}  ->  {_accuracy(each['second'])}"
    if over := [side["by_template"] for side in (each["first"], each["second"]) if "by_template" in side]:
        yield "  " + "  ->  ".join(_over_templates(interval) for interval in over)
    asked = f"{each['first']['n']} and {each['second']['n']}"
    if each["p"] is None:
        yield f"  no problem is in both runs ({asked} asked), so that nothing is paired and there is no test"
        return
    if not each["shared"] == each["first"]["n"] == each["second"]["n"]:
        yield f"  the runs asked different problems ({asked}); what follows is over those of both"
    by_template = "" if each["p_by_template"] is None else f", by template p = {each['p_by_template']:.2g}"
    yield (
        f"  of {each['shared']} problems {each['both']} right both times, {each['gained']} gained, "
        f"{each['lost']} lost; p = {each['p']:.2g}{by_template}"
    )
    yield from map(_flip, each["flipped"][:FLIPS])
    left = len(each["flipped"]) - FLIPS
    if left > 0:
        yield f"  and {left} more; --json has them all"


def _accuracy(entry: EvaluationSummary) -> str:
    share, low, high = (100 * entry[name] for name in ("accuracy", "low", "high"))
    return f"{share:.1f} % [{low:.1f}, {high:.1f}] of {entry['n']}"


def _over_templates(interval: TemplateInterval) -> str:
    low, high = 100 * interval["low"], 100 * interval["high"]
    return f"over {interval['templates']} templates [{low:.1f}, {high:.1f}]"


def _flip(flip: Flip) -> str:
    question = one_line(flip["question"])
    if len(question) > LONGEST_QUESTION:
        question = f"{question[: LONGEST_QUESTION - 4]} ..."
    return (
        f"  {'+' if flip['gained'] else '-'} {flip['first'] or 'none'} -> {flip['second'] or 'none'} "
        f"(answer {flip['answer']})  {flip['problem']}  {question}"
    )


def _missing(found: Comparison) -> Iterator[str]:
    for which in ("first", "second"):
        only = found["first_only"] if which == "first" else found["second_only"]
        if only and found["first"]["round"] is not None and found["second"]["round"] is not None:
            yield ""
            yield f"only the {which} run has: {', '.join(only)}"
    if not found["evaluations"]:
        yield ""
        yield "no evaluation to compare: no set that students of both runs have sat"
