"""What the documents name exists: commands, options, files and headings."""

from __future__ import annotations

import re
import shlex
from itertools import pairwise
from pathlib import Path

import click
import pytest

from rtaffect.cli import COMMANDS, cli
from tests.walk.pages import needed_before

ROOT = Path(__file__).parents[1]
DOCUMENTS = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "CHANGELOG.md",
    *sorted((ROOT / "docs").rglob("*.md")),
]
#: Debian and Ubuntu let pip install nothing outside of a virtual environment.
VENV = "python3 -m venv .venv && . .venv/bin/activate"
SET_UP = (
    f'{VENV} && pip install -c constraints.txt -e ".[demo]" && python launch.py demo',
    f'{VENV} && pip install -c constraints.txt -e ".[test]" && pytest',
)


def code_of(text: str) -> list[str]:
    """Return the lines of fenced blocks, and the inline code."""
    blocks = re.findall(r"^```\w*\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    rest = re.sub(r"^```\w*\n.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    return [*"\n".join(blocks).replace("\\\n", " ").splitlines(), *re.findall(r"`([^`\n]+)`", rest)]


def commands_in(path: Path) -> list[str]:
    """Return what follows ``rtaffect`` or ``python launch.py`` in code."""
    starts = re.compile(r"^(?:.*&& )?(?:rtaffect|python launch\.py) (.+)$")
    found = (starts.match(line.strip()) for line in code_of(path.read_text(encoding="utf-8")))
    return [match[1] for match in found if match]


def anchors_of(path: Path) -> set[str]:
    text = path.read_text(encoding="utf-8")
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return set(re.findall(r'<a id="([^"]+)">', text)) | {
        re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings
    }


ALL_COMMANDS = [
    pytest.param(command, id=f"{path.name}: {command}") for path in DOCUMENTS for command in commands_in(path)
]


def test_the_commands_are_found() -> None:
    named = {shlex.split(command.values[0])[0] for command in ALL_COMMANDS}
    assert named == set(COMMANDS)


@pytest.mark.parametrize("command", ALL_COMMANDS)
def test_a_named_command_exists_with_its_options(command: str) -> None:
    name, *arguments = shlex.split(command, comments=True)
    found = cli.get_command(click.Context(cli), name)
    assert found is not None, f"there is no command {name}"
    if arguments:
        found.make_context(name, arguments)


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_relative_link_leads_somewhere(path: Path) -> None:
    links = re.findall(r"\]\(([^)\s]+)\)", path.read_text(encoding="utf-8"))
    for link in links:
        if link.startswith(("http://", "https://")):
            continue
        file, _, anchor = link.partition("#")
        target = (path.parent / file).resolve() if file else path
        assert target.exists(), f"{link} does not exist"
        assert not anchor or anchor in anchors_of(target), f"{link}: there is no such heading"


@pytest.mark.parametrize("command", SET_UP)
def test_the_readme_has_the_set_up_commands_word_for_word(command: str) -> None:
    assert command in (ROOT / "README.md").read_text(encoding="utf-8").splitlines()


def test_ci_runs_the_readmes_command_of_the_tests_and_nothing_after_it() -> None:
    lines = [line for line in (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines() if line.strip()]
    assert lines[-1] == SET_UP[1]
    assert [line for line in lines if line.startswith("pip")] == []


def test_what_the_documents_write_is_not_committed() -> None:
    kept = ("sessions", "studies", "bundles", "operators", "featurizers", "datasets", "protocols")
    ignored = (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()
    assert {f"/{name}/" for name in kept} <= set(ignored)
    written = {
        match.split("/")[0]
        for command in ALL_COMMANDS
        for match in re.findall(r"--out ([\w.-]+/[\w./-]+)", command.values[0])
    }
    assert written - {"docs"} <= {line.strip("/") for line in ignored}


def test_the_readme_names_every_command() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert all(f"| `{name}` |" in text for name in COMMANDS)


#: What the commands of the documents write into, and what they read from it again.
KEPT = ("sessions/", "studies/", "bundles/", "operators/", "featurizers/", "datasets/", "protocols/", "allocation")
#: A lab's own: sessions with its participants and headsets, which no page can make beforehand.
LABS_OWN = re.compile(r"sessions/(P\d\d|live-1|room\.xdf)(/|$)|protocols/film\.toml$")


def made_and_used(command: str) -> tuple[set[str], list[str]]:
    """Return what a command writes, and what of a document's folders it reads."""
    words = shlex.split(command, comments=True)
    made = {after for word, after in pairwise(words) if word == "--out"}
    used = [word for word in words if word.startswith(KEPT) and word not in made]
    return made, [word for word in used if not LABS_OWN.match(word)]


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_command_stands_after_those_that_make_what_it_reads(path: Path) -> None:
    """From an empty folder, in the order of the page and of those that it says come before it."""
    there = {made for step in needed_before(path) for made in step.made}
    for command in commands_in(path):
        made, used = made_and_used(command)
        lacking = [word for word in used if not any(word.startswith(one) for one in there)]
        assert not lacking, f"{command}: nothing before it on this page makes {', '.join(lacking)}"
        there |= made
