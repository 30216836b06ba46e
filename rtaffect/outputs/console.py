"""Feedback on the terminal: a live table where there is one, else a line a step."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.live import Live
from rich.table import Table

from rtaffect.engine.feedback import Feedback


@contextmanager
def console_sink(console: Console) -> Iterator[Callable[[Feedback], None]]:
    """Give what shows each step; a terminal is taken over for that, and given back with the last step on it."""
    if not console.is_terminal:
        yield lambda feedback: console.print(step_line(feedback), highlight=False, soft_wrap=True, markup=False)
        return
    with Live(console=console, auto_refresh=False) as live:
        yield lambda feedback: live.update(step_table(feedback), refresh=True)


def step_line(f: Feedback) -> str:
    """Return one step as a line: the means over rows, quality, trouble."""
    trouble = [f"{s.name}: {s.state}" for s in f.sources if s.state not in ("ok", "ended")]
    notes = "; ".join(filter(None, [f.reason, *trouble]))
    quality = f"{100 * f.quality.mean():3.0f} %" if f.quality.size else "n/a"
    return (
        f"step {f.step:4d}  {f.time:6.0f} s  predicted {number(f.predicted_mean)}  observed {number(f.observed_mean)}  "
        f"null {number(f.null_mean_low)}..{number(f.null_mean_high)}  good {quality}  trusted {f.trusted.sum()}/"
        f"{len(f.rows)}" + (f"  ({notes})" if notes else "")
    )


def step_table(f: Feedback) -> Table:
    """Return one step as a table of all rows."""
    table = Table(title=step_line(f), title_justify="left")
    scalp = f.rows == f.channels
    for column in ("row", "predicted", "observed", "null band", "quality" if scalp else "own share"):
        table.add_column(column, justify="left" if column == "row" else "right")
    for i, row in enumerate(f.rows):
        worth = f.quality[:, i].mean() if scalp and len(f.quality) else f.specificity[i]
        band, style = f"{number(f.null_low[i])} .. {number(f.null_high[i])}", "" if f.trusted[i] else "dim"
        table.add_row(row, number(f.predicted[i]), number(f.observed[i]), band, f"{100 * worth:.0f} %", style=style)
    return table


def number(value: float) -> str:
    """Return a correlation in five places, 'n/a' where it is absent."""
    return "  n/a" if math.isnan(value) else f"{value:+.2f}"
