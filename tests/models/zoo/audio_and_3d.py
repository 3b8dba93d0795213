"""Transformers that make sound and solid bodies."""

from functools import partial
from unittest.mock import patch

import comfy.ldm.ace.model as ace
import comfy.supported_models as supported
import comfy.utils
import torch
from comfy.ldm.audio.embedders import NumberConditioner

from blockdance.tests.models.tiny import Tiny

TEXT = {"c_crossattn": (12, 24)}
STABLE_AUDIO = dict(audio_model="dit1.0", project_cond_tokens=False, embed_dim=64, num_heads=2, cond_token_dim=64,
                    depth=5, io_channels=64, input_concat_dim=0)
TRIPOSPLAT, TRIPOSPLAT_SHAPES = comfy.utils.pack_latents([torch.zeros(1, 32, 16), torch.zeros(1, 1, 5)])


def _seconds(kind: str) -> dict:
    """The weights by which ComfyUI embeds the start and the length of a sound."""
    return {f"conditioner.conditioners.seconds_{name}.{key}": value for name in ("start", "total")
            for key, value in NumberConditioner(768, fourier_features_type=kind).state_dict().items()}


AUDIO_AND_3D: dict[str, Tiny] = {
    "ACE-Step": Tiny(
        supported.ACEStep,
        dict(audio_model="ace", attention_head_dim=16, in_channels=8, inner_dim=32, max_height=16, max_position=256,
             max_width=256, mlp_ratio=2., num_attention_heads=2, num_layers=5, out_channels=8, patch_size=[16, 1],
             rope_theta=1000000., speaker_embedding_dim=512, text_embedding_dim=24, ssl_encoder_depths=[8, 8],
             ssl_latent_dims=[32, 32], ssl_names=["mert", "m-hubert"], lyric_encoder_vocab_size=50,
             lyric_hidden_size=32),
        (8, 16, 20), TEXT | {"speaker_embeds": (512,)},
        others=lambda: dict(lyric_token_idx=torch.tensor([[3, 4, 5]]), lyric_mask=torch.ones(1, 3)),
        shrunk=lambda: patch.object(ace, "LyricEncoder", partial(
            ace.LyricEncoder, output_size=32, attention_heads=2, linear_units=32, num_blocks=1))),
    "ACE-Step 1.5": Tiny(
        supported.ACEStep15,
        dict(audio_model="ace1.5", hidden_size=64, intermediate_size=96, num_heads=2, num_kv_heads=1, head_dim=32,
             num_dit_layers=5, num_lyric_layers=1, num_timbre_layers=1, num_tokenizer_layers=1, encoder_hidden_size=64,
             encoder_num_heads=2, encoder_intermediate_size=96, text_hidden_dim=24, fsq_dim=64, in_channels=192,
             timbre_hidden_dim=64, audio_acoustic_hidden_dim=64),
        (64, 20), TEXT | {"lyric_embed": (5, 24), "refer_audio": (64, 20)}, others=lambda: dict(is_covers=False)),
    "Stable Audio": Tiny(
        supported.StableAudio, STABLE_AUDIO | dict(global_cond_dim=32, timestep_features_type="learned"),
        (64, 20), {"c_crossattn": (12, 64), "global_embed": (32,)}, weights=lambda: _seconds("learned")),
    "Stable Audio 3": Tiny(
        supported.StableAudio3,
        STABLE_AUDIO | dict(global_cond_dim=768, timestep_features_type="expo", num_memory_tokens=4,
                            local_add_cond_dim=8, global_cond_shared_embed=True, global_cond_type="adaLN",
                            norm_type="rms_norm", attn_kwargs={"qk_norm": "rms", "differential": False}),
        (64, 20), {"c_crossattn": (12, 64), "global_embed": (768,), "local_add_cond": (8, 20)},
        weights=lambda: _seconds("expo")),
    "Hunyuan3D 2": Tiny(
        supported.Hunyuan3Dv2,
        dict(image_model="hunyuan3d2", in_channels=16, context_in_dim=24, hidden_size=64, mlp_ratio=2., num_heads=2,
             depth=3, depth_single_blocks=4, qkv_bias=True, guidance_embed=False),
        (16, 32), TEXT),
    "Hunyuan3D 2.1": Tiny(
        supported.Hunyuan3Dv2_1,
        dict(image_model="hunyuan3d2_1", in_channels=16, context_dim=24, hidden_size=64, mlp_ratio=2., num_heads=2,
             depth=7, qkv_bias=False, guidance_cond_proj_dim=None, num_moe_layers=2, num_experts=2, moe_top_k=1),
        (16, 32), TEXT),
    "TripoSplat": Tiny(
        supported.TripoSplat,
        dict(image_model="triposplat", q_token_length=32, in_channels=16, model_channels=64, cond_channels=24,
             out_channels=16, num_blocks=5, num_refiner_blocks=1, num_head_channels=32, cam_channels=5,
             cond2_channels=None),
        TRIPOSPLAT.shape[1:], TEXT, others=lambda: dict(latent_shapes=TRIPOSPLAT_SHAPES)),
}
