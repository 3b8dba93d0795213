"""Every workflow that is published."""

from . import flux, methods, picture_world, pixart, probing, sd3, shapes_world, wan
from .graph import Workflow


def workflows() -> dict[str, Workflow]:
    """By name."""
    made = (
        pixart.pixart_sigma(), pixart.pixart_alpha(), pixart.delta_dit(), sd3.sd3_medium(), sd3.sd35_large(),
        flux.flux1_dev(), flux.auto_flux1_dev(), wan.wan_text_to_video(), methods.compare_methods(),
        probing.probe_and_choose(), picture_world.picture_world(),
        shapes_world.shapes_world(), shapes_world.shapes_world_video())
    return {workflow.name: workflow for workflow in made}
