"""Transformers that make pictures."""

from functools import partial
from unittest.mock import patch

import comfy.ldm.anima.model as anima
import comfy.supported_models as supported
import torch

from blockdance.tests.models.tiny import FLUX, Tiny, newer, residuals, seeded

TEXT = {"c_crossattn": (12, 24)}
POOLED = TEXT | {"y": (16,)}
FLUX_SIZES = {name: value for name, value in FLUX.config.items() if name not in ("image_model", "guidance_embed")}
FLUX2 = dict(
    image_model="flux2", axes_dim=[8, 8, 8, 8], num_heads=2, mlp_ratio=3., theta=2000, out_channels=16, in_channels=16,
    global_modulation=True, mlp_silu_act=True, qkv_bias=False, ops_bias=False, default_ref_method="index",
    ref_index_scale=10., txt_ids_dims=[3], hidden_size=64, context_in_dim=24, patch_size=1, vec_in_dim=None, depth=3,
    depth_single_blocks=5, guidance_embed=True)
CHROMA = FLUX_SIZES | dict(in_dim=64, out_dim=64, hidden_dim=48, n_layers=2)
RADIANCE = CHROMA | dict(
    image_model="chroma_radiance", in_channels=3, out_channels=3, patch_size=16, nerf_hidden_size=16, nerf_mlp_ratio=2,
    nerf_depth=2, nerf_max_freqs=4, nerf_tile_size=512, nerf_final_head_type="conv", nerf_embedder_dtype=torch.float32,
    use_x0=False, use_sequential_txt_ids=False)
HUNYUAN_IMAGE = dict(
    image_model="hunyuan_video", axes_dim=[16, 16], num_heads=2, mlp_ratio=2., theta=256, hidden_size=64,
    context_in_dim=24, patch_size=[1, 1], in_channels=16, out_channels=16, qkv_bias=True, depth=3,
    depth_single_blocks=4, vec_in_dim=None, guidance_embed=False, byt5=False, meanflow=False, meanflow_sum=False,
    use_cond_type_embedding=False, vision_in_dim=None)
QWEN = dict(in_channels=64, out_channels=16, num_layers=5, attention_head_dim=32, num_attention_heads=2,
            joint_attention_dim=24, axes_dims_rope=(8, 12, 12))
LUMINA = dict(
    image_model="lumina2", patch_size=2, in_channels=16, dim=96, cap_feat_dim=24, n_layers=5, qk_norm=True, n_heads=4,
    n_kv_heads=2, axes_dims=[8, 8, 8], axes_lens=[300, 512, 512], rope_theta=10000., ffn_dim_multiplier=1.,
    multiple_of=32)
Z_IMAGE = LUMINA | dict(
    n_heads=8, n_kv_heads=8, dim=256, axes_dims=[8, 12, 12], axes_lens=[1536, 512, 512], rope_theta=256.,
    z_image_modulation=True, time_scale=1000., pad_tokens_multiple=32)
PREDICT2 = dict(
    max_img_h=240, max_img_w=240, max_frames=128, in_channels=16, out_channels=16, patch_spatial=2, patch_temporal=1,
    model_channels=64, concat_padding_mask=True, crossattn_emb_channels=24, pos_emb_cls="rope3d",
    pos_emb_learnable=True, pos_emb_interpolation="crop", min_fps=1, max_fps=30, use_adaln_lora=True, adaln_lora_dim=16,
    num_blocks=5, num_heads=2, extra_per_block_abs_pos_emb=False, rope_enable_fps_modulation=False)
PIXEL_DIT = dict(
    num_groups=2, hidden_size=64, pixel_hidden_size=8, pixel_attn_hidden_size=32, pixel_num_groups=2, patch_depth=5,
    pixel_depth=2, patch_size=16, txt_embed_dim=24, txt_max_length=20)
HIDREAM_O1_TEXT = dict(
    vocab_size=151936, hidden_size=32, intermediate_size=64, num_hidden_layers=4, num_attention_heads=2,
    num_key_value_heads=1, head_dim=32, rope_dims=[6, 5, 5])
HIDREAM_O1_VISION = dict(hidden_size=32, num_heads=2, intermediate_size=64, depth=2, deepstack_visual_indexes=(0,),
                         num_position_embeddings=16)

IMAGE: dict[str, Tiny] = {
    "PixArt-alpha": Tiny(
        supported.PixArtAlpha,
        dict(image_model="pixart_alpha", num_heads=4, hidden_size=96, depth=6, patch_size=2, in_channels=4,
             micro_condition=True, model_max_length=20, caption_channels=32, input_size=16, pe_interpolation=1),
        latent=(4, 40, 40), conditions={"c_crossattn": (20, 32)}),
    "AuraFlow": Tiny(
        supported.AuraFlow,
        dict(max_seq=16 * 16, cond_seq_dim=64, n_double_layers=2, n_layers=6, dim=64, n_heads=2, global_conddim=64),
        latent=(4, 16, 16), conditions={"c_crossattn": (12, 64)}),
    "HunyuanDiT": Tiny(
        supported.HunyuanDiT,
        dict(image_model="hydit", depth=8, hidden_size=64, num_heads=4, text_states_dim=64, text_states_dim_t5=64,
             input_size=None),
        latent=(4, 16, 16), conditions={"c_crossattn": (77, 64), "encoder_hidden_states_t5": (256, 64)},
        control=lambda: residuals(64, 0, 3, 64),
        others=lambda: dict(text_embedding_mask=torch.ones(1, 77), text_embedding_mask_t5=torch.ones(1, 256))),
    "Flux.1": FLUX,
    "Flux.1 Kontext": Tiny(
        supported.Flux, FLUX.config, FLUX.latent, FLUX.conditions, FLUX.control, FLUX.constants,
        others=lambda: dict(ref_latents=[seeded(1, 16, 16, 16, seed=5)], ref_latents_method="index")),
    "Flux.2": Tiny(supported.Flux2, FLUX2, (16, 8, 8), TEXT, lambda: residuals(64, 3, 5, 64), {"guidance": 4.}),
    "Flux.2 with a reference": Tiny(
        supported.Flux2, FLUX2, (16, 8, 8), TEXT, lambda: residuals(64, 3, 5, 64), {"guidance": 4.},
        others=lambda: dict(ref_latents=[seeded(1, 16, 8, 8, seed=5)], ref_latents_method="index_timestep_zero")),
    "LongCat-Image": Tiny(
        supported.LongCatImage,
        FLUX_SIZES | dict(image_model="flux", guidance_embed=False, vec_in_dim=None, txt_ids_dims=[1, 2]),
        (16, 16, 16), TEXT, FLUX.control),
    "Chroma": Tiny(
        supported.Chroma, CHROMA | dict(image_model="chroma", in_channels=64, out_channels=64), (16, 16, 16), TEXT,
        FLUX.control, {"guidance": 0.}),
    "Chroma Radiance": Tiny(
        supported.ChromaRadiance, RADIANCE, (3, 64, 64), TEXT, lambda: residuals(16, 3, 5, 64), {"guidance": 0.}),
    "HunyuanImage 2.1": Tiny(
        supported.HunyuanImage21, HUNYUAN_IMAGE, (16, 8, 8), TEXT, lambda: residuals(64, 3, 4, 64)),
    "Lumina 2": Tiny(supported.Lumina2, LUMINA, (16, 16, 16), TEXT, others=lambda: dict(num_tokens=12)),
    "Z-Image": Tiny(supported.ZImage, Z_IMAGE, (16, 16, 16), TEXT, others=lambda: dict(num_tokens=12)),
    "Z-Image pixel space": Tiny(
        supported.ZImagePixelSpace,
        Z_IMAGE | dict(image_model="zimage_pixel", in_channels=3, patch_size=8, decoder_in_channels=192,
                       decoder_hidden_size=32, decoder_num_res_blocks=1, decoder_max_freqs=4),
        (3, 64, 64), TEXT, others=lambda: dict(num_tokens=12)),
    "Cosmos Predict2": Tiny(
        supported.CosmosT2IPredict2, PREDICT2 | dict(image_model="cosmos_predict2"), (16, 1, 8, 8), TEXT),
    "Anima": Tiny(
        supported.Anima, PREDICT2 | dict(image_model="anima"), (16, 1, 8, 8), TEXT,
        shrunk=lambda: patch.object(anima, "LLMAdapter", partial(
            anima.LLMAdapter, source_dim=24, target_dim=24, model_dim=24, num_layers=1, num_heads=2))),
    "HiDream-I1": Tiny(
        supported.HiDream,
        dict(image_model="hidream", attention_head_dim=32, axes_dims_rope=[16, 8, 8], caption_channels=[24, 24],
             max_resolution=[64, 64], in_channels=16, llama_layers=[0, 1, 2, 3, 3, 3], num_attention_heads=2,
             num_routed_experts=2, num_activated_experts=1, num_layers=3, num_single_layers=3, out_channels=16,
             patch_size=2, text_emb_dim=16),
        (16, 16, 16), POOLED | {"c_crossattn": (6, 24), "encoder_hidden_states_llama3": (4, 5, 24)}),
    "HiDream-O1": Tiny(
        supported.HiDreamO1,
        dict(image_model="hidream_o1", text_config_overrides=HIDREAM_O1_TEXT,
             vision_config_overrides=HIDREAM_O1_VISION),
        (3, 64, 64), {"c_crossattn": (6, 32)},
        others=lambda: dict(input_ids=torch.tensor([[1, 2, 3, 4, 5, 151673]]), ar_len=5,
                            position_ids=torch.arange(10.).expand(1, 3, 10))),
    "OmniGen2": Tiny(
        supported.Omnigen2,
        dict(image_model="omnigen2", axes_dim_rope=[8, 8, 8], axes_lens=[1024, 1664, 1664], ffn_dim_multiplier=None,
             hidden_size=48, in_channels=16, multiple_of=32, norm_eps=1e-5, num_attention_heads=2, num_kv_heads=1,
             num_layers=5, num_refiner_layers=2, out_channels=None, patch_size=2, text_feat_dim=24,
             timestep_scale=1000.),
        (16, 16, 16), TEXT, others=lambda: dict(num_tokens=12)),
    "Boogu": Tiny(
        newer("Boogu"),
        dict(image_model="boogu", hidden_size=48, num_layers=4, num_double_stream_layers=3, num_refiner_layers=2,
             instruction_feat_dim=24, num_attention_heads=2, num_kv_heads=1, axes_dim_rope=(8, 8, 8), multiple_of=32,
             axes_lens=(2048, 1664, 1664)),
        (16, 16, 16), TEXT, others=lambda: dict(num_tokens=12)),
    "Qwen-Image": Tiny(
        supported.QwenImage, QWEN | dict(image_model="qwen_image"), (16, 1, 16, 16), TEXT,
        lambda: residuals(64, 5, 0, 64)),
    "Qwen-Image-Edit": Tiny(
        supported.QwenImage, QWEN | dict(image_model="qwen_image", default_ref_method="index_timestep_zero"),
        (16, 1, 16, 16), TEXT, lambda: residuals(64, 5, 0, 64),
        others=lambda: dict(ref_latents=[seeded(1, 16, 1, 16, 16, seed=5)])),
    "Mage-Flow": Tiny(
        newer("MageFlow"), QWEN | dict(image_model="mage_flow", in_channels=128, out_channels=128), (128, 4, 4), TEXT,
        lambda: residuals(16, 5, 0, 64)),
    "Lens": Tiny(
        supported.Lens,
        dict(image_model="lens", in_channels=128, out_channels=32, num_layers=5, num_attention_heads=1,
             enc_hidden_dim=24, multi_layer_encoder_feature=False, selected_layer_index=(0,)),
        (128, 4, 4), TEXT, lambda: residuals(16, 5, 0, 64)),
    "JoyImage": Tiny(
        newer("JoyImage"),
        dict(image_model="joyimage", in_channels=16, hidden_size=64, patch_size=[1, 2, 2], num_layers=5,
             num_attention_heads=2, text_dim=24, rope_dim_list=[8, 12, 12]),
        (16, 1, 8, 8), TEXT),
    "PixelDiT": Tiny(supported.PixelDiTT2I, PIXEL_DIT | dict(image_model="pixeldit_t2i"), (3, 64, 64), TEXT),
    "PiD": Tiny(
        supported.PiD,
        PIXEL_DIT | dict(image_model="pid", lq_latent_channels=16, lq_hidden_dim=16, lq_num_res_blocks=1),
        (3, 64, 64), TEXT | {"lq_latent": (16, 2, 2)}, constants={"degrade_sigma": .1}),
    "Krea 2": Tiny(
        newer("Krea2"),
        dict(image_model="krea2", features=64, heads=2, kvheads=1, tdim=32, txtdim=16, txtlayers=3, txtheads=2,
             txtkvheads=2, layers=5, patch=2, channels=16, multiplier=2),
        (16, 1, 16, 16), {"c_crossattn": (12, 48)}),
    "Ideogram 4": Tiny(
        supported.Ideogram4,
        dict(image_model="ideogram4", in_channels=128, num_layers=5, num_attention_heads=2, attention_head_dim=32,
             intermediate_size=128, adaln_dim=16, llm_features_dim=24, mrope_section=(6, 5, 5)),
        (128, 4, 4), TEXT),
    "ERNIE-Image": Tiny(
        supported.ErnieImage,
        dict(image_model="ernie", hidden_size=64, num_attention_heads=2, num_layers=5, ffn_hidden_size=128,
             in_channels=128, out_channels=128, text_in_dim=24, rope_axes_dim=(8, 12, 12)),
        (128, 4, 4), TEXT),
}
