"""The nodes of the pack: schemas and words for people; the algorithms are in blockdance_core."""

from comfy_api.latest import ComfyExtension, io

from .blockdance import BlockDancePatch
from .delta_cache import DeltaCachePatch
from .delta_dit import DeltaDiTPatch
from .dit import BlockDanceDiTLabel, BlockDanceDiTLoader
from .preset import BlockDancePreset
from .unet import DeltaCacheUNetPatch


class BlockDanceExtension(ComfyExtension):
    async def get_node_list(self) -> list[type[io.ComfyNode]]:
        return [BlockDancePatch, DeltaCachePatch, DeltaDiTPatch, BlockDancePreset,
                BlockDanceDiTLoader, BlockDanceDiTLabel, DeltaCacheUNetPatch]
