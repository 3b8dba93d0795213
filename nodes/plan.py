"""BlockDance Plan: a plan that was kept, shared or written by hand."""

from typing import Sequence

from comfy_api.latest import io

from ..blockdance_core.auto.kernel import Kernel
from ..blockdance_core.auto.profile import general
from ..blockdance_core.auto.written_plan import WrittenPlanMethod
from ..blockdance_core.comfy.models.architectures import ANY_MODEL
from ..blockdance_core.plan.plan_text import MEASURED, read
from ..blockdance_core.plan.schedule import Quantity
from . import profiles
from .patch import CATEGORY, PatchNode, enabled_input

EXAMPLE = """{
  "blockdance_plan": 1,
  "steps": 20,
  "forecast": "measured",
  "reuse": [
    {"kind": "output", "steps": [4, 6, 8, 9, 11, 12, 14, 15, 17, 18]}
  ]
}"""


class BlockDancePlan(PatchNode):
    FAMILY = ANY_MODEL

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="BlockDancePlan",
            display_name="BlockDance Plan",
            category=CATEGORY,
            description="Samples by a plan that is given as text: which steps are computed, and what the others reuse. "
                        "Take one from the `plan` output of BlockDance Report, edit it, keep it, share it.",
            search_aliases=["blockdance", "plan", "schedule", "json", "manual", "skip steps", "cache schedule"],
            inputs=[
                io.Model.Input("model", tooltip="Any diffusion model. Plans that name blocks need a transformer."),
                io.String.Input(
                    "plan", default=EXAMPLE, multiline=True,
                    tooltip="JSON. Steps count from 0, and those that are not named are computed. kind: output, or "
                            "feature or delta with the blocks [first, last]. forecast: measured (by the model's "
                            "profile, as Auto), off, linear or quadratic."),
                enabled_input(),
            ],
            outputs=[io.Model.Output(display_name="model", tooltip="The same model, sampling by the plan.")],
            hidden=[io.Hidden.unique_id], not_idempotent=True,  # server.py says why
        )

    @classmethod
    def fingerprint_inputs(cls, plan: str | None = None, **_) -> str:
        """Forecasts may go by what was measured, which a run may have done since."""
        try:
            measured = plan is None or read(plan).forecast == MEASURED  # None for a link
        except ValueError:  # it is refused when the node runs
            measured = False
        return profiles.library().state() if measured else ""

    @classmethod
    def preview_steps(cls, plan: str) -> int:
        return read(plan).steps

    @classmethod
    def method(cls, plan: str) -> WrittenPlanMethod:
        return WrittenPlanMethod(read(plan), lambda quantity, _: general(quantity))

    @classmethod
    def method_for(cls, model, plan: str) -> WrittenPlanMethod:
        measured = profiles.Measured(model)

        def kernel(quantity: Quantity, times: Sequence[float]) -> Kernel:
            return measured.kernel(quantity, times) or general(quantity)
        return WrittenPlanMethod(read(plan), kernel, samplers=measured)
