"""The nodes of the pack: schemas and words for people; the algorithms are in blockdance_core."""

from comfy_api.latest import ComfyExtension, io

from . import notify, policies, preview, profiles
from .ada import BlockDanceAdaLoader, BlockDanceAdaPatch
from .ada_reward import BlockDanceAdaReward
from .ada_train import BlockDanceAdaTrain
from .auto import BlockDanceAuto
from .blockdance import BlockDancePatch
from .calibrate import BlockDanceCalibrate
from .delta_cache import DeltaCachePatch
from .delta_dit import DeltaDiTPatch
from .dit import BlockDanceDiTLabel, BlockDanceDiTLoader
from .plan import BlockDancePlan
from .preset import BlockDancePreset
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
        policies.register()
        routes = getattr(notify.server(), "routes", None)
        if routes is not None:
            preview.serve(routes, PATCHES)

    async def get_node_list(self) -> list[type[io.ComfyNode]]:
        return [*PATCHES, BlockDanceCalibrate, *ADA, *ANALYSIS, BlockDanceDiTLoader, BlockDanceDiTLabel]
