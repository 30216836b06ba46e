"""What the package offers to other code: names, their types, a version, how it is cited."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import rtaffect

ROOT = Path(__file__).parents[2]
NAMES = [name for name in rtaffect.__all__ if name != "__version__"]


@pytest.mark.parametrize("name", NAMES)
def test_every_public_name_is_there_and_says_what_it_is(name: str) -> None:
    found = getattr(rtaffect, name)
    assert found.__name__ == name
    assert found.__doc__
    assert name in dir(rtaffect)


def test_an_unknown_name_is_none_of_them() -> None:
    with pytest.raises(AttributeError, match="'rtaffect' has no attribute 'synchronise'"):
        _ = rtaffect.synchronise


def test_the_stub_has_the_same_names_from_the_same_modules() -> None:
    tree = ast.parse((ROOT / "rtaffect" / "__init__.pyi").read_text(encoding="utf-8"))
    imports = [node for node in tree.body if isinstance(node, ast.ImportFrom)]
    typed = {alias.asname: node.module for node in imports for alias in node.names if alias.asname == alias.name}
    assert typed == rtaffect._MODULES
    assert (ROOT / "rtaffect" / "py.typed").is_file()


def test_importing_it_loads_nothing_else() -> None:
    code = "import sys, rtaffect; print([m for m in sys.modules if m.split('.')[0] in ('numpy', 'rtaffect')])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['rtaffect']"


def test_the_version_stands_in_one_place_and_in_the_citation() -> None:
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert re.findall(r"^version: (.+)$", citation, re.MULTILINE) == [rtaffect.__version__]
    assert rtaffect.__version__ not in (ROOT / "pyproject.toml").read_text(encoding="utf-8").split("[tool.")[0]


def test_the_citation_names_the_papers_and_the_licence() -> None:
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert "cff-version: 1.2.0" in citation
    assert "license: BSD-3-Clause" in citation
    assert all(f"https://arxiv.org/abs/{number}" in citation for number in ("2509.21381", "2202.09750"))
