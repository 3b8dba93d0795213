"""What is stored takes the bytes that it should, in whatever numbers and wherever it is kept."""

from functools import partial

import comfy.model_management as management
import pytest
import torch

from blockdance.blockdance_core.comfy import memory
from blockdance.blockdance_core.comfy.memory import has_room
from blockdance.blockdance_core.engine import cache
from blockdance.blockdance_core.methods.blockdance import BlockDanceMethod
from blockdance.blockdance_core.methods.delta_cache import DeltaCacheMethod
from blockdance.blockdance_core.methods.delta_dit import DeltaDiTMethod
from blockdance.blockdance_core.methods.method import Extrapolated, with_storage
from blockdance.blockdance_core.plan.plan import Kind
from blockdance.tests.models.tiny import FLUX, PIXART, SD3, sample
from blockdance.tests.trial import Trial, distance

# Tokens and width of each tensor of a hidden state, float32
PIXART_STATE = ((400, 64),)
SD3_STATE = (12, 128), (64, 128)
FLUX_DOUBLE, FLUX_SINGLE = ((64, 64), (12, 64)), ((76, 64),)


def numbers(*states: tuple[tuple[int, int], ...]) -> int:
    """In these hidden states of one condition."""
    return sum(tokens * width for state in states for tokens, width in state)


CASES = {
    "BlockDance": (PIXART, BlockDanceMethod(), numbers(PIXART_STATE)),
    "Delta-Cache": (PIXART, DeltaCacheMethod(), numbers(PIXART_STATE)),
    "Delta-Cache, SD3": (SD3, DeltaCacheMethod(n_cached=4), numbers(SD3_STATE)),
    "Delta-Cache, across two stacks": (FLUX, DeltaCacheMethod(n_cached=6), numbers(FLUX_DOUBLE, FLUX_SINGLE)),
    "feature, across two stacks": (FLUX, DeltaCacheMethod(n_cached=6, kind=Kind.FEATURE), numbers(FLUX_SINGLE)),
    "Delta-DiT": (PIXART, DeltaDiTMethod(), numbers(PIXART_STATE)),
    "linear forecast": (PIXART, Extrapolated(DeltaCacheMethod(), "linear"), 2 * numbers(PIXART_STATE)),
}


@pytest.mark.parametrize("together", [True, False], ids=["one call", "two calls"])
@pytest.mark.parametrize("tiny, method, stored", CASES.values(), ids=CASES.keys())
def test_bytes_are_those_of_the_borders(tiny, method, stored, together, monkeypatch):
    """One hidden state for each border and condition, whether the conditions come in one call or in two."""
    trial = Trial(tiny)
    if not together:
        monkeypatch.setattr(type(trial.model), "get_free_memory", lambda self, device: 0)
    trial.sample(partial(sample, tiny=tiny), method)
    report, = trial.reports
    assert report.evaluations[0].passes == (1 if together else 2)
    assert report.cache_bytes == 2 * stored * 4


@pytest.mark.parametrize("dtype, share, bound", [("bf16", 1 / 2, .01), ("fp8", 1 / 4, .05)])
def test_smaller_numbers_take_less_and_change_little(dtype, share, bound):
    trial, sampling = Trial(PIXART), partial(sample, tiny=PIXART)
    kept = trial.sample(sampling, DeltaCacheMethod())
    bytes = trial.reports[0].cache_bytes
    packed = trial.sample(sampling, with_storage(DeltaCacheMethod(), dtype, "auto"))
    report, = trial.reports
    assert report.executed == report.total - 4 * 6 and not report.failures
    assert report.cache_bytes == share * bytes + (4 if dtype == "fp8" else 0)  # its power of two
    assert 0 < distance(packed, kept) < bound


@pytest.mark.parametrize("method", [BlockDanceMethod(), DeltaCacheMethod(), Extrapolated(DeltaCacheMethod(), "linear")],
                         ids=lambda method: method.name)
def test_main_memory_changes_nothing(method):
    trial, sampling = Trial(PIXART), partial(sample, tiny=PIXART)
    assert torch.equal(trial.sample(sampling, with_storage(method, "model", "on")), trial.sample(sampling, method))


def test_a_device_without_room_is_relieved(monkeypatch):
    """And the report says so, once."""
    trial, sampling = Trial(PIXART), partial(sample, tiny=PIXART)
    expected, moved = trial.sample(sampling, DeltaCacheMethod()), []
    assert not trial.reports[0].notes
    monkeypatch.setattr(memory, "has_room", lambda *_: False)
    monkeypatch.setattr(cache, "pack", lambda tensor, dtype, offload, keep=cache.pack: moved.append(offload) or keep(
        tensor, dtype, offload))
    assert torch.equal(trial.sample(sampling, DeltaCacheMethod()), expected)
    assert moved and all(moved)
    note, = trial.reports[0].notes
    assert "main memory" in note and note in trial.reports[0].line()
    trial.sample(sampling, with_storage(DeltaCacheMethod(), "model", "off"))
    assert not trial.reports[0].notes


class Loaded:
    """Stands for a model that ComfyUI has loaded."""

    def __init__(self, currently_used: bool):
        self.currently_used = currently_used


@pytest.mark.parametrize("free, evicts, room", [((9e12,), False, True), ((0, 9e12), True, True), ((0, 0), True, False)],
                         ids=["room", "room after others have gone", "no room"])
def test_models_that_are_not_in_use_are_evicted_first(free, evicts, room, monkeypatch):
    used, unused, evictions, left = Loaded(True), Loaded(False), [], iter(free)
    monkeypatch.setattr(management, "current_loaded_models", [used, unused])
    monkeypatch.setattr(management, "get_free_memory", lambda device: next(left))
    monkeypatch.setattr(management, "free_memory", lambda needed, device, keep_loaded: evictions.append(keep_loaded))
    assert has_room(PIXART.build().model, (1, *PIXART.latent), torch.device("cuda")) == room
    assert evictions == ([[used]] if evicts else [])


def test_weights_that_can_be_streamed_in_anew_count_as_free(monkeypatch):
    """What is free is asked of the model's patcher, as ComfyUI does before it batches passes."""
    model = PIXART.build()
    model.model.current_patcher = model
    monkeypatch.setattr(management, "get_free_memory", lambda device: 0)
    monkeypatch.setattr(management, "free_memory", None)
    monkeypatch.setattr(type(model), "get_free_memory", lambda self, device: 9e12)
    assert has_room(model.model, (1, *PIXART.latent), torch.device("cuda"))


def test_main_memory_has_room(monkeypatch):
    monkeypatch.setattr(management, "get_free_memory", lambda device: 0)
    assert has_room(PIXART.build().model, (1, *PIXART.latent), torch.device("cpu"))


def test_a_device_without_these_numbers(monkeypatch):
    """MPS has no fp8: what is stored is kept as it is."""
    def refuse(tensor, dtype, offload):
        raise TypeError("no such dtype on this device")
    trial, sampling = Trial(PIXART), partial(sample, tiny=PIXART)
    expected = trial.sample(sampling, DeltaCacheMethod())
    monkeypatch.setattr(cache, "pack", refuse)
    assert torch.equal(trial.sample(sampling, with_storage(DeltaCacheMethod(), "fp8", "auto")), expected)
    failure, = trial.reports[0].failures
    assert "not as fp8" in failure and trial.reports[0].reused == 4


def test_no_memory_for_packing(monkeypatch):
    """From there on everything is computed."""
    def fail(*_):
        raise torch.OutOfMemoryError("tried to allocate something")
    trial, sampling = Trial(PIXART), partial(sample, tiny=PIXART)
    monkeypatch.setattr(cache, "pack", fail)
    assert torch.equal(trial.sample(sampling, with_storage(DeltaCacheMethod(), "fp8", "auto")), trial.sample(sampling))
    assert "out of memory" in trial.reports[0].line()
