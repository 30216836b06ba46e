"""The offline packages are ours, whatever else is called so."""

from __future__ import annotations

import os
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

import rtaffect
from rtaffect.common import offline
from rtaffect.common.errors import RtaffectError
from rtaffect.common.offline import lacking, offline_module

ROOT = Path(__file__).parents[2]
COMMAND = "import sys; from rtaffect.cli import main; sys.argv = ['rtaffect', 'calibrate', '--help']; main()"
ESTIMATOR = "import rtaffect; print(rtaffect.RidgeSynchrony)"
DEMO = (
    "from pathlib import Path; from rtaffect.run import demo_material\n"
    "demo_material.featurizer_for = lambda *_: None; demo_material.demo_folder(None, print)"
)


def python(code: str, folder: Path, *, interpreter: str = sys.executable, path: Path = ROOT):
    """Run ``code`` with ``folder`` first on ``sys.path``, then ``path``."""
    environment = {**os.environ, "PYTHONPATH": str(path)}
    return subprocess.run(
        [interpreter, "-c", code], cwd=folder, env=environment, capture_output=True, text=True, timeout=100, check=False
    )


def test_ours_is_imported_by_its_name() -> None:
    assert offline_module("calibration.ridge").__name__ == "calibration.ridge"
    assert offline_module("models").__file__ == str(ROOT / "models" / "__init__.py")


@pytest.mark.parametrize("file", ["calibration/__init__.py", "calibration.py"])
@pytest.mark.parametrize("code", [COMMAND, ESTIMATOR, DEMO], ids=["command", "Python", "demo"])
def test_a_foreign_package_that_comes_first_is_told_and_its_code_is_not_run(
    tmp_path: Path, file: str, code: str
) -> None:
    path = tmp_path / file
    path.parent.mkdir(exist_ok=True)
    path.write_text("print('the foreign code ran')", encoding="utf-8")
    done = python(code, tmp_path)
    assert done.returncode != 0
    assert "ran" not in done.stdout
    last = done.stderr.strip().splitlines()[-1]
    found = path if file == "calibration.py" else path.parent
    assert f"{found} is imported as 'calibration' in place of rtaffect's own package {ROOT / 'calibration'}" in last
    assert "PYTHONPATH" in last
    if code == COMMAND:
        assert done.stderr.count("\n") == 1, done.stderr
        assert done.returncode == 2


def test_a_folder_without_code_takes_nothing_from_ours(tmp_path: Path) -> None:
    (tmp_path / "calibration").mkdir()
    done = python(ESTIMATOR, tmp_path)
    assert "calibration.model.RidgeSynchrony" in done.stdout, done.stderr


def test_files_written_over_ours_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "overwritten_by_others").mkdir()
    (tmp_path / "overwritten_by_others" / "__init__.py").write_text("", encoding="utf-8")
    monkeypatch.setattr(offline, "_HOME", tmp_path.resolve())
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(RtaffectError, match="holds another package's 'overwritten_by_others'"):
        offline_module("overwritten_by_others.model")


def test_a_missing_one_is_told() -> None:
    with pytest.raises(RtaffectError, match="'no_such_package' is missing"):
        offline_module("no_such_package.model")


def test_a_module_of_unknown_origin_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "models", type(sys)("models"))
    with pytest.raises(RtaffectError, match="made at run time is imported as 'models'"):
        offline_module("models.command")


@pytest.mark.parametrize(
    ("missing", "extra"),
    [("joblib", "calibration"), ("sklearn.linear_model", "calibration"), ("torch", "export"), ("mne", "head")],
)
def test_a_package_that_is_not_installed_is_named_with_its_extra(missing: str, extra: str) -> None:
    said = lacking(ModuleNotFoundError(name=missing))
    assert isinstance(said, RtaffectError)
    assert f'{missing.split(".", maxsplit=1)[0]}, which is not installed; pip install "rtaffect[{extra}]"' in str(said)
    ours = ModuleNotFoundError(name="calibration.mistyped")
    assert lacking(ours) is ours


@pytest.mark.parametrize(("blocked", "command"), [("joblib", "calibrate"), ("sklearn", "report"), ("onnx", "export")])
def test_a_command_without_its_packages_ends_in_one_line(tmp_path: Path, blocked: str, command: str) -> None:
    arguments = {
        "calibrate": ["study", "--out", "bundle"],
        "report": ["session"],
        "export": ["--model", "moonshine-tiny", "--layer", "1", "--out", "a.onnx"],
    }
    done = python(
        # As if it were not there: nothing finds it.
        "import sys\n"
        "class Gone:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        f"        if name.partition('.')[0] == {blocked!r}:\n"
        "            raise ModuleNotFoundError(f'No module named {name!r}', name=name)\n"
        "sys.meta_path.insert(0, Gone())\n"
        "from rtaffect.cli import main\n"
        f"sys.argv = ['rtaffect', {command!r}, *{arguments[command]!r}]; main()",
        tmp_path,
    )
    assert done.returncode == 2, done.stderr
    assert done.stderr.count("\n") == 1, done.stderr
    assert blocked in done.stderr
    assert "pip install" in done.stderr


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_wheel_works_installed_elsewhere(tmp_path: Path) -> None:
    pytest.importorskip("hatchling")
    build = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-index", "--no-build-isolation", str(ROOT)]
    subprocess.run([*build, "--wheel-dir", str(tmp_path)], check=True, capture_output=True, timeout=120)
    (wheel,) = tmp_path.glob("*.whl")
    assert wheel.name.startswith(f"rtaffect-{rtaffect.__version__}-")
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {"rtaffect/py.typed", "rtaffect/__init__.pyi", "calibration/py.typed", "models/__init__.py"} <= names
    assert {name.split("/")[0] for name in names if ".dist-info/" not in name} == {"rtaffect", "calibration", "models"}

    venv.create(tmp_path / "venv", with_pip=True)
    interpreter = str(tmp_path / "venv" / "bin" / "python")
    pip = [interpreter, "-m", "pip", "install", "--no-deps", "--no-index", str(wheel)]
    subprocess.run(pip, check=True, capture_output=True, timeout=120)
    # What it depends on comes from here, after what is installed there.
    (dependencies,) = {str(p) for p in map(Path, sys.path) if (p / "numpy").is_dir()}
    (site,) = (tmp_path / "venv" / "lib").glob("python*/site-packages")
    (site / "dependencies.pth").write_text(dependencies, encoding="utf-8")

    empty = tmp_path / "empty"
    empty.mkdir()
    code = f"{ESTIMATOR}; import calibration; print(rtaffect.__file__, calibration.__file__)"
    done = python(code, empty, interpreter=interpreter, path=empty)
    assert done.stdout.count(str(site)) == 2, done.stdout + done.stderr
    done = python(COMMAND, empty, interpreter=interpreter, path=empty)
    assert "Usage: rtaffect calibrate" in done.stdout, done.stderr
    (empty / "calibration.py").write_text("", encoding="utf-8")
    done = python(COMMAND, empty, interpreter=interpreter, path=empty)
    assert f"{empty / 'calibration.py'} is imported as 'calibration'" in done.stderr
