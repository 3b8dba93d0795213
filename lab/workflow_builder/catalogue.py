"""Every workflow that is published."""

from . import flux, hunyuan, ltx, methods, picture_world, pixart, probing, qwen, sd3, sdxl, shapes_world, wan, z_image
from .graph import Workflow


def workflows() -> dict[str, Workflow]:
    """By name."""
    made = (
        flux.flux1_dev(), flux.before_and_after(), flux.flux2_dev(), qwen.qwen_image(), z_image.z_image(), sdxl.sdxl(),
        sd3.sd35_large(), pixart.pixart_sigma(), wan.wan_2_1(), wan.wan_2_2(), hunyuan.hunyuan_video(), ltx.ltx_2(),
        methods.compare_methods(), probing.probe_and_choose(), picture_world.picture_world(),
        shapes_world.shapes_world(), shapes_world.shapes_world_video())
    return {workflow.name: workflow for workflow in made}
