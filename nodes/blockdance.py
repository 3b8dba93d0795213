"""BlockDance Patch: reuse the structural blocks of a transformer on most of the later steps."""

from comfy_api.latest import io

from ..blockdance_core.blockdance import BlockDancePolicy
from ..blockdance_core.forecasting import with_forecast
from ..blockdance_core.policy import Policy
from ..blockdance_core.storing import with_storage
from .patch import CATEGORY, TRANSFORMER, PatchNode, forecast_input, storage_inputs


class BlockDancePatch(PatchNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        default = BlockDancePolicy()
        return io.Schema(
            node_id="BlockDancePatch",
            display_name="BlockDance Patch",
            category=CATEGORY,
            description="Makes a diffusion transformer faster: once the structure of the picture has settled, most "
                        "steps reuse the output of the first three quarters of the blocks and compute only the rest. "
                        "Put it between the model loader and the sampler.",
            search_aliases=["blockdance", "speed up", "cache", "faster", "teacache", "feature reuse", "dit"],
            inputs=[
                io.Model.Input("model", tooltip=TRANSFORMER),
                io.Int.Input(
                    "N", default=default.N, min=1, max=10,
                    tooltip="Inside the window one step of every N is computed in full, the others reuse. "
                            "2 stays closest to the full result; 3 and 4 are faster; 1 turns reuse off."),
                io.Int.Input(
                    "block_index", default=default.block_index, min=-1, max=999,
                    tooltip="Deepest reused block, counted from 0 through all blocks of the model. Higher is faster "
                            "and loses more detail. -1 = three quarters of the depth, the paper's 20 of 28."),
                io.Float.Input(
                    "start", default=default.start, min=0., max=1., step=.01,
                    tooltip="Where reuse begins, as a fraction of sampling like every start percent in ComfyUI. Before "
                            "it the structure is still forming; earlier is faster and changes more of the picture. "
                            "0.25 to 0.5 are sensible."),
                io.Float.Input(
                    "end", default=default.end, min=0., max=1., step=.01,
                    tooltip="Where reuse ends, as a fraction of sampling. The last steps finish the fine detail; 0.9 "
                            "to 1 are sensible, later is faster."),
                forecast_input(), *storage_inputs(),
            ],
            outputs=[io.Model.Output(display_name="model", tooltip="The same model, sampling with block reuse.")],
            hidden=[io.Hidden.unique_id], not_idempotent=True,  # notify.py says why
        )

    @classmethod
    def policy(cls, N: int, block_index: int, start: float, end: float,
               forecast: str = "off", storage: str = "model", offload: str = "auto") -> Policy:
        return with_storage(
            with_forecast(BlockDancePolicy(N, block_index, start, end), forecast), storage, offload)
