"""Shows a run to a person: live progress in a terminal, plain lines elsewhere, tables at the end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from math import fsum
from pathlib import Path
from time import monotonic
from typing import IO, Self, cast

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table

from fdd.commands.arguments import options_of
from fdd.domain import PHASES, UNTAUGHT
from fdd.domain import Progress as PhaseProgress
from fdd.errors import command_line, printable
from fdd.graph.plan import Preview
from fdd.reporting.formats import accuracy, dollars, interval, percent, points
from fdd.reporting.results import results_of
from fdd.reporting.terminal import shown
from fdd.rundir.delivery import DATASET, STUDENT
from fdd.settings import ANSWERING, Settings
from fdd.storage.folder import DATABASE, open_store
from fdd.storage.summary import EvaluationSummary, RoundSummary, Summary
from fdd.streams import Lossy

LINE_EVERY_SECONDS = 30.0
"""Seconds between two progress lines of a phase if the output is not a terminal."""


class RunView:
    """Shows the progress of a run; a `graph.state.Listener`.

    Inside its `with` block, output that cannot be written is dropped, so that the run continues unseen.
    """

    def __init__(self, console: Console, folder: Path | None = None) -> None:
        """`folder` is the run folder, for the line after each evaluation; None omits that line."""
        self.console = console
        self.folder = folder
        self._stream = console.file
        self._bar: Progress | None = None
        self._said = 0.0

    def __enter__(self) -> Self:
        # A full disk or a closed pipe must not end the run.
        self.console.file = cast("IO[str]", Lossy(self._stream))
        if self.console.is_terminal:
            self._bar = Progress(
                TextColumn("{task.description}", markup=False),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("{task.fields[note]}", style="dim", markup=False),
                console=self.console,
                transient=True,
            )
            self._bar.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.close()
        self.console.file = self._stream

    def close(self) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def advanced(self, progress: PhaseProgress) -> None:
        title = f"round {progress.round}: {PHASES.get(progress.phase, progress.phase)}"
        done, total = progress.done, progress.total
        if self._bar is not None:
            # A new task each time, because the total of an old one cannot become unknown again.
            before = self._bar.task_ids
            note = printable(progress.remark)
            self._bar.add_task(title, completed=done, total=total or None, note=note)
            for task in before:
                self._bar.remove_task(task)
        elif 0 < total == done or (done > 0 and monotonic() - self._said >= LINE_EVERY_SECONDS):
            self._said = monotonic()
            note = f" ({progress.remark})" if progress.remark else ""
            self.console.print(shown(f"{title}: {done} of {total}{note}"))

    def noticed(self, text: str) -> None:
        self.console.print(shown(text))

    def evaluated(self, round: int) -> None:
        if self.folder is not None:
            self.console.print(shown(round_line(open_store(self.folder).summary(), round)))


def round_line(summary: Summary, round: int) -> str:
    """Formats one line about the student of a round that was just evaluated."""
    found = [f"{name} {accuracy(each[round])}" for name, each in results_of(summary).items() if round in each]
    accuracies = ", ".join(found) or "no evaluation"
    if round == UNTAUGHT:
        return f"untaught student: {accuracies}"
    row = next(row for row in summary["rounds"] if row["round"] == round)
    line = (
        f"round {round}: {accuracies}; {row['problems']} problems in the set, {row['added']} of them new, "
        f"{row['accepted']} rationales accepted, {row['quarantined']} quarantined"
    )
    decision = row["decision"]
    if decision is None or decision["kept"]:
        return line
    before = "the untaught student" if decision["against"] == UNTAUGHT else f"round {decision['against']}"
    return (
        f"{line}; UNDONE because it did harm: of {decision['n']} dev problems {decision['gained']} gained "
        f"and {decision['lost']} lost against {before} (McNemar p = {decision['p']:.2g})"
    )


def _cell(entry: EvaluationSummary | None) -> str:
    """Formats accuracy and intervals in two or three narrow lines, all in per cent."""
    if entry is None:
        return ""
    over = [interval(entry["by_template"])] if "by_template" in entry else []
    return "\n".join((percent(entry["accuracy"]), interval(entry), *over))


def _decision_cell(row: RoundSummary) -> str:
    decision = row["decision"]
    if decision is None:
        return ""
    outcome = f"p {decision['p']:.2g}" if decision["kept"] else "undone"
    return f"+{decision['gained']} -{decision['lost']}\n{outcome}"


def round_table(summary: Summary) -> Table:
    """Builds the table of a run, with one row per student.

    `dev + -` counts the dev problems gained and lost compared with the last round kept before. Below each
    accuracy are its interval over problems and, if the set has templates, its interval over templates.
    """
    results = results_of(summary)
    table = Table(
        title="Accuracy by round, with 95 % intervals over problems and over templates",
        box=SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        show_edge=False,
        title_justify="left",
    )
    for heading in ("round", "problems\nnew", "quaran-\ntined", "easy\nhard", "dev\n+ -"):
        table.add_column(heading, justify="right", no_wrap=True)
    for name in results:
        table.add_column(shown(name), justify="right", no_wrap=True)
    table.add_row("untaught", "", "", "", "", *(_cell(found.get(UNTAUGHT)) for found in results.values()))
    for row in summary["rounds"]:
        table.add_row(
            str(row["round"]),
            f"{row['problems']}\n+{row['added']}",
            str(row["quarantined"]),
            f"{row['easy']}\n{row['hard']}",
            _decision_cell(row),
            *(_cell(found.get(row["round"])) for found in results.values()),
        )
    return table


def kept_out_lines(summary: Summary) -> list[str]:
    """Formats the number of problems that were not taught because they copy an evaluation problem."""
    counts = Counter[str]()
    for row in summary["rounds"]:
        counts.update(row["kept_out"])
    kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(counts.items()))
    lines = [f"kept out  {counts.total()} copies of evaluation problems{f' ({kinds})' if kinds else ''}"]
    if sets := " and ".join(summary["exact_only"]):
        lines.append(f"          of {sets} exact ones only: their templates are taught, with other numbers")
    return lines


def precision_lines(summary: Summary) -> list[str]:
    """Explains the precision of the table: units of the intervals, and limits of the test on the dev set."""
    rows = summary["rounds"]
    evaluations = next((row["evaluations"] for row in reversed(rows) if row["evaluations"]), [])
    units = [
        f"{entry['name']} {entry['by_template']['templates']} ({entry['n']})"
        for entry in evaluations
        if "by_template" in entry
    ]
    lines = [f"templates (instances): {', '.join(units)}"] if units else []
    decisions = [row["decision"] for row in rows if row["decision"]]
    if not decisions:
        return lines
    lines += [
        "p         of McNemar's exact test on dev, of each round alone: not adjusted",
        "dev       chooses the student, so its accuracy there is on average too high",
    ]
    if "visible_loss" in decisions[-1]:
        loss = decisions[-1]["visible_loss"]
        seen = "no loss" if loss is None else f"a loss of {points(loss)} or more"
        lines.append(f"undo      {decisions[-1]['n']} dev problems see {seen} (power 80 %)")
    return lines


def refinement_lines(summary: Summary) -> list[str]:
    """Says what the second trainings were made of; nothing without any."""
    found = [(row["round"], row["refinement"]) for row in summary["rounds"] if row["refinement"]]
    told = "; ".join(
        f"round {number} {each['method']}, {each['steps']} steps on {each['examples']}"
        for number, each in found
    )
    return [f"refined   {told}"] if told else []


def drift_lines(summary: Summary) -> list[str]:
    """Says how far the delivered student has moved from the untaught one where nothing was taught."""
    return [
        f"general   {percent(each['agreement'])} of the next tokens are those of the untaught student, "
        f"divergence {each['divergence']:.2f} nats a token ({each['tokens']} tokens of other text)"
        for row in summary["rounds"]
        if (each := row["drift"])
    ]


def form_lines(summary: Summary) -> list[str]:
    """Says how many answers of the last student had the form that is taught; nothing if it is unknown."""
    for row in reversed(summary["rounds"]):
        known = [entry for entry in row["evaluations"] if entry["form"] is not None]
        if known:
            told = ", ".join(f"{entry['name']} {_form(entry)}" for entry in known)
            return [f"form      of round {row['round']}, as taught: {told}"]
    return []


def _form(entry: EvaluationSummary) -> str:
    return "unknown" if entry["form"] is None else percent(entry["form"])


def show_result(console: Console, folder: Path, summary: Summary) -> None:
    """Prints the table by round, the paths of the results, and the commands to try next."""
    console.print(round_table(summary))
    lines = precision_lines(summary)
    total = summary["cost"]["total"]
    if total["calls"]:
        known = total["calls"] - total["paid"]
        tokens = total["prompt_tokens"] + total["completion_tokens"]
        lines.append(
            f"calls     {total['calls']} to models, {known} of them answered before; {tokens} tokens, "
            f"{dollars(total['cost_usd'])}"
        )
    lines += [
        *refinement_lines(summary),
        *form_lines(summary),
        *drift_lines(summary),
        *kept_out_lines(summary),
    ]
    if not summary["finished"]:
        lines.append(f"not finished; go on with: {command_line('resume', folder)}")
    link = folder / STUDENT
    kept = [row["decision"]["kept"] for row in summary["rounds"] if row["decision"]]
    if link.exists():
        target = f" -> {link.readlink()}" if link.is_symlink() else ""
        lines += [
            f"student   {link}{target} (best on the dev set)",
            f"data set  {folder / DATASET}",
            f"database  {folder / DATABASE}",
            f"next      {command_line('report', folder, '--json')}",
            f"          {command_line('verify', folder)}",
        ]
        settings = Settings.from_json(summary["settings"])
        if settings.solver is None:  # `evaluate` cannot judge a student that only plans
            lines.append(f"          {evaluation_command(link, settings)}")
    elif kept and not any(kept):
        lines.append("student   none: on the dev set every round did harm to the untaught one")
    for line in lines:
        console.print(shown(line))


def evaluation_command(student: Path, settings: Settings) -> str:
    """Returns the command that asks the student as its run did, on the run's own test set if it has one."""
    exam = ("--problems", settings.problems.test) if settings.problems.test else ()
    return command_line("evaluate", student, *exam, *options_of(settings, ANSWERING))


def show_plan(console: Console, preview: Preview) -> None:
    """Prints the number of problems of a run and the forecast of its calls to models."""
    for name, count in preview.problems.items():
        console.print(shown(f"{name}: {count} problems"))
    if preview.expert:
        console.print(shown(f"How often the expert {preview.expert} is asked cannot be foreseen."))
    if not preview.expenses:
        if not preview.expert:
            console.print(shown("No agent asks a model: no calls, no cost."))
        return
    table = Table(title="Calls to models, as far as they can be foreseen", box=SIMPLE_HEAD, show_edge=False)
    for heading in ("round", "agent", "model", "calls", "prompt\ntokens", "reply\ntokens", "USD"):
        table.add_column(heading, justify="left" if heading in ("agent", "model") else "right")
    counts = [(row.calls, row.prompt_tokens, row.completion_tokens) for row in preview.expenses]
    costs = [row.cost_usd for row in preview.expenses]
    for row, numbers in zip(preview.expenses, counts, strict=True):
        table.add_row(str(row.round), row.agent, shown(row.model), *map(str, numbers), _cost(row.cost_usd))
    table.add_section()
    sums = (str(sum(column)) for column in zip(*counts, strict=True))
    total = None if None in costs else fsum(cost or 0 for cost in costs)
    table.add_row("all", "", "", *sums, _cost(total))
    console.print(table)


def _cost(dollars: float | None) -> str:
    return "unknown" if dollars is None else f"{dollars:.4f}"


def show_evaluations(console: Console, evaluations: Sequence[EvaluationSummary]) -> None:
    for entry in evaluations:
        right = f"{entry['correct']} of {entry['n']} right, {accuracy(entry)}"
        console.print(shown(f"{entry['name']}: {right}; {_form(entry)} in the form taught"))
