"""All arms. To add one, add a line."""

from dataclasses import replace
from pathlib import Path
from typing import Callable, Iterable

import torch
from comfy.model_patcher import ModelPatcher
from comfy.samplers import sampler_object
from comfy_extras.nodes_easycache import EasyCacheNode, LazyCacheNode

from ...blockdance_core.ada.policy_file import SUFFIX, read
from ...blockdance_core.auto import calibrate
from ...blockdance_core.auto.calibrate import Stages
from ...blockdance_core.auto.calibration import SPEEDUPS, CalibrationRuns, size_of
from ...blockdance_core.auto.kernel import Kernel
from ...blockdance_core.auto.method import AutoMethod, measured_as
from ...blockdance_core.comfy.attach import attach, fingerprint_of, way_of
from ...blockdance_core.comfy.models.architectures import ANY_MODEL
from ...blockdance_core.comfy.step_tracking import key_of
from ...blockdance_core.methods.blockdance import BlockDanceMethod
from ...blockdance_core.methods.delta_cache import DeltaCacheMethod
from ...blockdance_core.methods.delta_dit import DeltaDiTMethod
from ...blockdance_core.methods.method import Extrapolated, Method
from ...blockdance_core.plan.schedule import Quantity
from .arm import Arm, Calibration, method_arm
from .compare import FEWER_STEPS
from .measured import by, counted, full_latents, kernel
from .others import of_others
from .planned import (
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
from .tuned import dpcaches, l2ps, meancaches, tuned

POLICIES = Path(__file__).resolve().parents[2] / "demo" / "policies"
AUTO, CALIBRATED, REFINED, FITTED = "Auto", "Auto, calibrated", "Auto, refined", "Auto, fitted"
BUDCACHE, CEILING = "BudCache", "ceiling: "
OTHERS, GENERAL = "Auto, profile of other models", "Auto, general profile"
RIVALS = "L2P", "MeanCache", "DPCache"  # those that are ahead of the others, each with a row of its own when tuned
BNS = CEILING + "BNS, trained through the model"
SLOW = REFINED, FITTED, BUDCACHE, BNS  # dozens of runs and more before the first that is measured
MAIN = "fewer steps", AUTO, OTHERS, *RIVALS  # what is measured in every setting; all the rest in the first alone
MAIN_POINTS, MAIN_SHARE = ("2x", "3x"), .6  # of fewer steps the points around these
QUICK = *MAIN, CALIBRATED, "TaylorSeer order 1", "SeaCache", "BlockDance"  # with a few others, and minutes in all
CALIBRATED_ON, TRIES = 6, 6  # calibration captions, and plans for each speed-up where they are tried
BUDCACHE_SEARCH = 60, 4  # tries by annealing and climbs; the authors have 200 and 20 on a GPU


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


def auto(method: str, speedup: float, known: Callable[[Calibration], tuple[Quantity, Kernel]] | None = kernel) -> Arm:
    """Auto, by what is known of the model from calibration captions; without it, by what models have in common."""
    def patch(model: ModelPatcher, calibration: Calibration) -> ModelPatcher:
        measured = measured_as(*known(calibration)) if known else lambda *_: None
        return attach(model, AutoMethod(speedup, measured), family=ANY_MODEL)
    return Arm(method, f"{speedup:g}x", patch)


def calibrated_by(name: str, stages: Stages) -> Callable[[Calibration], tuple[Quantity, Kernel]]:
    """As Calibrate measures it in these stages, on more captions. name: of what is kept."""
    def measure(calibration: Calibration) -> CalibrationRuns:
        *_, full = calibrate.calibrated(grown(calibration), growing(calibration), stages)
        return full

    def known(calibration: Calibration) -> tuple[Quantity, Kernel]:
        full = calibration.learn(name, measure)
        return full.quantity, full.kernel
    return known


calibrated = calibrated_by("calibrated", Stages())
refined_plans = calibrated_by("refined", Stages(speedups=SPEEDUPS, tries=TRIES))


def with_fitted(speedup: float) -> Callable[[Calibration], tuple[Quantity, Kernel]]:
    return calibrated_by(f"fitted {speedup:g}x", Stages(speedups=(speedup,), fit=True))


def grown(calibration: Calibration) -> CalibrationRuns:
    """Full runs, and how errors grow: the first stage, which those above have in common."""
    def measure(calibration: Calibration) -> CalibrationRuns:
        return next(calibrate.calibrated(full_runs(calibration), growing(calibration), Stages()))
    return replace(calibration, captions=CALIBRATED_ON).learn("growth", measure)


def growing(calibration: Calibration) -> Callable[[str], CalibrationRuns]:
    """Full runs by another sampler."""
    return lambda sampler: full_runs(by(sampler, calibration))


def full_runs(calibration: Calibration) -> CalibrationRuns:
    """Of calibration captions."""
    same, model = counted(calibration), calibration.subject.patcher

    def error_of(method: Method, run: int) -> torch.Tensor:
        drawn = same.draw_one(attach(model, method, family=ANY_MODEL), run)
        return (drawn.latents - full_latents(same)[run]).flatten()
    way = way_of(key_of(sampler_object(same.setting.sampler)), same.setting.cfg, full_latents(same)[0].shape)
    return CalibrationRuns(*kernel(calibration), error_of, same.captions, way, size_of(full_latents(same)))


def of_other_models(speedup: float) -> Arm:
    """Auto on a model that nobody has measured: by the mean of the other demo models."""
    def patch(model: ModelPatcher, calibration: Calibration) -> ModelPatcher:
        def others(quantity: Quantity) -> Kernel:
            return of_others(calibration.subject.name, quantity)
        others(Quantity.VELOCITY)  # raises ValueError where there are none
        return attach(model, AutoMethod(speedup, lambda *_: None, others), family=ANY_MODEL)
    return Arm(OTHERS, f"{speedup:g}x", patch)


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
    *(auto(CALIBRATED, speedup, calibrated) for speedup in (1.5, 2., 2.5, 3., 4.)),
    *(auto(REFINED, speedup, refined_plans) for speedup in (1.5, 2., 2.5, 3., 4.)),
    *(auto(FITTED, speedup, with_fitted(speedup)) for speedup in (2., 3., 4.)),
    *(of_other_models(speedup) for speedup in (1.5, 2., 2.5, 3., 4.)),
    *(auto(GENERAL, speedup, known=None) for speedup in (1.5, 2., 2.5, 3., 4.)),
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
    *(planned("MeanCache", speedup, recorded(meancache, steady=True)) for speedup in SPEEDUPS),
    *(planned("DPCache", speedup, recorded(dpcache)) for speedup in SPEEDUPS),
    *(planned("L2P, tuned", speedup, tuned(l2ps)) for speedup in (2., 3., 4.)),
    *(planned("MeanCache, tuned", speedup, tuned(meancaches)) for speedup in (2., 3., 4.)),
    *(planned("DPCache, tuned", speedup, tuned(dpcaches)) for speedup in (2., 3., 4.)),
    *(planned(BUDCACHE, speedup, searched(*BUDCACHE_SEARCH)) for speedup in (2., 3.)),
    *(ceiling_of_weights(BNS, speedup, calibrated) for speedup in SPEEDUPS),
    *(ceiling_of_measurements(CEILING + "Auto, measured on the very picture", speedup) for speedup in SPEEDUPS),
)


def thinned(arms: Iterable[Arm], most: int) -> tuple[Arm, ...]:
    """At most so many points of each curve, its ends among them."""
    curves: dict[str, list[Arm]] = {}
    for arm in arms:
        curves.setdefault(arm.method, []).append(arm)
    return tuple(points[round(i * (len(points) - 1) / max(1, min(most, len(points)) - 1))]
                 for points in curves.values() for i in range(min(most, len(points))))
