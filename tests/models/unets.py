"""Tiny random-weight instances of ComfyUI's own U-Nets, of the forms of SD 1.5 and SDXL."""

from comfy.supported_models import SD15, SDXL

from blockdance.tests.models.tiny import Tiny, seeded

SIZES = 6 * 256  # channels of the picture sizes that SDXL joins to the pooled prompt
HEIGHT, WIDTH = 20, 12  # 12 halves to 6, 3 and 2, so upsampling needs to be told its output's shape


class Pooled(Tiny):
    def conditioning(self, seed: int, tokens: int | None = None) -> list:
        (context, extra), = super().conditioning(seed, tokens)
        return [[context, {"pooled_output": extra["pooled_output"][:, SIZES:]}]]


def _tiny(kind: type, model: type, multipliers: list[int], input_depths: list[int], output_depths: list[int],
          conditions: dict, **config) -> Tiny:
    levels = len(multipliers)
    return kind(
        model,
        dict(image_size=32, in_channels=4, out_channels=4, model_channels=32, num_res_blocks=[2] * levels,
             channel_mult=multipliers, use_spatial_transformer=True, transformer_depth=input_depths,
             transformer_depth_middle=1, transformer_depth_output=output_depths, context_dim=24, legacy=False,
             **config),
        latent=(4, HEIGHT, WIDTH), conditions=conditions | {"c_crossattn": (12, 24)},
        control=lambda: _residuals(multipliers))


def _residuals(multipliers: list[int]) -> dict:
    """Of a ControlNet (middle, and output: one per skip connection) and a T2I adapter (input), taken from the end."""
    shapes, height, width = [(32, HEIGHT, WIDTH)], HEIGHT, WIDTH
    for level, multiplier in enumerate(multipliers):
        if level:  # a downsampling block keeps the channels of the level above
            height, width = (height + 1) // 2, (width + 1) // 2
            shapes.append((shapes[-1][0], height, width))
        shapes.extend([(32 * multiplier, height, width)] * 2)
    made = [seeded(1, *shape, seed=50 + number) for number, shape in enumerate(shapes)]
    return {"output": made, "middle": [seeded(1, *shapes[-1], seed=90)],
            "input": [tensor + 1 if number % 3 == 1 else None for number, tensor in enumerate(made)][::-1]}


SD = _tiny(Tiny, SD15, [1, 2, 4, 4], [1] * 6 + [0] * 2, [1] * 9 + [0] * 3, {}, num_heads=4)
XL = _tiny(Pooled, SDXL, [1, 2, 4], [0, 0, 1, 1, 2, 2], [0, 0, 0, 1, 1, 1, 2, 2, 2], {"y": (16 + SIZES,)},
           num_head_channels=8, num_heads=-1, num_classes="sequential", adm_in_channels=16 + SIZES,
           use_linear_in_transformer=True)
