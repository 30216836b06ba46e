"""The brain and the scalp: outlines, colours, what is drawn of a step, and what a click chooses."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QApplication, QWidget
from pytestqt.qtbot import QtBot
from safetensors.numpy import load_file

from rtaffect.common.montage import KNOWN
from rtaffect.common.regions import REGIONS
from rtaffect.engine.feedback import Feedback
from rtaffect.observed.operator import LEAST_SPECIFICITY
from rtaffect.present.colours import colour_numbers, diverging, hexadecimal, sequential
from rtaffect.present.head_asset import FILE, electrode_places, head_asset
from rtaffect.present.maps import areas, grown_limit, regions_of, resolve_map, row_words
from rtaffect.view import Presenter
from rtaffect.view.operator.brain import BrainMap, fill_of
from rtaffect.view.operator.scalp import ScalpMap
from rtaffect.view.parts import theme
from tests.support.fake_feedback import (
    CHANNELS,
    PEOPLE,
    ZONES,
    channel_rows,
    component_rows,
    fake_session,
    fake_zones,
    region_rows,
)
from tests.support.head_models import needs_head
from tests.support.view_windows import Make, activate, check_nothing_left, windows

#: Linear RGB as people see it who lack the long, middle or short cones (Machado et al., IEEE TVCG 15, 2009).
BLIND = {
    "protan": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deutan": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritan": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
    "none": [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]],
}


@pytest.fixture(autouse=True)
def nothing_left(qapp: QApplication) -> Iterator[None]:
    """Fail a test that leaves a window or a thread behind."""
    yield from check_nothing_left(qapp)


@pytest.fixture
def make(qtbot: QtBot) -> Iterator[Make]:
    """Build windows; see :func:`tests.support.view_windows.windows`."""
    yield from windows(qtbot)


def regions_step() -> Feedback:
    """Return a step in regions, of which half are told apart."""
    latest = fake_session(40, rows=region_rows())[-1]
    is_region = np.array([kind == "region" for kind in latest.row_kinds])
    share = np.where(is_region & (np.arange(86) % 2 == 0), 0.5, latest.specificity)
    return dataclasses.replace(latest, specificity=share, trusted=latest.trusted | (share == 0.5))


def test_every_region_can_be_seen_on_its_own_side() -> None:
    asset = head_asset()
    seen: dict[str, set[str]] = {}
    for ring in asset.rings:
        seen.setdefault(ring.region, set()).add(asset.views[ring.view])
        assert ring.points.shape[0] >= 4
    assert set(seen) == {"", *REGIONS}
    assert seen.pop("") == set(asset.views)
    for region, views in seen.items():
        side = "left" if region.endswith("-lh") else "right"
        assert all(view.startswith(side) for view in views), region
    assert seen["insula-lh"] == {"left, lateral"}
    assert seen["cuneus-rh"] == {"right, medial"}
    assert max(ring.area for ring in asset.rings if ring.region == "temporalpole-lh") > 40, "large enough to be clicked"


def test_the_asset_is_small_and_says_where_it_is_from() -> None:
    assert FILE.stat().st_size < 100_000
    assert "Desikan" in head_asset().source
    assert "FreeSurfer Software License" in head_asset().licence


@pytest.mark.slow
@needs_head
def test_the_asset_is_what_its_script_makes(tmp_path: Path) -> None:
    from calibration.head.view_asset import write

    write(tmp_path / "head.safetensors")
    made, shipped = load_file(tmp_path / "head.safetensors"), load_file(FILE)
    assert made.keys() == shipped.keys()
    for name, array in shipped.items():
        np.testing.assert_allclose(made[name], array, atol=2, err_msg=name)


def test_electrodes_stand_as_seen_from_above() -> None:
    places = dict(zip(KNOWN, electrode_places(KNOWN).values(), strict=True))
    assert places["T7"] == pytest.approx((-1.0, 0.0), abs=0.05)
    assert places["Cz"] == pytest.approx((0.0, 0.0), abs=0.01)
    assert places["Fpz"][1] > 0.9
    assert places["F3"] == pytest.approx((-places["F4"][0], places["F4"][1]))
    assert np.hypot(*places["TP9"]) > 1.1, "below the widest circle"
    assert electrode_places(["EEG T3-REF", "EXG1", "cz"]) == {0: places["T7"], 2: places["Cz"]}


def _linear(colours: np.ndarray) -> np.ndarray:
    scaled = colours / 255
    return np.where(scaled <= 0.04045, scaled / 12.92, ((scaled + 0.055) / 1.055) ** 2.4)


def _lab(linear: np.ndarray) -> np.ndarray:
    """CIELAB of linear sRGB (n, 3), white D65."""
    to_xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    xyz = np.clip(linear, 0, 1) @ to_xyz.T / [0.9505, 1.0, 1.089]
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.stack([116 * f[:, 1] - 16, 500 * (f[:, 0] - f[:, 1]), 200 * (f[:, 1] - f[:, 2])], axis=1)


@pytest.mark.parametrize("kind", BLIND)
def test_signs_and_sizes_are_told_apart_by_all_eyes(kind: str) -> None:
    lab = _lab(_linear(diverging().astype(np.float64)) @ np.array(BLIND[kind]).T)
    below, above = lab[127::-1], lab[127:]
    for arm in (below, above):
        assert (np.diff(arm[::8, 0]) > 1.0).all(), "lightness grows with the size"
    apart = np.linalg.norm(above - below, axis=1)
    assert apart[32:].min() > 20, "a quarter of the scale and its negative are never confused"
    assert np.abs(above[:, 0] - below[:, 0]).max() < 12, "neither sign looks larger"
    scale = _lab(_linear(sequential().astype(np.float64)) @ np.array(BLIND[kind]).T)
    assert (np.diff(scale[::8, 0]) > 0.5).all()


def test_colours_run_from_end_to_end() -> None:
    assert colour_numbers(np.array([-9.0, -0.3, 0.0, 0.15, 0.3, 9.0]), 0.3).tolist() == [0, 0, 127, 190, 254, 254]
    red, green, blue = diverging()[127].astype(int)
    assert max(red, green, blue) - min(red, green, blue) <= 2
    assert hexadecimal(np.array([1, 171, 255], np.uint8)) == "#01abff"


def test_looks_of_rows() -> None:
    latest = regions_step()
    message, bad = np.flatnonzero(latest.specificity == 0.5)[[3, 7]]
    trusted, observed = latest.trusted.copy(), latest.observed.copy()
    trusted[bad], observed[message] = False, 0.5
    latest = dataclasses.replace(latest, trusted=trusted, observed=observed)
    state = resolve_map(latest, "observed")
    assert (state.looks[message], state.looks[bad], state.looks[2]) == ("plain", "untrusted", "absent")
    low = next(row for row, share in enumerate(latest.specificity) if share < LEAST_SPECIFICITY)
    assert state.looks[low] == "unresolved"
    assert state.marked[message]
    assert not state.marked[2]
    np.testing.assert_array_equal(state.values, latest.observed)
    assert "outside its null band" in row_words(latest, int(message), state)
    assert "not trusted now" in row_words(latest, int(bad), state)
    assert "not told apart" in row_words(latest, low, state)
    assert "no value" in row_words(latest, 2, state)
    assert grown_limit(state, 0.2) == pytest.approx(0.5)
    assert grown_limit(state, 0.7) == 0.7


def test_difference_and_prediction() -> None:
    latest = regions_step()
    difference, predicted = resolve_map(latest, "difference"), resolve_map(latest, "predicted")
    np.testing.assert_array_equal(difference.values, latest.observed - latest.predicted)
    there = np.isfinite(latest.observed)
    outside = (latest.observed < latest.predicted_low) | (latest.observed > latest.predicted_high)
    np.testing.assert_array_equal(difference.marked, outside & there)
    assert not predicted.marked.any()
    assert predicted.looks[2] == "untrusted"
    nobody = dataclasses.replace(latest, observed_against="nothing", observed=np.full(86, np.nan))
    assert resolve_map(nobody, "predicted").looks[2] == "plain", "what is predicted does not wait for a headset"
    assert set(resolve_map(nobody, "observed").looks) == {"absent"}


def test_zones_and_groups_are_sets_of_regions() -> None:
    latest, zones = regions_step(), fake_zones()
    shown = areas(latest, "zones", zones)
    assert set(shown) == set(REGIONS)
    assert shown["superiorfrontal-lh"] == latest.rows.index("frontal lh") == 0
    assert areas(latest, "regions", zones)["insula-rh"] == latest.rows.index("insula-rh")
    assert areas(latest, "zones", {}) == areas(latest, "regions", {})
    assert regions_of(latest, 0, zones) == set(zones["frontal lh"])
    assert regions_of(latest, latest.rows.index("insula"), zones) == {"insula-lh", "insula-rh"}
    assert regions_of(latest, latest.rows.index("cuneus-lh"), zones) == {"cuneus-lh"}
    assert sorted(r for members in zones.values() for r in members) == sorted(REGIONS)


def centre_of(brain: BrainMap, region: str) -> QPointF | None:
    """Return a place within a region, px, in the view that shows most of it."""
    shown = [patch for patch in brain._placed if patch.region == region]
    return max(shown, key=lambda patch: patch.area).centre if shown else None


def drawn(qtbot: QtBot, widget: QWidget) -> QWidget:
    qtbot.addWidget(widget)
    widget.resize(800, 460)
    widget.show()
    return widget


def pixel(widget: QWidget, place: QPointF) -> str:
    return str(QColor(widget.grab().toImage().pixel(place.toPoint())).name())


def test_a_click_on_a_region_chooses_its_row(qtbot: QtBot) -> None:
    latest, zones = regions_step(), fake_zones()
    brain = BrainMap()
    drawn(qtbot, brain)
    state = resolve_map(latest, "observed")
    brain.show_map(latest, state, areas(latest, "regions", zones), 0.4, frozenset())
    for region in REGIONS:
        centre = centre_of(brain, region)
        assert centre is not None
        assert brain.row_at(centre) == latest.rows.index(region), region
    insula = centre_of(brain, "insula-lh")
    assert insula is not None
    with qtbot.waitSignal(brain.chosen) as chosen:
        qtbot.mouseClick(brain, Qt.MouseButton.LeftButton, pos=insula.toPoint())
    assert chosen.args == [latest.rows.index("insula-lh")]
    brain.show_map(latest, state, areas(latest, "zones", zones), 0.4, frozenset())
    assert brain.row_at(insula) == latest.rows.index("temporal-frontal-insula lh")
    with qtbot.assertNotEmitted(brain.chosen):
        qtbot.mouseClick(brain, Qt.MouseButton.LeftButton, pos=brain.rect().center())


def test_regions_are_painted_as_they_look(qtbot: QtBot) -> None:
    latest = regions_step()
    state = resolve_map(latest, "observed")
    looks = ("plain", "unresolved", "untrusted", "absent")
    rows = [latest.rows.index(region) for region in ("superiorfrontal-lh", "precuneus-lh", "insula-lh", "cuneus-lh")]
    state = dataclasses.replace(
        state,
        looks=tuple(dict(zip(rows, looks, strict=True)).get(r, "plain") for r in range(86)),
        values=np.full(86, 0.3),
        marked=np.zeros(86, np.bool_),
    )
    brain = BrainMap()
    drawn(qtbot, brain)
    brain.show_map(latest, state, areas(latest, "regions", {}), 0.4, frozenset())
    centres = [centre_of(brain, latest.rows[r]) for r in rows]
    off = QPointF(7, 0)
    plain, _, untrusted, absent = (pixel(brain, c + off) for c in centres if c is not None)
    assert (plain, untrusted, absent) == (fill_of("plain", 0.3, 0.4), theme.UNTRUSTED, theme.CARD)
    image = brain.grab().toImage()
    hatched = {QColor(image.pixel((centres[1] + QPointF(x, 0)).toPoint())).name() for x in range(-8, 8)}  # type: ignore[operator]
    assert fill_of("unresolved", 0.3, 0.4) in hatched
    assert len(hatched) > 2, "the hatching is drawn"
    before = pixel(brain, centres[0])  # type: ignore[arg-type]
    brain.show_map(
        latest, dataclasses.replace(state, marked=np.ones(86, np.bool_)), areas(latest, "regions", {}), 0.4, frozenset()
    )
    assert (before, pixel(brain, centres[0])) == (plain, theme.TEXT)  # type: ignore[arg-type]


def test_brain_and_list_follow_each_other(make: Make, qtbot: QtBot) -> None:
    presenter = Presenter()
    window = activate(make(40, rows=region_rows(), presenter=presenter, page=1, zones=fake_zones()), qtbot)
    assert window.tabs.tabText(1) == "2  Brain"
    before = window.map.brain.grab().toImage()
    place = centre_of(window.map.brain, "lateraloccipital-rh")
    qtbot.mouseClick(window.map.brain, Qt.MouseButton.LeftButton, pos=place.toPoint())
    assert window.rows.list.currentItem().text() == "occipital both"
    assert "Zone occipital both" in window.map.selection.words
    assert window.map.brain.grab().toImage() != before
    qtbot.keyClick(window, Qt.Key.Key_Z)
    qtbot.mouseClick(window.map.brain, Qt.MouseButton.LeftButton, pos=place.toPoint())
    assert window.rows.list.currentItem().text() == "lateraloccipital-rh"
    assert "not told apart" in window.map.selection.words
    qtbot.keyClick(window.rows.list, Qt.Key.Key_Home)
    assert f"Zone {ZONES[0]}" in window.map.brain.accessibleDescription()


def test_quantities_are_chosen_by_key_and_button(make: Make, qtbot: QtBot) -> None:
    window = activate(make(40, rows=region_rows(), zones=fake_zones()), qtbot)
    pictures = []
    for key, quantity in ((Qt.Key.Key_P, "predicted"), (Qt.Key.Key_D, "difference"), (Qt.Key.Key_O, "observed")):
        qtbot.keyClick(window, key)
        assert window.pages.currentWidget() is window.map
        assert (window.map.quantity, window.map.buttons[quantity].isChecked()) == (quantity, True)
        assert quantity[:9] in window.map.bar.accessibleName()
        pictures.append(window.map.brain.grab().toImage())
    assert all(a != b for i, a in enumerate(pictures) for b in pictures[:i])
    qtbot.mouseClick(window.map.buttons["difference"], Qt.MouseButton.LeftButton)
    assert window.map.quantity == "difference"
    assert window.map.levels.isVisible()
    assert not make(40, rows=region_rows(), page=1).map.levels.isVisible(), "without zones there is nothing to switch"


def test_the_scale_does_not_shrink_from_step_to_step(make: Make) -> None:
    presenter, session = Presenter(), fake_session(42)
    window = make(40, presenter=presenter, page=1)
    for factor, limit in ((3.0, 0.6), (1.0, 0.6)):
        observed = np.clip(session[40].observed * 0 + 0.19 * factor, -1, 1)
        presenter.add(dataclasses.replace(session[40 if factor > 1 else 41], observed=observed))
        window.tick()
        assert window.map.bar._limit == pytest.approx(limit)


def test_discs_stand_where_electrodes_are(make: Make, qtbot: QtBot) -> None:
    odd = (*CHANNELS[:20], "EXG1", "EEG 002")
    window = make(40, rows=odd, page=1)
    scalp = window.map.scalp
    assert scalp.isVisible()
    found, beside = scalp.places()
    assert [odd[row] for row in beside] == ["EXG1", "EEG 002"]
    assert all(scalp.rect().contains(box.toRect()) for box in beside.values())
    assert max(centre.x() for centre in found.places.values()) + found.disc < next(iter(beside.values())).left()
    cz = found.places[odd.index("Cz")]
    assert (cz.x(), cz.y()) == (pytest.approx(found.centre.x()), pytest.approx(found.centre.y()))
    places = [(c.x(), c.y()) for c in found.places.values()]
    apart = [np.hypot(a[0] - b[0], a[1] - b[1]) for i, a in enumerate(places) for b in places[:i]]
    assert min(apart) > 2 * found.disc * 0.99
    for row, place in ((odd.index("T8"), found.places[odd.index("T8")]), (21, beside[21].center())):
        qtbot.mouseClick(scalp, Qt.MouseButton.LeftButton, pos=place.toPoint())
        assert window.rows.list.currentRow() == row
    assert not window.map.brain.isVisible()


def test_values_inside_their_band_are_hollow(qtbot: QtBot) -> None:
    latest = fake_session(40, rows=channel_rows())[-1]
    observed = np.where(np.arange(24) % 2 == 0, 0.05, 0.3)
    latest = dataclasses.replace(latest, observed=observed, trusted=np.arange(24) != 5)
    scalp = ScalpMap()
    drawn(qtbot, scalp)
    scalp.show_map(latest, resolve_map(latest, "observed"), 0.4, 0)
    found, _ = scalp.places()
    off = QPointF(0, -0.55 * found.disc)
    assert pixel(scalp, found.places[4] + off) == theme.BACKGROUND, "hollow"
    assert pixel(scalp, found.places[3] + off) == fill_of("plain", 0.3, 0.4)
    assert pixel(scalp, found.places[5] + off) == theme.UNTRUSTED
    scalp.show_map(latest, resolve_map(latest, "predicted"), 0.4, 0)
    assert pixel(scalp, found.places[4] + off) == fill_of("plain", float(latest.predicted[4]), 0.4)


def test_rows_without_a_place_are_said_to_have_none(make: Make) -> None:
    window = make(40, rows=component_rows(), people=PEOPLE[:1], page=1)
    assert window.map.nowhere.isVisible()
    assert "no place on a head" in window.map.nowhere.text()
    assert not window.map.foot.isVisible()
    assert window.tabs.tabText(1) == "2  Map"
    assert "Component 1" in window.map.selection.words
    assert make(0, page=1).map.selection.words == "no values yet"
