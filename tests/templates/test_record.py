"""What `python3 -m lab.templates` keeps and writes of what it has tried."""

import json
from dataclasses import replace
from datetime import date

import pytest

from blockdance.lab.templates import complaints, document, model_files, outcome, rehearsal
from blockdance.lab.templates.catalogue import templates
from blockdance.lab.templates.outcome import Outcome, Sampling
from blockdance.lab.templates.packages import Package
from blockdance.lab.templates.record import Record
from blockdance.lab.templates.settings import setting
from lab.headless.graph import Prompt
from lab.headless.node_types import Input, NodeType

NEW, OWN = "0.1.123", "0.1.27"
AUTO = Sampling("z_image_bf16.safetensors", "Z-Image", "25", "res_multistep", "simple", "4",
                first="25 of 25 in full: this model was not measured yet, so this run computes everything",
                second="13 of 25 in full: 1.92x, 30 dB expected: at 2.00x it would be 28 dB, below the least of 30 dB",
                patch="17 of 25 in full")
WORKS = Outcome("image_z_image", "Z-Image", NEW, 10, outcome.WORKS, samplings=(AUTO, replace(AUTO, cfg="1")))
NEWER = Outcome("image_flux3", "FLUX.3", NEW, 20, outcome.NEWER, "Flux3LayoutPrompt")


def test_a_run_goes_on_where_it_was_stopped(tmp_path):
    record = Record("0.30.0", tmp_path)
    record.add(replace(WORKS, status=outcome.FAILS))
    record.add(WORKS)
    record.add(replace(WORKS, version=OWN))
    again = Record("0.30.0", tmp_path)
    assert again.find(NEW, WORKS.name) == WORKS and again.find(NEW, NEWER.name) is None
    assert again.all(OWN) == [replace(WORKS, version=OWN)]
    assert Record("0.24.1", tmp_path).all(NEW) == []


def test_the_page_has_every_template_once_and_no_decibels_of_random_weights(tmp_path):
    record = Record("0.30.0", tmp_path)
    older = replace(WORKS, name="image_old", version=OWN)
    for found in (WORKS, NEWER, replace(WORKS, version=OWN), older, replace(NEWER, name="video_both"),
                  replace(WORKS, name="video_both", version=OWN)):
        record.add(found)
    page = document.page(document.chosen(record, NEW, OWN), "0.30.0", NEW, OWN, date(2026, 11, 28))
    assert [page.count(f"| `{name}`{mark} |") for name, mark in (
        ("image_z_image", ""), ("image_flux3", ""), ("image_old", "*"), ("video_both", "*"))] == [1] * 4
    line = next(line for line in page.splitlines() if line.startswith("| `image_z_image`"))
    assert "25 of 25, measures" in line and "13 of 25, fewer would fall below the least quality" in line
    assert "dB" not in line and "2026-11-28" in page and "4<br>1" in line


@pytest.mark.parametrize("note, words", [
    ("nothing to gain here: 1.00x, the full result expected: at 2.00x it would be 21 dB, below the least of 30 dB",
     "8 of 8, nothing to gain: fewer would fall below the least quality"),
    ("nothing to gain here: 1.00x, the full result expected: 2.00x would be too much for the models of the "
     "profile 'general'", "8 of 8, nothing to gain: too few steps"),
    ("6 of 8 in full: 1.33x, 35 dB expected, by what other models reach: 2.00x would be too much for the models of the "
     "profile 'general'", "by the general profile, which allows less than asked")])
def test_the_page_says_why_there_is_nothing_to_gain(note, words):
    found = replace(WORKS, samplings=(replace(AUTO, second=f"8 of 8 in full: {note}"),))
    assert words in document.page([found], "0.30.0", NEW, OWN, date(2026, 11, 28))


def test_the_page_says_where_a_patch_must_compute():
    patch = "31 of 40 in full: blocks 0-2 could not be stored (the model did not run them exactly once)"
    found = replace(WORKS, samplings=(replace(AUTO, patch=patch),))
    page = document.page([found], "0.30.0", NEW, OWN, date(2026, 11, 28))
    assert "31 of 40 in full, as the model's blocks run several times in one pass" in page


@pytest.mark.parametrize("file, name", [
    ("wan2.2_t2v_high_noise_14B_fp8_scaled.safetensors", "Wan 2.2 14B"),
    ("flux1-schnell.safetensors", "Flux.1 schnell"),
    ("wan2.2_ti2v_5B_fp16.safetensors", "Wan 2.2 5B"), ("sd_xl_base_1.0.safetensors", "SDXL"),
    ("folder/ltx-2-19b-dev-fp8.safetensors", "LTX-2")])
def test_a_file_name_tells_the_model(file, name):
    assert model_files.known(file).name == name
    assert model_files.known("nobody.safetensors") is None


def test_templates_without_a_sampler_are_left_out(tmp_path):
    def write(name: str, nodes: list, **others) -> None:
        (tmp_path / f"{name}.json").write_text(json.dumps({"nodes": nodes, **others}))
    write("plain", [{"type": "KSampler"}])
    write("nested", [{"type": "some-id"}], definitions={"subgraphs": [{"nodes": [{"type": "SamplerCustomAdvanced"}]}]})
    write("upscale", [{"type": "ImageScale"}])
    (tmp_path / "index.json").write_text(json.dumps([{"templates": [
        {"name": "plain", "usage": 1}, {"name": "nested", "usage": 5, "tags": ["API"]}, {"name": "upscale"}]}]))
    found = templates(Package(NEW, tmp_path))
    assert [(template.name, template.partner) for template in found] == [("nested", True), ("plain", False)]


@pytest.mark.parametrize("error, missing", [
    ({"type": "value_not_in_list", "extra_info": {"received_value": "a.safetensors"}}, True),
    ({"type": "value_not_in_list", "extra_info": {"received_value": "euler"}}, False),
    ({"type": "custom_validation_failed", "details": "image - Invalid image file: a.png"}, True),
    ({"type": "return_type_mismatch", "details": "model, received_type(LATENT)"}, False)])
def test_only_what_is_about_files_is_accepted(error, missing):
    assert complaints.about_files(error) == missing


MODEL, ANY = Input("MODEL"), Input("COMFY_MATCHTYPE_V3")
TYPES = {
    "UNETLoader": NodeType({"unet_name": Input("COMBO")}, ("MODEL",), "", False),
    "LoraLoaderModelOnly": NodeType({"model": MODEL, "lora_name": Input("COMBO")}, ("MODEL",), "", False),
    "ModelSamplingSD3": NodeType({"model": MODEL, "shift": Input("FLOAT")}, ("MODEL",), "", False),
    "BlockDanceAuto": NodeType({"model": MODEL}, ("MODEL",), "", True),
    "ComfySwitchNode": NodeType({"switch": Input("BOOLEAN"), "on_false": ANY, "on_true": ANY},
                                ("COMFY_MATCHTYPE_V3",), "", False),
    "PrimitiveInt": NodeType({"value": Input("INT")}, ("INT",), "", False),
    "CLIPTextEncode": NodeType({"text": Input("STRING")}, ("CONDITIONING",), "", False),
    "KSampler": NodeType({"model": MODEL, "positive": Input("CONDITIONING"), "latent_image": Input("LATENT"),
                          "steps": Input("INT"), "seed": Input("INT")}, ("LATENT",), "", False)}


def workflow(on: bool) -> Prompt:
    """Steps and a LoRA by a switch, as templates have it."""
    def node(kind: str, **inputs: object) -> dict:
        return {"class_type": kind, "inputs": inputs}
    return {
        "load": node("UNETLoader", unet_name="wan2.1_t2v_14B_fp16.safetensors"),
        "lora": node("LoraLoaderModelOnly", model=["load", 0], lora_name="lightx2v.safetensors"),
        "model": node("ComfySwitchNode", switch=on, on_false=["load", 0], on_true=["lora", 0]),
        "shift": node("ModelSamplingSD3", model=["model", 0], shift=8.), "20": node("PrimitiveInt", value=20),
        "4": node("PrimitiveInt", value=4),
        "steps": node("ComfySwitchNode", switch=on, on_false=["20", 0], on_true=["4", 0]),
        "auto": node("BlockDanceAuto", model=["shift", 0]), "text": node("CLIPTextEncode", text="a fox"),
        "sample": node("KSampler", model=["auto", 0], positive=["text", 0], latent_image=["nowhere", 0],
                       steps=["steps", 0], seed=7)}


def test_a_guider_of_two_models_is_reported_on_by_the_one_that_it_samples_with():
    def node(kind: str, **inputs: object) -> dict:
        return {"class_type": kind, "inputs": inputs}
    types = TYPES | {
        "DualModelGuider": NodeType({"model": MODEL, "model_negative": MODEL}, ("GUIDER",), "", False),
        "SamplerCustomAdvanced": NodeType({"guider": Input("GUIDER")}, ("LATENT",), "", False)}
    prompt = {
        "load": node("UNETLoader", unet_name="ideogram4_fp8.safetensors"),
        "auto": node("BlockDanceAuto", model=["load", 0]),
        "other": node("UNETLoader", unet_name="ideogram4_unconditional_fp8.safetensors"),
        "other auto": node("BlockDanceAuto", model=["other", 0]),
        "guider": node("DualModelGuider", model=["auto", 0], model_negative=["other auto", 0]),
        "sample": node("SamplerCustomAdvanced", guider=["guider", 0])}
    part, = rehearsal.parts(prompt, types, ["auto", "other auto"])
    assert (part.sampler, part.patch, part.file) == ("sample", "auto", "ideogram4_fp8.safetensors")


@pytest.mark.parametrize("on, steps, loras", [(False, 20, ()), (True, 4, ("lightx2v.safetensors",))])
def test_a_rehearsal_keeps_what_is_set_and_leaves_out_what_comes_from_files(on, steps, loras):
    prompt = workflow(on)
    part, = rehearsal.parts(prompt, TYPES, ["auto"])
    assert (part.sampler, part.patch, part.loras) == ("sample", "auto", loras) and part.model.name == "Wan 2.1"
    assert setting(prompt, "sample", "steps") == steps
    made = rehearsal.rehearsal(prompt, TYPES, [part], ["load", "lora"])
    kept = {value["class_type"] for value in made.prompt.values()}
    assert kept == {"KSampler", "BlockDanceAuto", "ModelSamplingSD3", "TinyModel", "AnyPrompt", "TinyLatent",
                    "PrimitiveInt", "BlockDanceReport"} and not made.absent
    assert all(link[0] in made.prompt for value in made.prompt.values() for link in value["inputs"].values()
               if isinstance(link, list))
    other = workflow(on)
    other["sample"]["inputs"]["seed"] = 8
    assert rehearsal.shape(rehearsal.rehearsal(other, TYPES, [part], ["load", "lora"])) == rehearsal.shape(made)
    other["shift"]["inputs"]["shift"] = 5.
    assert rehearsal.shape(rehearsal.rehearsal(other, TYPES, [part], ["load", "lora"])) != rehearsal.shape(made)
