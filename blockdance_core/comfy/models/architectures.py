"""Which blocks a ComfyUI diffusion model has, and which arguments of a block call are the hidden state.

One row per architecture, found by class name along the class's ancestors, so that subclasses inherit their row. No
forward of the host is copied and nothing here depends on its line of code. A `Family` is how a method sees its models.
"""

from dataclasses import dataclass
from typing import Callable

from torch.nn import Module

from ...engine.blocks import Chain, Contract, ContractError
from ...plan.plan import Transformer
from .detection import Stack, UnsupportedModel, chain, detect, uncompiled

_FLUX = Stack("double_blocks", ("img", "txt")), Stack("single_blocks", ("x",))
_QWEN = Stack("transformer_blocks", ("encoder_hidden_states", "hidden_states")),

ARCHITECTURES: dict[str, tuple[Stack, ...]] = {
    "PixArtMS": (Stack("blocks", ("x",)),),
    "OpenAISignatureMMDITWrapper": (Stack("joint_blocks", (0, 1)),),
    "MMDiT": (Stack("double_layers", ("c", "x")), Stack("single_layers", ("cx",))),
    "HunYuanDiT": (Stack("blocks", ("x",), long_skips=True),),
    "Flux": _FLUX,
    "Chroma": _FLUX,
    "HunyuanVideo": _FLUX,  # the single stack of version 1.5 is empty
    "Hunyuan3Dv2": _FLUX,
    "HunYuanDiTPlain": (Stack("blocks", ("hidden_states",), long_skips=True),),
    "WanModel": (Stack("blocks", ("x",)),),
    # Its blocks also run on the video of the pose, for keys and values: that part is always computed
    "WanAnimate2Model": (Stack("blocks", ("x",), method="forward_gen"),),
    "LTXVModel": (Stack("transformer_blocks", ("x",)),),
    "LTXAVModel": (Stack("transformer_blocks", ("x",), packed=True),),
    "AsymmDiTJoint": (Stack("blocks", ("x", "y")),),
    "GeneralDIT": (Stack("blocks", ("x",)),),
    "MiniTrainDIT": (Stack("blocks", ("x_B_T_H_W_D",)),),
    "NextDiT": (Stack("layers", ("x",)),),
    "HiDreamImageTransformer2DModel": (
        Stack("double_stream_blocks", ("image_tokens", "text_tokens")),
        Stack("single_stream_blocks", ("image_tokens",))),
    "HiDreamO1Transformer": (Stack("language_model.layers", ("x",), keys_values="past_key_value"),),
    "OmniGen2Transformer2DModel": (Stack("layers", ("hidden_states",)),),
    "BooguTransformer2DModel": (
        Stack("double_stream_layers", ("img_hidden_states", "instruct_hidden_states")),
        Stack("single_stream_layers", ("hidden_states",))),
    "QwenImageTransformer2DModel": _QWEN,
    # In the call that keeps keys and values of the prompt each block runs twice: nothing is stored there
    "QwenImage21Transformer2DModel": (Stack("transformer_blocks", ("x",)),),
    "MageFlowTransformer2DModel": _QWEN,
    "LensTransformer2DModel": _QWEN,
    "JoyImageTransformer3DModel": (Stack("double_blocks", ("hidden_states", "encoder_hidden_states")),),
    "Kandinsky5": (Stack("visual_transformer_blocks", ("visual_embed",)),),
    "Kandinsky6": (Stack("visual_blocks", ("visual_embed", "audio_embed")),),
    # The same layers make keys and values of the prompt through another method, which is always computed
    "SenseNovaU15": (Stack("language_model.model.layers", ("image",), method="forward_generation"),),
    "ACEStepTransformer2DModel": (Stack("transformer_blocks", ("hidden_states",)),),
    "AceStepConditionGenerationModel": (Stack("decoder.layers", ("hidden_states",)),),
    # Longer than a window of theirs, these two run the blocks several times in a call: all are computed then
    "MiniMaxMusic3DiT": (Stack("diffusion_transformer.transformer.layers", ("x",)),),
    "YuE2": (Stack("model.layers", ("x",), keys_values="past_key_value"),),
    "AudioDiffusionTransformer": (Stack("transformer.layers", ("x",)),),
    "LatentSeqMMFlowModel": (Stack("blocks", ("x",)),),
    # Without the pixel blocks behind them, which work on a stream of their own
    "PixDiT_T2I": (Stack("patch_blocks", ("x", "y")),),
    "NaDiT": (Stack("blocks", ("vid", "txt", "vid_shape", "txt_shape"), needs_a_block=True),),
    "SingleStreamDiT": (Stack("blocks", ("x",)),),
    "Ideogram4Transformer2DModel": (Stack("layers", ("x",)),),
    "CogVideoXTransformer3DModel": (Stack("blocks", ("hidden_states", "encoder_hidden_states")),),
    "ErnieImageModel": (Stack("layers", ("x",)),),
    "MiniMaxH3Model": (Stack("blocks", ("x",)),),
    "DiT": (Stack("blocks", ("x",)),),
}

_AUTO = "Only BlockDance Auto works on it, which looks at outputs alone; bypass this node."
_CASCADE = f"a stage of Stable Cascade, whose blocks form a U-Net. {_AUTO}"
_VOXELS = f"several transformers, of which a run uses one, on a list of voxels. {_AUTO}"
_VISION = "a model that looks at pictures and does not sample. Remove or bypass this node."
NO_TRANSFORMERS = {"StageB": _CASCADE, "StageC": _CASCADE, "RTv4": _VISION, "DepthAnything3Net": _VISION,
                   "SAM3Model": _VISION, "Trellis2": _VOXELS}


@dataclass(frozen=True)
class Family:
    """How a method sees its models. Both raise UnsupportedModel for a diffusion model of another family."""
    chain_of: Callable[[Module], Chain]
    transformer_of: Callable[[Module], Transformer]


def chain_of(diffusion_model: Module) -> Chain:
    """The blocks of a diffusion model, compiled or not, at this moment.

    A class that only shares its name with a row is detected like an unknown one. Raises UnsupportedModel.
    """
    model = uncompiled(diffusion_model)
    names = [ancestor.__name__ for ancestor in type(model).__mro__]
    for name in names:
        if name in NO_TRANSFORMERS:
            raise UnsupportedModel(f"{names[0]} is {NO_TRANSFORMERS[name]}")
        if name in ARCHITECTURES:
            try:
                return chain(model, ARCHITECTURES[name])
            except (AttributeError, ContractError):
                break
    if "UNet" in names[0]:
        raise UnsupportedModel(
            f"{names[0]} is a U-Net: use BlockDance Auto, which works with any model, or Delta-Cache Patch (U-Net)")
    return chain(model, detect(model))


def transformer_of(diffusion_model: Module) -> Transformer:
    return Transformer(type(uncompiled(diffusion_model)).__name__, chain_of(diffusion_model).stacks)


TRANSFORMERS = Family(chain_of, transformer_of)


def _any_chain_of(diffusion_model: Module) -> Chain:
    """Of every model that ComfyUI can sample: at worst a single block."""
    try:
        return chain_of(diffusion_model)
    except UnsupportedModel:
        return Chain((diffusion_model,), (Contract(("x",), (0,), guessed=True),), (1,))


def _any_transformer_of(diffusion_model: Module) -> Transformer:
    try:
        return transformer_of(diffusion_model)
    except UnsupportedModel:
        return Transformer(type(uncompiled(diffusion_model)).__name__, (1,))


ANY_MODEL = Family(_any_chain_of, _any_transformer_of)  # for methods that look at outputs alone
