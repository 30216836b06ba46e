"""Good files, as small as they can be, for the parsers to be tried with."""

from __future__ import annotations

import functools
import hashlib
import json
from pathlib import Path

import numpy as np
import soundfile
import tomli_w

from tests.support import session_files, study_files
from tests.support.counted_films import make_film
from tests.support.films import film
from tests.support.xdf_writer import FakeStream, image

_ZEROS = "0" * 64


def sound(path: Path, seconds: float = 1.0, rate: int = 16_000, **how: str) -> None:
    """Write a sound of two channels."""
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(0).uniform(-0.3, 0.3, (round(seconds * rate), 2))
    soundfile.write(path, noise, rate, **how)


def sounds(folder: Path) -> None:
    """Write a sound of each container that matters."""
    sound(folder / "a.wav")
    sound(folder / "b.wav", 0.2, 44_100, subtype="FLOAT")
    sound(folder / "c.flac", 0.2, 22_050)
    sound(folder / "d.ogg", 0.5, 48_000)
    sound(folder / "e.mp3", 0.5, 44_100)
    sound(folder / "f.aiff", 0.2)
    sound(folder / "g.au", 0.2)
    sound(folder / "h.w64", 0.2)
    sound(folder / "i.caf", 0.2)
    film(folder / "j.m4a", 0.1 * np.random.default_rng(0).standard_normal((8_000, 1)), picture=False)
    film(folder / "k.mkv", 0.1 * np.random.default_rng(0).standard_normal((8_000, 1)))


def films(folder: Path) -> None:
    make_film(folder / "a.mkv", 1.0, size=(64, 48))
    make_film(folder / "b.mp4", 1.0, size=(64, 48), sound_codec="aac", rotation=90)
    make_film(folder / "c.avi", 1.0, size=(64, 48))


def xdf(folder: Path) -> None:
    """Write a recording with EEG, sound, markers and where streams began anew."""
    stamps, rng = 100.0 + np.arange(300) / 100, np.random.default_rng(0)
    marks = [json.dumps({"stream_id": 1, "sample": at, "clock": 0}) for at in (0, 120)]
    streams = [
        FakeStream(rng.standard_normal((300, 3)).astype("f4"), stamps, labels=("Fz", "Cz", "Pz"), kinds=("EEG",) * 3,
                   source_id="ant", offsets=[(100.0, 0.01), (102.0, 0.01)]),
        FakeStream(rng.integers(-9, 9, (800, 1), np.int16), 100.0 + np.arange(800) / 8000, "Mic", "Audio", 8000.0,
                   "int16", ("mono",)),
        FakeStream(["go", "story", "end"], stamps[[0, 50, 200]], "Markers", "Markers", 0.0, "string"),
        FakeStream(marks, stamps[:2], "rtaffect-segments", "Log", 0.0, "string"),
    ]  # fmt: skip
    (folder / "recording.xdf").write_bytes(image(streams, per_chunk=50).data)


def eeg(folder: Path, suffix: str) -> None:
    """Write a recording of 3 s in one of the formats that studies come in."""
    study_files.WRITERS[suffix](folder / f"recording{suffix}", study_files.eeg(0, 3))


def bids(folder: Path) -> None:
    """Write a dataset whose recordings are of no account, since only names and tables are read."""
    (folder / "dataset_description.json").write_text(json.dumps({"Name": "heard", "BIDSVersion": "1.10.0"}))
    (folder / "participants.tsv").write_text("participant_id\tage\nsub-01\t33\n")
    for sub in ("sub-01", "sub-02", "sub-03"):
        stem = folder / sub / "eeg" / f"{sub}_task-listen"
        stem.parent.mkdir(parents=True)
        Path(f"{stem}_eeg.vhdr").write_text("")
        study_files.write_events(Path(f"{stem}_events.tsv"), {"story-1.wav": 1.5, "story-2.wav": 31.5})
        table = {"name": ("Fz", "Cz"), "type": ("EEG", "EEG"), "units": ("uV", "uV"), "status": ("good", "bad")}
        study_files.write_table(Path(f"{stem}_channels.tsv"), table)
    (folder / "study.toml").write_text('name = "heard"\n[bids]\nfolder = "."\ntasks = ["listen"]\n')
    for name in ("story-1", "story-2"):
        sound(folder / "stimuli" / f"{name}.wav", 0.1)


def study(folder: Path) -> None:
    """Write a manifest, and the files that it names, which are not read."""
    names = {f"listener-{n}": f"listener-{n}.xdf" for n in range(3)}
    study_files.write_manifest(folder, names, more='channels = ["Fz", "Cz"]\nunit = "uV"')
    for name in names.values():
        (folder / name).touch()


def tables(folder: Path) -> None:
    """Write tables of one number a second."""
    rows = {"time": range(20), "loud": [0.5] * 20, "bright": [1e-3 * i for i in range(20)]}
    study_files.write_table(folder / "covariates.tsv", rows)
    study_files.write_table(folder / "rating.tsv", {"arousal": ["n/a", *range(1, 20)]})


def plans(folder: Path) -> None:
    """Write plans of a live session and of a replay."""
    live = {
        "format": 1, "mode": "live", "participant": "P01",
        "eeg": {"streams": ["type=EEG"], "channels": ["Fz", "Cz"], "unit": "uV", "rate": 250.0, "wait_s": 2.5,
                "headsets": [{"stream": "Muse-A", "only": ["Fz"], "rate": 9.5}, "Muse-B?unit=mV&channels=Fz,Cz"]},
        "sound": {"stimulus": "story.wav", "onset_marker": "story"},
        "analysis": {"bundle": "bundle", "threads": 2, "against": "group", "mains": 60.0},
        "protocol": {"file": "protocol.toml", "screen": 1}, "results": {"out": "out", "seconds": 60, "outlet": False},
    }  # fmt: skip
    (folder / "live.toml").write_text(tomli_w.dumps(live))
    replay = {
        "format": 1,
        "mode": "replay",
        "recording": "r.xdf",
        "speed": "8",
        "sound": {"file": "a.wav", "start": 1.5},
    }
    (folder / "replay.toml").write_text(tomli_w.dumps(replay))


def settings(folder: Path) -> None:
    """Write settings of all groups."""
    content = {
        "signal": {
            "highpass_hz": 1.0,
            "lowpass_hz": 30.0,
            "order": 4,
            "mains_hz": 50.0,
            "rate_hz": 100,
            "ocular": True,
        },
        "quality": {"odd_power": 5.0, "bad_after_s": 3},
        "synchrony": {"signal": "envelope", "band": "alpha", "window_s": 10, "null_separation_s": 10, "min_good": 0.6},
        "prediction": {"n_components": 12, "lags_s": [0, 1, 2, 3], "longest_lags_s": [2], "interval_level": 0.9},
    }
    (folder / "settings.toml").write_text(tomli_w.dumps(content))


def protocol(folder: Path) -> None:
    """Write a protocol with every kind of block and two arms."""
    sound(folder / "sounds" / "story.wav", 4.0)
    content = {
        "format": 1, "name": "small", "description": "Made up.", "study": {"preregistration": "https://example.org"},
        "feedback": {"value": "difference", "rows": ["Fz", "Cz"], "smoothing_s": 5, "scale": "baseline",
                     "low_percentile": 10.0, "high_percentile": 90.0, "gain": 1.0, "show": "ring"},
        "block": [
            {"kind": "rest", "name": "Rest", "start": "operator", "instruction": "Rest.", "duration_s": 10},
            {"kind": "baseline", "name": "Base", "start": "auto", "duration_s": 60, "stimulus": "sounds/story.wav"},
            {"kind": "feedback", "name": "Run", "start": "operator", "stimulus": "sounds/story.wav", "duration_s": 60},
        ],
        "arm": [{"name": "real", "feedback": "real"}, {"name": "sham", "feedback": "yoked", "donors": ["donors/D01"]}],
    }  # fmt: skip
    (folder / "protocol.toml").write_text(tomli_w.dumps(content))


BLOCKS = (
    session_files.FakeBlock("baseline", "Baseline", 42, "story.wav"),
    session_files.FakeBlock("feedback", "Run 1", 20, "tale.wav", 0.05),
)


def session(folder: Path) -> None:
    """Write the folder of a session of two people that ran."""
    session_files.write_session(
        folder / "session", blocks=BLOCKS, rows=("Fz", "C3", "Pz"), people=("Muse-1", "Muse-2"), arm="real"
    )


def bundle(folder: Path) -> None:
    """Write a bundle."""
    from rtaffect.engine.bundle import save_bundle
    from tests.engine.test_bundle import some_bundle

    save_bundle(some_bundle(), folder / "bundle")


def operator(folder: Path) -> None:
    """Write a space operator."""
    from rtaffect.observed.operator_file import save_operator
    from tests.support.head_models import small_operator

    save_operator(small_operator(12, 40), folder / "operator.safetensors")


@functools.cache
def _featurizer() -> bytes:
    import onnx
    from onnx import helper, numpy_helper

    flow = onnx.TensorProto.FLOAT
    values = {"audio": [16_000], "state.audio": ["kept", 1], "features": [4], "new.audio": [2, 1]}
    of = {name: helper.make_tensor_value_info(name, flow, shape) for name, shape in values.items()}
    constants = [
        numpy_helper.from_array(np.array(value, np.int64), name)
        for name, value in (("rows", [4, 4000]), ("flat", [4]), ("one", [2, 1]), ("from", [0]), ("to", [2]))
    ]
    nodes = [
        helper.make_node("Reshape", ["audio", "rows"], ["table"]),
        helper.make_node("ReduceMean", ["table"], ["mean"], axes=[1], keepdims=0),
        helper.make_node("Reshape", ["mean", "flat"], ["features"]),
        helper.make_node("Slice", ["audio", "from", "to"], ["two"]),
        helper.make_node("Reshape", ["two", "one"], ["new.audio"]),
    ]
    inputs, outputs = [of["audio"], of["state.audio"]], [of["features"], of["new.audio"]]
    graph = helper.make_graph(nodes, "small", inputs, outputs, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    manifest = {
        "format_version": 2, "family": "none", "name": "small", "source": "made up", "source_sha256": _ZEROS,
        "layer": 0, "n_layers": 1, "hidden_size": 4, "sample_rate": 16_000, "frame_rate": 1.0, "mode": "windowed",
        "context_s": 2, "normalisation": "none", "licence": "none",
        "state": [{"name": "audio", "dtype": "float32", "shape": [1], "keep": 2, "made": [2, 2]}],
    }  # fmt: skip
    helper.set_model_props(model, {"rtaffect": json.dumps(manifest)})
    return bytes(model.SerializeToString())


def featurizer(folder: Path) -> None:
    """Write a featurizer of a few numbers."""
    (folder / "featurizer.onnx").write_bytes(_featurizer())


def manifest(folder: Path) -> None:
    """Write what such a file says of itself."""
    import onnx

    (text,) = (each.value for each in onnx.load_from_string(_featurizer()).metadata_props)
    (folder / "manifest.json").write_text(text)


def features(folder: Path) -> None:
    """Write kept features."""
    from rtaffect.predicted.feature_cache import FeatureKey, write_features

    write_features(folder, FeatureKey("a" * 64, "layer-2", "b" * 64), np.ones((5, 4), np.float32))


def allocation(folder: Path) -> None:
    """Write a sealed allocation."""
    protocol(folder)
    session_files.write_allocation(folder / "sealed.txt", folder / "protocol.toml", {"P01": "real", "P02": "sham"})


def choices(folder: Path) -> None:
    """Write what the start window remembers."""
    from dataclasses import asdict

    from rtaffect.plan.session_plan import without_none
    from rtaffect.start.choices import Choices

    said = {"headsets": [{"stream": "name=Muse", "unit": "mV"}]}
    (folder / "start.toml").write_text(tomli_w.dumps({"format": 1, **without_none(asdict(Choices())), **said}))
    ticks = {"device": ["muse-1", "eeg"], "name": "Muse", "channels": ["Fz", "Cz"], "without": ["Cz"], "only": []}
    (folder / "devices.toml").write_text(tomli_w.dumps({"format": 1, "devices": [ticks]}))


def checkpoint(folder: Path) -> None:
    """Write a checkpoint of Hugging Face with two small tensors."""
    from safetensors.numpy import save_file

    first = "wav2vec2.feature_extractor.conv_layers.0.conv.weight"
    tensors = {first: np.ones((4, 1, 10), np.float32), "wav2vec2.encoder.layer_norm.weight": np.ones(4, np.float32)}
    save_file(tensors, folder / "model.safetensors")
    config = {
        "model_type": "wav2vec2", "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4,
        "intermediate_size": 48, "conv_dim": [8] * 7, "num_conv_pos_embeddings": 128,
        "num_conv_pos_embedding_groups": 4, "layer_norm_eps": 1e-5,
    }  # fmt: skip
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "preprocessor_config.json").write_text(json.dumps({"sampling_rate": 16_000, "do_normalize": True}))
    index = {"weight_map": dict.fromkeys(tensors, "model.safetensors")}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))


def montage(folder: Path) -> None:
    """Write montages: names, a table of positions, and one of the formats that mne reads."""
    names = ("Fz", "Cz", "Pz", "C3", "C4", "O1", "O2", "F3", "F4", "P3", "P4", "T7")
    (folder / "names.txt").write_text("\n".join(names))
    from calibration.head.positions import template_positions

    places = template_positions()
    rows = [(name, *places[name]) for name in names]
    table = "name\tx\ty\tz\n" + "".join("\t".join(map(str, row)) + "\n" for row in rows)
    (folder / "places.tsv").write_text(table)
    sfp = "".join(f"{name}\t{100 * x}\t{100 * y}\t{100 * z}\n" for name, x, y, z in rows)
    (folder / "places.sfp").write_text(sfp)


def fieldtrip(folder: Path) -> None:
    """Write what a buffer answers to a client: its header, how many samples there are, and samples."""
    import struct

    names = b"Fz\0Cz\0Pz\0"
    scale = np.array([0.5, 0.5, 0.5]).tobytes()
    chunks = struct.pack("=II", 1, len(names)) + names + struct.pack("=II", 3, len(scale)) + scale
    header = struct.pack("=IIIfII", 3, 40, 0, 250.0, 6, len(chunks)) + chunks
    data = np.ones((40, 3), np.int16).tobytes()
    samples = struct.pack("=IIII", 3, 40, 6, len(data)) + data
    answers = ((0x204, header), (0x404, struct.pack("=II", 40, 0)), (0x204, samples))
    parts = [struct.pack("=HHI", 1, status, len(payload)) + payload for status, payload in answers]
    (folder / "answers.bin").write_bytes(b"".join(parts))


def description(folder: Path) -> None:
    """Write the description of an LSL stream."""
    each = "".join(
        f"<channel><label>{n}</label><unit>microvolts</unit><type>EEG</type></channel>" for n in ("Fz", "Cz")
    )
    fields = {
        "name": "ANT", "type": "EEG", "channel_count": "2", "channel_format": "float32", "source_id": "a1",
        "nominal_srate": "250.0", "version": "1.1", "created_at": "10.5", "uid": "3f", "session_id": "default",
        "hostname": "lab", "desc": f"<channels>{each}</channels>",
    }  # fmt: skip
    text = "".join(f"<{key}>{value}</{key}>" for key, value in fields.items())
    (folder / "stream.xml").write_text(f'<?xml version="1.0"?><info>{text}</info>')


def markers(folder: Path) -> None:
    """Write markers, a text a line."""
    (folder / "markers.txt").write_text("story\nbutton\nend\n")


def osc(folder: Path) -> None:
    """Write a packet of OSC: a bundle with a message of each type of argument, and a bundle in it."""
    import struct

    def padded(text: bytes) -> bytes:
        return text + b"\0" * (4 - len(text) % 4)

    def bundle(*elements: bytes) -> bytes:
        return b"#bundle\0" + bytes(8) + b"".join(struct.pack(">i", len(each)) + each for each in elements)

    values = struct.pack(">ifqd", 3, 0.5, 1 << 40, 0.25) + padded(b"red") + struct.pack(">i", 2) + b"xy\0\0" + bytes(8)
    rich = padded(b"/cue/go") + padded(b",ifhdsbtTFNI[]") + values
    mark = padded(b"/rtaffect/mark") + padded(b",s") + padded(b"story")
    (folder / "packet.bin").write_bytes(bundle(rich, bundle(mark, mark)))


def remote(folder: Path) -> None:
    """Write what a program says to the remote control, line by line."""
    (folder / "lines.txt").write_text(
        "json\nselect all\nfilename {root:C:\\Data\\} {template:exp%n\\%p_block_%b.xdf} {run:2} {participant:P003}\n"
        "mark story begins\nblock next\nstatus\nupdate\nstop\ntoken x\n"
    )


def page(folder: Path) -> None:
    """Write what a browser asks of the page to watch."""
    (folder / "request.bin").write_bytes(
        b"GET /events HTTP/1.1\r\nHost: 127.0.0.1:22350\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64)\r\n"
        b"Accept: text/event-stream\r\nAuthorization: Bearer 0123456789abcdef\r\nSec-Fetch-Site: same-origin\r\n\r\n"
    )


def sha256(path: Path) -> str:
    """Return a file's hash."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
