"""Caching and reuse across denoising steps, for any diffusion transformer and for U-Nets.

plan      what is done at each step, as data: plans, schedules, and the texts that plans are written in
methods   the methods of the papers: each makes a plan from its settings, the schedule and the model's blocks
engine    what carries decisions out on one call of a model: blocks, interception, cache, counting, report
auto      BlockDance Auto: a measurement of the model's outputs, the plan and the weights that follow from it
ada       BlockDance-Ada: the decision network, its policy files and its training
analysis  what a model's blocks do from step to step, and what that recommends
figures   all of this as pictures
comfy     ComfyUI: attaching to a MODEL, a run's lifetime, its passes, its architectures (the only part that imports it)
"""

__version__ = "1.0.0"
