"""DiT from checkpoints with the names of its first release, against its equations written out once more."""

import argparse
import math
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F

from blockdance.blockdance_core.comfy.models import dit_xl2 as dit
from blockdance.blockdance_core.comfy.models.architectures import chain_of
from blockdance.tests.models.full_size import META, PASSES, FullSize
from blockdance.tests.models.tiny import DIT, sample, seeded

WIDTH, HEADS, CLASSES = 384, 6, 30


def checkpoint(depth: int = 3, size: int = 16, patch: int = 2, outputs: int = 8) -> dict[str, torch.Tensor]:
    """Random weights under the release's names; DiT-S by its width."""
    shapes = {"pos_embed": (1, (size // patch) ** 2, WIDTH), "y_embedder.embedding_table.weight": (CLASSES + 1, WIDTH)}
    layers = {"x_embedder.proj": (WIDTH, 4, patch, patch), "t_embedder.mlp.0": (WIDTH, 256),
              "t_embedder.mlp.2": (WIDTH, WIDTH), "final_layer.linear": (outputs * patch ** 2, WIDTH),
              "final_layer.adaLN_modulation.1": (2 * WIDTH, WIDTH)}
    for number in range(depth):
        inside = {"attn.qkv": (3 * WIDTH, WIDTH), "attn.proj": (WIDTH, WIDTH), "mlp.fc1": (4 * WIDTH, WIDTH),
                  "mlp.fc2": (WIDTH, 4 * WIDTH), "adaLN_modulation.1": (6 * WIDTH, WIDTH)}
        layers |= {f"blocks.{number}.{name}": shape for name, shape in inside.items()}
    for name, shape in layers.items():
        shapes |= {f"{name}.weight": shape, f"{name}.bias": shape[:1]}
    return {name: .05 * seeded(*shape, seed=seed) for seed, (name, shape) in enumerate(shapes.items())}


def expected(weights: dict[str, torch.Tensor], x, t, y) -> torch.Tensor:
    """The network's full output, (B, outputs, size, size)."""
    def linear(name, value):
        return F.linear(value, weights[f"{name}.weight"], weights[f"{name}.bias"])

    def modulated(value, shift, scale):
        return F.layer_norm(value, (WIDTH,), eps=1e-6) * (1 + scale[:, None]) + shift[:, None]

    patch, size, batch = weights["x_embedder.proj.weight"].shape[-1], x.shape[-1], len(x)
    grid = size // patch
    angles = t[:, None].float() * torch.exp(-math.log(10000) * torch.arange(128) / 128)
    c = linear("t_embedder.mlp.2", F.silu(linear("t_embedder.mlp.0", torch.cat((angles.cos(), angles.sin()), 1))))
    c = F.silu(c + weights["y_embedder.embedding_table.weight"][y])
    x = F.conv2d(x, weights["x_embedder.proj.weight"], weights["x_embedder.proj.bias"], stride=patch)
    x = x.reshape(batch, WIDTH, -1).transpose(1, 2) + weights["pos_embed"]
    for block in (f"blocks.{number}." for number in range(sum(".attn.qkv.weight" in name for name in weights))):
        shift1, scale1, gate1, shift2, scale2, gate2 = linear(f"{block}adaLN_modulation.1", c).split(WIDTH, 1)
        qkv = linear(f"{block}attn.qkv", modulated(x, shift1, scale1)).reshape(batch, -1, 3, HEADS, WIDTH // HEADS)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)
        weighted = (q @ k.transpose(-1, -2) / math.sqrt(WIDTH // HEADS)).softmax(-1) @ v
        x = x + gate1[:, None] * linear(f"{block}attn.proj", weighted.transpose(1, 2).reshape(batch, -1, WIDTH))
        hidden = F.gelu(linear(f"{block}mlp.fc1", modulated(x, shift2, scale2)), approximate="tanh")
        x = x + gate2[:, None] * linear(f"{block}mlp.fc2", hidden)
    x = linear("final_layer.linear", modulated(x, *linear("final_layer.adaLN_modulation.1", c).split(WIDTH, 1)))
    x = x.reshape(batch, grid, grid, patch, patch, -1).permute(0, 5, 1, 3, 2, 4)
    return x.reshape(batch, -1, size, size)


@pytest.mark.parametrize("patch, outputs", [(2, 8), (4, 8), (2, 4)], ids=["sigma", "patch 4", "no sigma"])
def test_a_pass_is_the_equations(patch, outputs):
    weights = checkpoint(patch=patch, outputs=outputs)
    x, t, y = seeded(3, 4, 16, 16, seed=100), torch.tensor([0, 417, 999]), torch.tensor([0, 7, CLASSES])
    with torch.no_grad():
        output = dit.load(weights).model.diffusion_model(x, t.float(), y=y)
    full = expected(weights, x, t, y)
    assert full.shape[1] == outputs
    torch.testing.assert_close(output, full[:, :4], rtol=1e-4, atol=1e-5)


def test_the_output_is_noise_at_a_step_of_the_schedule():
    weights, step = checkpoint(), 600
    model = dit.load(weights).model
    sigma, x, y = model.model_sampling.sigmas[step:step + 1], seeded(1, 4, 16, 16, seed=100), torch.tensor([7])
    with torch.no_grad():
        denoised = model.apply_model(x, sigma, y=y)
    noise = expected(weights, x / (1 + sigma ** 2).sqrt(), torch.tensor([step]), y)[:, :4]
    torch.testing.assert_close(denoised, x - sigma * noise, rtol=1e-4, atol=1e-4)


def test_the_noise_schedule_is_linear_in_beta():
    sigmas = dit.load(checkpoint(depth=1)).model.model_sampling.sigmas.double()
    kept = 1 / (1 + sigmas ** 2)  # the running product of 1 - beta
    betas = 1 - kept / torch.cat((torch.ones(1, dtype=torch.float64), kept[:-1]))
    torch.testing.assert_close(betas, torch.linspace(1e-4, .02, 1000, dtype=torch.float64), rtol=1e-4, atol=1e-7)


def test_the_picture_depends_on_both_labels():
    model = dit.load(checkpoint())

    def picture(positive, negative):
        return sample(model, DIT, steps=3, positive=dit.conditioning(positive), negative=dit.conditioning(negative))
    none = picture(3, dit.NULL_LABEL)
    assert torch.isfinite(none).all() and torch.equal(none, picture(3, dit.NULL_LABEL))
    assert not torch.equal(none, picture(4, dit.NULL_LABEL))
    assert not torch.equal(none, picture(3, 4))


@pytest.mark.parametrize("label, row", [(0, 0), (29, 29), (dit.NULL_LABEL, CLASSES)])
def test_the_row_of_a_label(label, row):
    given = dit.conditioning(label)[0][1]
    conditions = DIT.build().model.extra_conds(noise=DIT.noise(), **given)
    assert conditions["y"].cond.tolist() == [row] and set(conditions) == {"y"}


@pytest.mark.parametrize("positive, message", [
    (dit.conditioning(30), "label is 30.*30 classes.*0 to 29.*-1"),
    (dit.conditioning(-2), "label is -2"),
    ([[torch.zeros(1, 77, 768), {}]], "DiT Class Label"),
], ids=["too high", "too low", "a prompt"])
def test_conditioning_that_does_not_fit(positive, message):
    with pytest.raises(ValueError, match=message):
        sample(DIT.build(), DIT, positive=positive)


def test_another_size_is_refused_before_the_first_step():
    model = DIT.build()
    model.model.diffusion_model.blocks[0].register_forward_pre_hook(lambda *_: pytest.fail("sampling had begun"))
    with pytest.raises(ValueError, match="256 x 128.*128 x 128"):
        sample(model, replace(DIT, latent=(4, 16, 32)))


@pytest.mark.parametrize("change, message", [
    (lambda weights: weights.pop("y_embedder.embedding_table.weight"), "embedding_table"),
    (lambda weights: weights.pop("blocks.1.attn.proj.bias"), r"blocks\.1\.attn\.proj\.bias"),
    (lambda weights: weights.update({"cross.weight": torch.zeros(1)}), r"cross\.weight"),
    (lambda weights: weights.update({"x_embedder.proj.weight": torch.zeros(100, 4, 2, 2)}), "width 100.*1152"),
    (lambda weights: weights.update(pos_embed=torch.zeros(1, 50, WIDTH)), "50 "),
], ids=["no labels", "missing", "unexpected", "width", "not square"])
def test_other_checkpoints_are_refused(change, message, tmp_path):
    weights = checkpoint()
    change(weights)
    torch.save(weights, path := tmp_path / "other.pt")
    with pytest.raises(ValueError, match=rf"other\.pt: .*{message}"):
        dit.load_file(str(path))


def test_a_training_checkpoint_gives_its_average(tmp_path):
    average = checkpoint()
    training = {"model": checkpoint(depth=2), "ema": average, "opt": {}, "args": argparse.Namespace(model="DiT-S/2")}
    torch.save(training, path := tmp_path / "0400000.pt")
    patcher = dit.load_file(str(path))
    loaded = patcher.model.diffusion_model.state_dict()
    assert loaded.keys() == average.keys() and all(torch.equal(loaded[name], average[name]) for name in average)
    again, arguments = patcher.cached_patcher_init
    assert len(again(*arguments, disable_dynamic=True).model.diffusion_model.blocks) == 3


def full_size(size: int) -> dit.DiT:
    return dit.DiT(size, 2, 4, 8, 1152, 28, dit.HEADS[1152], 1000, **META)


def test_xl_has_its_published_parameters():
    model = full_size(32)
    assert len(model.blocks) == 28
    assert sum(tensor.numel() for tensor in model.state_dict().values()) == pytest.approx(675e6, rel=1e-3)


@pytest.mark.parametrize("size, steps, published", [(32, 250, 57.24e12), (64, 50, 45.71e12)], ids=["256", "512"])
def test_xl_costs_what_the_papers_say(size, steps, published):
    model = full_size(size)

    def forward():
        x, t, y = (torch.empty(PASSES, *shape, device="meta", dtype=dtype) for shape, dtype in (
            ((4, size, size), torch.bfloat16), ((), torch.float32), ((), torch.long)))
        return model(x, t, y=y)
    cost = FullSize(chain_of(model), forward).cost(linear_only=True)
    assert cost.total * steps == pytest.approx(published, rel=1e-3)
