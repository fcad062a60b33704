"""A sweep's table as text, Markdown, LaTeX (booktabs) or CSV; each shows which runs a number comes from."""

import csv
import io
import itertools
import math
import re
from collections.abc import Callable, Iterator, Sequence

from rich.cells import cell_len

from lmlab.report.comparison import Paired, sign_flip
from lmlab.report.execution import MEANINGS
from lmlab.report.figure import figure, p_value
from lmlab.report.job import Job, brief, counted
from lmlab.report.over_examples import OverExamples, shown
from lmlab.report.statistics import ALPHA, Estimate, bootstrap, seeds_needed
from lmlab.report.sweep_table import Cell, Contrast, Label, SweepTable

NEAREST = 10
"""So many comparisons of a column are listed."""

LATEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}",
}  # fmt: skip

BLANK = "–"

TESTS = {
    "seed": "paired t test over common seeds",
    "bootstrap": "paired bootstrap over examples",
    "randomisation": "approximate randomisation over examples",
}
"""What the values of `test` are called."""


def text(table: SweepTable) -> str:
    """For a terminal: a star marks what is significantly best, numbers in brackets lead to the runs below."""
    notes = _notes(table)
    lines = [*_grid(table, lambda cell, number: f"{figures(cell)}{'*' if cell.is_best else ''} [{number}]", notes)]
    listed = [f"[{number}] {_runs(cell.jobs)}" for number, cell in enumerate(notes, start=1)]
    drawn = _aligned(lines, len(table.row_keys))
    parts = [[about(table)], drawn, list(remarks(table, star="*")), list(comparisons(table)), ["runs", *listed]]
    return "\n\n".join("\n".join(part) for part in parts if part) + "\n"


def markdown(table: SweepTable) -> str:
    """For a README or an issue; footnotes lead to the runs."""
    notes = _notes(table)

    def shown(cell: Cell, number: int) -> str:
        return f"{'**' if cell.is_best else ''}{figures(cell)}{'**' if cell.is_best else ''}[^{number}]"

    head, *body = ([word.replace("|", "\\|") for word in line] for line in _grid(table, shown, notes))
    rule = [*["---"] * len(table.row_keys), *["---:"] * (len(head) - len(table.row_keys))]
    drawn = [f"| {' | '.join(line)} |" for line in (head, rule, *body)]
    listed = [f"[^{number}]: {_runs(cell.jobs)}" for number, cell in enumerate(notes, start=1)]
    below = [*remarks(table, star="bold"), *comparisons(table)]
    parts = [[about(table)], drawn, [f"- {line}" for line in below], listed]
    return "\n\n".join("\n".join(part) for part in parts if part) + "\n"


def latex(table: SweepTable) -> str:
    """A tabular for `\\usepackage{booktabs}`; comments after the rows lead to the runs."""
    lines = [f"% {about(table)}", *(f"% {remark}" for remark in remarks(table, star="bold"))]
    names = [escape(key) for key in table.row_keys]
    heads = [escape(head).replace(BLANK, "--") for head in _heads(table)]
    lines += [rf"\begin{{tabular}}{{{'l' * len(names)}{'r' * len(heads)}}}", r"\toprule"]
    if table.column_keys:
        over = escape(", ".join(table.column_keys))
        width = len(table.columns)
        rest = " & " * (len(heads) - width)
        lines.append(f"{' & ' * len(names)}\\multicolumn{{{width}}}{{c}}{{{over}}}{rest} \\\\")
        lines.append(rf"\cmidrule(lr){{{len(names) + 1}-{len(names) + width}}}")
    lines += [" & ".join([*names, *heads]) + r" \\", r"\midrule"]
    for row in table.rows:
        cells = [table.cells.get((row, column)) for column in table.columns]
        words = [*(escape(brief(value)) for value in row), *(_in_latex(cell) for cell in cells)]
        lines.append(" & ".join([*words, *map(math_of, beside(table, row))]) + r" \\")
        lines += [f"% {', '.join(column)}: {_runs(cell.jobs)}" for column, cell in zip(table.columns, cells) if cell]
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}"]) + "\n"


def to_csv(table: SweepTable) -> str:
    """For other programs: a line for each cell, figures in full, with both intervals and the ids of the runs."""
    target = io.StringIO()
    writer = csv.writer(target, lineterminator="\n")
    states = list(counted([job for cell in table.cells.values() for job in cell.jobs]))
    cells = [cell for one in (table, *table.more) for cell in one.cells.values()]
    reasons = list(dict.fromkeys(reason for cell in cells for reason in cell.left_out))
    reasons = [reason for reason in reasons if reason not in states]
    numbers = ["n", "mean", "sd", "low", "high", "bootstrap_low", "bootstrap_high"]
    keys = [*table.row_keys, *table.column_keys]
    tests = ["is_best", "test", "best_minus_this", "p_holm"]
    writer.writerow([*keys, "metric", *numbers, *tests, *states, *reasons, "seeds", "runs"])
    for row, column, one in itertools.product(table.rows, table.columns, (table, *table.more)):
        cell = one.cells.get((row, column))
        if cell is not None:
            count = counted(cell.jobs)
            counts = [*(count.get(state, 0) for state in states), *(cell.left_out.get(r, 0) for r in reasons)]
            seeds = " ".join(map(str, cell.by_seed))
            runs = " ".join(job.run.id for job in cell.jobs if job.run is not None)
            tested = _tested(table, row, column) if one is table else [""] * len(tests)
            writer.writerow([*row, *column, one.metric, *_numbers(cell), *tested, *counts, seeds, runs])
    return target.getvalue()


def _tested(table: SweepTable, row: Label, column: Label) -> list[str | float]:
    """Whether the cell is best, by which test, the column's best minus it, and p of that."""
    found = [(one.paired.difference, one.p) for one in table.contrasts.get(column, ()) if one.other == row]
    return [str(table.cells[row, column].is_best).lower(), table.test, *(found[0] if found else ("", ""))]


FORMATS: dict[str, Callable[[SweepTable], str]] = {"text": text, "markdown": markdown, "latex": latex, "csv": to_csv}


def figures(cell: Cell) -> str:
    """mean ± half-width (n), and what is left out."""
    left = ", ".join(f"{count} {reason}" for reason, count in cell.left_out.items())
    shown = BLANK if cell.estimate is None else f"{plus_minus(cell.estimate)} ({cell.estimate.n})"
    return f"{shown} {left}" if left else shown


def beside(table: SweepTable, row: Label) -> list[str]:
    """The other figures of a row, a column each."""
    cells = [one.cells.get((row, column)) for one in table.more for column in table.columns]
    return [BLANK if cell is None or cell.estimate is None else plus_minus(cell.estimate) for cell in cells]


def plus_minus(estimate: Estimate) -> str:
    """The half-width with two significant digits, the mean with as many decimals; of one value, the value alone."""
    mean, half = estimate.mean, estimate.half_width
    if not math.isfinite(half):
        return figure(mean)
    if half == 0 or not 1e-8 < half < 1e8:
        return f"{figure(mean)} ± {figure(half)}"
    decimals = max(0, 1 - math.floor(math.log10(half)))
    return f"{mean:,.{decimals}f} ± {half:,.{decimals}f}"


def about(table: SweepTable) -> str:
    """What the numbers are."""
    states = counted([job for cell in table.cells.values() for job in cell.jobs])
    jobs = ", ".join(f"{count} {state}" for state, count in states.items())
    better = "lower" if table.direction == "minimize" else "higher"
    over = f", columns {', '.join(table.column_keys)}" if table.column_keys else ""
    return f"{table.metric} ({better} is better{over}): mean ± 95 % t interval (seeds); {jobs}"


def remarks(table: SweepTable, *, star: str) -> Iterator[str]:
    """What must be known to read the table right."""
    if table.averaged:
        yield f"averaged over {', '.join(table.averaged)}; rows={','.join([*table.row_keys, *table.averaged])} shows each"
    if any(cell.is_best for cell in table.cells.values()):
        yield f"{star}: better than every other of its column ({TESTS[table.test]}, Holm-corrected, p < {ALPHA})"
    elif any(table.contrasts.values()):
        by = "" if table.test == "seed" else f" ({TESTS[table.test]})"
        yield f"nothing is significantly better than every other of its column (p < {ALPHA}, Holm-corrected){by}"
    elif len(table.rows) > 1:
        yield _untested(table)
    if table.test != "seed" and any(table.contrasts.values()):
        yield "over examples: their statistics averaged over a configuration's runs; what other text would show, not other seeds"
    yield from (MEANINGS[one.metric] for one in (table, *table.more) if one.metric in MEANINGS)


def _untested(table: SweepTable) -> str:
    if table.test != "seed":
        return "nothing can be tested yet: it takes two configurations that are done"
    more = "; test=bootstrap compares over examples" if table.metric.rpartition("/")[0] in ("val", "test") else ""
    return f"nothing can be tested yet: it takes two seeds that both configurations have{more}"


def comparisons(table: SweepTable) -> Iterator[str]:
    """The best of each column against the others, the nearest first."""
    for column, contrasts in table.contrasts.items():
        for contrast in contrasts[:NEAREST]:
            where = f"{', '.join(map(brief, column))}: " if any(column) else ""
            yield f"{where}{comparison(contrast)}"
        if len(contrasts) > NEAREST:
            yield f"and {len(contrasts) - NEAREST} others, further from the best; format=csv holds every figure"


def comparison(contrast: Contrast) -> str:
    """One line: the difference with its interval, p, and, over seeds, what it would take to be sure of it."""
    over, which = contrast.paired, f"{name(contrast.best)} − {name(contrast.other)}"
    if isinstance(over, OverExamples):
        return f"{which}: {shown(over)}, p = {p_value(contrast.p)}"
    flips = p_value(sign_flip(over.differences))
    difference = f"{which}: {plus_minus(over.estimate)} ({over.estimate.n} seeds)"
    return f"{difference}, p = {p_value(contrast.p)}, by sign flips alone {flips}{_more(over, contrast.p)}"


def name(label: Label) -> str:
    """A configuration by its values."""
    return " ".join(map(brief, filter(None, label))) or "all"


def _more(over: Paired, p: float) -> str:
    if p < ALPHA:
        return ""
    needed = seeds_needed(over.differences)
    if needed is None:
        return "; no number of seeds up to 1,000 would show such a difference"
    more = max(0, needed - over.estimate.n)
    if more == 0:
        return ""
    return f"; about {more} more {'seed' if more == 1 else 'seeds'} would show a difference such as this (power 0.8)"


def _notes(table: SweepTable) -> list[Cell]:
    """The cells in the order of their numbers."""
    places = [(row, column) for row in table.rows for column in table.columns]
    return [table.cells[place] for place in places if place in table.cells]


def _grid(table: SweepTable, shown: Callable[[Cell, int], str], notes: Sequence[Cell]) -> Iterator[list[str]]:
    numbers = {id(cell): number for number, cell in enumerate(notes, start=1)}
    yield [*table.row_keys, *_heads(table)]
    for row in table.rows:
        cells = [table.cells.get((row, column)) for column in table.columns]
        own = [shown(cell, numbers[id(cell)]) if cell is not None else BLANK for cell in cells]
        yield [*map(brief, row), *own, *beside(table, row)]


def _aligned(lines: Sequence[Sequence[str]], num_keys: int) -> list[str]:
    """Keys to the left, figures to the right; a Chinese character is two columns wide."""
    widths = [max(map(cell_len, column)) for column in zip(*lines)]
    aligned = []
    for line in lines:
        gaps = [" " * (width - cell_len(word)) for word, width in zip(line, widths)]
        keys = [word + gap for word, gap in zip(line[:num_keys], gaps)]
        numbers = [gap + word for word, gap in zip(line[num_keys:], gaps[num_keys:])]
        aligned.append("  ".join([*keys, *numbers]).rstrip())
    return aligned


def _heads(table: SweepTable) -> list[str]:
    names = [", ".join(map(brief, column)) or BLANK for column in table.columns]
    if not table.column_keys:
        return [one.metric for one in (table, *table.more)]
    return [*names, *(f"{one.metric} {name}" for one in table.more for name in names)]


def _runs(jobs: Sequence[Job]) -> str:
    """The id of each run, with its seed, and its state where that is not done."""
    return ", ".join(_run(job) for job in jobs)


def _run(job: Job) -> str:
    facts = [f"seed {job.seed}" if job.seed is not None else "", job.state if job.state != "done" else ""]
    shown = job.run.id if job.run is not None else f"job {job.number}"
    return f"{shown} ({', '.join(filter(None, facts))})" if any(facts) else shown


def _numbers(cell: Cell) -> list[float | int | str]:
    """As in the head of the CSV; empty where there is no such number."""
    if cell.estimate is None:
        return [0, *[""] * 6]
    one = cell.estimate
    ends = bootstrap(list(cell.by_seed.values()))
    return [one.n, *(value if math.isfinite(value) else "" for value in (one.mean, one.sd, one.low, one.high, *ends))]


def _in_latex(cell: Cell | None) -> str:
    if cell is None or cell.estimate is None:
        return "--" if cell is None else escape(figures(cell)).replace(BLANK, "--")
    number = math_of(plus_minus(cell.estimate))
    bold = rf"\boldmath{number}" if cell.is_best else number
    left = "".join(f", {count} {escape(reason)}" for reason, count in cell.left_out.items())
    shown = rf"{{{bold}}}" if cell.is_best else bold
    return f"{shown} ({cell.estimate.n}{left})"


def math_of(shown: str) -> str:
    """A number as LaTeX's mathematics."""
    if shown == BLANK:
        return "--"
    number = shown.replace(",", "{,}").replace("±", r"\pm")
    number = re.sub(r"e([+-]\d+)", lambda match: rf" \times 10^{{{int(match[1])}}}", number)
    return f"${number}$"


def escape(value: str) -> str:
    """Text as LaTeX prints it."""
    return "".join(LATEX.get(letter, letter) for letter in value)
