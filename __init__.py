"""BlockDance for ComfyUI: faster diffusion transformers by reusing block features across denoising steps."""

from .nodes import BlockDanceExtension

WEB_DIRECTORY = "./web"


async def comfy_entrypoint() -> BlockDanceExtension:
    return BlockDanceExtension()
