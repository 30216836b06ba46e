"""What the documents tell to type does what they say, page by page, in order, from an empty folder."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import pytest

from bench.faulty.sound_server import REMEDY, absent
from rtaffect.predicted.featurizer import cache_root
from tests.walk import typing
from tests.walk.pages import PAGES, ROOT, TABLE, Step, before, needed_before, not_typed, steps_of, why_not
from tests.walk.typing import is_heard, walk

#: Pages that are walked in every run; the others take minutes, and some real time.
QUICK = ("film.md", "headsets.md", "protocol.md")


def typed(page: Path) -> list[Step]:
    table = not_typed()
    return [step for step in steps_of(page) if why_not(step, table) is None]


WALKED = [page for page in PAGES if typed(page)]


@pytest.mark.skipif(sys.platform == "win32", reason="the pages are written for a POSIX shell")
@pytest.mark.timeout(3600)
@pytest.mark.parametrize(
    "page", [pytest.param(p, id=p.name, marks=() if p.name in QUICK else pytest.mark.slow) for p in WALKED]
)
def test_a_page_can_be_typed_from_an_empty_folder(page: Path, tmp_path: Path) -> None:
    if any(map(is_heard, typed(page))) and (missing := absent()):
        pytest.skip(f"needs {', '.join(missing)}: {REMEDY}")
    wrong = [
        f"{seen.step.title}: {seen.wrong}\n{seen.output[-2000:]}"
        for seen in walk(page, tmp_path, {"RTAFFECT_CACHE": str(cache_root().resolve())})
        if seen.wrong
    ]
    assert not wrong, "\n\n".join(wrong)


@pytest.mark.skipif(sys.platform == "win32", reason="the pages are written for a POSIX shell")
def test_a_snippet_that_ctrl_c_does_not_end_is_wrong_and_holds_up_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(typing, "WAITS_S", -3.5)
    monkeypatch.setattr(typing, "ENDS_S", 1.0)
    deaf = "import signal, time\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\nwhile True:\n    time.sleep(0.1)"
    with typing.Snippets(tmp_path, os.environ) as snippets:
        assert snippets.run(Step("python", deaf)).wrong
        assert not snippets.run(Step("python", "print(2)")).wrong


def test_what_is_not_typed_is_still_said_somewhere() -> None:
    steps = [step for page in PAGES for step in steps_of(page)]
    idle = [begin for begin in not_typed() if not any(why_not(step, {begin: ""}) is not None for step in steps)]
    assert not idle, f"docs/walk.md lists what no page says: {idle}"


def test_a_page_that_comes_after_another_gets_what_that_makes() -> None:
    page = ROOT / "docs" / "settings.md"
    assert before(page) == ROOT / "docs" / "guide.md"
    assert [step.made for step in needed_before(page)] == [{"studies/example"}]


@pytest.mark.parametrize("name", ["README.md"])
def test_the_table_of_the_walk_has_what_the_page_says_now(name: str) -> None:
    text = TABLE.read_text(encoding="utf-8")
    part = text[text.index(f"### {name}\n") :]
    rows = re.findall(r"^\| `([^`]+)` \| ([^|]*) \| (\d+) \|$", part.partition("\n### ")[0].partition("\n## ")[0], re.M)
    said = [step.title for step in typed(ROOT / name)]
    walked = [title for title, _, _ in rows]
    # What takes minutes may be left out; nothing else is there, and in the page's order.
    assert walked == [title for title in said if title in walked]
    assert len(walked) >= len(said) / 2
    assert not [title for title, seen, _ in rows if "exit status" in seen or "traceback" in seen]
