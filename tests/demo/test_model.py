"""Weights files that the demo's loader takes and refuses."""

import json

import pytest
import torch
from safetensors.torch import save_file

from blockdance.demo import model

CONFIG = model.CONFIG | {"depth": 2}


@pytest.fixture
def weights() -> dict[str, torch.Tensor]:
    state = model.build(CONFIG, operations=torch.nn).state_dict()
    return {name: torch.full_like(value, .1, dtype=torch.bfloat16) for name, value in state.items()}


def load(weights, tmp_path, metadata):
    save_file(weights, tmp_path / "weights.safetensors", metadata)
    return model.load(tmp_path / "weights.safetensors")


def test_a_file_is_loaded_as_a_model_in_float32(weights, tmp_path):
    transformer = load(weights, tmp_path, {"config": json.dumps(CONFIG)}).model.diffusion_model
    assert len(transformer.blocks) == 2
    assert {p.dtype for p in transformer.parameters()} == {torch.float32}


@pytest.mark.parametrize("spoil", [
    lambda weights: weights.pop("blocks.1.mlp.fc1.weight"),
    lambda weights: weights.update({"blocks.2.mlp.fc1.weight": weights["blocks.1.mlp.fc1.weight"].clone()})])
def test_missing_and_unexpected_weights_are_an_error(spoil, weights, tmp_path):
    spoil(weights)
    with pytest.raises(ValueError, match="blocks.[12].mlp.fc1.weight"):
        load(weights, tmp_path, {"config": json.dumps(CONFIG)})


def test_a_file_without_a_configuration_is_an_error(weights, tmp_path):
    with pytest.raises(ValueError, match="has no 'config'"):
        load(weights, tmp_path, None)
