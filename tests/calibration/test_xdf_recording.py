"""XDF in a study: stamps that lie far off neither prolong the work nor move the EEG."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from calibration.studies.layout import RecordingFile
from calibration.studies.recording import XdfFile
from tests.support.xdf_writer import FakeStream, image


def test_stamps_far_off_neither_prolong_a_recording_nor_cost_its_samples(tmp_path: Path) -> None:
    even = 5000.0 + np.arange(2000) / 100
    stamps = np.concatenate([[0.0, 0.01], even])
    stamps[700] = 1.7e9
    path = tmp_path / "L1.xdf"
    values = np.arange(2 * len(stamps)).reshape(-1, 2)
    path.write_bytes(image([FakeStream(values, stamps, labels=("Fz", "Cz"), offsets=[(5000.0, 0.0)])]).data)
    file = XdfFile(RecordingFile("L1", path, {"story": 5002.0}, tmp_path / "study.toml"))
    assert (file.first, file.last) == (0.0, even[-1])
    pieces = list(file.pieces())
    assert len(pieces) == 2
    np.testing.assert_allclose(np.concatenate([times for times, _ in pieces])[2:], even, atol=1e-9)
    source = file.source(5002.0, 5010.0)
    source.advance(5010.0)
    np.testing.assert_allclose(source.buffer.read(0, np.inf).samples[0, 0], 404e-6, rtol=1e-6)
