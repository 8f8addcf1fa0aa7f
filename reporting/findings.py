"""The pictures of a report, each with a table of its numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from functools import partial

from fdd.domain import Band
from fdd.reporting import charts
from fdd.reporting.pictures import Picture
from fdd.reporting.tables import Table, interval, is_undone, over_templates, percent
from fdd.storage.evidence import Evidence, Rate, Yield
from fdd.storage.summary import EvaluationSummary, Summary

SEED = "seed"
ORIGINS = (SEED, "similar", "harder")
"""Origins of problems: a seed, or the operator that made it."""


def accuracies(summary: Summary, delivered: int | None) -> Picture | None:
    """Shows accuracy by round and set; None if nothing was evaluated."""
    students = [("untaught", summary["baseline"]["evaluations"], False)]
    students += [(str(row["round"]), row["evaluations"], is_undone(row)) for row in summary["rounds"]]
    students = [student for student in students if student[1]]
    names = sorted({entry["name"] for _, entries, _ in students for entry in entries})
    if not names:
        return None
    series = {
        name: [
            charts.Point(place, entry["accuracy"], entry["low"], entry["high"], undone)
            for place, (_, entries, undone) in enumerate(students)
            for entry in entries
            if entry["name"] == name
        ]
        for name in names
    }
    labels = [student for student, _, _ in students]
    chosen = labels.index(str(delivered)) if str(delivered) in labels else None
    return Picture(
        name="accuracy",
        title="Accuracy by round and set",
        alt="Accuracy with 95 % intervals over problems after each round. "
        + "; ".join(
            f"{name} from {percent(points[0].accuracy)} to {percent(points[-1].accuracy)}"
            for name, points in series.items()
        ),
        draw=partial(charts.accuracy, series, labels, chosen),
        table=_accuracy_table(students, names),
    )


def _accuracy_table(
    students: Sequence[tuple[str, Sequence[EvaluationSummary], bool]], names: Sequence[str]
) -> Table:
    rows = []
    for student, entries, undone in students:
        found = {entry["name"]: entry for entry in entries}
        cells = [
            f"{percent(found[name]['accuracy'])} ({found[name]['correct']} of {found[name]['n']}; "
            + "; ".join(filter(None, (interval(found[name]), over_templates(found[name]))))
            + ")"
            if name in found
            else ""
            for name in names
        ]
        rows.append((f"{student}, undone" if undone else student, *cells))
    return Table(
        caption="Accuracy (right of asked; 95 % intervals over problems and over templates)",
        headings=("student after round", *names),
        rows=tuple(rows),
    )


def growth(evidence: Evidence) -> Picture | None:
    counts = Counter({(size.round, size.operator or SEED): size.problems for size in evidence.sizes})
    rounds = sorted({size.round for size in evidence.sizes if size.new})
    if not rounds:
        return None
    used = [origin for origin in ORIGINS if any(counts[round, origin] for round in rounds)]
    totals = [sum(counts[round, origin] for origin in used) for round in rounds]
    return Picture(
        name="growth",
        title="Growth of the training set",
        alt=f"Problems in the training set by round: {', '.join(map(str, totals))}, by their origin.",
        draw=partial(
            charts.growth,
            [str(round) for round in rounds],
            {origin: [counts[round, origin] for round in rounds] for origin in used},
        ),
        table=Table(
            caption="Problems in the training set",
            headings=("round", *used, "all"),
            rows=tuple(
                (str(round), *(str(counts[round, origin]) for origin in used), str(total))
                for round, total in zip(rounds, totals, strict=True)
            ),
        ),
    )


def outcomes(evidence: Evidence) -> Picture | None:
    """Shows what became of each round's new problems, by origin; None if there are none."""
    yields = {(row.round, row.operator or SEED): row for row in evidence.yields}
    kept_out = Counter[tuple[int, str]]()
    for row in evidence.kept_out:
        kept_out[row.round, row.operator or SEED] += row.questions
    keys = sorted(yields.keys() | kept_out.keys(), key=lambda key: (key[0], ORIGINS.index(key[1])))
    if not keys:
        return None
    # An origin all of whose questions were kept out has no stored problem, and so no row.
    rows = [yields.get(key) or Yield(key[0], key[1], 0, 0, 0, 0) for key in keys]
    columns = {
        "accepted": [row.accepted for row in rows],
        "quarantined": [row.quarantined for row in rows],
        "call failed": [row.failed for row in rows],
        "kept out": [kept_out[key] for key in keys],
    }
    totals = {name: sum(counts) for name, counts in columns.items()}
    return Picture(
        name="yield",
        title="Yield by operator",
        alt="What became of new problems: " + ", ".join(f"{n} {name}" for name, n in totals.items()) + ".",
        draw=partial(
            charts.outcomes,
            [f"{round}: {origin}" for round, origin in keys],
            {name: counts for name, counts in columns.items() if totals[name] or name != "call failed"},
        ),
        table=Table(
            caption="What became of the problems new in each round",
            headings=("round: origin", "problems", *columns),
            rows=tuple(
                (
                    f"{round}: {origin}",
                    str(row.problems),
                    *(str(counts[place]) for counts in columns.values()),
                )
                for place, ((round, origin), row) in enumerate(zip(keys, rows, strict=True))
            ),
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
        + "; ".join(f"student {student(each)}: {_mean(rates)}" for each, rates in by_round.items()),
        draw=partial(
            charts.solve_rates,
            shares,
            {f"student {student(each)}": _histogram(rates, shares) for each, rates in by_round.items()},
        ),
        table=Table(
            caption="Problems by samples answered rightly, before they were taught",
            headings=("student: origin, right of samples", "problems"),
            rows=tuple(
                (
                    f"{student(rate.round)}: {rate.operator or SEED}, {rate.correct} of {rate.n}",
                    str(rate.problems),
                )
                for rate in evidence.rates
            ),
        ),
    )


def student(round: int) -> str:
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


def band_flows(evidence: Evidence) -> Picture | None:
    """Shows how bands change from parent to child, by operator, and for problems that were probed again."""
    panels: dict[str, Counter[tuple[Band, Band]]] = {}
    for flow in sorted(evidence.flows, key=lambda flow: _place(flow.operator)):
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
            rows=tuple(
                (
                    f"{student(flow.round)}: {f'{flow.operator} child' if flow.operator else 'again'}, "
                    f"{flow.before} → {flow.after}",
                    str(flow.problems),
                    str(flow.same_student),
                )
                for flow in evidence.flows
            ),
        ),
    )


def _place(operator: str | None) -> int:
    """Returns an operator's place among the panels; problems that were probed again come last."""
    return ORIGINS.index(operator) if operator else len(ORIGINS)


def _flow_words(counts: Counter[tuple[Band, Band]]) -> str:
    return ", ".join(f"{n} {before} to {after}" for (before, after), n in sorted(counts.items()))
