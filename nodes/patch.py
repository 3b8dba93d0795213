"""What every patch node does with its policy: attach it, and say on the node what will happen and what did."""

from comfy_api.latest import io

from ..blockdance_core.host.architectures import TRANSFORMERS, Family
from ..blockdance_core.host.attach import attach, preview
from ..blockdance_core.host.run import Policy
from . import notify

CATEGORY = "model/patch/blockdance"
PREVIEW_STEPS = 20


def patched(model, policy: Policy, node_id: str, family: Family = TRANSFORMERS) -> io.NodeOutput:
    """The node output: the model with this policy."""
    output = attach(model, policy, lambda report: notify.show(report.line(), node_id), family)
    transformer = family.transformer_of(model.model.diffusion_model)
    plan = preview(model, policy, PREVIEW_STEPS, family)
    share = plan.computed_blocks(transformer.depth) / (transformer.depth * PREVIEW_STEPS)
    text = (f"{transformer.name}, {transformer.depth} blocks: in {PREVIEW_STEPS} steps "
            f"{len(plan.reused_steps)} would reuse, {share:.0%} of the blocks be computed")
    notify.show(f"{text}; {plan.note}" if plan.note else text, node_id)
    return io.NodeOutput(output)
