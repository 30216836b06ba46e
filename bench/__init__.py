"""What is measured: ``python -m bench.NAME``; NAME is one of this folder's modules, such as ``step`` or ``ring``.

Options: ``--quick``, ``--markdown``, ``--json FILE``; of a long one ``--keep FILE``, where finished trials are kept, so
that the same command goes on where it was stopped, and ``--within SECONDS``, after which it tells what is there.

Every figure stands beside a named alternative that was measured in the same run, turn about, and is a median.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import time
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from bench.kept import Kept, program

Rows = list[dict[str, Any]]

#: Configuration of LSL that keeps to this machine, and apart from other sessions by ``session`` and by ports: where
#: others have taken most of the usual ones, some streams are not found.
_LOOPBACK = """[ports]
IPv6 = disable
BasePort = {port}
PortRange = 256
[multicast]
ResolveScope = machine
AddressesOverride = {{127.0.0.1}}
ListenAddress = 127.0.0.1
[lab]
SessionID = {session}
[log]
level = -3
"""


def loopback() -> str:
    """Return a configuration of LSL for processes that are to find each other, and no others."""
    return _LOOPBACK.format(session=uuid.uuid4().hex, port=random.SystemRandom().randrange(20_000, 30_000))


def machine() -> dict[str, Any]:
    """Return what the figures were measured on."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "numpy": np.__version__,
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.processor() or "unknown processor"


def silent(_: str) -> None:
    """Take a line of progress and say nothing."""


def interleaved(turns: int, *works: Callable[[], object]) -> list[float]:
    """Return the median seconds of each of ``works``, which run one after the other, ``turns`` times."""
    return [float(seconds) for seconds in np.median(turn_about(turns, works), axis=0)]


def turn_about(turns: int, works: Sequence[Callable[[], object]], pause_s: float = 0.0) -> NDArray[np.float64]:
    """Return the seconds (turns, works) of each in each turn; in ``pause_s`` before each, threads can fall asleep."""
    spent = np.empty((turns, len(works)))
    for turn in range(turns):
        for number, work in enumerate(works):
            time.sleep(pause_s)
            start = time.perf_counter()
            work()
            spent[turn, number] = time.perf_counter() - start
    return spent


def run(
    name: str,
    measure: Callable[..., Rows],
    columns: Sequence[tuple[str, str, str]],
    note: str,
    summarise: Callable[[Rows], dict[str, Any]] = lambda _: {},
    *,
    keeps: bool = False,
) -> None:
    """Measure, print a table and write the JSON file asked for.

    ``columns`` are (key of a row, heading, format); each row also has a ``ratio``. What ``summarise`` makes of the rows
    is printed below the table and stands in the JSON file beside them. ``measure`` takes whether the run is a quick
    one, and with ``keeps`` also where the trials of a long bench are kept.
    """
    parser = argparse.ArgumentParser(prog=f"python -m bench.{name}")
    parser.add_argument("--quick", action="store_true", help="small sizes and few turns: does it run?")
    parser.add_argument("--markdown", action="store_true", help="print the table as Markdown, to paste")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there, too")
    if keeps:
        parser.add_argument("--keep", type=Path, metavar="FILE", help="where finished trials are kept, to go on with")
        parser.add_argument("--within", type=float, metavar="SECONDS", default=float("inf"), help="begin none later")
    asked = parser.parse_args()
    about = machine()
    if keeps:
        of = {"bench": name, "quick": asked.quick, "program": program(name)}
        rows = measure(asked.quick, Kept(asked.keep, of, asked.within))
    else:
        rows = measure(asked.quick)
    title = f"{name}: {about['processor']}, {about['cores']} cores, {about['system']}, Python {about['python']}"
    summary = summarise(rows)
    lines = [[_cell(row[key], form) for key, _, form in columns] for row in rows]
    if asked.markdown:
        marks = ["---:" if form else "---" for _, _, form in columns]
        table = [[heading for _, heading, _ in columns], marks, *lines]
        print(title, *(f"| {' | '.join(line)} |" for line in table), note, sep="\n")
    else:
        _print(title, columns, lines, note)
    for key, value in summary.items():
        print(f"{key}: {json.dumps(value)}")
    if asked.json:
        content = {"bench": name, "quick": asked.quick, "machine": about, **summary, "rows": rows}
        asked.json.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def _print(title: str, columns: Sequence[tuple[str, str, str]], lines: list[list[str]], note: str) -> None:
    table = Table(title=title, title_justify="left", caption=note, caption_justify="left")
    for _, heading, form in columns:
        table.add_column(heading, justify="right" if form else "left", no_wrap=not form)
    for line in lines:
        table.add_row(*line)
    Console(width=None if os.isatty(1) else 160).print(table)


def _cell(value: object, form: str) -> str:
    return "n/a" if value is None else format(value, form)
