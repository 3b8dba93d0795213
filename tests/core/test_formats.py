"""Files of versions 0.1.0 and 1.0.0, in tests/formats, load and mean what they meant. They are never written anew."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from blockdance.blockdance_core.ada import policy_file
from blockdance.blockdance_core.ada.network import Sizes, State
from blockdance.blockdance_core.auto.profile import Fingerprint, Profile, general
from blockdance.blockdance_core.auto.profile_library import Library
from blockdance.blockdance_core.auto.proven_plan import ProvenPlan
from blockdance.blockdance_core.auto.written_plan import WrittenPlanMethod
from blockdance.blockdance_core.plan import plan_text
from blockdance.blockdance_core.plan.plan import Transformer
from blockdance.blockdance_core.plan.schedule import Quantity, Schedule
from blockdance.tests.documents import ROOT

FORMATS = ROOT / "tests" / "formats"
PROFILE = "PixArtMS-28-aa34f66b-velocity-10.json"
MODEL = Fingerprint("PixArtMS", (28,), 610_856_096, False)
# file -> steps that reuse, and blocks that are computed of 20 * 28
PLANS = {
    "plan_of_auto.json": ((4, 6, 7, 9, 10, 12, 13, 15, 16, 18), 280),
    "plan_of_blockdance.json": ((8, 10, 12, 14, 16, 18), 434),
    "plan_of_delta_cache.json": ((1, 3, 5, 7, 9, 11, 13, 15, 17, 19), 350),
    "plan_of_delta_dit.json": ((1, 3, 5, 7, 9, 11, 13, 15, 17, 19), 350),
}


def read(name: str) -> str:
    return (FORMATS / name).read_text(encoding="utf-8")


def test_a_profile():
    text = read(PROFILE)
    found = Profile.parse(text, PROFILE)
    assert found.fingerprint == MODEL and found.quantity is Quantity.VELOCITY and found.runs == 2
    assert found.settings == {"steps": 10, "cfg": 4., "sampler": "euler", "scheduler": "simple"}
    assert found.versions == {"comfyui": "0.30.0", "blockdance": "0.1.0", "torch": "2.11.0"}
    assert np.array_equal(found.kernel.times, np.arange(10, 0, -1) / 10)
    assert found.kernel.gram.shape == (10, 10) and found.kernel.gram[0, 9] == .556565456724
    assert found.kernel.proven == (ProvenPlan((0, 2, 5)), ProvenPlan((0, 1, 3, 6)))
    (key, traits), = found.samplers.items()
    assert key == "deis_of_a_pack, 10 steps" and (traits.counted, traits.steady, traits.whole) == (True, False, True)
    assert found.dump() == text


def test_a_profile_whose_plans_were_checked_and_fitted():
    """It has all that the older one has."""
    text = read("PixArtMS-28-aa34f66b-fitted-10.json")
    found = Profile.parse(text, PROFILE)
    changes = (0.,), (.02, -.02), (-.05, .03, .02), (.1, -.2, .05, .05)
    assert found.kernel.proven == (ProvenPlan((0, 1, 3, 6), "sample_euler, cfg 4, 4 x 64 x 64", 41.25, changes),
                                   ProvenPlan((0, 2, 5), "sample_euler, cfg 4, 4 x 64 x 64", 33.5))
    assert np.array_equal(found.kernel.gram, Profile.parse(read(PROFILE), PROFILE).kernel.gram)
    assert found.dump() == text


def test_a_profile_is_found_for_its_model():
    """By the name that it was given."""
    library = Library((FORMATS,))
    assert library.find(MODEL, Quantity.VELOCITY, Schedule.even(20).times).steps == 10
    assert library.find(replace(MODEL, parameters=1), Quantity.VELOCITY, Schedule.even(20).times) is None


@pytest.mark.parametrize("name", PLANS)
def test_a_plan(name):
    """What is planned by the text, and is said of it in the same words."""
    text = read(name)
    plan = WrittenPlanMethod(plan_text.read(text), lambda quantity, _: general(quantity)).plan(
        Schedule.even(20), Transformer("PixArtMS", (28,)))
    assert (plan.reused_steps, plan.computed_blocks(28)) == PLANS[name]
    assert plan_text.written(plan) == text.rstrip()


def test_a_policy():
    found = policy_file.read(FORMATS / "policy.safetensors")
    card = found.card
    assert card.fingerprint == MODEL and card.sizes == Sizes(3, 5, 0, decisions=6, width=16, heads=2)
    assert (card.borders, card.rho, card.steps) == ((20,), .4, 10)
    assert card.training == {"lambda": 2., "captions": 16, "negative": ""}
    assert card.versions == {"comfyui": "0.30.0", "torch": "2.11.0"}
    seen = State(torch.linspace(-1, 1, 192).reshape(1, 3, 8, 8), torch.linspace(-2, 2, 20).reshape(1, 4, 5))
    expected = torch.tensor([[-1.4584, .1267, -3.1878, -.9143, -3.5490, -5.5688]])
    assert torch.allclose(found.network(seen)[0], expected, atol=1e-3)
