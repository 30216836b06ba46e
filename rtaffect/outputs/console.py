"""Feedback on the terminal: a live table where there is one, else a line a step."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Final, Protocol

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from rtaffect.affect.values import SOURCES, AffectSource, AffectValues
from rtaffect.common.errors import at_terminal
from rtaffect.common.words import together
from rtaffect.engine.feedback import Feedback

_SOURCES: Final[dict[AffectSource, str]] = {"eeg": "EEG", "sound": "sound", "both": "both"}


class Prompt(Protocol):
    """What stands above the steps for who types: its ``line``, and what is to be called when that has changed."""

    said: Callable[[], None]

    @property
    def line(self) -> str:
        """One line of text; empty for none."""


@contextmanager
def console_sink(
    console: Console, trouble: Callable[[], str] = str, prompt: Prompt | None = None
) -> Iterator[Callable[[Feedback], None]]:
    """Give what shows each step; a terminal is taken over for that, and given back with the last step on it.

    ``trouble`` says what is wrong outside the steps, as with the disk; it is shown for as long as it lasts. A
    ``prompt`` is shown with each step, and at once when it has changed.
    """
    if not console.is_terminal:
        yield lambda f: console.print(step_line(f, trouble()), highlight=False, soft_wrap=True, markup=False)
        return
    tables: list[Table] = []
    with Live(console=console, auto_refresh=False) as live:

        def draw() -> None:
            above = [Text(prompt.line, style="bold")] if prompt is not None and prompt.line else []
            live.update(Group(*above, *tables[-1:]), refresh=True)

        def show(feedback: Feedback) -> None:
            tables[:] = [step_table(feedback, trouble())]
            draw()

        if prompt is not None:
            prompt.said = draw
            draw()
        yield show


@contextmanager
def warnings_shown(console: Console) -> Iterator[None]:
    """Show on the terminal what the program warns of in its log: what is lost, late or not written."""
    handler = _ToConsole(console)
    logger = logging.getLogger("rtaffect")
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)


class _ToConsole(logging.Handler):
    """Shows warnings, and what is worse, as lines."""

    def __init__(self, console: Console) -> None:
        super().__init__(logging.WARNING)
        self._console = console

    def emit(self, record: logging.LogRecord) -> None:
        """Show one line; a terminal that is gone must not end what the line tells of."""
        with suppress(Exception):
            text = " ".join(record.getMessage().split())
            style = "bold red" if record.levelno >= logging.ERROR else "yellow"
            line = f"{record.levelname.lower()}: {text}"
            self._console.print(line, style=style, markup=False, highlight=False, soft_wrap=True)


def step_line(f: Feedback, trouble: str = "") -> str:
    """Return one step as a line: the means over rows, quality, trouble."""
    states = together((s.name, s.state) for s in f.sources if s.state not in ("ok", "ended"))
    notes = at_terminal("; ".join(filter(None, [trouble, f.reason, *states])))
    quality = f"{100 * f.quality.mean():3.0f} %" if f.quality.size else "n/a"
    told = (
        f"predicted {number(f.predicted_mean)}  observed {number(f.observed_mean)}  "
        f"null {number(f.null_mean_low)}..{number(f.null_mean_high)}"
    )
    if f.rating is not None:
        each = zip(f.rows, f.predicted, f.observed, strict=True)
        told = "  ".join(f"{row} predicted {number(p)} rated {number(o)}" for row, p, o in each)
    told += "".join(f"  {affect_words(values, named=len(f.affect) > 1)}" for values in f.affect)
    return f"step {f.step:4d}  {f.time:6.0f} s  {told}  good {quality}  trusted {f.trusted.sum()}/{len(f.rows)}" + (
        f"  ({notes})" if notes else ""
    )


def step_table(f: Feedback, trouble: str = "") -> Table:
    """Return one step as a table of all rows."""
    table = Table(title=step_line(f, trouble), title_justify="left")
    scalp = f.rows == f.channels
    rated = f.rating is not None
    names = ("rating", "predicted", "interval", "rated") if rated else ("row", "predicted", "observed", "null band")
    for column in names if rated else (*names, "quality" if scalp else "own share"):
        table.add_column(column, justify="left" if column == names[0] else "right")
    for i, row in enumerate(f.rows):
        if rated:
            interval = f"{number(f.predicted_low[i])} .. {number(f.predicted_high[i])}"
            shown = (row, number(f.predicted[i]), interval, number(f.observed[i]))
            table.add_row(*shown, style="" if f.trusted[i] else "dim")
            continue
        worth = f.quality[:, i].mean() if scalp and len(f.quality) else f.specificity[i]
        band, style = f"{number(f.null_low[i])} .. {number(f.null_high[i])}", "" if f.trusted[i] else "dim"
        table.add_row(row, number(f.predicted[i]), number(f.observed[i]), band, f"{100 * worth:.0f} %", style=style)
    return table


def affect_words(values: AffectValues, *, named: bool) -> str:
    """Return a person's valence and arousal from each source in words, with their name if ``named``."""
    of = f" of {at_terminal(values.person)}" if named and values.person else ""
    each = (
        f"{_SOURCES[source]} {number(found.valence)} {number(found.arousal)}"
        for source in SOURCES
        for found in [values.estimate(source)]
    )
    return f"valence, arousal{of}: {', '.join(each)}"


def number(value: float) -> str:
    """Return a value in five places, 'n/a' where it is absent."""
    return "  n/a" if math.isnan(value) else f"{value:+.2f}"
