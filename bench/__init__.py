"""What is measured: ``python -m bench.step``, ``bench.ring``, ``bench.replay``; options ``--quick``, ``--json FILE``.

Every figure stands beside a named alternative that was measured in the same run, turn about, and is a median.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

Rows = list[dict[str, Any]]


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


def interleaved(turns: int, *works: Callable[[], object]) -> list[float]:
    """Return the median seconds of each of ``works``, which run one after the other, ``turns`` times."""
    spent = np.empty((turns, len(works)))
    for turn in range(turns):
        for number, work in enumerate(works):
            start = time.perf_counter()
            work()
            spent[turn, number] = time.perf_counter() - start
    return [float(seconds) for seconds in np.median(spent, axis=0)]


def run(name: str, measure: Callable[[bool], Rows], columns: Sequence[tuple[str, str, str]], note: str) -> None:
    """Measure, print a table and write the JSON file asked for.

    ``columns`` are (key of a row, heading, format); each row also has a ``ratio``.
    """
    parser = argparse.ArgumentParser(prog=f"python -m bench.{name}")
    parser.add_argument("--quick", action="store_true", help="small sizes and few turns: does it run?")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there, too")
    asked = parser.parse_args()
    about = machine()
    rows = measure(asked.quick)
    title = f"{name}: {about['processor']}, {about['cores']} cores, {about['system']}, Python {about['python']}"
    table = Table(title=title, title_justify="left", caption=note, caption_justify="left")
    for _, heading, form in columns:
        table.add_column(heading, justify="right" if form else "left")
    for row in rows:
        table.add_row(*(_cell(row[key], form) for key, _, form in columns))
    Console(width=None if os.isatty(1) else 140).print(table)
    if asked.json:
        content = {"bench": name, "quick": asked.quick, "machine": about, "rows": rows}
        asked.json.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def _cell(value: object, form: str) -> str:
    return "n/a" if value is None else format(value, form)
