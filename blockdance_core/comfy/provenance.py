"""What it takes to make the same picture again, beside the workflow: the same profile, and the same versions."""

import comfyui_version
import torch

from .. import __version__
from ..auto.digest import digest
from ..auto.weights import KernelExtrapolation
from ..plan.plan import Plan


def versions() -> dict[str, str]:
    return {"comfyui": comfyui_version.__version__, "blockdance": __version__, "torch": str(torch.__version__)}


def provenance(plan: Plan) -> dict[str, str]:
    """The versions, and where the plan forecasts by a profile the digest of that."""
    extrapolation = plan.extrapolation
    profile = {"profile": digest(extrapolation.kernel)} if isinstance(extrapolation, KernelExtrapolation) else {}
    return {**versions(), **profile}
