"""The rules of who may import what, what a start costs, and how large a file may grow."""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from radon.complexity import cc_visit

ROOT = Path(__file__).resolve().parents[1]
HEAVY = ("torch", "transformers", "mne", "sklearn", "PySide6", "pyqtgraph", "pylsl", "onnxruntime", "onnx")
IMPORT_LINTER = "from importlinter.cli import lint_imports_command; lint_imports_command()"


def python(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run ``code`` in a fresh interpreter in the repository's root."""
    return subprocess.run(
        [sys.executable, "-c", code, *arguments], cwd=ROOT, capture_output=True, text=True, timeout=100, check=False
    )


def lint(root: Path) -> str:
    """Check the contracts on the sources in ``root``; return the report, its lines unwrapped."""
    environment = os.environ | {"PYTHONPATH": str(root), "COLUMNS": "300"}
    done = subprocess.run(
        [sys.executable, "-c", IMPORT_LINTER, "--no-cache"],
        cwd=root, capture_output=True, text=True, timeout=100, check=False, env=environment,
    )  # fmt: skip
    assert done.returncode in (0, 1), done.stdout + done.stderr
    return done.stdout


def import_linter() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]


def contracts() -> list[str]:
    return [
        c["name"] for c in tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    ]


def layers() -> list[list[str]]:
    return [[name.strip() for name in layer.split("|")] for layer in import_linter()["contracts"][0]["layers"]]


def copied(to: Path) -> Path:
    for package in ("rtaffect", "calibration", "models"):
        shutil.copytree(ROOT / package, to / package, ignore=shutil.ignore_patterns("__pycache__", "*.safetensors"))
    shutil.copy(ROOT / "pyproject.toml", to)
    return to


def test_import_contracts_hold():
    report = lint(ROOT)
    assert " 0 broken" in report, report
    assert len(contracts()) == 8


#: For each contract a module that breaks it.
WRONG = {
    "Rooms use only the rooms below them": ("rtaffect/stream/wrong.py", "import rtaffect.engine.engine"),
    "Windows are made of parts, and no window of another": (
        "rtaffect/view/start/wrong.py", "import rtaffect.view.operator.rows",
    ),
    "Qt lives only in rtaffect.view": ("rtaffect/present/wrong.py", "def f():\n    import PySide6.QtCore"),
    "Commands reach Qt through rtaffect.view alone": ("rtaffect/cli/wrong.py", "import pyqtgraph"),
    "The live side is light, and never imports the offline side": ("rtaffect/run/wrong.py", "import calibration.ridge"),
    "The offline side uses nothing above the engine": ("models/wrong.py", "import rtaffect.record.recorder"),
    "What reads finished sessions knows their protocol, and nothing that runs": (
        "calibration/finished/wrong.py", "import rtaffect.run.stage",
    ),
    "No circles": ("rtaffect/stream/wrong_a.py", "import rtaffect.stream.wrong_b"),
}  # fmt: skip


def test_each_import_contract_breaks_when_it_should(tmp_path):
    assert list(WRONG) == contracts()
    root = copied(tmp_path)
    (root / "rtaffect/stream/wrong_b.py").write_text("import rtaffect.stream.wrong_a\n")
    for file, line in WRONG.values():
        (root / file).write_text(f"{line}\n")
    report = lint(root)
    kept = [line for line in report.splitlines() if " KEPT" in line]
    assert not kept
    assert f"0 kept, {len(WRONG)} broken" in report


def test_a_room_without_a_place_and_a_wrong_order_break_the_layers(tmp_path):
    root = copied(tmp_path)
    (root / "rtaffect/attic").mkdir()
    (root / "rtaffect/attic/__init__.py").touch()
    assert re.search(r"Rooms use only the rooms below them BROKEN", lint(root))
    shutil.rmtree(root / "rtaffect/attic")
    text = (root / "pyproject.toml").read_text()
    order, wrong = '  "sources",\n  "stream",\n', '  "stream",\n  "sources",\n'
    assert text.count(order) == 1
    (root / "pyproject.toml").write_text(text.replace(order, wrong))
    assert re.search(r"Rooms use only the rooms below them BROKEN", lint(root))


def test_every_module_has_one_room_and_every_room_says_its_rule():
    rooms = sorted(p for p in (ROOT / "rtaffect").iterdir() if p.is_dir() and p.name != "__pycache__")
    assert sorted(p.name for p in (ROOT / "rtaffect").glob("*.py")) == ["__init__.py"]
    for room in rooms:
        text = ast.get_docstring(ast.parse((room / "__init__.py").read_text(encoding="utf-8")))
        assert text, f"{room.name} does not say what it is for"
    assert sorted(name for layer in layers() for name in layer) == [room.name for room in rooms]


def test_the_pictures_show_every_room_in_its_layer():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    picture = next(block for block in readme.split("```") if block.lstrip().startswith("cli "))
    beside = [re.match(r" (\w+)(?: +\| +(\w+))?", line).groups() for line in picture.strip("\n").splitlines()]
    assert [[name for name in names if name] for names in beside] == layers()
    table = (ROOT / "docs" / "how-it-works.md").read_text(encoding="utf-8").split("## Rooms")[1].split("## ")[0]
    names = [re.sub(r"\(.*\)", "", line.split("|")[1]) for line in table.splitlines() if line.startswith("| `")]
    assert [re.findall(r"`(\w+)`", cell) for cell in names] == layers()


# Without a cache mypy reads everything, beside another test, on a fresh machine.
@pytest.mark.timeout(400)
@pytest.mark.parametrize("arguments", [("mypy",), ("ruff", "check", "."), ("ruff", "format", "--check", ".")])
def test_types_and_style_hold(arguments):
    done = subprocess.run(
        [sys.executable, "-m", *arguments], cwd=ROOT, capture_output=True, text=True, timeout=390, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def loaded_by(module: str) -> set[str]:
    code = f"import json, sys, {module}; print(json.dumps(sorted({{m.split('.')[0] for m in sys.modules}})))"
    done = python(code)
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout))


@pytest.mark.parametrize(
    "module", ["rtaffect.cli", "rtaffect.engine.session", "rtaffect.observed.participant", "rtaffect.engine.bundle"]
)
def test_a_start_loads_nothing_heavy(module):
    loaded = loaded_by(module)
    assert "rtaffect" in loaded
    assert not loaded & set(HEAVY)


def test_commands_are_imported_only_when_called():
    done = python(
        "import sys, rtaffect.cli as c; "
        "print(sorted(m for m in sys.modules if m.startswith(('rtaffect.cli.', 'calibration', 'models'))))"
    )
    assert done.stdout.strip() == "[]", done.stdout + done.stderr


@pytest.mark.parametrize("package", ["rtaffect", "calibration", "models"])
def test_files_stay_small(package):
    lengths = {p: len(p.read_text(encoding="utf-8").splitlines()) for p in (ROOT / package).rglob("*.py")}
    assert lengths
    assert not {str(p.relative_to(ROOT)): n for p, n in lengths.items() if n > 400}


@pytest.mark.parametrize("package", ["rtaffect", "calibration", "models", "bench"])
def test_functions_stay_small_and_simple(package):
    """No function is longer than 50 lines, or has a cyclomatic complexity (McCabe, with boolean operators) over 15."""
    found = {}
    for path in (ROOT / package).rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno - node.lineno >= 50:
                found[f"{path.relative_to(ROOT)}: {node.name}"] = f"{node.end_lineno - node.lineno + 1} lines"
        for block in cc_visit(text):
            if block.complexity > 15 and not hasattr(block, "methods"):
                found[f"{path.relative_to(ROOT)}: {block.name} "] = f"complexity {block.complexity}"
    assert not found
