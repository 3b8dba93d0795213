"""Which step an evaluation belongs to.

The last one whose sigma is at or above its own: a second evaluation at the next sigma (heun) belongs to the next step,
one in between (dpm_2, seeds) or above the schedule (churn) to the step before. Sigmas may go back (heunpp2), repeat, or
be the sampler's own (dpm_fast, dpm_adaptive). What is computed and what is reused then counts evaluations within the
steps: see blockdance_core/pace.py.
"""

from ..schedule import Schedule

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


class Clock:
    """Tells the step of each evaluation of one run.

    Any other sampler is followed by the sigma that it asks for, which costs one read-back from the device per
    evaluation. So is every sampler that is not `undisturbed`: a wrapper around its evaluations may leave some out.
    """

    def __init__(self, schedule: Schedule, sampler: object, undisturbed: bool = True):
        function = getattr(sampler, "sampler_function", None)
        self._schedule = schedule
        self._counts = undisturbed and getattr(function, "__name__", None) in ONE_EVALUATION_A_STEP
        self._evaluations = 0

    def step(self, timestep) -> int:
        """The step of the next evaluation; `timestep` is the sampler's sigma, (B,)."""
        self._evaluations += 1
        if self._counts and self._evaluations <= self._schedule.steps:
            return self._evaluations - 1
        return self._schedule.step_at(float(timestep.max()))
