"""Overrides and bypassing, on workflows whose nodes are made up here."""

import json
from dataclasses import replace

import pytest

from lab.headless import acceleration, bypass, graph, overrides, words
from lab.headless.compared import compared
from lab.headless.errors import UsageError
from lab.headless.node_types import Input, NodeType

MODEL, LATENT, IMAGE = Input("MODEL"), Input("LATENT"), Input("IMAGE")
TYPES = {
    "Loader": NodeType({"file": Input("COMBO", ("a", "b"))}, ("MODEL",), "loaders", False),
    "OurLoader": NodeType({}, ("MODEL",), "model/patch/blockdance", True),
    "Patch": NodeType({"model": MODEL, "N": Input("INT"), "start": Input("FLOAT"), "on": Input("BOOLEAN"),
                       "note": Input("STRING")}, ("MODEL", "PROFILE"), "model/patch/blockdance", True),
    "Guider": NodeType({"model": MODEL}, ("GUIDER",), "sampling", False),
    "Sampler": NodeType({"guider": Input("GUIDER"), "model": MODEL, "steps": Input("INT")}, ("LATENT",), "", False),
    "Decode": NodeType({"samples": LATENT}, ("IMAGE",), "", False),
    "Save": NodeType({"images": IMAGE}, (), "", False, True),
    "Report": NodeType(
        {"model": MODEL, "latent": LATENT}, ("STRING", "IMAGE"), "model/patch/blockdance/analysis", True, True),
    "Compare": NodeType({"a": IMAGE, "b": IMAGE}, (), "", False, True),
    "Show": NodeType({"source": Input("*")}, ("STRING",), "", False, True),
    "Lora": NodeType({"model": MODEL, "file": Input("COMBO")}, ("MODEL",), "loaders", False),
    "Scheduler": NodeType({"model": MODEL}, ("SIGMAS",), "sampling", False),
    "Pair": NodeType({"model": MODEL, "model_negative": MODEL}, ("GUIDER",), "sampling", False),
    "AllInOne": NodeType({"model": MODEL, "seed": Input("INT")}, ("MODEL", "LATENT", "IMAGE"), "", False),
    "Trainer": NodeType({"model": MODEL, "seed": Input("INT")}, ("LORA_MODEL",), "training", False),
    "BlockDanceAuto": NodeType({
        "model": MODEL, "speedup": Input("FLOAT", default=2.), "profile": Input("COMBO", ("auto", "general")),
        "least_quality": Input("FLOAT", default=30.)}, ("MODEL",), "model/patch/blockdance", True),
}


def prompt(**nodes: tuple) -> graph.Prompt:
    """id -> (class, inputs) or (class, inputs, title)."""
    return {node: {"class_type": kind, "inputs": inputs, "_meta": {"title": (*title, kind)[0]}}
            for node, (kind, inputs, *title) in nodes.items()}


def full() -> graph.Prompt:
    return prompt(
        load=("Loader", {"file": "a"}), patch=("Patch", {"model": ["load", 0], "N": 2, "start": .4}, "My v1.5 = Patch"),
        guide=("Guider", {"model": ["patch", 0]}), sample=("Sampler", {"guider": ["guide", 0], "steps": 8}),
        decode=("Decode", {"samples": ["sample", 0]}), save=("Save", {"images": ["decode", 0]}),
        report=("Report", {"model": ["patch", 0], "latent": ["sample", 0]}),
        picture=("Save", {"images": ["report", 1]}), words=("Show", {"source": ["report", 0]}),
        again=("Show", {"source": ["words", 0]}))


def test_a_title_may_begin_with_an_equation():
    titled = prompt(patch=("Patch", {"N": 2}, "N=2"))
    assert overrides.parse("N=2.N=3", titled, TYPES).value == 3


def test_a_sweep_over_nothing_is_refused():
    with pytest.raises(UsageError, match=r"patch\.note=\[\]"):
        overrides.parse_sweep("patch.note=[]", full(), TYPES)


@pytest.mark.parametrize("text, node, given, value", [
    ("patch.N=3", "patch", "N", 3), ("Patch.N=3", "patch", "N", 3), ("My v1.5 = Patch.N=3", "patch", "N", 3),
    ("patch.start=1", "patch", "start", 1.), ("patch.on=False", "patch", "on", False),
    ("patch.on=1", "patch", "on", True), ("patch.note=a=b, c.d", "patch", "note", "a=b, c.d"),
    ("load.file=b", "load", "file", "b"),
])
def test_a_node_is_found_by_id_title_and_class(text, node, given, value):
    setting = overrides.parse(text, full(), TYPES)
    assert (setting.node, setting.input, setting.value) == (node, given, value)
    assert type(setting.value) is type(value)
    before, expected = full(), full()
    expected[node]["inputs"][given] = value
    assert overrides.apply(before, [setting]) == expected and before == full()


@pytest.mark.parametrize("text, message", [
    ("patch", "patch.*NODE.INPUT=VALUE"), ("patch=3", "patch=3.*NODE.INPUT=VALUE"),
    ("Nowhere.N=3", r"Nowhere(.|\n)*patch \(My v1.5 = Patch, Patch\)"),
    ("patch.M=3", "M.* patch .*N, start, on, note"),
    ("patch.model=3", r"model \(MODEL\)"),
    ("patch.N=2.5", "N of .*patch .*INT.*2.5"), ("patch.start=x", "start.*FLOAT.*x"),
    ("patch.on=maybe", "maybe.*true.*false"), ("load.file=c", "c.*a, b"),
    ("Save.images=1", "images"), ("decode.x=1", "decode"),
])
def test_what_is_wrong_is_said_with_what_is_allowed(text, message):
    with pytest.raises(UsageError, match=message):
        overrides.parse(text, full(), TYPES)


@pytest.mark.parametrize("text, meant", [
    ("patch.strat=.2", "did you mean patch.start?"), ("Pacth.N=3", "did you mean Patch.N?"),
    ("My v1.5 = Ptach.N=3", "did you mean My v1.5 = Patch.N?"), ("patch.n=3", "did you mean patch.N?"),
])
def test_a_typing_error_is_answered_with_what_was_meant(text, meant):
    with pytest.raises(UsageError) as refused:
        overrides.parse(text, full(), TYPES)
    assert meant in str(refused.value)


def test_a_choice_with_a_typing_error_is_answered_with_the_right_one():
    kinds = TYPES | {"Loader": NodeType({"file": Input("COMBO", ("euler", "heun"))}, ("MODEL",), "loaders", False)}
    with pytest.raises(UsageError, match="eular.*euler"):
        overrides.parse("load.file=eular", full(), kinds)


def test_an_ambiguous_node_is_refused_with_the_candidates():
    two = full() | prompt(other=("Patch", {"model": ["patch", 0], "N": 2}, "Other"))
    with pytest.raises(UsageError, match=r"patch .*other .*patch.N="):
        overrides.parse("Patch.N=3", two, TYPES)
    assert overrides.parse("Other.N=3", two, TYPES).node == "other"
    two["other"]["_meta"]["title"] = "patch"  # an id comes before a title
    assert overrides.parse("patch.N=3", two, TYPES).node == "patch"


def test_a_sweep_is_every_combination():
    sweeps = [overrides.parse_sweep(text, full(), TYPES) for text in ("patch.N=2,3", 'patch.note=["a, b", "c"]')]
    assert [tuple(setting.value for setting in settings) for settings in overrides.combinations(sweeps)] == [
        (2, "a, b"), (2, "c"), (3, "a, b"), (3, "c")]
    assert overrides.label(overrides.combinations(sweeps)[0]) == "N=2, note=a, b"
    assert overrides.combinations([]) == [()]
    with pytest.raises(UsageError, match="N of .*patch"):
        overrides.combinations([sweeps[0], overrides.parse_sweep("Patch.N=4", full(), TYPES)])
    with pytest.raises(UsageError, match="N of .*INT.*''"):
        overrides.parse_sweep("patch.N=2,", full(), TYPES)


def test_bypassing_leaves_the_workflow_without_the_pack():
    before = full()
    plain = bypass.bypass(before, TYPES)
    assert before == full()
    assert plain.keys() == {"load", "guide", "sample", "decode", "save"}
    assert plain["guide"]["inputs"] == {"model": ["load", 0]}


def test_patches_in_a_row_and_loaders_of_the_pack():
    row = prompt(load=("OurLoader", {}), a=("Patch", {"model": ["load", 0]}), b=("Patch", {"model": ["a", 0]}),
                 sample=("Sampler", {"model": ["b", 0]}), profile=("Show", {"source": ["a", 1]}))
    assert bypass.bypass(row, TYPES) == prompt(load=("OurLoader", {}), sample=("Sampler", {"model": ["load", 0]}))


def test_the_time_that_counts_is_that_of_the_samplers_after_a_patch():
    both = full() | prompt(baseline=("Sampler", {"model": ["load", 0]}), refine=(
        "Sampler", {"model": ["load", 0], "latent": ["sample", 0]}))
    assert bypass.samplers(both, TYPES) == ["sample"]
    assert bypass.after(bypass.bypass(both, TYPES), ["sample"]) == ["decode", "save", "refine"]
    whole = prompt(load=("Loader", {}), patch=("Patch", {"model": ["load", 0]}),
                   all=("Show", {"source": ["patch", 0]}))
    assert bypass.samplers(whole, TYPES) == ["all"]


def test_an_output_that_shows_the_baseline_too_is_not_compared():
    """As all workflows of the pack have one: the baseline in it equals itself, whatever the patch does."""
    both = full() | prompt(
        baseline=("Sampler", {"model": ["load", 0]}), plain=("Decode", {"samples": ["baseline", 0]}),
        comparer=("Compare", {"a": ["plain", 0], "b": ["decode", 0]}), other=("Save", {"images": ["plain", 0]}),
        refine=("Sampler", {"model": ["load", 0], "latent": ["sample", 0]}),
        finer=("Decode", {"samples": ["refine", 0]}), last=("Save", {"images": ["finer", 0]}))
    plain = bypass.bypass(both, TYPES)
    found = compared(plain, ["sample"], TYPES)
    assert found == ["save", "last"]
    del both["save"], both["last"]
    assert compared(bypass.bypass(both, TYPES), ["sample"], TYPES) == ["comparer"], "there is no other output"


def test_what_a_base_model_has_drawn_before_does_not_count_as_a_baseline():
    stages = full() | prompt(base=("Sampler", {"model": ["load", 0]}))
    stages["sample"]["inputs"]["latent"] = ["base", 0]
    assert compared(bypass.bypass(stages, TYPES), ["sample"], TYPES) == ["save"]


def test_a_sampler_with_a_probe_alone_is_not_timed():
    kinds = TYPES | {"Probe": NodeType({"model": MODEL}, ("MODEL",), "model/patch/blockdance/analysis", True)}
    probed = full() | prompt(probe=("Probe", {"model": ["load", 0]}), second=("Sampler", {"model": ["probe", 0]}),
                             pixels=("Decode", {"samples": ["second", 0]}), saved=("Save", {"images": ["pixels", 0]}))
    assert bypass.samplers(probed, kinds) == ["sample"]


def test_samplers_that_the_server_would_not_run_do_not_count():
    muted = full() | prompt(second=("Sampler", {"model": ["patch", 0]}), third=("Sampler", {"model": ["patch", 0]}),
                            reports=("Report", {"model": ["patch", 0], "latent": ["third", 0]}))
    assert bypass.samplers(muted, TYPES) == ["sample"]


@pytest.mark.parametrize("content, message", [
    (None, ""), ("{", "JSON"), ("[]", "API"), ("{}", ""),
    ({"1": {"inputs": {}}}, "'1'"), ({"nodes": [], "links": []}, r"File > Export \(API\)"),
])
def test_files_that_are_no_api_workflow(tmp_path, content, message):
    path = tmp_path / "workflow.json"
    if content is not None:
        path.write_text(content if isinstance(content, str) else json.dumps(content))
    with pytest.raises(UsageError, match=f"workflow.json(.|\n)*{message}"):
        graph.read(path)


def test_the_body_of_a_request_is_a_workflow_too(tmp_path):
    path = tmp_path / "body.json"
    path.write_text(json.dumps({"prompt": full(), "client_id": "me"}))
    assert graph.read(path) == full()


def accelerated(**nodes: tuple) -> graph.Prompt:
    return acceleration.accelerate(prompt(**nodes), TYPES, 2.)


def autos(found: graph.Prompt) -> dict[str, list]:
    """The nodes that were put in, with what they get."""
    return {node: value["inputs"]["model"] for node, value in found.items() if value["class_type"] == "BlockDanceAuto"}


def test_accelerating_goes_behind_the_last_patch_and_leaves_the_schedule_alone():
    before = dict(load=("Loader", {"file": "a"}), lora=("Lora", {"model": ["load", 0], "file": "l"}),
                  sigmas=("Scheduler", {"model": ["load", 0]}), guide=("Guider", {"model": ["lora", 0]}),
                  sample=("Sampler", {"guider": ["guide", 0], "steps": 8}))
    found = accelerated(**before)
    (auto, given), = autos(found).items()
    assert given == ["lora", 0] and found["guide"]["inputs"]["model"] == [auto, 0]
    assert found[auto]["inputs"] == {"model": ["lora", 0], "speedup": 2., "profile": "auto", "least_quality": 30.}
    others = {node: value for node, value in found.items() if node not in (auto, "guide")}
    assert others == {node: value for node, value in prompt(**before).items() if node != "guide"}


def test_the_speed_up_counts_and_not_the_word_that_a_new_node_is_set_to():
    words = Input("COMBO", ("safe", "balanced", "custom"), default="balanced")
    auto = TYPES["BlockDanceAuto"]
    types = TYPES | {"BlockDanceAuto": replace(auto, inputs=auto.inputs | {"quality": words})}
    before = prompt(load=("Loader", {"file": "a"}), sample=("Sampler", {"model": ["load", 0], "steps": 8}))

    def inputs(*speedup: float) -> dict:
        found = acceleration.accelerate(before, types, *speedup)
        return next(value["inputs"] for value in found.values() if value["class_type"] == "BlockDanceAuto")
    assert (inputs(3.)["speedup"], inputs(3.)["quality"]) == (3., "custom")
    assert (inputs()["speedup"], inputs()["quality"]) == (2., "balanced")


def test_two_experts_get_a_node_each_and_two_samplers_of_one_model_share_theirs():
    found = accelerated(
        **{"1": ("Loader", {"file": "a"}), "2": ("Loader", {"file": "b"}),
           "3:7": ("Sampler", {"model": ["1", 0], "steps": 8}), "4": ("Sampler", {"model": ["2", 0], "steps": 8}),
           "5": ("Sampler", {"model": ["2", 0], "steps": 4})})
    assert autos(found) == {"8": ["1", 0], "9": ["2", 0]}
    assert [found[node]["inputs"]["model"] for node in ("3:7", "4", "5")] == [["8", 0], ["9", 0], ["9", 0]]
    assert graph.title(found, "8") != graph.title(found, "9"), "--set must tell them apart"


def test_a_guider_of_two_models_and_a_sampler_that_hands_its_model_on():
    found = accelerated(a=("Loader", {"file": "a"}), b=("Loader", {"file": "b"}),
                        pair=("Pair", {"model": ["a", 0], "model_negative": ["b", 0]}),
                        one=("AllInOne", {"model": ["a", 0], "seed": 1}),
                        two=("AllInOne", {"model": ["one", 0], "seed": 1}))
    assert list(autos(found).values()) == [["a", 0], ["b", 0], ["one", 0]]


def test_what_does_not_sample_and_what_is_fast_already_is_refused():
    with pytest.raises(UsageError, match="nothing to accelerate"):
        accelerated(a=("Loader", {"file": "a"}), train=("Trainer", {"model": ["a", 0], "seed": 1}))
    with pytest.raises(UsageError, match="Patch.*already.*--set"):
        acceleration.accelerate(full(), TYPES, 2.)


QUALITY = Input("COMBO", ("fast", "balanced", "custom"), words={
    "fast": {"speedup": 3., "least_quality": 20.}, "balanced": {"speedup": 2., "least_quality": 30.}})
WORDED = TYPES | {"BlockDanceAuto": replace(TYPES["BlockDanceAuto"], inputs={
    **TYPES["BlockDanceAuto"].inputs, "quality": QUALITY})}


def quality_after(*texts: str, **inputs) -> tuple[list, list[str]]:
    """Speed-up, least quality and word of a node that was set by these, and what was said."""
    worded = prompt(auto=("BlockDanceAuto", {"speedup": 2., "least_quality": 30., **inputs}))
    settings = [setting for text in texts for setting in overrides.parse_sweep(text, worded, WORDED)]
    besides = words.spelled_out(worded, WORDED, settings)
    changed = overrides.apply(worded, [*besides, *settings])["auto"]["inputs"]
    return [changed.get(key) for key in ("speedup", "least_quality", "quality")], words.told(worded, besides)


def test_a_number_that_is_set_counts_and_the_word_beside_it_does_not():
    found, [said] = quality_after("auto.speedup=3", quality="balanced")
    assert found == [3., 30., "custom"] and "quality=custom" in said and "balanced" in said
    found, _ = quality_after("auto.least_quality=0", quality="fast")
    assert found == [3., 0., "custom"], "the other number is that of the word"
    assert quality_after("auto.speedup=1.5,3", quality="balanced")[0] == [3., 30., "custom"], "in a sweep, too"


def test_a_word_that_is_set_itself_stays_and_without_a_word_nothing_is_added():
    assert quality_after("auto.speedup=3", "auto.quality=fast", quality="balanced") == ([3., 30., "fast"], [])
    assert quality_after("auto.speedup=3", quality="custom") == ([3., 30., "custom"], [])
    assert quality_after("auto.speedup=3") == ([3., 30., None], [])
    assert quality_after("auto.profile=general", quality="fast") == ([2., 30., "fast"], [])
