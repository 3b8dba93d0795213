"""Caching and reuse of block features across denoising steps, for any diffusion transformer and for U-Nets.

plan          what each step does: the structure that methods produce and the engine executes
pace          from the steps of a plan to the evaluations of a sampler
schedule      the steps of a run as numbers, and the percents of start/end inputs
interval      what fixed-interval methods share
blockdance    the BlockDance-N policy
delta_cache   the Delta-Cache policy, and the feature caches it is compared with
delta_dit     the Delta-DiT policy and its budget
unet          Delta-Cache and DeepCache on a U-Net, as a policy
presets       every published row of both papers, and their baselines, as a policy
forecast      what is not computed as a weighted sum of what was
flow_time     every kind of diffusion in the terms of a flow
auto          the planned, forecasting method, from a measurement of the model's outputs
ada           BlockDance-Ada: the decision network, its policy, its files and its training
cost          multiply-accumulates of a model and of a plan, in the papers' counting and in full
hidden        how one block's call carries the hidden state
chain         the blocks of a model in execution order
interception  one call of the model with a span of blocks recorded or replaced
cache         what a run has stored; packing: in fewer bits, or in main memory
storage       how it is to be kept, and storing: a policy that says so
place         where in the latent a pass takes its input from; continuity: whether evaluations go on where they were;
              alarm: what a device finds out, read without making it wait
report        what a run has executed
similarity    how alike features and deltas are from step to step: probe records it, with the samples of sketch and grid
recommend     from similarity to settings
pca, spectrum components of features, and frequencies of pictures
figures       all of this as pictures
host          ComfyUI: architectures, attaching to a MODEL, a run's lifetime (the only part that imports comfy)
"""

__version__ = "0.1.0"
