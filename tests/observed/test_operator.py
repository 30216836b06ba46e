"""The space operator: what holds for its rows, its file, and when channels are missing."""

from __future__ import annotations

import hashlib
import json

import numpy as np
import pytest
from safetensors.numpy import load, save

from rtaffect.common.errors import ArtifactError, MontageError
from rtaffect.common.montage import columns_for
from rtaffect.observed.inverse import component_rows, components, crosstalk, eloreta
from rtaffect.observed.operator_file import _digest, from_bytes, load_operator, save_operator, to_bytes
from tests.support.head_models import small_operator


def test_rows_do_not_see_the_reference():
    made = small_operator()
    assert made.rows.shape == (4, 3, 12)
    assert made.rows.dtype == np.float32
    assert np.abs(made.rows.sum(axis=2)).max() < 1e-5 * np.abs(made.rows).max()
    eeg = np.random.default_rng(1).standard_normal((12, 50)).astype(np.float32)
    np.testing.assert_allclose(made.matrix() @ (eeg + 7), made.matrix() @ eeg, atol=1e-4 * np.abs(made.rows).max() * 12)


def test_squares_of_a_regions_time_courses_are_its_mean_squared_current():
    rng = np.random.default_rng(2)
    kernel, members = rng.standard_normal((60, 12)), np.repeat([0, 1, -1], 20)
    # With as many components as the rank nothing is left out.
    rows = component_rows(kernel, components(kernel, members, 2, 12), members, 2)
    eeg = rng.standard_normal((12, 30))
    expected = [np.square(kernel[members == part] @ eeg).mean(axis=0) for part in (0, 1)]
    np.testing.assert_allclose(np.square(rows @ eeg).sum(axis=1), expected, rtol=1e-9)


@pytest.mark.parametrize("n_sources", [4, 40])
def test_components_are_the_singular_vectors_and_mostly_outward(n_sources):
    kernel = np.random.default_rng(3).standard_normal((n_sources, 12))
    basis = components(kernel, np.zeros(n_sources, int), 1, 5)
    rank = min(5, n_sources)
    left = np.linalg.svd(kernel, full_matrices=False)[0][:, :rank]
    np.testing.assert_allclose(np.abs(np.sum(left * basis[:, :rank], axis=0)), 1, rtol=1e-9)
    assert (basis.sum(axis=0) >= 0).all()
    assert not basis[:, rank:].any()


def test_crosstalk_is_the_power_of_independent_sources():
    rng = np.random.default_rng(4)
    field, regions = rng.standard_normal((12, 90)), np.repeat([0, 1, 2], [20, 30, 40])
    rows = rng.standard_normal((3, 2, 12))
    rows -= rows.mean(axis=2, keepdims=True)
    power = np.zeros((3, 3))
    for region in range(3):
        sources = np.where(regions == region, 1 / np.sqrt((regions == region).sum()), 0)[:, None]
        time_courses = rows @ (field @ (sources * rng.standard_normal((90, 20_000))))
        power[:, region] = np.square(time_courses).sum(axis=1).mean(axis=1)
    expected = power / power.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(crosstalk(rows, field, regions), expected, atol=0.02)


def test_without_channels_is_the_inverse_computed_anew_on_the_same_components():
    made = small_operator()
    gone = ["Fz", "Fp1"]
    fewer = made.without(gone)
    keep = [i for i, name in enumerate(made.manifest.channels) if name not in gone]
    kernel = eloreta(made.lead_field[keep])
    expected = component_rows(kernel, made.basis, made.source_region, 4)
    np.testing.assert_allclose(fewer.rows, expected, atol=1e-5 * np.abs(expected).max())
    assert fewer.manifest.channels == tuple(n for n in made.manifest.channels if n not in gone)
    assert fewer.manifest.excluded == ("Fp1", "Fz")
    np.testing.assert_allclose(fewer.shares.sum(axis=1), 1, rtol=1e-5)
    again = made.without(["Fz"]).without(["Fp1"])
    np.testing.assert_allclose(again.rows, fewer.rows, atol=1e-5 * np.abs(expected).max())
    assert made.without([]) is made


def test_a_stream_in_another_order_with_other_names_fits():
    made = small_operator()
    order = list(made.manifest.channels)[::-1]
    stream = ["EOG", *(f"EEG {name.upper()}-REF" for name in order)]
    assert made.fit_to(stream) is made
    picks = columns_for(made.manifest.channels, stream, "A", partial=True)
    assert [stream[i] for i in picks] == [f"EEG {name.upper()}-REF" for name in made.manifest.channels]
    fewer = made.fit_to(stream[3:])
    assert set(fewer.manifest.excluded) == set(order[:2])
    assert len(fewer.manifest.channels) == 10


def test_too_few_or_strange_channels_are_named():
    made = small_operator()
    with pytest.raises(MontageError, match=r"only 2 of the stream's channels \(Fp1, X2, X1, Fp2\) are of the"):
        made.fit_to(["Fp1", "X2", "X1", "Fp2"])
    with pytest.raises(MontageError, match="cannot leave out Iz"):
        made.without(["Iz"])
    with pytest.raises(MontageError, match=r"7 channels are left .* at least 8"):
        made.without(made.manifest.channels[:5])


def test_a_file_gives_back_what_was_saved(tmp_path):
    made, path = small_operator(), tmp_path / "deep" / "space.safetensors"
    sha256 = save_operator(made, path)
    assert hashlib.sha256(path.read_bytes()).hexdigest() == sha256
    back = load_operator(path)
    assert back.manifest == made.manifest
    for name in ("rows", "shares", "neighbours", "lead_field", "source_region", "basis"):
        np.testing.assert_array_equal(getattr(back, name), getattr(made, name))
    assert back.specificity.shape == (4,)
    assert (back.local_specificity >= back.specificity).all()
    assert to_bytes(made) == path.read_bytes()


def _content(data: bytes) -> dict:
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    return json.loads(header["__metadata__"]["rtaffect.space"])


def _changed(data: bytes, tensors: dict | None = None, manifest: dict | None = None, sign: bool = True) -> bytes:
    """The file with other tensors or manifest; signed, it is as another version of rtaffect might write it."""
    held = {name: value for name, value in (load(data) | (tensors or {})).items() if value is not None}
    content = _content(data)
    sha256 = content.pop("sha256")
    content |= manifest or {}
    content["sha256"] = _digest(content, held) if sign else sha256
    return save(held, metadata={"rtaffect.space": json.dumps(content)})


def test_tampering_and_misfits_are_refused_in_one_line():
    data = to_bytes(small_operator())
    flipped = bytearray(data)
    flipped[-5] ^= 1
    bad = np.full((4, 3, 12), np.nan, np.float32)
    channels = ["Oz", *_content(data)["channels"][1:]]
    zones = _content(data)["zones"]
    cases = {
        "is not a safetensors file": data[:100],
        "not a safetensors": b"PK" + data[2:],
        r"without a rtaffect\.space header": save(load(data)),
        "damaged or changed": bytes(flipped),
        "does not have the sha256": _changed(data, manifest={"channels": channels}, sign=False),
        "has format 9, but this rtaffect reads format 2": _changed(data, manifest={"format": 9}),
        "space operator x: lambda2 = 0: expected a number above 0": _changed(data, manifest={"lambda2": 0}),
        "tensor basis is missing": _changed(data, {"basis": None}),
        r"tensor rows is float32 \(2, 3, 12\), expected float32 \(4, 3, 12\)": _changed(data, {"rows": bad[:2]}),
        "tensor rows holds values that are not finite": _changed(data, {"rows": bad}),
    }
    cases[r"zones do not cover the regions \(cuneus-lh, cuneus-rh\)"] = _changed(data, manifest={"zones": zones[:1]})
    for message, content in cases.items():
        with pytest.raises(ArtifactError, match=message) as raised:
            from_bytes(content, "space operator x")
        assert "\n" not in str(raised.value)
        assert "rtaffect headmodel" in str(raised.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ArtifactError, match=r"no\.safetensors: cannot be read"):
        load_operator(tmp_path / "no.safetensors")
