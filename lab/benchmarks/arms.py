"""All arms. To add one, add a line."""

from dataclasses import replace
from pathlib import Path
from typing import Callable, Iterable

import torch
from comfy.model_patcher import ModelPatcher
from comfy_extras.nodes_easycache import EasyCacheNode, LazyCacheNode

from ...blockdance_core.ada.policy_file import SUFFIX, read
from ...blockdance_core.auto.calibration import refined
from ...blockdance_core.auto.kernel import Kernel
from ...blockdance_core.auto.method import AutoMethod
from ...blockdance_core.auto.profile import general
from ...blockdance_core.comfy.attach import attach, fingerprint_of
from ...blockdance_core.comfy.models.architectures import ANY_MODEL
from ...blockdance_core.methods.blockdance import BlockDanceMethod
from ...blockdance_core.methods.delta_cache import DeltaCacheMethod
from ...blockdance_core.methods.delta_dit import DeltaDiTMethod
from ...blockdance_core.methods.method import Extrapolated
from ...blockdance_core.plan.schedule import Quantity
from .arm import Arm, Calibration, method_arm
from .compare import FEWER_STEPS
from .measured import counted, kernel
from .planned import (
    SPEEDUPS,
    ceiling_of_measurements,
    ceiling_of_weights,
    on_auto_plan,
    on_best_grid,
    on_interval,
    planned,
    recorded,
    searched,
)
from .rivals.dbcache import DBCache
from .rivals.dicache import DiCache
from .rivals.dpcache import dpcache
from .rivals.easycache import EasyCache
from .rivals.first_block import FirstBlockCache
from .rivals.fora import FORA
from .rivals.hicache import HiCache
from .rivals.magcache import MagCache, RatioLog
from .rivals.meancache import meancache
from .rivals.rival import Rival
from .rivals.run import attach_rival
from .rivals.seacache import SeaCache
from .rivals.spectrum import Spectrum
from .rivals.taylorseer import TaylorSeer
from .rivals.teacache import ChangeLog, TeaCache

POLICIES = Path(__file__).resolve().parents[2] / "demo" / "policies"
AUTO, REFINED, BUDCACHE, CEILING = "Auto", "Auto, refined", "BudCache", "ceiling: "
BNS = CEILING + "BNS, trained through the model"
BASE_ONLY = BUDCACHE, BNS  # hundreds of runs before the first that is measured, so in one setting
SLOW = REFINED, *BASE_ONLY  # dozens at least, so not in a quick benchmark
REFINED_ON, TRIES = 6, 6  # calibration captions, and plans for each speed-up


def rival(method: str, point: str, of: Rival) -> Arm:
    return Arm(method, point, lambda model, _: attach_rival(model, of))


def fitted(method: str, point: str, of: TeaCache | MagCache, log: Callable[[], ChangeLog | RatioLog]) -> Arm:
    """A rival whose published procedure measures the model first, in full runs of calibration captions."""
    def listen(calibration: Calibration) -> ChangeLog | RatioLog:
        listener = log()
        calibration.draw(attach_rival(calibration.subject.patcher, listener))
        return listener
    return Arm(method, point, lambda model, calibration: attach_rival(
        model, of.fitted(calibration.learn(log.__name__, listen))))


def native(method: str, node: type, threshold: float) -> Arm:
    """The host's own node, as it is, with its own defaults."""
    return Arm(method, f"{threshold:g}", lambda model, _: node.execute(
        model, reuse_threshold=threshold, start_percent=.15, end_percent=.95, verbose=False).args[0])


def auto(method: str, speedup: float, measured: bool = True, refine: bool = False) -> Arm:
    """Auto, by a measurement of the calibration captions, refined by more of them, or by what models have in common."""
    def try_plans(calibration: Calibration) -> tuple[Quantity, Kernel]:
        quantity, measurement = kernel(calibration)
        more, model = replace(counted(calibration), captions=REFINED_ON), calibration.subject.patcher
        full = more.draw(model)

        def errors_of(method: AutoMethod) -> list[torch.Tensor]:
            return [drawn.latents - wanted.latents
                    for drawn, wanted in zip(more.draw(attach(model, method, family=ANY_MODEL)), full)]
        return quantity, refined(measurement, quantity, TRIES, errors_of)

    def patch(model: ModelPatcher, calibration: Calibration) -> ModelPatcher:
        known, measurement = None, None
        if measured:
            known, measurement = calibration.learn("refined", try_plans) if refine else kernel(calibration)
        settings = AutoMethod(speedup, lambda quantity, _: measurement if quantity is known else None, general)
        return attach(model, settings, family=ANY_MODEL)
    return Arm(method, f"{speedup:g}x", patch)


def ada(model: ModelPatcher, _: Calibration) -> ModelPatcher:
    """By the policy of this model that comes with the demo. Raises ValueError where there is none."""
    known = fingerprint_of(model)
    for path in POLICIES.glob(f"*{SUFFIX}"):
        if (found := read(path)).card.fingerprint == known:
            return attach(model, found.policy)
    raise ValueError("no policy of this model comes with the demo")


ALL: tuple[Arm, ...] = (
    *FEWER_STEPS,
    *(auto(AUTO, speedup) for speedup in (1.5, 2., 2.5, 3., 4.)),
    *(auto(REFINED, speedup, refine=True) for speedup in (1.5, 2., 2.5, 3., 4.)),
    *(auto("Auto, general profile", speedup, measured=False) for speedup in (1.5, 2., 2.5, 3., 4.)),
    *(replace(arm, method=f"fewer steps, {sampler}", sampler=sampler)
      for sampler in ("dpmpp_2m", "res_multistep", "uni_pc", "deis") for arm in FEWER_STEPS[1:]),
    *(on_best_grid("fewer steps, euler, grid by GITS", speedup, published=True) for speedup in SPEEDUPS),
    *(on_best_grid("fewer steps, euler, best of the full grid", speedup, published=False) for speedup in SPEEDUPS),
    *(method_arm("BlockDance", f"N={N}", BlockDanceMethod(N)) for N in (2, 3, 4)),
    *(method_arm("BlockDance, linear forecast", f"N={N}", Extrapolated(BlockDanceMethod(N), "linear"))
      for N in (2, 3, 4)),
    Arm("BlockDance-Ada", "", ada),
    *(method_arm("Delta-Cache", f"N={N}", DeltaCacheMethod(N)) for N in (2, 3, 4)),
    *(method_arm("Delta-DiT", f"N={N}", DeltaDiTMethod(N)) for N in (2, 3, 4)),
    *(native("EasyCache (ComfyUI)", EasyCacheNode, threshold) for threshold in (.05, .1, .2, .4)),
    *(native("LazyCache (ComfyUI)", LazyCacheNode, threshold) for threshold in (.005, .01, .02, .05)),
    *(rival("EasyCache", f"{threshold:g}", EasyCache(threshold)) for threshold in (.005, .01, .02, .05)),
    *(fitted("TeaCache", f"{threshold:g}", TeaCache(threshold), ChangeLog) for threshold in (.06, .1, .2, .3)),
    *(fitted("MagCache", f"{threshold:g} K={most}", MagCache(threshold, most), RatioLog)
      for threshold, most in ((.03, 1), (.06, 2), (.12, 3), (.24, 5))),
    *(rival("First Block Cache", f"{threshold:g}", FirstBlockCache(threshold)) for threshold in (.04, .08, .12, .2)),
    *(rival("DBCache F8B0", f"{threshold:g}", DBCache(8, 0, threshold)) for threshold in (.04, .08, .12, .2)),
    *(rival("DBCache F1B0", f"{threshold:g}", DBCache(1, 0, threshold)) for threshold in (.04, .08, .12, .2)),
    *(rival("DBCache F4B4", f"{threshold:g}", DBCache(4, 4, threshold)) for threshold in (.04, .08, .12, .2)),
    *(rival("DiCache", f"{threshold:g}", DiCache(threshold)) for threshold in (.003, .006, .012, .025)),
    *(rival("FORA", f"N={N}", FORA(N)) for N in (2, 3, 4, 6)),
    *(rival("TaylorSeer order 1", f"N={N}", TaylorSeer(N, 1)) for N in (2, 3, 4, 6)),
    *(rival("TaylorSeer order 2", f"N={N}", TaylorSeer(N, 2)) for N in (2, 3, 4, 6)),
    *(rival("HiCache", f"N={N}", HiCache(N)) for N in (2, 3, 4, 6)),
    *(rival("Spectrum", f"growth {growth:g}", Spectrum(growth)) for growth in (0, .75, 1.5, 3)),
    *(rival("SeaCache", f"{threshold:g}", SeaCache(threshold)) for threshold in (.06, .1, .2, .35)),
    *(planned("L2P", speedup, recorded(on_interval)) for speedup in SPEEDUPS),
    *(planned("Auto's plan, weights of L2P", speedup, on_auto_plan) for speedup in SPEEDUPS),
    *(planned("MeanCache", speedup, recorded(meancache)) for speedup in SPEEDUPS),
    *(planned("DPCache", speedup, recorded(dpcache)) for speedup in SPEEDUPS),
    *(planned(BUDCACHE, speedup, searched()) for speedup in SPEEDUPS),
    *(ceiling_of_weights(BNS, speedup) for speedup in SPEEDUPS),
    *(ceiling_of_measurements(CEILING + "Auto, measured on the very picture", speedup) for speedup in SPEEDUPS),
)


def thinned(arms: Iterable[Arm], most: int) -> tuple[Arm, ...]:
    """At most so many points of each curve, its ends among them."""
    curves: dict[str, list[Arm]] = {}
    for arm in arms:
        curves.setdefault(arm.method, []).append(arm)
    return tuple(points[round(i * (len(points) - 1) / max(1, min(most, len(points)) - 1))]
                 for points in curves.values() for i in range(min(most, len(points))))
