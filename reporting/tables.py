"""The tables of a report, and the format of its numbers."""

from __future__ import annotations

from dataclasses import dataclass

from fdd.storage.summary import DecisionSummary, EvaluationSummary, RoundSummary, Summary


@dataclass(frozen=True, kw_only=True)
class Table:
    """The numbers of a picture, or numbers without a picture."""

    caption: str
    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    """The first cell of each row is its heading."""


def percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def interval(entry: EvaluationSummary) -> str:
    return f"{100 * entry['low']:.1f}–{100 * entry['high']:.1f} %"


def over_templates(entry: EvaluationSummary) -> str:
    """Formats the interval over templates; empty if the problems of the set have no templates."""
    found = entry.get("by_template")
    if found is None:
        return ""
    return f"over {found['templates']} templates {100 * found['low']:.1f}–{100 * found['high']:.1f} %"


def visible_loss(decision: DecisionSummary) -> str:
    """Formats the smallest loss that a decision's test detects with a power of 80 %; empty if unknown.

    "none" means that even the loss of everything the student solved would be missed.
    """
    if "visible_loss" not in decision:
        return ""
    loss = decision["visible_loss"]
    return "none" if loss is None else f"{100 * loss:.1f} points"


def p_value(p: float) -> str:
    return "< 0.0001" if p < 0.0001 else f"{p:.2g}"


def costs(summary: Summary) -> Table | None:
    """Calls, tokens and cost by round and agent; None if no model was called."""
    rows = summary["cost"]["by_agent"]
    if not rows:
        return None
    total = summary["cost"]["total"]
    counted = ("calls", "paid", "prompt_tokens", "completion_tokens")
    return Table(
        caption="Calls to models",
        headings=("round: agent", "calls", "paid by this run", "prompt tokens", "reply tokens", "USD"),
        rows=(
            *(
                (
                    f"{row['round']}: {row['agent']}",
                    *(str(row[name]) for name in counted),  # type: ignore[literal-required]
                    f"{row['cost_usd']:.4f}",
                )
                for row in rows
            ),
            ("all", *(str(total[name]) for name in counted), f"{total['cost_usd']:.4f}"),  # type: ignore[literal-required]
        ),
    )


def decisions(summary: Summary) -> Table | None:
    """The decision of each round; None if none was recorded."""
    rows = [(row["round"], row["decision"]) for row in summary["rounds"]]
    found = [(round, decision) for round, decision in rows if decision]
    if not found:
        return None
    return Table(
        caption="Each round's student against the one kept before it, on the dev set",
        headings=("round", "against", "n", "gained", "lost", "p", "decision", "loss it sees"),
        rows=tuple(
            (
                str(round),
                "untaught" if decision["against"] < 0 else str(decision["against"]),
                str(decision["n"]),
                str(decision["gained"]),
                str(decision["lost"]),
                p_value(decision["p"]),
                "kept" if decision["kept"] else "undone: it did harm",
                visible_loss(decision),
            )
            for round, decision in found
        ),
    )


def removals(summary: Summary) -> Table | None:
    """Problems not taken and rationales quarantined, by round and reason; None if there are neither."""
    counts = {
        "not taken": {
            (row["round"], why): n for row in summary["rounds"] for why, n in row["removed"].items()
        },
        "quarantined": {
            (row["round"], why): n
            for row in summary["rounds"]
            for why, n in row["quarantine_reasons"].items()
        },
    }
    rows = [
        (f"{round}: {what}, {why}", str(n))
        for what, found in counts.items()
        for (round, why), n in sorted(found.items())
    ]
    headings = ("round: what, reason", "number")
    return (
        Table(caption="Problems and rationales not taught", headings=headings, rows=tuple(rows))
        if rows
        else None
    )


def is_undone(row: RoundSummary) -> bool:
    return row["decision"] is not None and not row["decision"]["kept"]
