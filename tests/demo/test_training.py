"""Growing and training the demo's models, a few steps at a time."""

import argparse
import importlib

import numpy as np
import pytest
import torch

from blockdance.demo import growth, model, train
from blockdance.demo.architectures import ARCHITECTURES


@pytest.fixture(params=ARCHITECTURES.values(), ids=ARCHITECTURES)
def architecture(request):
    return request.param


@pytest.fixture
def host(architecture, monkeypatch):
    """ComfyUI set up for training, and back again after the test."""
    monkeypatch.setattr("comfy.model_management.in_training", False)
    for name in architecture.attention:
        module = importlib.import_module(name)
        monkeypatch.setattr(module, "optimized_attention", module.optimized_attention)
    train.prepare_host(architecture)


def forward(architecture, built, inputs):
    with torch.no_grad():
        return built.diffusion_model(
            model.beside(built, inputs[0]), inputs[1], context=inputs[2], y=model.pooled(inputs[2]))


def rough_weights(architecture, divisor):
    """A model with weights of training's size, none of them zero."""
    built = model.build(architecture, architecture.with_depth_divided(divisor))
    growth.initialise(architecture, built.diffusion_model)
    with torch.no_grad():
        for parameter in built.diffusion_model.parameters():
            parameter += .02 * torch.randn_like(parameter)
    return built


def test_a_model_of_split_blocks_computes_nearly_the_same(architecture):
    torch.manual_seed(0)
    task = architecture.world
    latents, captions = map(torch.from_numpy, task.batch(np.random.default_rng(0), 2))
    inputs = (latents, torch.tensor([100., 700.]), captions)
    shallow = rough_weights(architecture, 4)
    deep = rough_weights(architecture, 2)
    weights = shallow.diffusion_model.state_dict()
    growth.initialise(architecture, deep.diffusion_model)
    split = growth.split_blocks(architecture, weights, deep.diffusion_model.state_dict())
    wanted = forward(architecture, shallow, inputs)
    deep.diffusion_model.load_state_dict(split)
    error = (forward(architecture, deep, inputs) - wanted).norm()
    without = {name: value.zero_() if any(part in name for part in architecture.outputs) else value
               for name, value in weights.items()}
    shallow.diffusion_model.load_state_dict(without)
    work_of_the_blocks = (forward(architecture, shallow, inputs) - wanted).norm()
    assert error < .2 * work_of_the_blocks


@pytest.mark.usefixtures("host")
def test_training_learns_grows_and_goes_on_from_its_checkpoint(architecture, tmp_path):
    arguments = argparse.Namespace(
        state=tmp_path, minutes=1e9, batch=2, learning_rate=2e-3, compile=False, device="cpu", start=None)
    torch.manual_seed(0)
    trainer = train.Trainer(architecture, arguments)
    first = trainer.train_step()
    assert np.isfinite([first, *(trainer.train_step() for _ in range(2))]).all()
    assert all(parameter.grad is None for parameter in trainer.transformer.parameters())
    depth = trainer.depth
    trainer.save()
    trainer.curve.write_text("2,5,6,1.2\n4,9,6,1.1\n")
    resumed = train.Trainer(architecture, arguments)
    assert (resumed.step, resumed.depth) == (3, depth)
    assert resumed.curve.read_text() == "2,5,6,1.2\n"
    trained = trainer.transformer.state_dict()
    assert all(torch.equal(value, trained[name]) for name, value in resumed.transformer.state_dict().items())
    resumed.seconds = .3 * 60 * arguments.minutes
    resumed.grow()
    resumed.train_step()
    assert resumed.divisor == 2
    resumed.save()
    loaded = model.load(tmp_path / f"{architecture.name}.safetensors").model.diffusion_model
    assert sum(len(getattr(loaded, stack)) for stack in architecture.depths) == resumed.depth > depth
