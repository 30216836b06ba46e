"""A simulated headset: a real LSL outlet in a child process that plays a given array, with faults on request."""

from __future__ import annotations

import json
import os
import queue
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any, Self

import numpy as np
import pylsl
from numpy.typing import NDArray

from rtaffect.common.errors import StreamError


@dataclass(frozen=True)
class _Span:
    at_s: float
    for_s: float


class Stall(_Span):
    """Connected but silent from ``at_s`` for ``for_s``; what was taken meanwhile comes in one burst afterwards."""


class Drop(_Span):
    """The samples from ``at_s`` for ``for_s`` are never sent."""


class Reopen(_Span):
    """The outlet is closed at ``at_s`` and opened again after ``for_s``; the samples meanwhile are never sent."""


@dataclass(frozen=True)
class Blank(_Span):
    """Channel number ``channel`` is NaN from ``at_s`` for ``for_s``."""

    channel: int


@dataclass(frozen=True)
class Jitter:
    """Timestamps vary by ``sd_s`` (normal)."""

    sd_s: float


Fault = Stall | Drop | Blank | Reopen | Jitter
_FAULTS: dict[str, type[Fault]] = {f.__name__: f for f in (Stall, Drop, Blank, Reopen, Jitter)}


class SimulatedHeadset:
    """Plays an array as a live LSL stream from a child process; a context manager.

    The child ends when this process closes its standard input, thus also when this process dies.

    Parameters
    ----------
    name, source_id
        As the outlet declares them.
    samples : (n, channels) float
        Volts; full scale +-1 for type 'Audio'. After the last one the outlet stays open, silent, until it is closed.
    rate
        Hz.
    channels
        Channel names, one for each column.
    onset
        LSL time of the first sample, s; None for as soon as the outlet is open.
    unit
        In which EEG is sent.
    stream_type
        'EEG', or 'Audio' for simulated sound.
    chunk_s
        How much is sent at once, s.
    faults
        What goes wrong; times are s since the onset.
    with_description
        Whether the outlet names its channels and their unit.
    sample_format
        LSL channel format; integers are rounded.
    declared_rate
        Nominal rate of the outlet, Hz, where it is not ``rate`` (0: irregular).
    types, units
        Type and unit of each channel, where they are not all the stream's: what is no EEG is sent as it is.
    """

    def __init__(
        self,
        name: str,
        source_id: str,
        samples: NDArray[np.floating],
        rate: float,
        channels: Sequence[str],
        *,
        onset: float | None = None,
        unit: str = "microvolts",
        stream_type: str = "EEG",
        chunk_s: float = 0.02,
        faults: Sequence[Fault] = (),
        with_description: bool = True,
        sample_format: str = "float32",
        declared_rate: float | None = None,
        types: Sequence[str] = (),
        units: Sequence[str] = (),
    ) -> None:
        # Here and not above: the child needs none of it and starts faster.
        from rtaffect.stream.source import volts_per

        if samples.ndim != 2 or samples.shape[1] != len(channels):
            raise ValueError(f"samples {samples.shape} do not fit {len(channels)} channel names")
        self.name, self._onset = name, onset
        # Of a stream with no EEG in it, ``unit`` may be no voltage.
        has_eeg = not types or bool({"EEG", "EOG"} & set(types))
        scale = 1.0 if stream_type == "Audio" or not has_eeg else 1.0 / volts_per(unit)
        if stream_type == "Audio" and sample_format.startswith("int"):
            scale = 2.0 ** (int(sample_format[3:]) - 1)
        scales = np.array([scale if each in ("EEG", "EOG") else 1.0 for each in types]) if types else scale
        self._values = np.asarray(samples, np.float64) * scales
        self._spec: dict[str, Any] = {
            "name": name, "source_id": source_id, "type": stream_type, "rate": rate, "channels": list(channels),
            "onset": onset, "unit": unit, "chunk_s": chunk_s, "with_description": with_description,
            "format": sample_format, "declared_rate": rate if declared_rate is None else declared_rate,
            "types": list(types), "units": list(units),
            "faults": [asdict(f) | {"fault": type(f).__name__} for f in faults],
        }  # fmt: skip
        self._folder: Path | None = None
        self._child: subprocess.Popen[bytes] | None = None
        self._errors: IO[bytes] | None = None
        self._lines: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self._reader: threading.Thread | None = None

    @property
    def onset(self) -> float:
        """LSL time of the first sample, s; known once the headset is ready."""
        if self._onset is None:
            raise StreamError(f"simulated headset {self.name!r} has no onset yet; call wait_ready() first")
        return self._onset

    def start(self) -> None:
        """Start the child process, without waiting for its outlet; may be called twice."""
        if self._child is not None:
            return
        self._folder = Path(tempfile.mkdtemp(prefix="rtaffect-headset-"))
        np.save(self._folder / "samples.npy", self._values)
        (self._folder / "spec.json").write_text(json.dumps(self._spec), encoding="utf-8")
        # A file, because a pipe that nobody reads would block the child once it is full.
        self._errors = (self._folder / "stderr.txt").open("w+b")
        root = str(Path(__file__).parents[2])
        path = os.pathsep.join(p for p in (root, os.environ.get("PYTHONPATH", "")) if p)
        self._child = subprocess.Popen(
            [sys.executable, "-m", "rtaffect.simulation.headset", str(self._folder / "spec.json")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env=os.environ | {"PYTHONPATH": path},
            # Ctrl-C is for the program, which ends the child when it has no more need of it.
            start_new_session=True,
            creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
        )
        self._reader = threading.Thread(target=self._read, args=(self._child.stdout,), daemon=True)
        self._reader.start()

    def _read(self, stdout: IO[bytes]) -> None:
        self._lines.put(stdout.readline())
        # Whatever else the child prints must not fill the pipe.
        stdout.read()

    def wait_ready(self, timeout: float = 30.0) -> None:
        """Wait until the outlet is open.

        Raises
        ------
        StreamError
            If it is not within ``timeout`` s, with what the child said.
        """
        try:
            line = self._lines.get(timeout=timeout)
        except queue.Empty:
            line = b""
        if not line.startswith(b"ready "):
            said = self._said()
            self.close()
            raise StreamError(
                f"simulated headset {self.name!r} did not open its outlet within {timeout:g} s; it said: "
                f"{said or 'nothing'}. Check its settings and that pylsl works here"
            )
        self._onset = float(line.split()[1])

    def _said(self) -> str:
        if self._child is not None and self._reader is not None and not self._reader.is_alive():
            self._child.wait(5.0)
        path = self._folder / "stderr.txt" if self._folder else Path(os.devnull)
        return path.read_text(encoding="utf-8", errors="replace").strip()[-2000:]

    def close(self) -> None:
        """Close the outlet and end the child; may be called twice."""
        if self._child is not None and self._child.stdin and self._child.stdout:
            self._child.stdin.close()
            try:
                self._child.wait(5.0)
            except subprocess.TimeoutExpired:
                self._child.kill()
                self._child.wait()
            if self._reader is not None:
                self._reader.join()
            self._child.stdout.close()
        if self._errors is not None:
            self._errors.close()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
        self._child = self._reader = self._errors = self._folder = None

    def __enter__(self) -> Self:
        """Start and wait until the outlet is open."""
        self.start()
        self.wait_ready()
        return self

    def __exit__(self, *_: object) -> None:
        """Close the outlet and end the child."""
        self.close()


class _Player:
    """The child's side: sends chunks at absolute deadlines."""

    def __init__(self, spec: dict[str, Any], values: NDArray[np.float64], stop: threading.Event) -> None:
        self._spec, self._stop, self._rate = spec, stop, float(spec["rate"])
        self._faults = [_FAULTS[f["fault"]](**{k: v for k, v in f.items() if k != "fault"}) for f in spec["faults"]]
        self._times = np.arange(len(values)) / self._rate
        self._jitter = np.zeros(len(values))
        self._sent = np.ones(len(values), np.bool_)
        for fault in self._faults:
            if isinstance(fault, Jitter):
                self._jitter += np.random.default_rng(0).normal(0.0, fault.sd_s, len(values))
            elif not isinstance(fault, Stall):
                during = (self._times >= fault.at_s) & (self._times < fault.at_s + fault.for_s)
                if isinstance(fault, Blank):
                    values[during, fault.channel] = np.nan
                else:
                    self._sent &= ~during
        if spec["format"].startswith("int"):
            limit = np.iinfo(spec["format"])
            values = np.clip(np.round(values), limit.min, limit.max)
        self._values = values

    def run(self) -> None:
        outlet = self._open()
        onset = pylsl.local_clock() if self._spec["onset"] is None else float(self._spec["onset"])
        print(f"ready {onset!r}", flush=True)
        chunk = max(1, round(self._spec["chunk_s"] * self._rate))
        for at in range(0, len(self._values), chunk):
            part = slice(at, at + chunk)
            due = onset + self._due(self._times[part][-1] + 1.0 / self._rate)
            if self._stop.wait(max(0.0, due - pylsl.local_clock())):
                return
            outlet = None if self._closed(self._times[part][-1]) else outlet or self._open()
            kept = self._sent[part]
            if outlet is not None and kept.any():
                stamps = (onset + self._times + self._jitter)[part][kept]
                outlet.push_chunk(self._values[part][kept], stamps.tolist())
        self._stop.wait()

    def _due(self, time: float) -> float:
        """Return when samples taken at ``time`` are sent (both s since the onset)."""
        for fault in self._faults:
            if isinstance(fault, Stall) and fault.at_s <= time < fault.at_s + fault.for_s:
                return fault.at_s + fault.for_s
        return time

    def _closed(self, time: float) -> bool:
        return any(isinstance(f, Reopen) and f.at_s <= time < f.at_s + f.for_s for f in self._faults)

    def _open(self) -> Any:
        spec = self._spec
        info = pylsl.StreamInfo(
            spec["name"], spec["type"], len(spec["channels"]), spec["declared_rate"], spec["format"], spec["source_id"]
        )
        if spec["with_description"]:
            info.set_channel_labels(spec["channels"])
            info.set_channel_types(spec["types"] or spec["type"])
            info.set_channel_units(spec["units"] or spec["unit"])
        return pylsl.StreamOutlet(info)


def main(spec_path: str) -> None:
    """Play what the file ``spec_path`` describes until standard input is closed."""
    path = Path(spec_path)
    spec = json.loads(path.read_text(encoding="utf-8"))
    stop = threading.Event()

    def wait_for_parent() -> None:
        while os.read(0, 64):
            pass
        stop.set()

    threading.Thread(target=wait_for_parent, daemon=True).start()
    _Player(spec, np.load(path.with_name("samples.npy")), stop).run()


if __name__ == "__main__":
    main(sys.argv[1])
