"""Weights files that the demo's loader takes and refuses, and the models that come with the demo."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from blockdance.demo import checker, evaluate, model
from blockdance.demo.architectures import ARCHITECTURES

WEIGHTS = [path for path in sorted((Path(model.__file__).parent / "weights").glob("*.safetensors"))
           if model.architecture_of(path).name in ARCHITECTURES]
DIVISOR = 4


@pytest.fixture(params=ARCHITECTURES.values(), ids=ARCHITECTURES)
def architecture(request):
    return request.param


@pytest.fixture
def weights(architecture) -> dict[str, torch.Tensor]:
    state = model.build(architecture, architecture.with_depth_divided(DIVISOR)).diffusion_model.state_dict()
    return {name: torch.full_like(value, .1, dtype=torch.bfloat16) for name, value in state.items()}


@pytest.fixture
def metadata(architecture) -> dict[str, str]:
    return {"architecture": architecture.name, "config": json.dumps(architecture.with_depth_divided(DIVISOR))}


def load(weights, tmp_path, metadata):
    save_file(weights, tmp_path / "weights.safetensors", metadata)
    return model.load(tmp_path / "weights.safetensors")


def test_a_file_is_loaded_as_a_model_in_float32(architecture, weights, metadata, tmp_path):
    transformer = load(weights, tmp_path, metadata).model.diffusion_model
    for stack, entry in architecture.depths.items():
        assert len(getattr(transformer, stack)) == architecture.config[entry] // DIVISOR
    assert {p.dtype for p in transformer.parameters()} == {torch.float32}


@pytest.mark.parametrize("missing", [True, False], ids=["missing", "unexpected"])
def test_missing_and_unexpected_weights_are_an_error(missing, architecture, weights, metadata, tmp_path):
    name = next(name for name in weights if name.split(".")[0] in architecture.depths and "1" in name)
    if missing:
        del weights[name]
    else:
        name = name.replace("1", "99", 1)
        weights[name] = torch.zeros(1)
    with pytest.raises(ValueError, match=name):
        load(weights, tmp_path, metadata)


def test_a_file_without_a_configuration_is_an_error(tmp_path):
    with pytest.raises(ValueError, match="config"):
        load({"weight": torch.zeros(1)}, tmp_path, None)


def test_a_file_of_an_unknown_architecture_is_an_error(tmp_path):
    with pytest.raises(ValueError, match="unet.*pixart, flux"):
        load({"weight": torch.zeros(1)}, tmp_path, {"architecture": "unet", "config": "{}"})


def test_a_model_is_deep_and_small(architecture):
    transformer = model.build(architecture, architecture.config).diffusion_model
    assert sum(len(getattr(transformer, stack)) for stack in architecture.depths) >= 24
    assert sum(value.numel() for value in transformer.state_dict().values()) * 2 <= 20e6


@pytest.mark.parametrize("path", WEIGHTS, ids=lambda path: path.stem)
class TestTheDemosWeights:
    def test_they_are_complete_small_and_have_their_curve(self, path):
        assert path.stat().st_size <= 20e6
        with safe_open(path, "pt") as file:
            config = json.loads(file.metadata()["config"])
        architecture = model.architecture_of(path)
        assert path.stem == architecture.name
        assert config == architecture.config
        assert np.loadtxt(path.with_suffix(".csv"), delimiter=",")[-1, 2] == sum(
            config[entry] for entry in architecture.depths.values())

    def test_they_draw_what_captions_ask_for(self, path):
        score = evaluate.evaluate(path, captions=4, steps=10, cfg=3.)
        assert isinstance(score, checker.Score)
        assert score.right >= score.objects - 1
