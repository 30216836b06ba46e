"""The command ``doctor``: whether what rtaffect needs is installed and works, and what to do where it does not."""

from __future__ import annotations

import importlib.metadata
import platform
import shutil
import sys
import tempfile
import time
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import click
import numpy as np
from rich.text import Text

from rtaffect.common.errors import ArtifactError, RtaffectError, SoundError, StreamError
from rtaffect.common.listing import print_table
from rtaffect.common.system_packages import SOUND, apt_install
from rtaffect.common.terminal import Terminal
from rtaffect.outputs.lsl_outlet import LslOutlet

OLDEST_PYTHON: Final = (3, 11)
LSL_TIMEOUT_S: Final = 5.0
NEEDED_DISK_BYTES: Final = 1e9
_QT_PACKAGES: Final = (("PySide6", "PySide6-Essentials"), ("pyqtgraph", "pyqtgraph"))

#: An ONNX model that returns its one input: the providers of a session are known only when there is a session.
_IDENTITY_MODEL: Final = bytes.fromhex(
    "08083a370a100a017812017922084964656e746974791201675a0f0a0178120a0a08080112040a02"
    "0801620f0a0179120a0a08080112040a02080142040a00100d"
)


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """One finding; ``needed`` says whether the demo cannot do without it, ``extra`` that few people want it."""

    name: str
    ok: bool
    detail: str
    remedy: str = ""
    needed: bool = True
    extra: bool = False

    @property
    def mark(self) -> Text:
        """The finding in one word, coloured."""
        if self.ok:
            return Text("ok", "green")
        return Text("absent", "dim") if self.extra else Text("problem", "red" if self.needed else "yellow")


@click.command("doctor")
def command() -> None:
    """Check what is installed and works; the exit status is 0 if the demo can run, else 1."""
    console = Terminal()
    with console.status("Checking"):
        found = checks()
    rows = [(check.mark, check.name, check.detail, "" if check.ok else check.remedy) for check in found]
    print_table(console, "", ("", "Check", "Finding", "What to do"), rows, named=2)
    runs = all(check.ok for check in found if check.needed)
    console.print(
        "The demo can run: rtaffect demo" if runs else "The demo cannot run until the red problems are solved."
    )
    sys.exit(0 if runs else 1)


def checks() -> list[Diagnosis]:
    """Return all findings; takes some seconds, more where the featurizer is built for the first time."""
    return [
        _python(),
        *_lsl(),
        _portaudio(),
        _onnxruntime(),
        _onnxruntime_packages(),
        _qt(),
        _cache_folder(),
        _disk(),
        _featurizer_wheel(),
        _featurizer(),
        _second_model(),
        _brainflow(),
        _fieldtrip(),
        _osc(),
    ]


def _python() -> Diagnosis:
    wanted = ".".join(map(str, OLDEST_PYTHON))
    detail = f"{platform.python_version()} on {platform.system()} {platform.machine()}"
    return Diagnosis("Python", sys.version_info >= OLDEST_PYTHON, detail, f"install Python {wanted} or newer")


def _lsl() -> list[Diagnosis]:
    try:
        import pylsl
    except (ImportError, OSError, RuntimeError) as error:
        remedy = "pip install pylsl; where its wheel has no liblsl, install that too (github.com/sccn/liblsl/releases)"
        return [Diagnosis("liblsl", False, _first_line(error), remedy)]
    version = pylsl.library_version()
    library = Diagnosis("liblsl", True, f"{version // 100}.{version % 100}, pylsl {_version('pylsl')}")
    started = time.monotonic()
    try:
        problem = _loop_back(pylsl)
    except RuntimeError as error:
        problem = _first_line(error)
    detail = problem or f"a sample went out and came back, {time.monotonic() - started:.1f} s with discovery"
    remedy = (
        "let the firewall pass UDP 16571 and TCP and UDP 16572-16604, also for this computer itself, and see that a "
        "network interface is up"
    )
    return [library, Diagnosis("LSL loopback", not problem, detail, remedy)]


def _loop_back(pylsl: Any) -> str:
    """Send a sample from a real outlet to a real inlet; return what went wrong, '' for nothing."""
    name = f"rtaffect-doctor-{uuid.uuid4().hex}"
    info = pylsl.StreamInfo(name, "Check", 1, pylsl.IRREGULAR_RATE, "float32", name)
    with LslOutlet(lambda: pylsl.StreamOutlet(info)) as outlet:
        return _through(outlet, pylsl.ContinuousResolver("name", name), pylsl)


def _through(outlet: LslOutlet, resolver: Any, pylsl: Any) -> str:
    """Read a sample of the outlet from the stream that the resolver finds; return what went wrong, '' for nothing."""
    deadline = time.monotonic() + LSL_TIMEOUT_S
    while not (found := resolver.results()):
        if time.monotonic() > deadline:
            return f"an outlet of this program was not found within {LSL_TIMEOUT_S:g} s"
        time.sleep(0.02)
    inlet = pylsl.StreamInlet(found[0], recover=False)
    inlet.open_stream(LSL_TIMEOUT_S)
    outlet.push_sample([1.5])
    sample, _ = inlet.pull_sample(LSL_TIMEOUT_S)
    inlet.close_stream()
    return "" if sample == [1.5] else f"the sample 1.5 came back as {sample}"


def _portaudio() -> Diagnosis:
    try:
        from rtaffect.sources.sound_devices import list_sound_devices, portaudio

        version = portaudio().get_portaudio_version()[1].split(",")[0]
        devices = list_sound_devices()
    except SoundError as error:
        return Diagnosis("PortAudio", False, _first_line(error), apt_install(SOUND), needed=False)
    except (ImportError, RuntimeError) as error:
        return Diagnosis("PortAudio", False, _first_line(error), "pip install sounddevice pylsl", needed=False)
    inputs, outputs = sum(d.inputs > 0 for d in devices), sum(d.outputs > 0 for d in devices)
    return Diagnosis("PortAudio", True, f"{version}; {inputs} input and {outputs} output devices", needed=False)


def _onnxruntime() -> Diagnosis:
    try:
        import onnxruntime
    except ImportError as error:
        remedy = 'pip install "rtaffect[cpu]", or "rtaffect[gpu]" with an NVIDIA GPU'
        return Diagnosis("ONNX Runtime", False, _first_line(error), remedy)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    wanted = [
        p for p in ("CUDAExecutionProvider", "CPUExecutionProvider") if p in onnxruntime.get_available_providers()
    ]
    session = onnxruntime.InferenceSession(_IDENTITY_MODEL, options, providers=wanted)
    (out,) = session.run(None, {"x": np.ones(1, np.float32)})
    active = session.get_providers()
    detail = f"{onnxruntime.__version__}; active: {', '.join(active)}"
    if out[0] != 1.0:
        return Diagnosis("ONNX Runtime", False, f"{detail}; it returns {out[0]} for 1", "install onnxruntime again")
    if active[0] != wanted[0]:
        remedy = 'pip install "onnxruntime-gpu[cuda,cudnn]" and update the NVIDIA driver; until then the CPU computes'
        return Diagnosis(
            "ONNX Runtime", False, f"{detail}; {wanted[0]} is installed but cannot start", remedy, needed=False
        )
    return Diagnosis("ONNX Runtime", True, detail)


def _onnxruntime_packages() -> Diagnosis:
    there = [f"{p} {v}" for p in ("onnxruntime", "onnxruntime-gpu") if (v := _version(p))]
    remedy = (
        "both write into the same folder and the GPU may go unused: pip uninstall onnxruntime onnxruntime-gpu, then "
        "install only one of them"
    )
    return Diagnosis(
        "ONNX Runtime packages", len(there) < 2, " and ".join(there) or "none installed", remedy, needed=False
    )


def _qt() -> Diagnosis:
    # In a child process: only the view may import Qt, and a missing system library ends the process.
    from rtaffect.view.trial import REMEDY, try_window

    trial = try_window()
    versions = (f"{name} {_version(package) or 'missing'}" for name, package in _QT_PACKAGES)
    detail = f"{', '.join(versions)}: {trial.said}"
    if trial.ok:
        more = "" if trial.screen else "; there is no screen here to try it on"
        return Diagnosis("Window (Qt)", True, detail + more)
    if trial.screen:
        return Diagnosis("Window (Qt)", False, detail, f"{REMEDY}; or go on without a window: --headless")
    # Without a screen the demo runs in the terminal.
    return Diagnosis("Window (Qt)", False, detail, REMEDY, needed=False)


def _cache_folder() -> Diagnosis:
    from rtaffect.predicted.featurizer import cache_root

    folder = cache_root()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"1")
    except OSError as error:
        remedy = "make the folder writable, or name another one in the environment variable RTAFFECT_CACHE"
        return Diagnosis("Cache folder", False, f"{folder}: {error.strerror}", remedy)
    return Diagnosis("Cache folder", True, f"{folder} is writable")


def _disk() -> Diagnosis:
    from rtaffect.predicted.featurizer import cache_root

    folder = cache_root()
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    remedy = f"free at least {NEEDED_DISK_BYTES / 1e9:g} GB, or name a folder elsewhere in RTAFFECT_CACHE"
    return Diagnosis("Free disk", free >= NEEDED_DISK_BYTES, f"{free / 1e9:.1f} GB at {folder}", remedy)


def _featurizer_wheel() -> Diagnosis:
    from rtaffect.predicted.featurizer import embedded_asset

    try:
        path: Path = embedded_asset("tiny-en/encoder_model.ort")
    except ArtifactError as error:
        # The wheel is needed only to build the featurizer, which the next check tries.
        return Diagnosis("Default model", False, str(error), 'pip install "rtaffect[embedded]"', needed=False)
    return Diagnosis(
        "Default model", True, f"{path.name} of moonshine-voice {_version('moonshine-voice')}", needed=False
    )


def _featurizer() -> Diagnosis:
    from rtaffect.predicted.featurizer import default_featurizer
    from rtaffect.predicted.manifest import SAMPLE_RATE

    progress_lines: list[str] = []
    try:
        featurizer = default_featurizer(progress=progress_lines.append)
        features = featurizer.stream().step(np.zeros(SAMPLE_RATE, np.float32))
        spent = featurizer.cost_s()
    except (RtaffectError, ImportError, OSError) as error:
        return Diagnosis("Featurizer", False, _first_line(error), 'pip install "rtaffect[cpu,embedded]"')
    origin = "built now" if progress_lines else "from the cache"
    detail = f"{featurizer.identity}, {origin}; one step takes {spent * 1e3:.0f} ms on {featurizer.provider}"
    return Diagnosis("Featurizer", bool(np.isfinite(features).all()), detail, "delete it from the cache folder")


def _second_model() -> Diagnosis:
    from rtaffect.predicted.embedded import WAKEHUBERT

    name = "Second model"
    if not _version(WAKEHUBERT.wheel):
        remedy = f"only for --featurizer {WAKEHUBERT.name}, which fetches it; without internet: {WAKEHUBERT.install}"
        return Diagnosis(name, False, "not installed", remedy, needed=False, extra=True)
    return Diagnosis(name, True, f"{WAKEHUBERT.name} of {WAKEHUBERT.wheel} {_version(WAKEHUBERT.wheel)}", needed=False)


def _brainflow() -> Diagnosis:
    """Whether boards without LSL can be used; the library itself is loaded."""
    from rtaffect.sources.brainflow_library import INSTALL, brainflow

    name, remedy = "BrainFlow (boards)", f"only for headsets without LSL: {INSTALL}"
    if not _version("brainflow"):
        return Diagnosis(name, False, "not installed", remedy, needed=False, extra=True)
    try:
        brainflow()
    except StreamError as error:
        return Diagnosis(name, False, str(error), remedy, needed=False)
    return Diagnosis(name, True, f"{_version('brainflow')}, its library loads; rtaffect devices --boards", needed=False)


def _fieldtrip() -> Diagnosis:
    """Whether FieldTrip buffers can be read; loading it would load mne, so its version is all that is looked at."""
    from rtaffect.sources.fieldtrip_client import INSTALL

    name, version = "mne-realtime (FieldTrip)", _version("mne-realtime")
    if not version:
        remedy = f"only for FieldTrip buffers: {INSTALL}"
        return Diagnosis(name, False, "not installed", remedy, needed=False, extra=True)
    return Diagnosis(name, True, f"{version} with mne {_version('mne')}", needed=False)


def _osc() -> Diagnosis:
    """Whether results can be sent by OSC."""
    from rtaffect.outputs.osc import INSTALL

    name, version = "python-osc", _version("python-osc")
    if not version:
        return Diagnosis(name, False, "not installed", f"only to send by OSC: {INSTALL}", needed=False, extra=True)
    return Diagnosis(name, True, f"{version}; rtaffect live --osc PORT", needed=False)


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
