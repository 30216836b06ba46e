"""Writes studies for tests: recordings in several formats with the same samples, sounds, manifests, a BIDS dataset.

EDF, BDF and BrainVision are written by hand, so that nothing but their specifications and mne meet.
"""

from __future__ import annotations

import json
import struct
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from scipy.io import savemat

from rtaffect.record.xdf import WholeStream, write_xdf
from rtaffect.stream.source import StreamHeader
from tests.support.helpers import brain_noise

RATE = 128.0
CHANNELS = ("Fp1", "Fz", "Cz", "Pz", "O1", "O2", "T7", "VEOG")
SOUND_S = 14
SOUNDS = ("story-1", "story-2")
#: When each sound begins in a recording, s from its first sample; not on the grid of samples.
ONSETS = {"story-1": 12.004, "story-2": 31.5}
RECORDING_S = 50
XDF_START = 1000.0
#: A rest in quantisation of the formats here, V.
QUANTISED = 2e-8


def eeg(listener: int, seconds: int = RECORDING_S, channels: int = len(CHANNELS)) -> np.ndarray:
    """Return one listener's EEG (n, channels), V, from a seed; another for each listener."""
    rng = np.random.default_rng([11, listener])
    return 15e-6 * brain_noise(rng, round(seconds * RATE), channels, RATE)


def write_sounds(folder: Path, names: Sequence[str] = SOUNDS, seconds: float = SOUND_S) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for number, name in enumerate(names):
        noise = 0.1 * np.random.default_rng([5, number]).standard_normal(round(seconds * 16_000))
        soundfile.write(folder / f"{name}.wav", noise, 16_000)


def write_xdf_file(path: Path, volts: np.ndarray, channels: Sequence[str] = CHANNELS, rate: float = RATE) -> None:
    stamps = XDF_START + np.arange(len(volts)) / rate
    header = StreamHeader("amp", "EEG", rate, "float32", tuple(channels), source_id="id").uniform("microvolts")
    write_xdf(path, [WholeStream(header, volts * 1e6, stamps)])


def write_fif(
    path: Path, volts: np.ndarray, channels: Sequence[str] = CHANNELS, rate: float = RATE, **more: Any
) -> None:
    """Write FIF.

    ``types``, ``bads``, ``first_samp``, ``dated`` and ``annotations`` (onset, duration, text, channels) may be given.
    """
    import mne

    info = mne.create_info(list(channels), rate, more.get("types", "eeg"), verbose="ERROR")
    raw = mne.io.RawArray(volts.T, info, first_samp=more.get("first_samp", 0), verbose="ERROR")
    raw.set_meas_date(1_700_000_000 if more.get("dated") else None)
    raw.info["bads"] = list(more.get("bads", ()))
    if marks := more.get("annotations", ()):
        onsets, durations, texts, names = zip(*marks, strict=True)
        raw.set_annotations(mne.Annotations(onsets, durations, texts, ch_names=names))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        raw.save(path, overwrite=True, verbose="ERROR")


def write_brainvision(
    path: Path, volts: np.ndarray, channels: Sequence[str] = CHANNELS, rate: float = RATE, unit: str = "µV", **more: Any
) -> None:
    """Write the header, markers and float32 samples; ``segments`` are samples at which one more segment begins."""
    scale = {"µV": 1e6, "mV": 1e3, "nV": 1e9, "V": 1.0, "": 1e6}[unit]
    infos = "\n".join(f"Ch{i + 1}={name},,1,{unit}" for i, name in enumerate(channels))
    path.write_text(
        "Brain Vision Data Exchange Header File Version 1.0\n\n[Common Infos]\nCodepage=UTF-8\n"
        f"DataFile={path.stem}.eeg\nMarkerFile={path.stem}.vmrk\nDataFormat=BINARY\nDataOrientation=MULTIPLEXED\n"
        f"NumberOfChannels={len(channels)}\nSamplingInterval={1e6 / rate!r}\n\n[Binary Infos]\n"
        f"BinaryFormat=IEEE_FLOAT_32\n\n[Channel Infos]\n{infos}\n",
        encoding="utf-8",
    )
    starts = [0, *more.get("segments", ())]
    markers = "\n".join(f"Mk{i + 1}=New Segment,,{at + 1},1,0,20260101120000000000" for i, at in enumerate(starts))
    path.with_suffix(".vmrk").write_text(
        "Brain Vision Data Exchange Marker File, Version 1.0\n\n[Common Infos]\nCodepage=UTF-8\n"
        f"DataFile={path.stem}.eeg\n\n[Marker Infos]\n{markers}\n",
        encoding="utf-8",
    )
    path.with_suffix(".eeg").write_bytes((volts * scale).astype("<f4").tobytes())


def write_edf(
    path: Path, volts: np.ndarray, channels: Sequence[str] = CHANNELS, rate: float = RATE, **more: Any
) -> None:
    """Write EDF, or BDF if the name says so, in records of a second.

    ``unit`` is that of the EEG, ``others`` further signals (label, unit, samples (n,), rate), ``kind`` of EDF+,
    ``annotations`` (onset, duration, text) of a whole recording, in ``encoding``; ``begins`` when each record began, s,
    where that is not each second.
    """
    bdf, unit = path.suffix == ".bdf", more.get("unit", "uV")
    scale = {"uV": 1e6, "mV": 1e3, "nV": 1e9, "V": 1.0, "": 1e6}[unit]
    signals = [(c, unit, volts[:, i] * scale, rate) for i, c in enumerate(channels)] + list(more.get("others", ()))
    seconds, top = round(len(volts) / rate), 2**23 - 1 if bdf else 2**15 - 1
    limits = [_limit(samples) for _, _, samples, _ in signals]
    fields = [
        [f"{label:<16}" for label, *_ in signals],
        [" " * 80] * len(signals),
        [f"{u:<8}" for _, u, _, _ in signals],
        [f"{'-' + limit:<8}" for limit in limits],
        [f"{limit:<8}" for limit in limits],
        [f"{-top:<8}"] * len(signals),
        [f"{top:<8}"] * len(signals),
        [" " * 80] * len(signals),
        [f"{round(r):<8}" for *_, r in signals],
        [" " * 32] * len(signals),
    ]
    begins = more.get("begins", range(seconds))
    texts = [
        _timed(number, begin, more.get("annotations", ()), more.get("encoding", "utf-8"))
        for number, begin in enumerate(begins)
    ]
    if "annotations" in more:
        extra = ("BDF Annotations" if bdf else "EDF Annotations", "", "", -1, 1, -32768, 32767, "")
        extra = (*extra, len(texts[0]) // (3 if bdf else 2), "")
        for field, value, width in zip(fields, extra, (16, 80, 8, 8, 8, 8, 8, 80, 8, 32), strict=True):
            field.append(f"{value:<{width}}")
    version = b"\xffBIOSEMI" if bdf else b"0       "
    fixed = f"{'X X X X':<80}{'Startdate X X X X':<80}01.01.2612.00.00{256 * (len(fields[0]) + 1):<8}"
    fixed += f"{more.get('kind', ''):<44}{seconds:<8}{1:<8}{len(fields[0]):<4}"
    header = version + (fixed + "".join("".join(f) for f in fields)).encode("latin-1")
    body = [header]
    for second in range(seconds):
        for (_, _, samples, r), limit in zip(signals, limits, strict=True):
            part = samples[second * round(r) : (second + 1) * round(r)]
            digits = np.round(part / float(limit) * top).astype("<i4")
            body.append(
                digits.view(np.uint8).reshape(-1, 4)[:, :3].tobytes() if bdf else digits.astype("<i2").tobytes()
            )
        body.append(texts[second] if "annotations" in more else b"")
    path.write_bytes(b"".join(body))


def _timed(number: int, begin: float, annotations: Sequence[tuple[float, float, str]], encoding: str) -> bytes:
    """Return the time-stamped list of annotations of one record: all of them in the first."""
    marks = annotations if number == 0 else ()
    text = f"+{begin:g}\x14\x14\0" + "".join(f"+{at}\x15{length}\x14{what}\x14\0" for at, length, what in marks)
    return text.encode(encoding).ljust(240, b"\0")


def _limit(samples: np.ndarray) -> str:
    """Return a number above all of ``samples`` that, with a minus, has eight characters."""
    most = 1.1 * np.abs(samples).max() or 1.0
    return next(text for text in (f"{most:.5g}", f"{most:.1e}") if len(text) < 8)


def write_set(
    path: Path, volts: np.ndarray, channels: Sequence[str] = CHANNELS, rate: float = RATE, **more: Any
) -> None:
    """Write an EEGLAB file with its samples inside; ``boundaries`` are latencies in samples, from 1.

    They are events called ``boundary``; of ``trials`` there are as many as the samples make.
    """
    locations = np.array([(c, "") for c in channels], dtype=[("labels", object), ("type", object)])
    name, trials = more.get("boundary", "boundary"), more.get("trials", 1)
    marks = [(name, float(at), 0.0) for at in more.get("boundaries", ())] or [("start", 1.0, 0.0)]
    events = np.array(marks, dtype=[("type", object), ("latency", object), ("duration", object)])
    empty = np.zeros((0, 0))
    struct = {
        "setname": path.stem, "nbchan": len(channels), "trials": trials, "pnts": len(volts) // trials, "srate": rate,
        "xmin": 0.0,
        "xmax": (len(volts) - 1) / rate, "data": (volts.T * 1e6).astype(np.float32), "chanlocs": locations,
        "event": events, "epoch": empty, "icawinv": empty, "icasphere": empty, "icaweights": empty, "icaact": empty,
    }  # fmt: skip
    savemat(path, struct, appendmat=False)


def write_cnt(
    path: Path, volts: np.ndarray, channels: Sequence[str] = CHANNELS, rate: float = RATE, **more: Any
) -> None:
    """Write Neuroscan's format, 32 bits; ``rejected`` are from which to which sample (two events) it is rejected."""
    count, per_bit = len(channels), 1e-8
    data = np.round(volts / per_bit).astype("<i4").tobytes()
    head, size = bytearray(900), 900 + 75 * count
    head[:12] = b"Version 3.0\0"
    struct.pack_into("<H4xH", head, 370, count, round(rate))
    struct.pack_into("<i", head, 864, len(volts))
    struct.pack_into("<i", head, 886, size + len(data))
    for number, name in enumerate(channels):
        channel = bytearray(75)
        channel[: len(name)] = name.encode()
        struct.pack_into("<ff", channel, 19, 0.02 * number, 0.03 * number)
        struct.pack_into("<f", channel, 59, per_bit * 1e6 * 204.8)
        struct.pack_into("<f", channel, 71, 1.0)
        head += channel
    marks = [(at, code) for pair in more.get("rejected", ()) for at, code in zip(pair, (0xC0, 0xD0), strict=True)]
    events = b"".join(struct.pack("<HBBi", 0, 0, code, size + at * count * 4) for at, code in marks)
    path.write_bytes(bytes(head) + data + struct.pack("<Bii", 1, len(events), 0) + events)


WRITERS = {
    ".xdf": write_xdf_file,
    ".fif": write_fif,
    ".vhdr": write_brainvision,
    ".edf": write_edf,
    ".bdf": write_edf,
    ".set": write_set,
    ".cnt": write_cnt,
}


def write_manifest(
    folder: Path, listeners: Mapping[str, str], onsets: Mapping[str, float] = ONSETS, more: str = ""
) -> None:
    """Write ``study.toml``: a file for each listener (with ``more`` in every entry); XDF onsets are LSL times."""
    lines = ['name = "written"', ""]
    for name in SOUNDS:
        lines += ["[[sound]]", f'name = "{name}"', f'file = "sounds/{name}.wav"', ""]
    for listener, file in listeners.items():
        start = XDF_START if file.endswith(".xdf") else 0.0
        lines += ["[[listener]]", f'name = "{listener}"', f'file = "{file}"', more, "[listener.onset]"]
        lines += [f'"{name}" = {onset + start!r}' for name, onset in onsets.items()] + [""]
    (folder / "study.toml").write_text("\n".join(lines), encoding="utf-8")


def write_study(folder: Path, suffix: str = ".fif", listeners: int = 3, **more: Any) -> Path:
    """Write a whole study with recordings of one format."""
    write_sounds(folder / "sounds")
    for number in range(listeners):
        WRITERS[suffix](folder / f"listener-{number + 1}{suffix}", eeg(number), **more)
    write_manifest(folder, {f"listener-{n + 1}": f"listener-{n + 1}{suffix}" for n in range(listeners)})
    return folder


def edit(folder: Path, old: str, new: str, count: int = 1) -> None:
    """Replace text in ``study.toml`` that must be there."""
    path = folder / "study.toml"
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, count), encoding="utf-8")


def write_table(path: Path, columns: Mapping[str, Sequence[object]]) -> None:
    rows = zip(*columns.values(), strict=True)
    lines = ["\t".join(columns), *("\t".join(str(cell) for cell in row) for row in rows)]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def write_bids(root: Path, suffix: str = ".vhdr", listeners: int = 3) -> Path:
    """Write a dataset with one run of a task per subject, both sounds in it."""
    root.mkdir(parents=True, exist_ok=True)
    (root / "dataset_description.json").write_text(json.dumps({"Name": "heard stories", "BIDSVersion": "1.10.0"}))
    write_sounds(root / "stimuli")
    for number in range(listeners):
        sub = f"sub-{number + 1:02d}"
        stem = root / sub / "eeg" / f"{sub}_task-listen"
        stem.parent.mkdir(parents=True)
        WRITERS[suffix](Path(f"{stem}_eeg{suffix}"), eeg(number))
        write_events(Path(f"{stem}_events.tsv"), {f"{name}.wav": onset for name, onset in ONSETS.items()})
        kinds = ["VEOG" if c == "VEOG" else "EEG" for c in CHANNELS]
        status = {"name": CHANNELS, "type": kinds, "units": ["uV"] * 8, "status": ["good"] * 8}
        write_table(Path(f"{stem}_channels.tsv"), status)
    return root


def write_events(path: Path, onsets: Mapping[str, float]) -> None:
    """Write an ``events.tsv`` in which these stimuli begin, among other events."""
    write_table(
        path,
        {
            "onset": [0.5, *onsets.values(), 49.0],
            "duration": ["n/a"] + [SOUND_S] * len(onsets) + [0],
            "trial_type": ["rest", *("listen" for _ in onsets), "button"],
            "stim_file": ["n/a", *onsets, "n/a"],
        },
    )
