"""Other shifts and numbers than a demo model's own."""

from dataclasses import replace

import pytest
import torch

from blockdance.blockdance_core.comfy.models.architectures import chain_of
from blockdance.lab.benchmarks.arm import Calibration
from blockdance.lab.benchmarks.measured import kernel
from blockdance.lab.benchmarks.options import WEIGHTS
from blockdance.lab.benchmarks.setting import PICTURES, PRECISIONS, Setting, in_use
from blockdance.lab.benchmarks.subject import Subject, shifted

STEPS = 4


@pytest.fixture(scope="module")
def subject():
    return Subject(WEIGHTS / "pixart.safetensors")


@pytest.fixture(scope="module", params=["bf16", "fp8", "int8"])
def rounded(request):
    return Subject(WEIGHTS / "pixart.safetensors", request.param)


@pytest.mark.parametrize("name", ["pixart", "flux"])
@pytest.mark.parametrize("shift", [3., 8.])
def test_a_shift_is_that_of_the_schedule(name, shift):
    """shift * t / (1 + (shift - 1) * t), by its paper, whatever class of sampling the model has."""
    model = Subject(WEIGHTS / f"{name}.safetensors").patcher
    sampling = shifted(model, shift).get_model_object("model_sampling")
    assert float(sampling.sigma_max) == pytest.approx(1, abs=1e-3)
    assert float(sampling.percent_to_sigma(.5)) == pytest.approx(shift * .5 / (1 + (shift - 1) * .5), abs=1e-3)
    assert float(model.get_model_object("model_sampling").percent_to_sigma(.5)) == pytest.approx(.5, abs=1e-3)


def test_a_run_with_the_models_own_shift_is_the_usual_one(subject):
    drawn = [subject.draw(subject.patcher, Setting(STEPS, shift=shift), subject.scenes(1), 0).latents
             for shift in (None, 1., 3.)]
    assert torch.equal(drawn[0], drawn[1]) and not torch.allclose(drawn[0], drawn[2], atol=.1)


def test_other_numbers_change_a_picture_a_little_and_its_work_not_at_all(subject, rounded):
    setting = Setting(STEPS, precision=rounded.precision)
    usual = subject.draw(subject.patcher, Setting(STEPS), subject.scenes(1), 0)
    drawn = rounded.draw(rounded.patcher, setting, rounded.scenes(1), 0)
    assert drawn.work == usual.work
    far = float((drawn.latents - usual.latents).square().mean().sqrt() / usual.latents.square().mean().sqrt())
    assert 1e-4 < far < .3


def test_quantised_layers_hold_what_their_name_says(rounded):
    if rounded.precision == "bf16":
        assert {weights.dtype for weights in rounded.patcher.model.diffusion_model.parameters()} == {torch.bfloat16}
        return
    wanted = {"fp8": torch.float8_e4m3fn, "int8": torch.int8}[rounded.precision]
    block = chain_of(rounded.patcher.model.diffusion_model).blocks[0]
    held = [layer.state_dict()["weight"].dtype for layer in block.modules() if hasattr(layer, "in_features")]
    assert held and set(held) == {wanted}


def test_a_measurement_is_taken_in_the_same_numbers(rounded):
    setting = Setting(8, precision=rounded.precision)
    _, found = kernel(Calibration(rounded, setting, captions=1))
    assert len(found.times) == 8
    with pytest.raises(ValueError, match=rounded.precision):
        rounded.draw(rounded.patcher, Setting(8), rounded.scenes(1), 0)


def test_settings_are_refused_where_they_mean_nothing():
    for wrong in ({"shift": 0.}, {"precision": "fp4"}):
        with pytest.raises(ValueError, match=str(*wrong.values())):
            replace(PICTURES, **wrong)
    names = [setting.name for setting in in_use(PICTURES)]
    assert len(set(names)) == len(names) and any("shift 5" in name for name in names)
    assert {setting.precision for setting in in_use(PICTURES)} == set(PRECISIONS)
