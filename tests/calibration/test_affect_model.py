"""The model of affect: nets, training, what scikit-learn expects, export, probabilities and novelty."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.utils.estimator_checks import (
    check_estimator_cloneable,
    check_estimator_repr,
    check_get_params_invariance,
    check_no_attributes_set_in_init,
    check_parameters_default_constructible,
    check_set_params,
)

from calibration.affect.affect_model import AffectModel, Told
from calibration.affect.export import eeg_onnx, sound_onnx
from calibration.affect.held_out import arguments
from calibration.affect.model import Sizes, new_net, reversed_gradient, share
from calibration.affect.temperature import cross_entropy, fit_both, fit_temperature
from calibration.affect.training import Sampler, Trainer, contrastive, even, schedule, supervised
from rtaffect.affect import fusion
from rtaffect.common.errors import RecordingError
from tests.support.affect_study import planted_study

#: Few steps, for what is not about how well it learns.
SHORT = {"steps": 20, "patience": 2, "splits": 1}


@pytest.fixture(scope="module")
def study():
    return planted_study()


@pytest.fixture(scope="module")
def fitted(study):
    return AffectModel(**SHORT).fit(**arguments(study))


SIZES = Sizes(3, 4, 2, 7, 3, 8, 6)


def inputs(count: int = 5, sizes: Sizes = SIZES, seed: int = 0):
    rng = np.random.default_rng(seed)
    mask = (rng.random((count, sizes.seconds, sizes.channels)) > 0.3).astype(np.float32)
    mask[0] = 0
    mask[1, 0] = 0
    mask[2, 1:] = 0
    features = rng.standard_normal((*mask.shape, sizes.bands)).astype(np.float32) * mask[..., None]
    return sizes, torch.from_numpy(features), torch.from_numpy(mask)


def test_attention_is_over_seconds_and_channels_and_sums_to_one_over_what_counts():
    sizes, features, mask = inputs()
    net = new_net(sizes, 0)
    with torch.no_grad():
        _, attention = net.of_eeg(features, mask)
    assert attention.shape == mask.shape
    assert (attention[mask == 0] == 0).all()
    sums = attention.sum(dim=(1, 2)).numpy()
    assert sums[1:] == pytest.approx(1.0, abs=1e-6)
    assert sums[0] == 0
    # A softmax over an axis of one would be even: here scores part seconds as well as channels.
    whole = torch.ones_like(mask)
    with torch.no_grad():
        _, attention = net.of_eeg(torch.randn(5, 3, 4, 2, generator=torch.Generator().manual_seed(0)), whole)
    assert attention.sum(dim=2).std(dim=1).min() > 1e-4
    assert attention.sum(dim=1).std(dim=1).min() > 1e-4


def test_what_is_masked_has_no_part():
    sizes, features, mask = inputs()
    net = new_net(sizes, 0)
    with torch.no_grad():
        told, _ = net.of_eeg(features, mask)
        # A second that does not count leaves the memory as it was: the same as one that never came.
        shorter = new_net(sizes._replace(seconds=2), 0)
        shorter.load_state_dict(net.state_dict())
        same, _ = shorter.of_eeg(features[1:2, 1:], mask[1:2, 1:])
    assert torch.allclose(told.shared[1], same.shared[0], atol=1e-6)


def test_even_attention_is_the_mean_of_what_counts():
    counts = torch.tensor([[1.0, 0, 1], [0, 0, 0]])
    assert torch.equal(share(torch.zeros(2, 3), counts), torch.tensor([[0.5, 0, 0.5], [0, 0, 0]]))
    sizes, features, mask = inputs()
    with torch.no_grad():
        _, attention = new_net(sizes, 0, attention=False).of_eeg(features, mask)
    per_second = attention[3].sum(dim=1)
    assert per_second[per_second > 0].std() < 1e-6


def test_the_gradient_comes_back_reversed():
    values = torch.tensor([1.0, -2.0], requires_grad=True)
    (reversed_gradient(values, 0.3) * torch.tensor([5.0, 7.0])).sum().backward()
    assert torch.allclose(reversed_gradient(values, 0.3), values)
    assert torch.allclose(values.grad, torch.tensor([-1.5, -2.1]))
    assert schedule(0, 100) == 0
    assert schedule(100, 100) == pytest.approx(1.0, abs=1e-4)
    assert all(schedule(i, 100) < schedule(i + 1, 100) for i in range(100))


def test_a_rating_on_the_middle_is_no_class_and_none_is_no_loss():
    told = new_net(Sizes(1, 1, 1, 1, 1), 0).heads(torch.randn(4, 32, generator=torch.Generator().manual_seed(1)))
    ratings = torch.tensor([[0.5, -0.5], [0.0, float("nan")], [float("nan"), float("nan")], [-1.0, 1.0]])
    sided = torch.isfinite(ratings) & (ratings != 0)
    crossed = torch.nn.functional.binary_cross_entropy_with_logits(told.logits[sided], (ratings[sided] > 0).float())
    there = torch.isfinite(ratings)
    squared = ((told.rating - ratings)[there] ** 2).mean()
    assert supervised(told, ratings).item() == pytest.approx((crossed + squared).item(), abs=1e-6)


def test_the_contrastive_term_is_its_definition_and_leaves_other_seconds_of_a_sound_out():
    rng = np.random.default_rng(0)
    eeg, sound = (torch.from_numpy(rng.standard_normal((5, 3))) for _ in range(2))
    stimulus, second = np.array([0, 0, 0, 1, 2]), np.array([1, 1, 4, 1, 1])
    a, b = (each.numpy() / np.linalg.norm(each.numpy(), axis=1, keepdims=True) for each in (eeg, sound))
    similar = np.exp(a @ b.T / 0.2)
    losses = []
    for matrix in (similar, similar.T):
        for i in range(5):
            right = (stimulus == stimulus[i]) & (second == second[i])
            wrong = stimulus != stimulus[i]
            losses.append(-np.log(matrix[i][right].sum() / matrix[i][right | wrong].sum()))
    found = contrastive(eeg, sound, torch.from_numpy(stimulus), torch.from_numpy(second))
    assert found.item() == pytest.approx(np.mean(losses), abs=1e-9)


def test_each_step_has_some_seconds_of_each_hearing_whatever_their_number():
    hearing = np.repeat([0, 1, 2], [5, 1, 9])
    drawn = Sampler(hearing, 2, 100).draw(np.random.default_rng(0))
    assert np.bincount(hearing[drawn]).tolist() == [2, 2, 2]
    few = Sampler(hearing, 2, 4).draw(np.random.default_rng(0))
    assert len(few) == 4
    assert np.bincount(hearing[even(hearing, 3)]).tolist() == [3, 1, 3]


def test_torch_and_onnx_tell_the_same(fitted, study):
    ort = pytest.importorskip("onnxruntime")
    sizes, features, mask = inputs(6, fitted.net_.sizes, seed=3)
    session = ort.InferenceSession(eeg_onnx(fitted.net_))
    found = session.run(None, {"features": features.numpy(), "mask": mask.numpy()})
    with torch.no_grad():
        told, attention = fitted.net_.of_eeg(features, mask)
    assert [o.name for o in session.get_outputs()] == ["shared", "logits", "rating", "attention"]
    for ours, theirs in zip((*told, attention), found, strict=True):
        assert np.abs(ours.numpy() - theirs).max() < 1e-5
    embedding = np.random.default_rng(0).standard_normal((4, sizes.embedding)).astype(np.float32)
    found = ort.InferenceSession(sound_onnx(fitted.net_)).run(None, {"embedding": embedding})
    with torch.no_grad():
        told = fitted.net_.of_sound(torch.from_numpy(embedding))
    assert max(np.abs(a.numpy() - b).max() for a, b in zip(told, found, strict=True)) < 1e-5


@pytest.mark.parametrize("change", [{"seconds": 1}, {"attention": False}])
def test_other_shapes_are_exported_as_well(change):
    ort = pytest.importorskip("onnxruntime")
    sizes, features, mask = inputs(4, Sizes(change.get("seconds", 3), 4, 2, 7, 3, 8, 6))
    net = new_net(sizes, 1, attention=change.get("attention", True))
    found = ort.InferenceSession(eeg_onnx(net)).run(None, {"features": features.numpy(), "mask": mask.numpy()})
    with torch.no_grad():
        told, attention = net.of_eeg(features, mask)
    assert max(np.abs(a.numpy() - b).max() for a, b in zip((*told, attention), found, strict=True)) < 1e-5


@pytest.mark.parametrize(
    "check",
    [
        check_no_attributes_set_in_init, check_parameters_default_constructible, check_get_params_invariance,
        check_set_params, check_estimator_cloneable, check_estimator_repr,
    ],
)  # fmt: skip
def test_it_is_an_estimator(check):
    """The checks that make data of their own do not apply: moments have four axes, and two ratings each."""
    estimator = AffectModel if check is check_parameters_default_constructible else AffectModel()
    check("AffectModel", AffectModel() if isinstance(estimator, type) else estimator)


def test_fit_keeps_to_the_conventions(fitted, study):
    given = arguments(study)
    before = given["X"].copy()
    again = clone(fitted).fit(**given)
    assert np.array_equal(given["X"], before, equal_nan=True)
    assert np.array_equal(again.predict(given["X"]), fitted.predict(given["X"]), equal_nan=True)
    other = clone(fitted).set_params(random_state=1).fit(**given)
    assert not np.array_equal(other.predict(given["X"]), fitted.predict(given["X"]), equal_nan=True)
    with pytest.raises(NotFittedError):
        AffectModel().predict(given["X"])
    assert fitted.n_features_in_ == 3 * 6 * 4
    p = fitted.predict_proba(given["X"], study.sound)
    assert p.shape == (len(study), 2)
    assert (p >= 0).all()
    assert (p <= 1).all()
    assert np.abs(fitted.predict(sound=study.sound)).max() <= 1
    assert fitted.transform(given["X"]).shape == (len(study), 32)
    assert fitted.transform_sound(study.sound).shape == (len(study), 32)


def test_wrong_shapes_are_said():
    study = planted_study()
    given = arguments(study)
    model = AffectModel(**SHORT)
    for change, said in (
        ({"X": given["X"][..., 0]}, "moments, seconds, channels, bands"),
        ({"y": given["y"][:, 0]}, "ratings of valence and arousal"),
        ({"y": given["y"] * 9}, "within -1..1"),
        ({"sound": given["sound"][1:]}, "an embedding of each moment"),
        ({"sound": given["sound"] * np.nan}, "not finite"),
        ({"person": given["person"][1:]}, "person is"),
    ):
        with pytest.raises(ValueError, match=said):
            model.fit(**(given | change))
    fitted = AffectModel(**SHORT).fit(given["X"], given["y"], stimulus=given["stimulus"])
    with pytest.raises(ValueError, match="fitted without sound"):
        fitted.predict(given["X"], given["sound"])


def test_no_ratings_and_one_class_are_one_line():
    study = planted_study()
    given = arguments(study)
    with pytest.raises(RecordingError, match="no ratings of arousal; expected"):
        AffectModel(**SHORT).fit(**(given | {"y": given["y"] * [1, np.nan]}))
    with pytest.raises(RecordingError, match="valence has one class only, 54 hearings above"):
        AffectModel(**SHORT).fit(**(given | {"y": np.abs(given["y"]) * [1, -1] + [0.0, 0]}))
    one = study.take(study.stimulus == 0)
    with pytest.raises(RecordingError, match=r"cannot be parted|one class only"):
        AffectModel(**SHORT).fit(**arguments(one))


def test_a_training_that_was_stopped_goes_on_to_the_same_weights(study, tmp_path):
    given, stops = arguments(study), []

    def stop_in(phase: str):
        def tell(text: str) -> None:
            if phase in text:
                stops.append(text)
                raise KeyboardInterrupt

        return tell

    whole = AffectModel(**SHORT, check_every=5).fit(**given)
    path = tmp_path / "training.safetensors"
    for phase in ("step 10", "training, step 5"):
        model = AffectModel(**SHORT, check_every=5, checkpoint=path, progress=stop_in(phase))
        with pytest.raises(KeyboardInterrupt):
            model.fit(**given)
    said: list[str] = []
    model = AffectModel(**SHORT, check_every=5, checkpoint=path, progress=said.append).fit(**given)
    assert not [line for line in said if line.startswith("inner")], "the inner parts were done"
    assert model.losses_ == whole.losses_
    for name, value in whole.net_.state_dict().items():
        assert torch.equal(value, model.net_.state_dict()[name]), name
    assert np.array_equal(model.temperature_, whole.temperature_)
    assert np.array_equal(model.eeg_novelty_.limits, whole.eeg_novelty_.limits)


def test_a_checkpoint_of_something_else_is_passed_over(study, tmp_path):
    path = tmp_path / "training.safetensors"
    AffectModel(**SHORT, checkpoint=path).fit(**arguments(study))
    other = planted_study(seed=1)
    plain = AffectModel(**SHORT).fit(**arguments(other))
    assert np.array_equal(
        AffectModel(**SHORT, checkpoint=path).fit(**arguments(other)).predict(sound=other.sound),
        plain.predict(sound=other.sound),
    )
    path.write_bytes(b"damaged")
    AffectModel(**SHORT, checkpoint=path).fit(**arguments(other))


def test_the_temperature_is_found():
    rng = np.random.default_rng(0)
    true = rng.standard_normal(20_000) * 1.5
    high = (rng.random(len(true)) < 1 / (1 + np.exp(-true))).astype(float)
    weight = np.ones(len(true))
    assert fit_temperature(true * 3, high, weight) == pytest.approx(3, rel=0.1)
    noise = rng.standard_normal(len(true))
    share_of_eeg, temperature = fit_both(np.stack([true, noise], axis=1), high, weight)
    assert share_of_eeg > 0.9
    assert cross_entropy(true / temperature, high, weight) < cross_entropy(true * 3, high, weight)


def test_few_hearings_make_nobody_sure():
    logits, high = np.array([2.0, -2.0, 1.5, -1.0]), np.array([1.0, 0, 1, 0])
    few = fit_temperature(logits, high, np.full(4, 0.5))
    many = fit_temperature(np.tile(logits, 100), np.tile(high, 100), np.ones(400))
    assert few > 2 * many
    assert fit_temperature(logits, high, np.ones(4)) > many


def test_both_is_what_a_session_makes_of_it(fitted, study):
    told: Told = fitted.tell(arguments(study)["X"], study.sound)
    tensors = type("Tensors", (), {"temperature": fitted.temperature_, "eeg_weight": fitted.eeg_weight_})()
    p = fitted.predict_proba(arguments(study)["X"], study.sound)
    for moment in (0, 7, 50):
        heads = [fusion.Heads(told.logits[moment, s], told.rating[moment, s], 0.5) for s in (0, 1)]
        found = fusion.fused(*heads, tensors)
        assert (found.valence_high, found.arousal_high) == pytest.approx(tuple(p[moment]), abs=1e-9)
        assert (found.valence, found.arousal) == pytest.approx(tuple(told.rating[moment, 2]), abs=1e-9)


def test_what_is_far_from_the_training_set_is_novel(fitted, study):
    given = arguments(study)
    near = fitted.novelty(given["X"], study.sound)
    assert (near[:, 0] > 1).mean() < 0.1
    far = fitted.novelty(given["X"] * 8 + 20, study.sound * 8 + 20)
    assert (far > 1).all()
    assert np.isnan(fitted.novelty(given["X"])[:, 1]).all()


def test_a_person_without_eeg_has_no_value_from_it(fitted, study):
    lost = arguments(study)["X"][:3] * np.nan
    assert np.isnan(fitted.predict(lost)).all()
    assert np.isnan(fitted.predict(lost, study.sound[:3])).all()
    assert np.isfinite(fitted.predict(sound=study.sound[:3])).all()


def test_one_person_is_enough_where_sounds_are_apart():
    study = planted_study(1, 12, 4)
    model = AffectModel(**SHORT).fit(**arguments(study))
    assert np.isfinite(model.temperature_).all()


def test_the_example_of_the_documents_runs():
    text = (Path(__file__).parents[2] / "docs" / "affect.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"^```python\n(.*?)^```", text.split("### In Python")[1], re.MULTILINE | re.DOTALL)
    names: dict = {}
    exec(code, names)
    model = names["model"]
    assert model.predict_proba(names["eeg"], names["sound"]).shape == (288, 2)
    assert model.transform_sound(names["sound"]).shape == (288, 32)


def test_nets_are_trained_by_one_thread(study, monkeypatch):
    """So small they are no sooner by more, and beside other programs ten times later."""
    seen, before, advance = set(), torch.get_num_threads(), Trainer.advance

    def noted(trainer, steps):
        seen.add(torch.get_num_threads())
        advance(trainer, steps)

    monkeypatch.setattr(Trainer, "advance", noted)
    torch.set_num_threads(3)
    try:
        AffectModel(**SHORT).fit(**arguments(study))
        assert (seen, torch.get_num_threads()) == ({1}, 3)
    finally:
        torch.set_num_threads(before)
