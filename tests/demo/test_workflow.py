"""Editing the demo's prompt by title."""

import pytest

from blockdance.demo import workflow


def test_without_the_patch_the_sampler_gets_the_model_itself():
    prompt = workflow.load()
    workflow.remove_patch(prompt)
    assert prompt[workflow.node_id(prompt, "Sampler")]["inputs"]["model"] == [workflow.node_id(prompt, "Model"), 0]
    assert "BlockDancePatch" not in {node["class_type"] for node in prompt.values()}


def test_a_title_or_an_input_that_is_not_there_is_named():
    prompt = workflow.load()
    with pytest.raises(KeyError, match="'Nowhere'.*Model"):
        workflow.node_id(prompt, "Nowhere")
    with pytest.raises(KeyError, match="Sampler.* step;?.*model"):
        workflow.set_inputs(prompt, "Sampler", step=3)
