"""The demo: a small trained PixArt, a headless ComfyUI to run it in, and the comparison of full and patched runs.

ComfyUI loads this whole folder as the demo's own node pack (`custom_nodes/blockdance_demo`), because its nodes need
the model and the world beside them and a stand-alone pack cannot import from outside its folder.
"""


async def comfy_entrypoint():
    # Not at the top: `python -m demo.host` imports this file too, before there is a ComfyUI
    from .nodes import ShapesWorldExtension
    return ShapesWorldExtension()
