"""The nodes of the pack: schemas and words for people; the algorithms are in blockdance_core."""

from comfy_api.latest import ComfyExtension, io

from . import ada, patch, profiles, server
from .ada import BlockDanceAdaLoader, BlockDanceAdaPatch, BlockDanceAdaReward
from .ada_train import BlockDanceAdaTrain
from .auto import BlockDanceAuto
from .calibrate import BlockDanceCalibrate
from .dit import BlockDanceDiTLabel, BlockDanceDiTLoader
from .paper_methods import BlockDancePatch, BlockDancePreset, DeltaCachePatch, DeltaDiTPatch
from .plan import BlockDancePlan
from .probe import BlockDanceProbe, BlockDanceSimilarity
from .quality import BlockDanceQuality
from .report import BlockDanceReport
from .unet import DeltaCacheUNetPatch

ANALYSIS = [BlockDanceReport, BlockDanceProbe, BlockDanceSimilarity, BlockDanceQuality]
PATCHES = [BlockDanceAuto, BlockDancePatch, DeltaCachePatch, DeltaDiTPatch, BlockDancePreset,
           DeltaCacheUNetPatch, BlockDanceAdaPatch, BlockDancePlan]
ADA = [BlockDanceAdaLoader, BlockDanceAdaTrain, BlockDanceAdaReward]


class BlockDanceExtension(ComfyExtension):
    async def on_load(self) -> None:
        profiles.register()
        ada.register()
        server.watch_prompts()
        routes = getattr(server.server(), "routes", None)
        if routes is not None:
            patch.serve(routes, PATCHES)

    async def get_node_list(self) -> list[type[io.ComfyNode]]:
        return [*PATCHES, BlockDanceCalibrate, *ADA, *ANALYSIS, BlockDanceDiTLoader, BlockDanceDiTLabel]
