"""Delta-Cache Patch: replace a span of blocks by the change that it made at the last full step."""

from comfy_api.latest import io

from ..blockdance_core.delta_cache import DeltaCachePolicy
from ..blockdance_core.forecasting import with_forecast
from ..blockdance_core.policy import Policy
from ..blockdance_core.storing import with_storage
from .patch import CATEGORY, TRANSFORMER, PatchNode, forecast_input, storage_inputs


class DeltaCachePatch(PatchNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        default = DeltaCachePolicy()
        return io.Schema(
            node_id="DeltaCachePatch",
            display_name="Delta-Cache Patch",
            category=CATEGORY,
            description="Makes a diffusion transformer faster: on most steps a span of blocks is skipped and the "
                        "change that it made at the last full step is added instead. Keeps closer to the full result "
                        "than reusing the features themselves.",
            search_aliases=["delta-cache", "delta cache", "blockdance", "speed up", "cache", "faster", "dit"],
            inputs=[
                io.Model.Input("model", tooltip=TRANSFORMER),
                io.Int.Input(
                    "N", default=default.N, min=1, max=10,
                    tooltip="The first of every N steps is computed in full, the others reuse. 2 stays closest to the "
                            "full result; 3 and 4 are faster; 1 turns reuse off."),
                io.Int.Input(
                    "first_block", default=default.first_block, min=0, max=999,
                    tooltip="First block of the span, counted from 0. Shallow spans (from 0) keep detail and lose "
                            "outline, deep ones keep the outline and lose detail. For 28 blocks and a span of 21: "
                            "shallow 0, middle 3, deep 7."),
                io.Int.Input(
                    "n_cached", default=default.n_cached, min=-1, max=999,
                    tooltip="Length of the span in blocks: more is faster and changes more of the picture. -1 = three "
                            "quarters of the depth, the paper's; half of the depth is safer."),
                io.Float.Input(
                    "start", default=default.start, min=0., max=1., step=.01,
                    tooltip="Where reuse begins, as a fraction of sampling. 0 as in the paper; 0.2 to 0.4 is safer and "
                            "saves less."),
                io.Float.Input(
                    "end", default=default.end, min=0., max=1., step=.01,
                    tooltip="Where reuse ends, as a fraction of sampling. 1 as in the paper; 0.9 to 0.95 gives the "
                            "finest detail full steps and saves less."),
                forecast_input(), *storage_inputs(),
            ],
            outputs=[io.Model.Output(display_name="model", tooltip="The same model, sampling with Delta-Cache.")],
            hidden=[io.Hidden.unique_id], not_idempotent=True,  # notify.py says why
        )

    @classmethod
    def validate_inputs(cls, n_cached: int = -1) -> bool | str:
        try:
            DeltaCachePolicy(n_cached=n_cached)
        except ValueError as error:
            return str(error)
        return True

    @classmethod
    def policy(cls, N: int, first_block: int, n_cached: int, start: float, end: float,
               forecast: str = "off", storage: str = "model", offload: str = "auto") -> Policy:
        return with_storage(
            with_forecast(DeltaCachePolicy(N, first_block, n_cached, start, end), forecast), storage, offload)
