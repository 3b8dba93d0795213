"""What tells models of one class apart, wherever their weights are and however they are stored."""

import pytest
import torch
from comfy.quant_ops import QuantizedTensor

from blockdance.blockdance_core.comfy.attach import fingerprint_of
from blockdance.blockdance_core.comfy.weights_digest import weights_digest
from blockdance.tests.host.features.test_weights import LAYERS, lora
from blockdance.tests.models.tiny import FLUX, sample, seeded


def layer(model) -> torch.nn.Module:
    return model.model.diffusion_model.get_submodule(next(iter(LAYERS)))


def with_lora(model, strength: float = .3, rank: int = 2):
    clone = model.clone()
    clone.add_patches({f"{name}.weight": adapter for name, adapter in lora(rank).items()}, strength)
    return clone


def perturbed(model, share: float):
    for number, parameter in enumerate(model.model.diffusion_model.parameters()):
        parameter.data *= 1 + share * seeded(*parameter.shape, seed=number)
    return model


def test_a_digest_is_of_the_weights():
    model = FLUX.build()
    assert weights_digest(model) == weights_digest(FLUX.build()) == weights_digest(model.clone()) != ""
    other = perturbed(FLUX.build(), .02)
    assert fingerprint_of(other) == fingerprint_of(model) and weights_digest(other) != weights_digest(model)
    assert weights_digest(perturbed(FLUX.build(), .02)) == weights_digest(other)


def test_loras_and_merges_count():
    model, other = FLUX.build(), perturbed(FLUX.build(), .02)
    merge = [model.clone(), model.clone()]
    for merged, share in zip(merge, (.5, .4)):
        for name, weights in other.get_key_patches("diffusion_model.").items():
            merged.add_patches({name: weights}, 1 - share, share)
    different = [model, with_lora(model), with_lora(model, .4), with_lora(model, rank=3), with_lora(with_lora(model)),
                 *merge]
    assert len({weights_digest(each) for each in different}) == len(different)
    assert weights_digest(with_lora(FLUX.build())) == weights_digest(with_lora(model))


@pytest.mark.parametrize("memory", [None, 1], ids=["loaded", "layer by layer"])
def test_it_is_the_same_before_and_after_the_model_is_loaded(memory, monkeypatch):
    """Also where a LoRA is in the weights by then, and for a clone that has none."""
    model = FLUX.build()
    changed = with_lora(model)
    before = weights_digest(model), weights_digest(changed)
    if memory:
        def load(self, device_to=None, lowvram_model_memory=0, *args, keep=type(model).load, **options):
            keep(self, device_to, memory, *args, **options | {"full_load": False})
        monkeypatch.setattr(type(model), "load", load)
    sample(changed, FLUX, steps=2)
    assert memory or not torch.equal(layer(model).weight, layer(FLUX.build()).weight), "the LoRA is in the weights"
    assert (weights_digest(model), weights_digest(changed)) == before
    sample(model, FLUX, steps=2)
    assert (weights_digest(model), weights_digest(changed)) == before


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float8_e4m3fn, torch.int8])
def test_any_dtype_has_one(dtype):
    digests = set()
    for share in (0., 0., .2):
        model = perturbed(FLUX.build(), share)
        for parameter in model.model.diffusion_model.parameters():
            parameter.requires_grad = False
            parameter.data = (parameter.data * (100 if dtype is torch.int8 else 1)).to(dtype)
        digests.add(weights_digest(model))
    assert len(digests) == 2 and "" not in digests


def test_quantised_weights_are_read_as_they_are_stored(monkeypatch):
    def quantised(share: float):
        model = perturbed(FLUX.build(), share)
        for name in LAYERS:
            linear = model.model.diffusion_model.get_submodule(name)
            linear.weight = torch.nn.Parameter(
                QuantizedTensor.from_float(linear.weight.data, "TensorCoreFP8E4M3Layout"), requires_grad=False)
        return model
    models = [quantised(share) for share in (0., 0., .2)]
    monkeypatch.setattr(QuantizedTensor, "dequantize", None)
    found = [weights_digest(model) for model in models]
    assert found[0] == found[1] != found[2] and "" not in found and found[0] != weights_digest(FLUX.build())


def test_weights_that_cannot_be_read_cost_nothing_but_the_difference(caplog):
    class Odd(torch.Tensor):
        def __tensor_flatten__(self):
            raise NotImplementedError("not in this format")
    model = FLUX.build()
    for module in model.model.diffusion_model.modules():
        for name, weight in module.named_parameters(recurse=False):
            setattr(module, name, torch.nn.Parameter(weight.data.as_subclass(Odd), requires_grad=False))
    assert weights_digest(model) == "" and "not in this format" in caplog.text


def test_it_reads_a_few_hundred_numbers(monkeypatch):
    """And never a whole weight."""
    read = []
    cpu = torch.Tensor.cpu
    monkeypatch.setattr(torch.Tensor, "cpu", lambda self: read.append(self.numel()) or cpu(self))
    weights_digest(with_lora(FLUX.build()))
    assert 0 < sum(read) < 1000
