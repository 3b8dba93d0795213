"""ComfyUI's own workflow templates with BlockDance in them: `python3 -m lab.templates` (docs/contributing.md).

packages     the templates, from the package index into the cache folder
catalogue    which of them sample with a local diffusion model
page         one opened in ComfyUI's page, with a node in front of each sampler, in the API format
complaints   what the server has against it; missing files are none
model_files  the model that a file name stands for, and its tiny twin
rehearsal    the same samplers on tiny models, which any CPU runs
stand_ins    the nodes for that, a pack of the server's
settings     what a sampler is set to
outcome      what was found of one template
trial        all of this for one template
record       the outcomes so far, so that a run goes on where it was stopped
document     the table in docs/internals/templates.md
"""
