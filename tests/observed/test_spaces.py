"""Spaces: rows from whatever channels are good, second by second."""

from __future__ import annotations

import numpy as np
import pytest

from rtaffect.common.errors import MontageError
from rtaffect.common.settings import Settings, SignalSettings, SynchronySettings
from rtaffect.observed.inverse import Reweighting, component_rows, components, eloreta
from rtaffect.observed.response import Response
from rtaffect.observed.spaces import ChannelSpace, ComponentSpace, RegionSpace, usable
from rtaffect.observed.synchrony import RowLayout, running_correlation, standardise
from tests.support.head_models import small_operator
from tests.support.helpers import brain_noise
from tests.support.whole_windows import window_correlation


def second(channels: int, seed: int = 0) -> np.ndarray:
    return 1e-5 * np.random.default_rng(seed).standard_normal((100, channels))


class TestUsable:
    def test_a_gap_of_all_costs_no_channel(self):
        x = second(4)
        x[20:50] = np.nan
        assert usable(x).all()

    def test_a_channel_with_less_than_the_others_is_left_out(self):
        x = second(4)
        x[20:50] = np.nan
        x[60, 2] = np.nan
        assert usable(x).tolist() == [True, True, False, True]

    def test_nothing_there_is_nothing_usable(self):
        assert not usable(np.full((100, 3), np.nan)).any()


class TestChannels:
    def test_are_themselves(self):
        x = second(3)
        x[5, 1] = np.nan
        np.testing.assert_array_equal(ChannelSpace(("Fz", "Cz", "Pz")).time_courses(x), x)

    def test_average_reference_is_over_the_good_ones(self):
        x = second(4)
        x[:, 3] = np.nan
        found = ChannelSpace(("Fz", "Cz", "Pz", "Oz"), average_reference=True).time_courses(x)
        np.testing.assert_allclose(found[:, :3], x[:, :3] - x[:, :3].mean(axis=1, keepdims=True), rtol=1e-12)
        assert np.isnan(found[:, 3]).all()

    def test_what_is_common_to_all_channels_is_gone_with_the_average(self):
        x = second(4)
        space = ChannelSpace(("Fz", "Cz", "Pz", "Oz"), average_reference=True)
        np.testing.assert_allclose(space.time_courses(x + 1.0), space.time_courses(x), atol=1e-12)

    def test_fit_to_headsets_keeps_what_all_have(self):
        space = ChannelSpace(("Fz", "Cz", "Pz")).fit_to({"A": ("pz", "EOG", "Fz"), "B": ("Fz", "Cz", "Pz")})
        assert space.rows == ("Fz", "Pz")
        assert space.mean_of == "2 channels"


class TestReweighting:
    def test_with_all_channels_it_is_the_operator(self):
        operator = small_operator()
        parts = (operator.basis, operator.source_region, len(operator.manifest.regions))
        rows = Reweighting(operator.lead_field, *parts).rows(np.ones(len(operator.manifest.channels), bool))
        expected = operator.matrix()
        np.testing.assert_allclose(rows, expected, atol=1e-5 * np.abs(expected).max())

    @pytest.mark.parametrize("out", [(0,), (3, 7), (1, 2, 5, 6)])
    def test_without_channels_it_is_eloreta_with_the_weights_of_all(self, out):
        """The formula, with full matrices; and nearly what eLORETA finds with weights of its own."""
        operator = small_operator()
        field = np.asarray(operator.lead_field, np.float64)
        used = ~np.isin(np.arange(len(field)), out)
        n_regions = len(operator.manifest.regions)
        rows = Reweighting(field, operator.basis, operator.source_region, n_regions).rows(used)
        anew = component_rows(eloreta(field[used]), operator.basis, operator.source_region, n_regions).reshape(
            rows.shape
        )
        assert rows.shape == (n_regions * operator.manifest.k, used.sum())
        np.testing.assert_allclose(rows.sum(axis=1), 0, atol=1e-9 * np.abs(rows).max())
        cosine = (rows * anew).sum() / np.linalg.norm(rows) / np.linalg.norm(anew)
        assert cosine > 0.98

    def test_components_are_orthonormal_within_a_part(self):
        operator = small_operator()
        basis = components(eloreta(operator.lead_field), operator.source_region, 2, 3)
        own = basis[operator.source_region == 0]
        np.testing.assert_allclose(own.T @ own, np.eye(3), atol=1e-9)


class TestRegions:
    def test_rows_are_regions_zones_and_groups(self):
        space = RegionSpace(small_operator())
        manifest = space.operator.manifest
        assert space.rows == (*manifest.regions, *(zone.name for zone in manifest.zones), "insula")
        assert space.layout.measured == len(manifest.regions)
        assert len(set(space.rows)) == len(space.rows) == space.layout.rows == len(space.specificity)
        assert ((space.specificity > 0) & (space.specificity <= 1)).all()
        assert space.mean_of.endswith(("zones", "zone"))

    def test_time_courses_are_the_operators_product_whatever_the_reference(self):
        space = RegionSpace(small_operator())
        x = second(len(space.channels))
        found = space.time_courses(x)
        np.testing.assert_allclose(found, x @ space.operator.matrix().T, atol=1e-5 * np.abs(found).max())
        np.testing.assert_allclose(space.time_courses(x + 1e-4), found, atol=1e-7 * np.abs(found).max())

    def test_a_bad_channel_changes_little_and_too_few_give_nothing(self):
        space = RegionSpace(small_operator())
        field = np.asarray(space.operator.lead_field, np.float64)
        x = second(field.shape[1], seed=3) @ field.T
        whole = space.time_courses(x)
        x[:, 2] = np.nan
        found = space.time_courses(x)
        assert np.isfinite(found).all()
        r = np.corrcoef(found.ravel(), whole.ravel())[0, 1]
        assert r > 0.9
        x[:, 7:] = np.nan
        assert np.isnan(space.time_courses(x)).all()

    def test_a_gap_is_a_gap_in_all_rows(self):
        space = RegionSpace(small_operator())
        x = second(len(space.channels))
        x[30:60] = np.nan
        found = space.time_courses(x)
        assert np.isnan(found[30:60]).all()
        assert np.isfinite(np.delete(found, np.s_[30:60], axis=0)).all()

    def test_fit_to_headsets(self):
        space = RegionSpace(small_operator())
        names = space.channels
        fitted = space.fit_to({"A": names[::-1], "B": (*names[1:], "EMG")})
        assert fitted.rows == space.rows
        assert fitted.channels == names
        fewer = space.fit_to({"A": names[2:]})
        assert fewer.channels == names[2:]
        assert not np.allclose(fewer.specificity, space.specificity)
        with pytest.raises(MontageError, match="at least 8 are needed"):
            space.fit_to({"A": names, "B": names[:7]})

    def test_the_response_has_the_layout_of_its_signal(self):
        space = RegionSpace(small_operator())
        x = second(len(space.channels))
        plain = Response(space, Settings())
        assert plain(x).shape == (100, plain.layout.measured * plain.layout.k)
        assert plain.layout.k == space.layout.k > 1
        envelope = Response(space, Settings(synchrony=SynchronySettings(signal="envelope")))
        assert envelope(x).shape == (100, envelope.layout.measured)
        assert envelope.layout.k == 1


class TestComponents:
    def space(self) -> ComponentSpace:
        rng = np.random.default_rng(0)
        mixing = rng.standard_normal((6, 6))
        return ComponentSpace(tuple("ABCDEF"), rng.standard_normal((2, 6)), mixing @ mixing.T)

    def test_are_the_filters_outputs(self):
        space, x = self.space(), second(6)
        np.testing.assert_allclose(space.time_courses(x), x @ space.filters.T, rtol=1e-12)

    def test_a_bad_channel_is_filled_in_as_the_others_say(self):
        """As by linear regression on data with that covariance."""
        space, rng = self.space(), np.random.default_rng(1)
        data = rng.multivariate_normal(np.zeros(6), space.covariance, 200_000)
        x = data[:100].copy()
        x[:, 4] = np.nan
        others = np.delete(data, 4, axis=1)
        weights = np.linalg.lstsq(others, data[:, 4], rcond=None)[0]
        filled = data[:100].copy()
        filled[:, 4] = others[:100] @ weights
        np.testing.assert_allclose(space.time_courses(x), filled @ space.filters.T, atol=0.1)

    def test_too_few_channels(self):
        space, x = self.space(), second(6)
        x[:, 1:5] = np.nan
        assert np.isnan(space.time_courses(x)).all()
        assert space.fit_to({"A": ("A", "B", "C")}) is space
        with pytest.raises(MontageError, match=r"has 2 of the 6 channels.*at least 3"):
            space.fit_to({"A": ("A", "B", "X")})


class TestComponentsOfARowAreCorrelatedAsOne:
    """The definition: covariances and variances are summed over components before they are divided."""

    def test_it_is_pearson_of_the_centred_components_end_to_end(self):
        rng = np.random.default_rng(0)
        x, y = rng.standard_normal((2, 1000, 6))
        y += 0.5 * x
        found = running_correlation(x, y, 1000, 1000, k=3)[0]
        for row in range(2):
            a, b = (s[:, 3 * row : 3 * row + 3] - s[:, 3 * row : 3 * row + 3].mean(axis=0) for s in (x, y))
            assert found[row] == pytest.approx(np.corrcoef(a.ravel(), b.ravel())[0, 1], abs=1e-9)

    def test_turning_both_alike_changes_nothing(self):
        rng = np.random.default_rng(1)
        x, y = rng.standard_normal((2, 500, 4))
        turn = np.linalg.qr(rng.standard_normal((4, 4)))[0]
        before = running_correlation(x, x + y, 500, 500, k=4)
        after = running_correlation(x @ turn, (x + y) @ turn, 500, 500, k=4)
        np.testing.assert_allclose(after, before, atol=1e-12)

    def test_several_components_know_more_than_one(self):
        """Of a response that moves over a region, one component sees a part; the null is narrower, too."""
        rng = np.random.default_rng(2)
        shared = brain_noise(rng, 60_000, 5)
        people = [np.sqrt(0.1) * shared + np.sqrt(0.9) * brain_noise(rng, 60_000, 5) for _ in range(2)]
        spread = []
        for k in (1, 5):
            r = running_correlation(people[0][:, :k], people[1][:, :k], 1000, 1000, k=k)[:, 0]
            spread.append(r.std())
            assert r.mean() == pytest.approx(0.1, abs=0.03)
        assert spread[1] < 0.6 * spread[0]

    def test_standardise_keeps_the_components_proportions(self):
        rng = np.random.default_rng(3)
        people = rng.standard_normal((2, 400, 4)) * [3, 1, 2, 5]
        found = standardise(people, k=2)
        np.testing.assert_allclose(found.var(axis=1).reshape(2, 2, 2).sum(axis=-1), 1.0)
        np.testing.assert_allclose(found.std(axis=1)[:, 0] / found.std(axis=1)[:, 1], 3, rtol=0.2)

    def test_layout_completes_and_counts(self):
        averages = np.array([[True, True, False]])
        layout = RowLayout(1, averages, np.array([True, False, True, False]))
        values = np.array([[0.2, 0.4, -0.3], [np.nan, 0.5, 0.1]])
        found = layout.complete(values)
        np.testing.assert_allclose(found[:, 3], [np.tanh(np.arctanh([0.2, 0.4]).mean()), 0.5])
        np.testing.assert_allclose(layout.overall(found), [np.tanh(np.arctanh([0.2, -0.3]).mean()), 0.1])


def test_average_reference_is_a_setting():
    settings = Settings(signal=SignalSettings(average_reference=True))
    assert Settings.model_validate_json(settings.model_dump_json()) == settings


def test_window_correlation_of_rows_is_unchanged():
    x, y = np.random.default_rng(5).standard_normal((2, 300, 2))
    expected = [np.corrcoef(x[:, i], y[:, i])[0, 1] for i in range(2)]
    np.testing.assert_allclose(window_correlation(x, y), expected, atol=1e-12)
