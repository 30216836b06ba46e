"""The rules of who may import what, what a start costs, and how large a file may grow."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
HEAVY = ("torch", "transformers", "mne", "sklearn", "PySide6", "pyqtgraph", "pylsl", "onnxruntime", "onnx")
IMPORT_LINTER = "from importlinter.cli import lint_imports_command; lint_imports_command()"


def python(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run ``code`` in a fresh interpreter in the repository's root."""
    return subprocess.run(
        [sys.executable, "-c", code, *arguments], cwd=ROOT, capture_output=True, text=True, timeout=100, check=False
    )


def test_import_contracts_hold():
    done = python(IMPORT_LINTER, "--no-cache")
    assert done.returncode == 0, done.stdout + done.stderr
    assert " 0 broken" in done.stdout


def test_import_contracts_can_break(tmp_path):
    """The linter is really asked: with a contract that does not hold it fails."""
    config = tmp_path / "importlinter.ini"
    config.write_text(
        "[importlinter]\nroot_package = rtaffect\n[importlinter:contract:1]\nname = no\ntype = forbidden\n"
        "source_modules = rtaffect.engine.engine\nforbidden_modules = rtaffect.observed.synchrony\n",
        encoding="utf-8",
    )
    done = python(IMPORT_LINTER, "--no-cache", "--config", str(config))
    assert done.returncode == 1
    assert "1 broken" in done.stdout


@pytest.mark.parametrize("arguments", [("mypy",), ("ruff", "check", "."), ("ruff", "format", "--check", ".")])
def test_types_and_style_hold(arguments):
    done = subprocess.run(
        [sys.executable, "-m", *arguments], cwd=ROOT, capture_output=True, text=True, timeout=110, check=False
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
