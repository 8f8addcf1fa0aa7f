"""Shows a run to a person: live progress in a terminal, plain lines elsewhere, tables at the end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import chain
from math import fsum
from pathlib import Path
from time import monotonic
from types import TracebackType
from typing import IO, Self, cast

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn
from rich.table import Table
from rich.text import Text

from fdd.commands.machine import Check
from fdd.domain import PHASES, UNTAUGHT
from fdd.domain import Progress as PhaseProgress
from fdd.errors import command_line, printable
from fdd.graph.plan import Expense, Preview
from fdd.reporting.terminal import shown
from fdd.rundir.delivery import DATASET, STUDENT
from fdd.settings import OPTIONS, POLICY, Settings
from fdd.storage.folder import DATABASE, open_store
from fdd.storage.summary import (
    DecisionSummary,
    EvaluationSummary,
    ReadSummary,
    RoundSummary,
    Summary,
    TotalUsage,
)
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
        self._task: TaskID | None = None
        self._phase = ("", 0)
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

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
        self.console.file = self._stream

    def close(self) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def advanced(self, progress: PhaseProgress) -> None:
        if self._bar is None:
            self._say(progress)
        else:
            self._draw(self._bar, progress)

    def noticed(self, text: str) -> None:
        self.console.print(shown(text))

    def evaluated(self, round: int) -> None:
        if self.folder is not None:
            self.console.print(shown(round_line(open_store(self.folder).summary(), round)))

    def _draw(self, bar: Progress, progress: PhaseProgress) -> None:
        total = progress.total or None  # None shows a moving bar while the total is not known
        if self._task is None or self._phase != (progress.phase, progress.round):
            if self._task is not None:
                bar.remove_task(self._task)
            self._task = bar.add_task(_title(progress), total=total, note="")
            self._phase = (progress.phase, progress.round)
        bar.update(self._task, completed=progress.done, total=total, note=printable(progress.remark))

    def _say(self, progress: PhaseProgress) -> None:
        ended = 0 < progress.total == progress.done
        due = monotonic() - self._said >= LINE_EVERY_SECONDS and progress.done > 0
        if ended or due:
            self._said = monotonic()
            note = f" ({progress.remark})" if progress.remark else ""
            self.console.print(shown(f"{_title(progress)}: {progress.done} of {progress.total}{note}"))


def _title(progress: PhaseProgress) -> str:
    what = PHASES.get(progress.phase, progress.phase)
    return f"round {progress.round}: {what}"


def round_line(summary: Summary, round: int) -> str:
    """Formats one line about the student of a round that was just evaluated."""
    if round == UNTAUGHT:
        return f"untaught student: {_accuracies(summary['baseline']['evaluations'])}"
    found = next(entry for entry in summary["rounds"] if entry["round"] == round)
    return (
        f"round {round}: {_accuracies(found['evaluations'])}; {found['problems']} problems in the set, "
        f"{found['added']} of them new, "
        f"{found['accepted']} rationales accepted, {found['quarantined']} quarantined{_undone(found)}"
    )


def _undone(row: RoundSummary) -> str:
    decision = row["decision"]
    if decision is None or decision["kept"]:
        return ""
    before = "the untaught student" if decision["against"] == UNTAUGHT else f"round {decision['against']}"
    return (
        f"; UNDONE, for it did harm: of {decision['n']} dev problems {decision['gained']} gained and "
        f"{decision['lost']} lost against {before} (McNemar p = {decision['p']:.2g})"
    )


def _accuracies(evaluations: Sequence[EvaluationSummary]) -> str:
    return ", ".join(f"{entry['name']} {_accuracy(entry)}" for entry in evaluations) or "no evaluation"


def _accuracy(entry: EvaluationSummary) -> str:
    return f"{100 * entry['accuracy']:.1f} % [{100 * entry['low']:.1f}, {100 * entry['high']:.1f}]"


def _cell(entry: EvaluationSummary) -> str:
    """Formats accuracy and intervals in two or three narrow lines, all in per cent."""
    intervals = [(entry["low"], entry["high"])]
    if over := entry.get("by_template"):
        intervals.append((over["low"], over["high"]))
    lines = (f"{100 * low:.1f}–{100 * high:.1f}" for low, high in intervals)
    return "\n".join((f"{100 * entry['accuracy']:.1f} %", *lines))


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
    names = sorted({entry["name"] for row in summary["rounds"] for entry in row["evaluations"]})
    table = Table(
        title="Accuracy by round, with 95 % intervals over problems and over templates",
        box=SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        show_edge=False,
        title_justify="left",
    )
    headings = map(Text, ("round", "problems\nnew", "quaran-\ntined", "easy\nhard", "dev\n+ -"))
    for heading in (*headings, *map(shown, names)):
        table.add_column(heading, justify="right", no_wrap=True)
    untaught = {entry["name"]: _cell(entry) for entry in summary["baseline"]["evaluations"]}
    table.add_row("untaught", "", "", "", "", *(untaught.get(name, "") for name in names))
    for row in summary["rounds"]:
        accuracies = {entry["name"]: _cell(entry) for entry in row["evaluations"]}
        table.add_row(
            str(row["round"]),
            f"{row['problems']}\n+{row['added']}",
            str(row["quarantined"]),
            f"{row['easy']}\n{row['hard']}",
            _decision_cell(row),
            *(accuracies.get(name, "") for name in names),
        )
    return table


def cost_line(total: TotalUsage) -> str:
    tokens = total["prompt_tokens"] + total["completion_tokens"]
    return (
        f"calls     {total['calls']} to models, {total['calls'] - total['paid']} of them answered before; "
        f"{tokens} tokens, ${total['cost_usd']:.4f}"
    )


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
    units = ", ".join(
        f"{entry['name']} {entry['by_template']['templates']} ({entry['n']})"
        for entry in evaluations
        if "by_template" in entry
    )
    lines = [f"templates (instances): {units}"] if units else []
    if decisions := [row["decision"] for row in rows if row["decision"]]:
        lines += [
            "p         of McNemar's exact test on dev, of each round alone: not adjusted",
            "dev       chooses the student, so its accuracy there is on average too high",
        ]
        lines += [f"undo      {_visible_loss(each)}" for each in decisions[-1:] if "visible_loss" in each]
    return lines


def _visible_loss(decision: DecisionSummary) -> str:
    """Says which losses the test on the dev set can detect, for the last round's comparison."""
    loss = decision["visible_loss"]
    seen = "no loss" if loss is None else f"a loss of {100 * loss:.1f} points or more"
    return f"{decision['n']} dev problems see {seen} (power 80 %)"


def form_line(summary: Summary) -> str | None:
    """Formats how many answers of the last student had the form that is taught; None if it is unknown."""
    known = [
        (row["round"], [entry for entry in row["evaluations"] if entry["form"] is not None])
        for row in summary["rounds"]
    ]
    round, entries = next((pair for pair in reversed(known) if pair[1]), (0, []))
    told = ", ".join(f"{entry['name']} {_form(entry)}" for entry in entries)
    return f"form      of round {round}, as taught: {told}" if told else None


def _form(entry: ReadSummary) -> str:
    return "unknown" if entry["form"] is None else f"{100 * entry['form']:.1f} %"


def show_result(console: Console, folder: Path, summary: Summary) -> None:
    """Prints the table by round, the paths of the results, and the commands to try next."""
    console.print(round_table(summary))
    for line in precision_lines(summary):
        console.print(shown(line))
    if summary["cost"]["total"]["calls"]:
        console.print(shown(cost_line(summary["cost"]["total"])))
    for told in (form_line(summary), *kept_out_lines(summary)):
        if told is not None:
            console.print(shown(told))
    if not summary["finished"]:
        console.print(shown(f"not finished; go on with: {command_line('resume', folder)}"))
    if not (folder / STUDENT).exists():
        kept = [row["decision"]["kept"] for row in summary["rounds"] if row["decision"]]
        if kept and not any(kept):
            console.print(Text("student   none: on the dev set every round did harm to the untaught one"))
        return
    link = folder / STUDENT
    target = f" -> {link.readlink()}" if link.is_symlink() else ""
    lines = [
        f"student   {link}{target} (best on the dev set)",
        f"data set  {folder / DATASET}",
        f"database  {folder / DATABASE}",
        f"next      {command_line('report', folder, '--json')}",
        f"          {command_line('verify', folder)}",
    ]
    settings = Settings.from_json(summary["settings"])
    if settings.solver is None:  # `evaluate` cannot judge a student that only plans
        lines.append(f"          {evaluation_command(link, settings)}")
    for line in lines:
        console.print(shown(line))


def evaluation_command(student: Path, settings: Settings) -> str:
    """Returns the command that asks the student as its run did, on the run's own test set if it has one."""
    options = [(option.flag, option.of(settings)) for option in OPTIONS if option.key in POLICY]
    usual = {option.flag: option.default for option in OPTIONS}
    given = [("--problems", settings.problems.test)] if settings.problems.test else []
    given += [(flag, str(value)) for flag, value in options if value != usual[flag]]
    return command_line("evaluate", student, *chain.from_iterable(given))


def show_plan(console: Console, preview: Preview) -> None:
    """Prints the number of problems of a run and the forecast of its calls to models."""
    for name, count in preview.problems.items():
        console.print(shown(f"{name}: {count} problems"))
    if not preview.expenses:
        console.print(shown("No agent asks a model: no calls, no cost."))
        return
    console.print(expense_table(preview.expenses))


def expense_table(expenses: Sequence[Expense]) -> Table:
    table = Table(title="Calls to models, as far as they can be foreseen", box=SIMPLE_HEAD, show_edge=False)
    for heading in ("round", "agent", "model", "calls", "prompt\ntokens", "reply\ntokens", "USD"):
        table.add_column(heading, justify="left" if heading in ("agent", "model") else "right")
    for row in expenses:
        counts = (str(n) for n in (row.calls, row.prompt_tokens, row.completion_tokens))
        table.add_row(str(row.round), row.agent, shown(row.model), *counts, _dollars(row.cost_usd))
    costs = [row.cost_usd for row in expenses]
    known = None if None in costs else fsum(cost or 0 for cost in costs)
    counted = ("calls", "prompt_tokens", "completion_tokens")
    sums = (sum(getattr(row, name) for row in expenses) for name in counted)
    table.add_section()
    table.add_row("all", "", "", *map(str, sums), _dollars(known))
    return table


def _dollars(cost: float | None) -> str:
    return "unknown" if cost is None else f"{cost:.4f}"


def show_evaluations(console: Console, evaluations: Sequence[ReadSummary]) -> None:
    for entry in evaluations:
        right = f"{entry['correct']} of {entry['n']} right, {_accuracy(entry)}"
        console.print(shown(f"{entry['name']}: {right}; {_form(entry)} in the form taught"))


def show_checks(console: Console, checks: Sequence[Check]) -> None:
    width = max(len(check.name) for check in checks)
    for check in checks:
        console.print(shown(f"{'ok     ' if check.ok else 'missing'}  {check.name:<{width}}  {check.detail}"))
