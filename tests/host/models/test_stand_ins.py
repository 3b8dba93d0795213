"""The tiny models that stand in for those of the official templates."""

import pytest
import torch

from blockdance.lab.templates.stand_ins import EXPERT, TINY, TinyModel


@pytest.mark.parametrize("name", TINY)
def test_every_tiny_model_has_another_expert_that_is_nearly_the_same(name):
    one, other = (TinyModel.execute(name, expert).args[0].model.state_dict() for expert in (0, 1))
    changed = [key for key in one if not torch.equal(one[key], other[key])]
    assert changed
    for key in changed:
        assert (one[key] - other[key]).std(correction=0) < 2 * EXPERT * one[key].std(correction=0) + 1e-6
