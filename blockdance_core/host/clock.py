"""Which step an evaluation belongs to.

The last one whose sigma is at or above its own: a second evaluation at the next sigma (heun) belongs to the next step,
one in between (dpm_2, seeds) or above the schedule (churn) to the step before. Sigmas may go back (heunpp2), repeat, or
be the sampler's own (dpm_fast, dpm_adaptive). What is computed and what is reused then counts evaluations within the
steps: see blockdance_core/pace.py.
"""

from ..schedule import TOLERANCE, SamplerTraits, Schedule

# Samplers that call the denoiser once a step, in order: the step is a count, and no sigma is read back from the GPU.
ONE_EVALUATION_A_STEP = frozenset({
    "sample_euler", "sample_euler_cfg_pp", "sample_euler_ancestral", "sample_euler_ancestral_cfg_pp", "sample_lms",
    "sample_dpmpp_2m", "sample_dpmpp_2m_cfg_pp", "sample_dpmpp_2m_sde", "sample_dpmpp_2m_sde_gpu",
    "sample_dpmpp_2m_sde_heun", "sample_dpmpp_2m_sde_heun_gpu", "sample_dpmpp_3m_sde", "sample_dpmpp_3m_sde_gpu",
    "sample_ddpm", "sample_lcm", "sample_ipndm", "sample_ipndm_v", "sample_deis", "sample_res_multistep",
    "sample_res_multistep_cfg_pp", "sample_res_multistep_ancestral", "sample_res_multistep_ancestral_cfg_pp",
    "sample_gradient_estimation", "sample_gradient_estimation_cfg_pp", "sample_er_sde", "sample_sa_solver",
    "sample_unipc", "sample_unipc_bh2",
})

# Samplers that add no noise of their own while nobody sets s_churn or eta. Of any other it is assumed that they do.
STEADY = frozenset({
    "sample_euler", "sample_heun", "sample_heunpp2", "sample_dpm_2", "sample_lms", "sample_ipndm", "sample_ipndm_v",
    "sample_deis", "sample_dpmpp_2m", "sample_res_multistep", "sample_gradient_estimation", "sample_unipc",
    "sample_unipc_bh2", "sample_euler_cfg_pp", "sample_dpmpp_2m_cfg_pp", "sample_res_multistep_cfg_pp",
    "sample_gradient_estimation_cfg_pp", "dpm_fast_function", "dpm_adaptive_function",
})

# Samplers that take more from an evaluation than its output, beside those whose names end in _cfg_pp: the alternative
# CFG++ takes the unconditional part, and the frames of ar_video the keys and values that the model has left.
MORE_THAN_OUTPUT = frozenset({"sample_euler_pp", "sample_ar_video"})


def traits_of(sampler: object) -> SamplerTraits:
    """How ComfyUI's sampler object uses the model."""
    name = getattr(getattr(sampler, "sampler_function", None), "__name__", "")
    options = getattr(sampler, "extra_options", {})
    noise = any(options.get(option) for option in ("s_churn", "eta"))
    return SamplerTraits(
        counted=name in ONE_EVALUATION_A_STEP and not options.get("use_pece"),  # of sample_sa_solver
        steady=name in STEADY and not noise, whole=not name.endswith("_cfg_pp") and name not in MORE_THAN_OUTPUT,
        name=name, known=_is_own(getattr(sampler, "sampler_function", None)))


def _is_own(function: object) -> bool:
    """Whether this function is part of ComfyUI."""
    return (getattr(function, "__module__", None) or "").partition(".")[0] in ("comfy", "comfy_extras")


class Clock:
    """Tells the step of each evaluation of one run, and its sigma.

    Any other sampler is followed by the sigma that it asks for, which costs one read-back from the device per
    evaluation. Where a sampler is not `undisturbed`, a wrapper around its evaluations may leave some out: they are
    counted as long as their sigmas are those of the schedule, one after the other.
    """

    def __init__(self, schedule: Schedule, undisturbed: bool = True):
        self._schedule = schedule
        self._undisturbed = undisturbed
        self._counts = schedule.sampler.counted
        self._evaluations = 0

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
            return step, sigma
        self._counts = False
        return self._schedule.step_at(sigma), sigma
