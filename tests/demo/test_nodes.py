"""The demo's nodes from caption to pictures, run in the order of a workflow."""

import json

import comfy.sample
import pytest
import torch
from safetensors.torch import save_file

from blockdance.demo import model, nodes, video, world
from blockdance.demo.architectures import FLUX, SD3, WAN


def patcher(architecture, tmp_path):
    config = architecture.with_depth_divided(8)
    state = model.build(architecture, config).diffusion_model.state_dict()
    weights = {name: torch.full_like(value, .01) for name, value in state.items()}
    save_file(weights, tmp_path / "some.safetensors", {"architecture": architecture.name, "config": json.dumps(config)})
    return model.load(tmp_path / "some.safetensors")


def sample(patcher, encode, caption, latent):
    positive, negative = (encode.execute(text).args[0] for text in (caption, ""))
    noise = comfy.sample.prepare_noise(latent, 1)
    return comfy.sample.sample(
        patcher, noise, 2, 3., "euler", "simple", positive, negative, latent, disable_pbar=True, seed=1)


@pytest.mark.parametrize("architecture", [FLUX, SD3], ids=lambda row: row.name)
def test_mmdits_take_the_conditioning_of_pictures(architecture, tmp_path):
    drawn = sample(patcher(architecture, tmp_path), nodes.ShapesWorldTextEncode, "a red circle at top, on navy",
                   torch.zeros(2, *world.LATENT))
    assert drawn.shape == (2, *world.LATENT) and drawn.isfinite().all()


def test_a_video_is_sampled_and_taken_apart(tmp_path):
    latent = nodes.ShapesWorldEmptyVideo.execute(2).args[0]["samples"]
    drawn = sample(patcher(WAN, tmp_path), nodes.ShapesWorldVideoTextEncode,
                   "a red circle moving right from top left, on navy", latent)
    frames = nodes.ShapesWorldVideoFrames.execute({"samples": drawn}).args[0]
    assert frames.shape == (2 * video.FRAMES, video.SIZE, video.SIZE, 3)
    assert torch.equal(frames[video.FRAMES], (drawn[1, :, 0].clamp(-1, 1) / 2 + .5).movedim(0, -1))


def test_the_video_model_is_told_places_in_training_as_in_sampling(tmp_path):
    wan, seen = patcher(WAN, tmp_path), []
    wan.model.diffusion_model.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    sample(wan, nodes.ShapesWorldVideoTextEncode, "a red circle staying at top, on navy", torch.zeros(1, *video.LATENT))
    for noisy in seen:
        assert torch.equal(noisy, model.beside(wan.model, noisy[:, :3]))
        assert len(noisy[0, 3:].flatten(1).T.unique(dim=0)) == video.FRAMES * video.SIZE ** 2  # no two places alike


@pytest.mark.parametrize("architecture", [FLUX, SD3], ids=lambda row: row.name)
def test_models_of_pictures_see_the_latent_alone(architecture):
    built, noisy = model.build(architecture, architecture.with_depth_divided(8)), torch.zeros(1, *world.LATENT)
    assert model.beside(built, noisy) is noisy


def test_a_caption_of_the_other_world_is_refused():
    with pytest.raises(ValueError, match="'a red circle at top'"):
        nodes.ShapesWorldVideoTextEncode.execute("a red circle at top, on navy")
