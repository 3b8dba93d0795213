"""The nodes of the pack: schemas and words for people; the algorithms are in blockdance_core."""

from comfy_api.latest import ComfyExtension, io

from .blockdance import BlockDancePatch


class BlockDanceExtension(ComfyExtension):
    async def get_node_list(self) -> list[type[io.ComfyNode]]:
        return [BlockDancePatch]
