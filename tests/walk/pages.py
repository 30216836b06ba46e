"""What a page tells to type, in its order, which page comes before it, and what is not typed and why."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Literal

import click

from rtaffect.cli import cli

ROOT = Path(__file__).parents[2]
#: Pages with commands or snippets; the others have none.
PAGES = (ROOT / "README.md", *sorted(p for p in (ROOT / "docs").glob("*.md") if p.name != "walk.md"))
#: Has the table of what is not typed.
TABLE = ROOT / "docs" / "walk.md"

_CODE = re.compile(r"^```(?P<language>\w*)\n(?P<block>.*?)^```|`(?P<inline>[^`]+)`", re.MULTILINE | re.DOTALL)
_OURS = re.compile(r"^(?:.*&& )?(?:rtaffect|python launch\.py)(?: (?P<said>.+))?$")
_PROGRAMS = (
    "rtaffect ",
    "python ",
    "python3 ",
    "pip ",
    "pipx ",
    "hf ",
    "apt-get ",
    "git ",
    "pytest",
    "bids-validator-deno ",
)
_FILE = re.compile(r"^# (\S+\.(?:toml|py))$")
#: How a page says which page's files it uses.
_BEFORE = re.compile(r"comes? after those of(?: the)? \[[^\]]+\]\(([\w./-]+\.md)")
#: Stands for what a reader puts there: ``STUDY``, ``FILE``, ``--people N``.
_PLACE = re.compile(r"^[A-Z][A-Z_]+$|^N$")


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to do: a command to type, Python to run, or a file to write (its name in ``file``)."""

    kind: Literal["command", "python", "file"]
    text: str
    file: str = ""

    @property
    def title(self) -> str:
        """The step on one line."""
        if self.kind == "command":
            return self.text
        return self.file or next(line for line in self.text.splitlines() if line and not line.startswith("import"))

    @property
    def words(self) -> list[str]:
        """The words of a command of rtaffect after its name; empty for any other step."""
        found = _OURS.match(self.text) if self.kind == "command" else None
        return shlex.split(found["said"] or "", comments=True) if found else []

    @property
    def made(self) -> set[str]:
        """What the command writes."""
        words = self.words
        return {after for word, after in pairwise(words) if word == "--out"}


def steps_of(page: Path) -> list[Step]:
    """Return what a page tells to type, in order, nothing twice."""
    return list(dict.fromkeys(_steps(page.read_text(encoding="utf-8"))))


def _steps(text: str) -> Iterator[Step]:
    for code in _CODE.finditer(text):
        if code["inline"] is not None:
            said = " ".join(code["inline"].split())
            if is_typed(said):
                yield Step("command", said)
            continue
        block, language = code["block"], code["language"]
        name = _FILE.match(block.partition("\n")[0])
        if name:
            yield Step("file", block, name[1])
        elif language == "python":
            yield Step("python", block)
        elif not language:
            for line in block.replace("\\\n", " ").splitlines():
                if line.startswith(_PROGRAMS) and not any(map(_PLACE.match, line.split())):
                    yield Step("command", line)


def is_typed(said: str) -> bool:
    """Return whether inline code is a command that can be typed as it is, and not the name or the form of one."""
    if not said.startswith(_PROGRAMS):
        return False
    found = _OURS.match(said)
    if found is None:
        return not said.startswith("python ") or " -m " in said or ".py" in said
    words = shlex.split(found["said"] or "", comments=True)
    if any(_PLACE.match(word) for word in words):
        return False
    if not words:
        return True
    command = cli.get_command(click.Context(cli), words[0])
    assert command is not None, f"there is no command {words[0]}"
    if isinstance(command, click.Group) and not words[1:]:
        return False
    try:
        command.make_context(words[0], words[1:])
    except click.MissingParameter:
        return False
    return True


def before(page: Path) -> Path | None:
    """Return the page that this one says comes before it."""
    found = _BEFORE.search(" ".join(page.read_text(encoding="utf-8").split()))
    return (page.parent / found[1]).resolve() if found else None


def needed_before(page: Path) -> list[Step]:
    """Return what of the pages before makes the files that this page uses, in order."""
    earlier = before(page)
    if earlier is None:
        return []
    there = [*needed_before(earlier), *steps_of(earlier)]
    wanted, found = _used(steps_of(page)), list[Step]()
    for step in reversed(there):
        if any(lies_in(word, step.made) for word in wanted):
            found.insert(0, step)
            wanted += step.words
    return found


def lies_in(word: str, made: Iterable[str]) -> bool:
    """Return whether a path is one of those that were made, in one of them, or beside one under its name."""
    return any(word == one or word.startswith((f"{one}/", f"{one}.")) for one in made)


def _used(steps: list[Step]) -> list[str]:
    made, used = set[str](), list[str]()
    for step in steps:
        for word in [*step.words, *re.findall(r'"([\w.-]+/[\w./-]+)"', step.text)]:
            if not lies_in(word, made):
                used.append(word)
        made |= step.made
    return used


def not_typed() -> dict[str, str]:
    """Return the begin of each command that is not typed, and why."""
    text = TABLE.read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([^`]+)` \| ([^|]+) \|", text[text.index("## What is not typed") :], re.MULTILINE)
    return {begin: why.strip() for begin, why in rows}


def why_not(step: Step, table: dict[str, str]) -> str | None:
    """Return why a step is not typed; None where it is."""
    said = step.text.removeprefix("python launch.py ").removeprefix("rtaffect ")
    return next((why for begin, why in table.items() if said.startswith(begin)), None)
