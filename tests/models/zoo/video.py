"""Transformers that make videos; a latent has frames."""

from unittest.mock import patch

import comfy.ldm.wan.model_animate as animate
import comfy.supported_models as supported
import comfy.utils
import torch

from blockdance.tests.models.tiny import Tiny, newer, residuals

TEXT = {"c_crossattn": (12, 24)}
POOLED = TEXT | {"y": (16,)}
HUNYUAN = dict(
    image_model="hunyuan_video", axes_dim=[4, 14, 14], num_heads=2, mlp_ratio=2., theta=256, hidden_size=64,
    context_in_dim=24, patch_size=[1, 2, 2], in_channels=16, out_channels=16, qkv_bias=True, depth=3,
    depth_single_blocks=4, vec_in_dim=16, guidance_embed=True, byt5=False, meanflow=False, meanflow_sum=False,
    use_cond_type_embedding=False, vision_in_dim=None)
WAN = dict(
    image_model="wan2.1", dim=64, out_dim=16, num_heads=2, ffn_dim=128, num_layers=5, patch_size=(1, 2, 2), freq_dim=32,
    text_dim=24, window_size=(-1, -1), qk_norm=True, cross_attn_norm=True, eps=1e-6, in_dim=16)
LTX = dict(attention_head_dim=16, num_attention_heads=4, cross_attention_dim=64, caption_channels=24, in_channels=128)
FRAMES = (16, 2, 8, 8)
FIRST_FRAME = TEXT | {"c_concat": (20, 2, 8, 8)}
CLIP_VISION = {"clip_fea": (257, 1280)}


class Motion(torch.nn.Module):
    """In place of the 38 million parameters that read the motion of a face of 512 x 512."""
    def get_motion(self, face: torch.Tensor) -> torch.Tensor:
        return face.flatten(1)[:, :512]


def _wan(model: type, kind: str, conditions: dict = TEXT, latent: tuple = FRAMES, others=dict, **config) -> Tiny:
    return Tiny(model, WAN | dict(model_type=kind) | config, latent, conditions, others=others)


def _packed(model: type, config: dict, conditions: dict, *shapes: tuple, **others) -> Tiny:
    """A model of several latents, which ComfyUI packs into one row."""
    packed, sizes = comfy.utils.pack_latents([torch.zeros(1, *shape) for shape in shapes])
    return Tiny(model, config, packed.shape[1:], conditions, others=lambda: others | {"latent_shapes": sizes})


VIDEO: dict[str, Tiny] = {
    "HunyuanVideo": Tiny(
        supported.HunyuanVideo, HUNYUAN, FRAMES, POOLED, lambda: residuals(32, 3, 4, 64), {"guidance": 6.}),
    "HunyuanVideo image to video": Tiny(
        supported.HunyuanVideoI2V, HUNYUAN | dict(in_channels=33), FRAMES, POOLED | {"c_concat": (17, 2, 8, 8)},
        lambda: residuals(32, 3, 4, 64), {"guidance": 6., "guiding_frame_index": 0.}),
    "HunyuanVideo 1.5": Tiny(
        supported.HunyuanVideo15,
        HUNYUAN | dict(depth=5, depth_single_blocks=0, vec_in_dim=None, guidance_embed=False, vision_in_dim=32,
                       use_cond_type_embedding=True),
        FRAMES, TEXT | {"clip_fea": (5, 32)}, lambda: residuals(32, 5, 0, 64)),
    "Wan 2.1": _wan(supported.WAN21_T2V, "t2v"),
    "Wan 2.1 image to video": _wan(supported.WAN21_I2V, "i2v", FIRST_FRAME | CLIP_VISION, in_dim=36),
    "Wan 2.2 5B": _wan(supported.WAN22_T2V, "t2v", latent=(48, 2, 8, 8), in_dim=48, out_dim=48),
    "Wan VACE": _wan(
        supported.WAN21_Vace, "vace", TEXT | {"vace_context": (2, 96, 2, 8, 8)}, vace_layers=2, vace_in_dim=96,
        num_layers=6, others=lambda: dict(vace_strength=[1., .5])),
    "Wan Camera": _wan(
        supported.WAN21_Camera, "camera",
        TEXT | {"c_concat": (16, 2, 8, 8), "camera_conditions": (24, 2, 64, 64)}, in_dim=32),
    "Wan HuMo": _wan(supported.WAN21_HuMo, "humo", FIRST_FRAME | {"audio_embed": (2, 8, 5, 1280)}, in_dim=36),
    "Wan Animate": Tiny(
        supported.WAN22_Animate, WAN | dict(model_type="animate", in_dim=36, num_layers=10), FRAMES,
        FIRST_FRAME | {"pose_latents": (16, 1, 8, 8), "face_pixel_values": (3, 1, 16, 16)},
        shrunk=lambda: patch.object(animate, "Generator", lambda **_: Motion())),
    "Wan S2V": _wan(supported.WAN22_S2V, "s2v", TEXT | {"audio_embed": (25, 1024, 8)}),
    "Wan SCAIL": _wan(
        supported.WAN21_SCAIL, "scail", TEXT | {"c_concat": (4, 2, 8, 8), "pose_latents": (20, 2, 4, 4)}, in_dim=20),
    "Wan SCAIL-2": _wan(
        newer("WAN21_SCAIL2"), "scail2",
        TEXT | {"c_concat": (4, 2, 8, 8), "pose_latents": (20, 2, 4, 4), "sam_latents": (28, 2, 4, 4)}, in_dim=20),
    "Wan Dancer": _wan(
        supported.WAN22_WanDancer, "wandancer", FIRST_FRAME | CLIP_VISION | {"audio_embed": (5, 35)}, in_dim=36,
        others=lambda: dict(fps=30.)),
    "Wan causal": _wan(supported.WAN21_CausalAR_T2V, "t2v"),
    "LTX-Video": Tiny(
        supported.LTXV, LTX | dict(image_model="ltxv", num_layers=5), (128, 2, 4, 4), TEXT,
        others=lambda: dict(attention_mask=torch.ones(1, 12, dtype=torch.long), frame_rate=25)),
    "LTX-2": _packed(
        supported.LTXAV,
        LTX | dict(image_model="ltxav", num_layers=5, audio_attention_head_dim=8, audio_num_attention_heads=4,
                   audio_cross_attention_dim=32, audio_in_channels=128, connector_attention_head_dim=8,
                   connector_num_attention_heads=2, connector_num_layers=1),
        {"c_crossattn": (12, 48)}, (128, 2, 4, 4), (8, 4, 16),
        attention_mask=torch.ones(1, 12, dtype=torch.long), frame_rate=25),
    "Mochi": Tiny(
        supported.GenmoMochi,
        dict(image_model="mochi_preview", depth=5, patch_size=2, num_heads=4, hidden_size_x=64, hidden_size_y=32,
             mlp_ratio_x=192., mlp_ratio_y=2., learn_sigma=False, in_channels=12, qk_norm=True, qkv_bias=False,
             out_bias=True, attn_drop=0., patch_embed_bias=True, posenc_preserve_area=True, timestep_mlp_bias=True,
             attend_to_padding=False, timestep_scale=1000., use_t5=True, t5_feat_dim=24, t5_token_length=16,
             rope_theta=10000.),
        (12, 2, 8, 8), {"c_crossattn": (16, 24)},
        others=lambda: dict(attention_mask=torch.ones(1, 16), num_tokens=16)),
    "Cosmos 1": Tiny(
        supported.CosmosT2V,
        dict(image_model="cosmos", max_img_h=240, max_img_w=240, max_frames=128, in_channels=16, out_channels=16,
             patch_spatial=2, patch_temporal=1, model_channels=64, block_config="FA-CA-MLP", concat_padding_mask=True,
             pos_emb_cls="rope3d", pos_emb_learnable=False, pos_emb_interpolation="crop", block_x_format="THWBD",
             affline_emb_norm=True, use_adaln_lora=True, adaln_lora_dim=16, num_blocks=5, num_heads=2,
             extra_per_block_abs_pos_emb=True, extra_per_block_abs_pos_emb_type="learnable",
             crossattn_emb_channels=24),
        FRAMES, TEXT, constants={"fps": 24.}),
    "CogVideoX": Tiny(
        supported.CogVideoX_T2V,
        dict(image_model="cogvideox", num_attention_heads=2, attention_head_dim=32, time_embed_dim=32, num_layers=5,
             in_channels=16, out_channels=16, patch_size=2, text_embed_dim=24, use_rotary_positional_embeddings=True,
             use_learned_positional_embeddings=False),
        FRAMES, TEXT),
    "Kandinsky 5": Tiny(
        supported.Kandinsky5,
        dict(image_model="kandinsky5", model_dim=64, axes_dims=(8, 12, 12), time_dim=32, ff_dim=128,
             visual_embed_dim=16 * 4, num_text_blocks=2, num_visual_blocks=5, in_text_dim=24, in_text_dim2=16,
             in_visual_dim=16, out_visual_dim=16),
        FRAMES, POOLED),
    "SeedVR2": Tiny(
        newer("SeedVR2"),
        dict(image_model="seedvr2", vid_dim=128, txt_in_dim=5120, heads=1, head_dim=128, num_layers=4, mm_layers=2,
             norm_eps=1e-5, mlp_type="swiglu", vid_out_norm=True, expand_ratio=1),
        (16, 2, 16, 16), {"c_crossattn": (58, 5120), "condition": (17, 2, 16, 16)}),
    "MiniMax-H3": _packed(
        newer("MiniMaxH3"),
        dict(image_model="minimax_h3", hidden_size=64, num_layers=5, token_refiner_num_layers=1, num_attention_heads=2,
             attention_head_dim=32, ffn_hidden_size=64, latents_dim=24, audio_latents_dim=32, text_dim=24,
             timestep_input_dim=32, time_embed_hidden_size=32, time_embed_dim=32, rope_inv_freq_len=4),
        TEXT, (24, 2, 4, 4), (32, 2, 4)),
}
