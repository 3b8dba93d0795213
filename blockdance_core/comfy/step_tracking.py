"""Which step an evaluation belongs to.

The last one whose sigma is at or above its own: a second evaluation at the next sigma (heun) belongs to the next step,
one in between (dpm_2, seeds) or above the schedule (churn) to the step before. Sigmas may go back (heunpp2), repeat, or
be the sampler's own (dpm_fast, dpm_adaptive). What is computed and what is reused then counts evaluations within the
steps: see blockdance_core/engine/step_groups.py.
"""

from functools import partial

from ..plan.schedule import TOLERANCE, Origin, SamplerTraits, Schedule

# These tables are of ComfyUI's own samplers. What others do is observed in a run: auto/sampler_observation.py.
# Samplers that call the denoiser once a step, in order: the step is a count, and no sigma is read back from the GPU.
ONE_EVALUATION_A_STEP = frozenset({
    "sample_euler", "sample_euler_cfg_pp", "sample_euler_ancestral", "sample_euler_ancestral_cfg_pp", "sample_lms",
    "sample_dpmpp_2m", "sample_dpmpp_2m_cfg_pp", "sample_dpmpp_2m_sde", "sample_dpmpp_2m_sde_gpu",
    "sample_dpmpp_2m_sde_heun", "sample_dpmpp_2m_sde_heun_gpu", "sample_dpmpp_3m_sde", "sample_dpmpp_3m_sde_gpu",
    "sample_ddpm", "sample_lcm", "sample_ipndm", "sample_ipndm_v", "sample_deis", "sample_res_multistep",
    "sample_res_multistep_cfg_pp", "sample_res_multistep_ancestral", "sample_res_multistep_ancestral_cfg_pp",
    "sample_gradient_estimation", "sample_gradient_estimation_cfg_pp", "sample_er_sde", "sample_sa_solver",
    "sample_unipc", "sample_unipc_bh2", "sample_cfgpp_ud10_ab",
})

# Samplers that add no noise of their own while nobody sets s_churn or eta.
STEADY = frozenset({
    "sample_euler", "sample_heun", "sample_heunpp2", "sample_dpm_2", "sample_lms", "sample_ipndm", "sample_ipndm_v",
    "sample_deis", "sample_dpmpp_2m", "sample_res_multistep", "sample_gradient_estimation", "sample_unipc",
    "sample_unipc_bh2", "sample_euler_cfg_pp", "sample_dpmpp_2m_cfg_pp", "sample_res_multistep_cfg_pp",
    "sample_gradient_estimation_cfg_pp", "dpm_fast_function", "dpm_adaptive_function", "sample_euler_pp",
    "sample_exp_heun_2_x0", "sample_cfgpp_ud10_ab",
})

# Samplers that do while nobody sets eta or s_noise to 0.
NOISY = frozenset({
    "sample_euler_ancestral", "sample_euler_ancestral_cfg_pp", "sample_dpm_2_ancestral", "sample_dpmpp_2s_ancestral",
    "sample_dpmpp_2s_ancestral_cfg_pp", "sample_dpmpp_sde", "sample_dpmpp_sde_gpu", "sample_dpmpp_2m_sde",
    "sample_dpmpp_2m_sde_gpu", "sample_dpmpp_2m_sde_heun", "sample_dpmpp_2m_sde_heun_gpu", "sample_dpmpp_3m_sde",
    "sample_dpmpp_3m_sde_gpu", "sample_ddpm", "sample_lcm", "sample_res_multistep_ancestral",
    "sample_res_multistep_ancestral_cfg_pp", "sample_er_sde", "sample_seeds_2", "sample_seeds_3",
    "sample_exp_heun_2_x0_sde", "sample_sa_solver", "sample_sa_solver_pece", "sample_ar_video",
})

# Samplers that take more from an evaluation than its output, beside those whose names end in _cfg_pp: the alternative
# CFG++ takes the unconditional part, and the frames of ar_video the keys and values that the model has left.
MORE_THAN_OUTPUT = frozenset({"sample_euler_pp", "sample_ar_video", "sample_cfgpp_ud10_ab"})

# Samplers with the same several evaluations in each step: at its sigma, and at the next one or in between.
PATTERNS = {"sample_heun": (0, 1), "sample_dpm_2": (0, 0)}

LONGEST_KEY = 200  # characters


def traits_of(sampler: object, shown: bool = True) -> SamplerTraits:
    """How ComfyUI's sampler object uses the model, as far as its name tells. shown: as of SamplerTraits."""
    name = getattr(getattr(sampler, "sampler_function", None), "__name__", "")
    options = getattr(sampler, "extra_options", {})
    noise = any(options.get(option) for option in ("s_churn", "eta"))
    silenced = name in NOISY and any(options.get(option, 1.) == 0 for option in ("eta", "s_noise"))
    return SamplerTraits(
        counted=name in ONE_EVALUATION_A_STEP and not options.get("use_pece"),  # of sample_sa_solver
        steady=name in STEADY and not noise, whole=not name.endswith("_cfg_pp") and name not in MORE_THAN_OUTPUT,
        name=name, key=key_of(sampler), shown=shown, pattern=() if noise else PATTERNS.get(name, ()),
        origin=Origin.NAME if name in STEADY | NOISY and not silenced else Origin.GUESS,
        known=_is_own(getattr(sampler, "sampler_function", None)))


def key_of(sampler: object) -> str:
    """What a sampler is known by, with the options that it was given: its own name, and that of a sampler in it."""
    function = getattr(sampler, "sampler_function", None)
    while isinstance(function, partial):
        function = function.func
    name = getattr(function, "__qualname__", "") or type(function or sampler).__qualname__
    options = [f"{option}={text}" for option, value in sorted(getattr(sampler, "extra_options", {}).items())
               if "seed" not in option and (text := _text(value))]
    return " ".join([name, *options])[:LONGEST_KEY]


def _text(value: object) -> str:
    """An option, where it is a plain one or a sampler."""
    if hasattr(value, "sampler_function"):
        return f"({key_of(value)})"
    return repr(value) if isinstance(value, (bool, int, float, str)) else ""


def _is_own(function: object) -> bool:
    """Whether this function is part of ComfyUI."""
    return (getattr(function, "__module__", None) or "").partition(".")[0] in ("comfy", "comfy_extras")


class StepTracker:
    """Tells the step of each evaluation of one run, and its sigma.

    Any other sampler is followed by the sigma that it asks for, which costs one read-back from the device per
    evaluation. Where a sampler is not `undisturbed`, a wrapper around its evaluations may leave some out, and one that
    is not known by its name may go another way than it was seen to: they are counted as long as their sigmas are those
    of the schedule, one after the other.
    """

    def __init__(self, schedule: Schedule, undisturbed: bool = True):
        self._schedule = schedule
        self._undisturbed = undisturbed and schedule.sampler.origin is Origin.NAME
        self._counts = schedule.sampler.counted
        self._evaluations = 0
        self._latest = 0  # step

    @property
    def counts(self) -> bool:
        """Whether there is one evaluation a step, in order, as far as is known."""
        return self._counts

    def step(self, timestep) -> int:
        """The step of the next evaluation; `timestep` is the sampler's sigma, (B,)."""
        return self.now(timestep)[0]

    def now(self, timestep) -> tuple[int, float]:
        """The step of the next evaluation and its sigma."""
        step, self._evaluations = self._evaluations, self._evaluations + 1
        self._counts = self._counts and step < self._schedule.steps
        if self._counts and self._undisturbed:
            return step, self._schedule.sigmas[step]
        sigma = float(timestep.max())
        if self._counts and abs(sigma - self._schedule.sigmas[step]) <= TOLERANCE * sigma:
            self._latest = step
            return step, sigma
        self._counts = False
        self._latest = self._schedule.step_at(sigma, self._latest)
        return self._latest, sigma
