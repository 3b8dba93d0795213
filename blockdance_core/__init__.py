"""Caching and reuse of block features across denoising steps, for any diffusion transformer.

plan          what each step does: the structure that methods produce and the engine executes
schedule      the steps of a run as numbers, and the percents of start/end inputs
blockdance    the BlockDance-N policy
hidden        how one block's call carries the hidden state
chain         the blocks of a model in execution order
interception  one call of the model with a span of blocks recorded or replaced
cache         what a run has stored
report        what a run has executed
host          ComfyUI: architectures, attaching to a MODEL, a run's lifetime (the only part that imports comfy)
"""
