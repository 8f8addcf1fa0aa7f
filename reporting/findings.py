"""The pictures of a report, each with a table of its numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from functools import partial

from fdd.domain import Band
from fdd.reporting import charts
from fdd.reporting.formats import ORIGINS, SEED, interval, percent
from fdd.reporting.pictures import Picture, Table
from fdd.reporting.results import results_of, undone_rounds
from fdd.storage.evidence import Evidence, Rate
from fdd.storage.summary import EvaluationSummary, Summary


def accuracies(summary: Summary, delivered: int | None) -> Picture | None:
    """Shows accuracy by round and set; None if nothing was evaluated."""
    results, undone = results_of(summary), undone_rounds(summary)
    if not results:
        return None
    rounds = sorted({round for by_round in results.values() for round in by_round})
    shares = {name: [entry["accuracy"] for entry in found.values()] for name, found in results.items()}
    return Picture(
        name="accuracy",
        title="Accuracy by round and set",
        alt="Accuracy with 95 % intervals over problems after each round. "
        + "; ".join(
            f"{name} from {percent(found[0])} to {percent(found[-1])}" for name, found in shares.items()
        ),
        draw=partial(charts.accuracy, results, rounds, undone, delivered),
        table=Table(
            caption="Accuracy (right of asked; 95 % intervals over problems and over templates)",
            headings=("student after round", *results),
            rows=[
                (
                    charts.heading(round) + (", undone" if round in undone else ""),
                    *(_accuracy(by_round.get(round)) for by_round in results.values()),
                )
                for round in rounds
            ],
        ),
    )


def _accuracy(entry: EvaluationSummary | None) -> str:
    if entry is None:
        return ""
    over = entry.get("by_template")
    templates = f"; over {over['templates']} templates {interval(over)} %" if over else ""
    right = f"{entry['correct']} of {entry['n']}"
    return f"{percent(entry['accuracy'])} ({right}; {interval(entry)} %{templates})"


def growth(evidence: Evidence) -> Picture | None:
    problems = Counter({(size.round, size.operator or SEED): size.problems for size in evidence.sizes})
    rounds = sorted({size.round for size in evidence.sizes if size.new})
    if not rounds:
        return None
    counts = {origin: [problems[round, origin] for round in rounds] for origin in ORIGINS}
    counts = {origin: numbers for origin, numbers in counts.items() if any(numbers)}
    names = list(map(str, rounds))
    totals = [str(sum(numbers)) for numbers in zip(*counts.values(), strict=True)]
    return Picture(
        name="growth",
        title="Growth of the training set",
        alt=f"Problems in the training set by round: {', '.join(totals)}, by their origin.",
        draw=partial(charts.growth, names, counts),
        table=Table(
            caption="Problems in the training set",
            headings=("round", *counts, "all"),
            rows=[tuple(map(str, row)) for row in zip(names, *counts.values(), totals, strict=True)],
        ),
    )


def outcomes(evidence: Evidence) -> Picture | None:
    """Shows what became of each round's new problems, by origin; None if there are none."""
    rows = sorted(evidence.yields, key=lambda row: (row.round, ORIGINS.index(row.operator or SEED)))
    if not rows:
        return None
    columns = {
        "accepted": [row.accepted for row in rows],
        "quarantined": [row.quarantined for row in rows],
        "call failed": [row.failed for row in rows],
        "kept out": [row.kept_out for row in rows],
    }
    names = [f"{row.round}: {row.operator or SEED}" for row in rows]
    totals = {name: sum(counts) for name, counts in columns.items()}
    return Picture(
        name="yield",
        title="Yield by operator",
        alt="What became of new problems: " + ", ".join(f"{n} {name}" for name, n in totals.items()) + ".",
        draw=partial(
            charts.outcomes,
            names,
            {name: counts for name, counts in columns.items() if totals[name] or name != "call failed"},
        ),
        table=Table(
            caption="What became of the problems new in each round",
            headings=("round: origin", "problems", *columns),
            rows=[
                tuple(map(str, row))
                for row in zip(names, [row.problems for row in rows], *columns.values(), strict=True)
            ],
        ),
    )


def solve_rates(evidence: Evidence) -> Picture | None:
    rounds = sorted({rate.round for rate in evidence.rates})
    if not rounds:
        return None
    shares = sorted({rate.correct / rate.n for rate in evidence.rates})
    by_round = {round: [rate for rate in evidence.rates if rate.round == round] for round in rounds}
    return Picture(
        name="solve-rates",
        title="Solve rates by round",
        alt="Problems by the share of samples that the student answered rightly. "
        + "; ".join(f"student {whose(each)}: {_mean(rates)}" for each, rates in by_round.items()),
        draw=partial(
            charts.solve_rates,
            shares,
            {f"student {whose(each)}": _histogram(rates, shares) for each, rates in by_round.items()},
        ),
        table=Table(
            caption="Problems by samples answered rightly, before they were taught",
            headings=("student: origin, right of samples", "problems"),
            rows=[
                (
                    f"{whose(rate.round)}: {rate.operator or SEED}, {rate.correct} of {rate.n}",
                    str(rate.problems),
                )
                for rate in evidence.rates
            ],
        ),
    )


def whose(round: int) -> str:
    """Names the student of a round for headings, as in "student of round 1"; -1 is the untaught one."""
    return "untaught" if round < 0 else f"of round {round}"


def _mean(rates: Sequence[Rate]) -> str:
    problems = sum(rate.problems for rate in rates)
    right = sum(rate.problems * rate.correct / rate.n for rate in rates)
    return f"{percent(right / problems)} of {problems} problems on average"


def _histogram(rates: Iterable[Rate], shares: Sequence[float]) -> dict[str, list[int]]:
    counts = Counter[tuple[str, float]]()
    for rate in rates:
        counts[rate.operator or SEED, rate.correct / rate.n] += rate.problems
    return {origin: [counts[origin, share] for share in shares] for origin in ORIGINS}


def skills(summary: Summary) -> Picture | None:
    """Shows the solve rate of each skill after each round; None if no skill was probed."""
    found = summary["skills"]
    if not found:
        return None
    rates = {(row["skill"], row["round"]): row["correct"] / row["n"] for row in found}
    rounds = sorted({row["round"] for row in found})
    right = Counter[str]()
    for row in found:
        right[row["skill"]] += row["correct"]
    names = sorted(right, key=lambda skill: (-right[skill], skill))
    shares = [[rates.get((name, round)) for round in rounds] for name in names]
    return Picture(
        name="skills",
        title="Solve rate of each skill",
        alt=f"A heat map of {len(names)} skills after {len(rounds)} rounds, the best solved ones first.",
        draw=partial(charts.heat_map, names, rounds, shares),
        table=Table(
            caption="Probes of each skill (right of asked), what was taught before and written after",
            headings=("skill: student after round", "right", "taught", "written", "how"),
            rows=[
                (
                    f"{row['skill']}: {row['round']}",
                    f"{row['correct']} of {row['n']}",
                    str(row["taught"]),
                    str(row["written"]),
                    row["operators"],
                )
                for row in found
            ],
        ),
    )


def band_flows(evidence: Evidence) -> Picture | None:
    """Shows how bands change from parent to child, by operator, and for problems that were probed again."""
    panels: dict[str, Counter[tuple[Band, Band]]] = {}
    places = (*ORIGINS, None)  # the same problem again comes last
    for flow in sorted(evidence.flows, key=lambda flow: places.index(flow.operator)):
        title = f"parent → {flow.operator} child" if flow.operator else "the same problem again"
        panels.setdefault(title, Counter())[flow.before, flow.after] += flow.problems
    if not panels:
        return None
    return Picture(
        name="bands",
        title="Band flows between rounds",
        alt=". ".join(f"{title}: {_flow_words(counts)}" for title, counts in panels.items()),
        draw=partial(charts.flows, panels),
        table=Table(
            caption="Bands of problems before and after",
            headings=("student: what, from → to", "problems", "asked of one student"),
            rows=[
                (
                    f"{whose(flow.round)}: {f'{flow.operator} child' if flow.operator else 'again'}, "
                    f"{flow.before} → {flow.after}",
                    str(flow.problems),
                    str(flow.same_student),
                )
                for flow in evidence.flows
            ],
        ),
    )


def _flow_words(counts: Counter[tuple[Band, Band]]) -> str:
    return ", ".join(f"{n} {before} to {after}" for (before, after), n in sorted(counts.items()))
