"""A checkpoint gives the numbers that transformers would load, and refuses what the export cannot represent."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch
import transformers

from models.checkpoint import _DEFAULTS, _FAMILY_DEFAULTS, UNKNOWN_LICENCE, Checkpoint, open_checkpoint
from rtaffect.common.errors import ArtifactError

SMALL = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 48,
    "conv_dim": [8] * 7,
    "num_conv_pos_embeddings": 16,
    "num_conv_pos_embedding_groups": 4,
    "vocab_size": 12,
}
MODELS = {
    "wav2vec2": (transformers.Wav2Vec2Config, transformers.Wav2Vec2Model, transformers.Wav2Vec2ForCTC),
    "hubert": (transformers.HubertConfig, transformers.HubertModel, transformers.HubertForCTC),
    "wavlm": (transformers.WavLMConfig, transformers.WavLMModel, transformers.WavLMForCTC),
}
FIRST = "feature_extractor.conv_layers.0.conv.weight"
COMMIT = "0123456789abcdef0123456789abcdef01234567"


def quiet(_: str) -> None:
    pass


def seeded(family: str, head: bool = False, **settings: object) -> torch.nn.Module:
    torch.manual_seed(3)
    config, plain, with_head = MODELS[family]
    return (with_head if head else plain)(config(**SMALL | settings)).eval()


def save(model: torch.nn.Module, folder: Path, **preprocessor: object) -> Path:
    model.save_pretrained(folder)
    if preprocessor:
        (folder / "preprocessor_config.json").write_text(json.dumps(preprocessor))
    return folder


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small wav2vec2 checkpoint; copy it before changing it."""
    return save(seeded("wav2vec2"), tmp_path_factory.mktemp("saved") / "small", do_normalize=False, sampling_rate=16000)


@pytest.fixture
def folder(saved: Path, tmp_path: Path) -> Path:
    """A copy of it to damage."""
    copy = tmp_path / "small"
    copy.mkdir()
    for file in saved.iterdir():
        (copy / file.name).write_bytes(file.read_bytes())
    return copy


def opened(folder: Path) -> Checkpoint:
    return open_checkpoint(str(folder), progress=quiet)


def change_config(folder: Path, **settings: object) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | settings))


def refusal(name: str | Path, *parts: str, revision: str | None = None) -> None:
    """Opening fails with one line that has each of the parts."""
    with pytest.raises(ArtifactError) as caught:
        open_checkpoint(str(name), revision, quiet)
    message = str(caught.value)
    assert "\n" not in message
    for part in parts:
        assert part in message


def effective_kernel(model: torch.nn.Module) -> np.ndarray:
    base = getattr(model, model.base_model_prefix, model)
    return base.encoder.pos_conv_embed.conv.weight.detach().numpy()


@pytest.mark.parametrize("head", [False, True], ids=["plain", "CTC head"])
@pytest.mark.parametrize("stable", [False, True], ids=["base", "large"])
@pytest.mark.parametrize("family", list(MODELS))
def test_every_tensor_is_that_of_the_model(tmp_path, family, stable, head):
    norm = "layer" if stable else "group"
    settings = {"do_stable_layer_norm": stable, "feat_extract_norm": norm, "conv_bias": stable}
    model = seeded(family, head, **settings)
    checkpoint = opened(save(model, tmp_path / "model"))
    assert checkpoint.family == family
    assert (checkpoint.name, checkpoint.source, checkpoint.revision) == ("model", "local folder model", None)
    base = getattr(model, model.base_model_prefix) if head else model
    state = base.state_dict()
    assert FIRST in state
    for name, values in state.items():
        assert checkpoint.has(name)
        read = checkpoint.tensor(name, tuple(values.shape))
        assert read.dtype == np.float32
        np.testing.assert_array_equal(read, values.numpy())
    assert not checkpoint.has("lm_head.weight")
    np.testing.assert_allclose(checkpoint.positional_kernel(), effective_kernel(model), rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("family", list(MODELS))
def test_the_defaults_are_those_of_transformers(family):
    theirs = json.loads(MODELS[family][0]().to_json_string(use_diff=False))
    for key, value in (_DEFAULTS | _FAMILY_DEFAULTS[family]).items():
        assert theirs[key] == value, key


def test_settings_that_are_not_written_have_their_defaults(folder):
    written = json.loads((folder / "config.json").read_text())
    del written["layer_norm_eps"], written["adapter_attn_dim"]
    (folder / "config.json").write_text(json.dumps(written))
    config = opened(folder).config
    assert (config["layer_norm_eps"], config["adapter_attn_dim"], config["hidden_size"]) == (1e-5, None, 32)


def rename(folder: Path, names: dict[str, str]) -> None:
    path = folder / "model.safetensors"
    state = safetensors.torch.load_file(path)
    safetensors.torch.save_file({names.get(key, key): value for key, value in state.items()}, path)


def test_weight_norm_of_older_torch_is_the_same(folder):
    conv = "encoder.pos_conv_embed.conv."
    modern = opened(folder).positional_kernel()
    old = {f"{conv}parametrizations.weight.original{i}": f"{conv}weight_{x}" for i, x in enumerate("gv")}
    names = set(safetensors.torch.load_file(folder / "model.safetensors"))
    # Whichever generation the installed library writes, the other one is made from it.
    rename(folder, old if names >= set(old) else {value: key for key, value in old.items()})
    assert set(safetensors.torch.load_file(folder / "model.safetensors")) != names
    np.testing.assert_array_equal(opened(folder).positional_kernel(), modern)


def test_a_plain_positional_kernel_is_taken_as_it_is(folder):
    path, conv = folder / "model.safetensors", "encoder.pos_conv_embed.conv."
    state = {k: v for k, v in safetensors.torch.load_file(path).items() if not k.startswith(f"{conv}p")}
    state = {k: v for k, v in state.items() if not k.startswith(f"{conv}weight_")}
    kernel = torch.randn(32, 8, 16)
    safetensors.torch.save_file(state | {f"{conv}weight": kernel}, path)
    np.testing.assert_array_equal(opened(folder).positional_kernel(), kernel.numpy())


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16, torch.float64])
def test_other_floating_point_widths_become_float32(folder, kind):
    path = folder / "model.safetensors"
    state = {key: value.to(kind) for key, value in safetensors.torch.load_file(path).items()}
    safetensors.torch.save_file(state, path)
    checkpoint = opened(folder)
    for name, values in state.items():
        np.testing.assert_array_equal(checkpoint.tensor(name), values.to(torch.float32).numpy())


def test_integer_weights_are_refused(folder):
    path = folder / "model.safetensors"
    state = safetensors.torch.load_file(path)
    safetensors.torch.save_file(state | {FIRST: torch.zeros(8, 1, 10, dtype=torch.int8)}, path)
    with pytest.raises(ArtifactError, match="is I8, expected floating-point"):
        opened(folder).tensor(FIRST)


def test_shards_are_joined(saved, tmp_path):
    model = seeded("wav2vec2")
    model.save_pretrained(tmp_path / "shards", max_shard_size="30KB")
    parts = sorted((tmp_path / "shards").glob("*.safetensors"))
    assert len(parts) > 2
    checkpoint = opened(tmp_path / "shards")
    for name, values in model.state_dict().items():
        np.testing.assert_array_equal(checkpoint.tensor(name), values.numpy())
    assert checkpoint.sha256 == hashlib.sha256(b"".join(part.read_bytes() for part in parts)).hexdigest()
    parts[1].unlink()
    refusal(tmp_path / "shards", parts[1].name, "is missing", "download the folder again")


def test_identity_and_sound_settings(saved):
    checkpoint = opened(saved)
    assert checkpoint.sha256 == hashlib.sha256((saved / "model.safetensors").read_bytes()).hexdigest()
    assert checkpoint.do_normalize is False
    assert checkpoint.licence == UNKNOWN_LICENCE


def test_without_a_preprocessor_the_sound_is_normalised(folder):
    (folder / "preprocessor_config.json").unlink()
    assert opened(folder).do_normalize is True
    assert transformers.Wav2Vec2FeatureExtractor().do_normalize is True


def test_random_weights_are_told_from_trained_ones(folder):
    assert opened(folder).untrained
    path = folder / "model.safetensors"
    state = safetensors.torch.load_file(path)
    state["encoder.layers.1.final_layer_norm.bias"][3] = 1e-3
    safetensors.torch.save_file(state, path)
    assert not opened(folder).untrained


@pytest.mark.parametrize(
    ("card", "licence"),
    [
        ("---\nlanguage: en\nlicense: apache-2.0\ntags:\n- speech\n---\n# Model\n", "apache-2.0"),
        ('---\nlicense: "mit" # ours\n---\n', "mit"),
        ("---\nlanguage: en\n---\nlicense: mit\n", UNKNOWN_LICENCE),
        ("# license: mit\n", UNKNOWN_LICENCE),
        ("---\nlicense:\n- mit\n---\n", UNKNOWN_LICENCE),
    ],
)
def test_the_licence_is_that_of_the_model_card(folder, card, licence):
    (folder / "README.md").write_text(card)
    assert opened(folder).licence == licence


def test_the_commit_of_a_downloaded_folder_is_known(folder):
    note = folder / ".cache/huggingface/download/config.json.metadata"
    note.parent.mkdir(parents=True)
    note.write_text(f"{COMMIT}\n0a1b\n1700000000.0\n")
    assert opened(folder).revision == COMMIT


class TestRefusals:
    def test_places(self, folder, tmp_path):
        refusal(tmp_path / "none", "there is no such folder")
        refusal("./none", "there is no such folder")
        refusal("C:\\none", "there is no such folder")
        refusal("wav2vec", "neither a folder nor a known encoder", "wav2vec2-base")
        refusal("moonshine-tiny", "comes with a package", "rtaffect[embedded]")
        refusal(folder, "is a folder", "revision abc", revision="abc")

    def test_no_config(self, folder):
        (folder / "config.json").unlink()
        refusal(folder, "config.json", "cannot be read", "download the whole folder")

    @pytest.mark.parametrize("text", ["{", "[1]", ""])
    def test_damaged_config(self, folder, text):
        (folder / "config.json").write_text(text)
        refusal(folder, "config.json", "damaged", "download it again")

    def test_no_weights(self, folder):
        (folder / "model.safetensors").unlink()
        refusal(folder, "no *.safetensors", "hf download")

    def test_pickled_weights_only(self, folder):
        (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
        refusal(folder, "pytorch_model.bin", "pickle", "safe_serialization=True")

    def test_several_weights_without_an_index(self, folder):
        content = (folder / "model.safetensors").read_bytes()
        (folder / "model.safetensors").rename(folder / "a.safetensors")
        (folder / "b.safetensors").write_bytes(content)
        refusal(folder, "a.safetensors, b.safetensors", "model.safetensors")

    @pytest.mark.parametrize("size", [0, 5, 300, -1])
    def test_weights_cut_short(self, folder, size):
        path = folder / "model.safetensors"
        path.write_bytes(path.read_bytes()[:size])
        refusal(folder, "model.safetensors", "damaged or cut short", "download it again")

    def test_damaged_index(self, folder):
        (folder / "model.safetensors.index.json").write_text('{"weight_map": 3}')
        refusal(folder, "model.safetensors.index.json", "damaged")

    def test_another_model(self, folder):
        change_config(folder, model_type="whisper")
        refusal(folder, "'whisper'", "wav2vec2, hubert, wavlm")

    def test_another_model_s_weights(self, folder):
        safetensors.torch.save_file({"a": torch.zeros(2)}, folder / "model.safetensors")
        refusal(folder, "has no tensor", FIRST)

    def test_another_rate(self, folder):
        (folder / "preprocessor_config.json").write_text('{"sampling_rate": 8000}')
        refusal(folder, "8000 Hz", "expected 16000 Hz")

    @pytest.mark.parametrize(
        ("key", "value"),
        [
            ("adapter_attn_dim", 16),
            ("add_adapter", True),
            ("conv_pos_batch_norm", True),
            ("hidden_act", "relu"),
            ("feat_extract_activation", "swish"),
            ("feat_extract_norm", "batch"),
            ("conv_stride", [5, 2, 2, 2, 2, 2, 1]),
            ("conv_kernel", [10, 3, 3, 3, 3, 2, 3]),
            ("position_embeddings_type", "rotary"),
            ("conv_dim", [8] * 6),
            ("conv_dim", [8] * 6 + ["8"]),
            ("hidden_size", -1),
            ("num_hidden_layers", 2.0),
            ("num_attention_heads", 5),
        ],
    )
    def test_settings_that_cannot_be_exported(self, folder, key, value):
        change_config(folder, **{key: value})
        refusal(folder, "config.json", key, "expected")

    def test_missing_and_misshapen_tensors(self, folder):
        checkpoint = opened(folder)
        with pytest.raises(ArtifactError, match=r"has no tensor encoder\.none"):
            checkpoint.tensor("encoder.none")
        with pytest.raises(ArtifactError, match=r"shape \(8, 1, 10\), expected \(8, 1, 11\)"):
            checkpoint.tensor(FIRST, (8, 1, 11))


def test_neither_torch_nor_transformers_is_imported(saved):
    code = (
        "import sys; from models.checkpoint import open_checkpoint as o; o(sys.argv[1]).positional_kernel(); "
        "sys.exit(' '.join({'torch', 'transformers', 'huggingface_hub'} & set(sys.modules)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(saved)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.slow
def test_conversion_command_works(folder, tmp_path):
    """What the refusal of pickle tells a user to do gives a folder that opens."""
    from models.weights import convert_command

    model = seeded("wav2vec2")
    torch.save(model.state_dict(), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    line = convert_command(str(folder)).replace("FOLDER", str(tmp_path / "converted"))
    code = line.removeprefix('python -c "').removesuffix('"')
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
    checkpoint = opened(tmp_path / "converted")
    assert checkpoint.do_normalize is False
    np.testing.assert_array_equal(checkpoint.tensor(FIRST), model.state_dict()[FIRST].numpy())
