"""Tables of names that are to be typed: whole, however narrow the terminal, and in a pipe."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterable, Sequence

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

#: What a column of a table takes beside its text: a line and a blank on either side.
_BESIDE = 3


def print_table(
    console: Console,
    title: str,
    heads: Sequence[str],
    rows: Iterable[Sequence[str | Text]],
    remedy: str = "",
    *,
    named: int = 1,
) -> None:
    """Print rows as a table where all their texts fit on one line each, else as a list.

    In the list each row begins with what names it, and what else there is of it follows indented, as ``head: text``.
    Lines are broken between words alone.

    Parameters
    ----------
    console
        Where to.
    title
        Stands above.
    heads
        Of the columns.
    rows
        Texts, one for each head.
    remedy
        Is printed in place of the table where there are no rows.
    named
        So many of the first columns name a row.
    """
    lines = [[cell if isinstance(cell, Text) else Text(cell) for cell in row] for row in rows]
    if not lines:
        console.print(Text(remedy, style="yellow"), soft_wrap=True)
        return
    if _room(heads, lines) <= console.width:
        table = Table(*heads, title=title or None, title_justify="left")
        for line in lines:
            table.add_row(*line)
        console.print(table)
        return
    if title:
        console.print(Text(title, style="bold"), soft_wrap=True)
    for line in lines:
        _print_listed(console, heads, line, named)


def _room(heads: Sequence[str], lines: Sequence[Sequence[Text]]) -> float:
    """Return how wide the table is with each text on one line; infinite where a text has several."""
    if any("\n" in text.plain for line in lines for text in line):
        return math.inf
    columns = zip(map(Text, heads), *lines, strict=True)
    widths = [max(cell_len(text.plain) for text in column) for column in columns]
    return sum(widths) + _BESIDE * len(widths) + 1


def _print_listed(console: Console, heads: Sequence[str], line: Sequence[Text], named: int) -> None:
    console.print(Text(" ").join(text for text in line[:named] if text.plain), soft_wrap=True)
    rest = zip(heads[named:], line[named:], strict=True)
    fields = [f"{head}: {text.plain}" for head, text in rest if text.plain.strip()]
    for piece in _packed(fields, console.width - 1):
        console.print(Text(piece), soft_wrap=True)


def _packed(fields: Sequence[str], width: int) -> list[str]:
    """Return indented lines, no wider than ``width`` unless one word is: short fields side by side."""
    lines: list[str] = []
    for field in fields:
        if lines and len(lines[-1]) + 2 + len(field) <= width:
            lines[-1] += f"; {field}"
            continue
        lines += textwrap.wrap(
            field,
            max(width, 20),
            initial_indent="    ",
            subsequent_indent="      ",
            break_long_words=False,
            break_on_hyphens=False,
        )
    return lines
