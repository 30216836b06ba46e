"""Trials of a long bench that are kept in a file, so that it can be stopped, and go on, or be told as far as it is.

A line of JSON each: what was asked, and what came. The first line says of which bench, size and program they are;
those of another one are refused, since rates of two programs are no rate.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]


class Kept:
    """Results of trials by their names, in ``path``, or only for this run.

    Once ``within_s`` seconds have passed, no trial is begun any more.
    """

    def __init__(self, path: Path | None, about: dict[str, Any], within_s: float = float("inf")) -> None:
        self._path, self._found = path, dict[str, Any]()
        self._end = time.monotonic() + within_s
        if path is None:
            return
        if not path.exists():
            self._write(about)
        lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        if lines[0] != about:
            raise SystemExit(f"{path} has trials of {lines[0]}, and this is {about}: name another file")
        self._found = {line["trial"]: line["found"] for line in lines[1:]}

    def of(self, trial: str, work: Callable[[], Any]) -> Any:
        """Return what ``work`` gives, which is JSON, or gave once; None where there is no time for it any more."""
        if trial not in self._found and time.monotonic() < self._end:
            self._found[trial] = work()
            self._write({"trial": trial, "found": self._found[trial]})
        return self._found.get(trial)

    def _write(self, line: dict[str, Any]) -> None:
        if self._path is not None:
            with self._path.open("a", encoding="utf-8") as target:
                target.write(json.dumps(line) + "\n")


def program(bench: str) -> str:
    """Return the first digits of the hash of everything that a bench's figures can come from."""
    parts = [*(p for room in ("rtaffect", "calibration", "models") for p in (ROOT / room).rglob("*.py"))]
    digest = hashlib.sha256()
    for path in sorted([*parts, ROOT / "bench" / f"{bench}.py"]):
        digest.update(path.relative_to(ROOT).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:12]
