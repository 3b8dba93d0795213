"""Delta-DiT Patch: Delta-Cache on the deep blocks first, on the shallow blocks later."""

from comfy_api.latest import io

from ..blockdance_core.delta_dit import DeltaDiTPolicy
from ..blockdance_core.forecasting import with_forecast
from ..blockdance_core.policy import Policy
from ..blockdance_core.storing import with_storage
from .patch import CATEGORY, TRANSFORMER, PatchNode, forecast_input, storage_inputs


class DeltaDiTPatch(PatchNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        default = DeltaDiTPolicy()
        return io.Schema(
            node_id="DeltaDiTPatch",
            display_name="Delta-DiT Patch",
            category=CATEGORY,
            description="Makes a diffusion transformer faster: every second step (N = 2) skips the deep blocks while "
                        "the outline forms and the shallow blocks while the details do, and adds the change that they "
                        "made at the last full step.",
            search_aliases=["delta-dit", "delta dit", "blockdance", "speed up", "cache", "faster", "budget"],
            inputs=[
                io.Model.Input("model", tooltip=TRANSFORMER),
                io.Int.Input(
                    "N", default=default.N, min=1, max=10,
                    tooltip="The first of every N steps is computed in full, the others reuse. 2 stays closest to the "
                            "full result; 3 and 4 are faster; 1 turns reuse off. Not used with a budget."),
                io.Float.Input(
                    "b", default=default.b, min=0., max=1., step=.01,
                    tooltip="Boundary between the outline and the detail stage, as a fraction of sampling: 0.6 is step "
                            "12 of 20, the paper's. Higher favors the outline, lower the detail; 0.4 to 0.6 are "
                            "sensible. The line on the node and in the log states the step."),
                io.Int.Input(
                    "n_cached", default=default.n_cached, min=-1, max=999,
                    tooltip="How many blocks a cached step skips: more is faster and changes more of the picture. -1 = "
                            "three quarters of the depth; half of the depth is safer. Not used with a budget."),
                io.Float.Input(
                    "budget", default=default.budget, min=0., max=.99, step=.01,
                    tooltip="0 = off. Otherwise the target cost as a fraction of full compute, 0.1 to 0.99: lower is "
                            "faster and changes more of the picture, 0.6 to 0.75 are sensible. N and n_cached follow "
                            "from it (Eq. 6 and 7 of the paper) and are shown on the node."),
                forecast_input(), *storage_inputs(),
            ],
            outputs=[io.Model.Output(display_name="model", tooltip="The same model, sampling with Delta-DiT.")],
            hidden=[io.Hidden.unique_id], not_idempotent=True,  # notify.py says why
        )

    @classmethod
    def validate_inputs(cls, n_cached: int | None = None, budget: float | None = None) -> bool | str:
        known = {"n_cached": n_cached, "budget": budget}
        try:
            DeltaDiTPolicy(**{name: value for name, value in known.items() if value is not None})  # None for a link
        except ValueError as error:
            return str(error)
        return True

    @classmethod
    def policy(cls, N: int, b: float, n_cached: int, budget: float,
               forecast: str = "off", storage: str = "model", offload: str = "auto") -> Policy:
        return with_storage(
            with_forecast(DeltaDiTPolicy(N, b, n_cached, budget), forecast), storage, offload)
