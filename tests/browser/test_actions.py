"""What a user does with a node beside setting numbers: switch it, choose words, use its menu, take what it says."""

import json
import re
from collections.abc import Iterator
from itertools import count

import pytest

from blockdance.tests.browser.comfy_page import PATCH, TIMELINE, ComfyPage
from blockdance.tests.browser.conftest import UNKNOWN
from blockdance.tests.browser.test_page import LOADER, SAMPLER, renderer  # noqa: F401

AUTO = {"speedup": 2., "profile": "auto", "least_quality": 0.}
TRIES = 8  # as times are not compared where another program disturbs a run
SEEDS = count(500)
NOTE = f"{TIMELINE} > div:last-child"


def values(page: ComfyPage) -> dict[str, object]:
    """What the widgets of the patch have."""
    return page.evaluate(f"() => Object.fromEntries(({PATCH})().widgets.map(({{name, value}}) => [name, value]))")


def forget_profiles(comfyui) -> None:
    for profile in (comfyui.log.parent / "models" / "blockdance").glob("*"):
        profile.unlink()


def open_menu(page: ComfyPage) -> None:
    """Right-click on the title of the patch."""
    x, y = page.evaluate(f"""() => {{
        const node = ({PATCH})();
        app.canvas.selectNode(node);
        return app.canvasPosToClientPos([node.pos[0] + 60, node.pos[1] - 12]);
    }}""")
    page.page.mouse.click(x, y, button="right")


def choose(page: ComfyPage, entry: str) -> None:
    open_menu(page)
    page.page.get_by_text(entry, exact=True).last.click()


def test_off_and_on_again_tells_how_much_faster_it_is(page, renderer):  # noqa: F811
    steps = 24 if renderer == "classic" else 26
    page.load()
    page.set_widget("steps", steps, SAMPLER)
    page.set_widget("enabled", False)
    page.expect("planned", "Switched off")
    assert page.reused() == []
    page.run()
    page.expect("finished", "Full run: ")
    page.picture(f"{renderer}-off")
    page.set_widget("enabled", True)
    page.expect("planned", "evaluations reuse blocks")
    for on in (True, *(False, True) * TRIES):
        page.set_widget("enabled", on)
        page.set_widget("seed", next(SEEDS), SAMPLER)
        page.run_and_wait()
        if on and "\u2192" in page.text():
            return
    raise AssertionError("no times are compared")


def test_a_word_sets_the_numbers_and_a_number_is_custom(page, renderer):  # noqa: F811
    page.load("BlockDanceAuto", speedup=2., profile="auto", least_quality=30.)
    assert values(page)["quality"] == "balanced"
    page.set_widget("quality", "fast")
    assert (values(page)["speedup"], values(page)["least_quality"]) == (3, 20)
    page.set_widget("speedup", 2.5)
    assert values(page)["quality"] == "custom" and page.prompt()["2"]["inputs"]["speedup"] == 2.5
    page.set_widget("quality", "safe")
    assert (values(page)["speedup"], values(page)["least_quality"]) == (1.5, 40)
    page.expect("planned", "of 30 evaluations")
    page.picture(f"{renderer}-quality")


def test_a_number_that_is_changed_by_hand_is_custom(page, renderer):  # noqa: F811
    page.load("BlockDanceAuto", speedup=2., profile="auto", least_quality=30.)
    assert values(page)["quality"] == "balanced"
    if renderer == "classic":
        x, y = page.evaluate(f"""() => {{
            const node = ({PATCH})(), widget = node.widgets.find(({{name}}) => name === "speedup");
            return app.canvasPosToClientPos([node.pos[0] + node.size[0] - 24, node.pos[1] + widget.last_y + 10]);
        }}""")
        page.page.mouse.click(x, y)  # the arrow to more
    else:
        number = page.page.locator(f"[data-node-id='{page.evaluate(f'() => ({PATCH})().id')}'] input").first
        number.focus()
        page.page.keyboard.press("ControlOrMeta+a")
        page.page.keyboard.type("2.1")
        page.page.keyboard.press("Enter")
    page.page.wait_for_function(f"() => ({PATCH})().widgets.find(({{name}}) => name === 'speedup').value === 2.1")
    assert values(page)["quality"] == "custom" and page.prompt()["2"]["inputs"]["quality"] == "custom"


def test_the_numbers_of_an_old_workflow_count(page):
    page.load("BlockDanceAuto", **AUTO)
    saved = page.evaluate("() => app.graph.serialize()")
    node = next(node for node in saved["nodes"] if node["type"] == "BlockDanceAuto")
    for old, word in (([3., "auto", 25.], "custom"), ([2., "auto", 30.], "balanced")):
        node["widgets_values"] = old
        page.evaluate("(saved) => app.loadGraphData(saved, true, false, crypto.randomUUID())", saved)
        page.page.wait_for_selector(TIMELINE)
        found = values(page)
        assert [found["speedup"], found["profile"], found["least_quality"]] == old
        assert (found["quality"], found["enabled"]) == (word, True)


def test_the_menu_copies_the_plan_and_opens_the_report(page, renderer):  # noqa: F811
    page.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.load()
    page.set_widget("steps", 12, SAMPLER)
    page.expect("planned", "of 12 evaluations reuse blocks")
    choose(page, "Copy plan")
    page.page.wait_for_timeout(300)
    planned = json.loads(page.evaluate("() => navigator.clipboard.readText()"))
    assert planned["steps"] == 12 and planned["reuse"][0]["kind"] == "feature"
    page.run()
    page.expect("finished")
    open_menu(page)
    page.page.wait_for_timeout(300)
    page.picture(f"{renderer}-menu")
    page.page.get_by_text("Open report", exact=True).last.click()
    report = page.page.locator(".blockdance-report")
    assert "12 evaluations" in report.inner_text() and "reused" in report.inner_text()
    page.picture(f"{renderer}-report")
    report.get_by_role("button").click()
    assert report.count() == 0


def test_the_menu_measures_anew_once(page, comfyui, renderer):  # noqa: F811
    forget_profiles(comfyui)
    page.load("BlockDanceAuto", **AUTO)
    page.set_widget("weights", UNKNOWN, LOADER)
    page.set_widget("steps", 10, SAMPLER)
    page.set_widget("least_quality", 0)
    page.run()
    page.expect("finished", "The next run will be faster".lower())
    page.run()
    page.expect("finished", "Expected: ")
    page.evaluate("""() => {
        const { queuePrompt } = app.api;
        app.api.queuePrompt = function (number, sent, ...more) {
            window.sent = sent;
            return queuePrompt.call(this, number, sent, ...more);
        };
    }""")
    choose(page, "Measure anew")
    page.expect("finished", "easured anew")
    sent = page.evaluate("() => window.sent")
    [asked] = [node["inputs"]["profile"] for node in sent["output"].values() if node["class_type"] == "BlockDanceAuto"]
    [kept] = [node["widgets_values"] for node in sent["workflow"]["nodes"] if node["type"] == "BlockDanceAuto"]
    assert asked == "measure anew" and "auto" in kept and "measure anew" not in kept
    assert values(page)["profile"] == "auto"
    page.run()
    page.expect("finished", "Expected: ")


def test_auto_has_a_strip_without_blocks_and_no_note_is_cut(page, renderer):  # noqa: F811
    page.load("BlockDanceAuto", **AUTO)
    text = page.expect("planned", "15 of 30 evaluations, about half the time")
    assert "block" not in text.replace("blocks", "").lower() and "\nevaluation\n" in text
    rows = page.evaluate(f"() => document.querySelector('{TIMELINE} svg').getBoundingClientRect().height"
                         " / app.canvas.ds.scale")
    assert rows < 40
    for patch, inputs in (("BlockDanceAuto", AUTO), ("DeltaDiTPatch", {"N": 2, "b": .6, "n_cached": -1, "budget": .5})):
        page.load(patch, **inputs)
        page.expect("planned", "evaluations")
        page.page.wait_for_timeout(500)
        assert shows_its_note(page), patch
        page.picture(f"{renderer}-note-{patch}")


def shows_its_note(page: ComfyPage) -> bool:
    """Whether all of it is there, and within the node."""
    return page.evaluate(f"""() => {{
        const note = document.querySelector('{NOTE}'), root = document.querySelector('{TIMELINE}');
        return note.scrollHeight <= note.clientHeight + 1 && note.clientHeight > 0
            && note.getBoundingClientRect().bottom <= root.getBoundingClientRect().bottom + 1;
    }}""")


def test_no_note_is_cut_once_a_run_has_more_to_say(page, comfyui, renderer):  # noqa: F811
    """The line about quality comes with the first fast run."""
    forget_profiles(comfyui)
    page.load("BlockDanceAuto", **AUTO)
    page.set_widget("weights", UNKNOWN, LOADER)
    page.set_widget("steps", 11 if renderer == "classic" else 12, SAMPLER)
    page.set_widget("least_quality", 0)
    for _ in range(2):
        page.run_and_wait()
    page.expect("finished", "Expected: ")
    page.page.wait_for_timeout(500)
    assert shows_its_note(page)


def test_the_axis_has_the_same_word_before_and_after_a_run(page):
    page.load()
    page.set_widget("steps", 8, SAMPLER)
    assert "\nevaluation\n" in page.expect("planned", "of 8 evaluations")
    page.run()
    assert "\nevaluation\n" in page.expect("finished")


def test_the_editor_of_a_plan_shows_a_whole_plan(page, renderer):  # noqa: F811
    page.new()
    page.select_new("BlockDancePlan")
    page.expect("planned", "of 20 evaluations")
    whole, seen = page.evaluate("""() => {
        const area = [...document.querySelectorAll("textarea")].find(({value}) => value.includes("blockdance_plan"));
        return [area.scrollHeight, area.clientHeight];
    }""")
    assert seen >= 120 and whole <= seen + 1
    page.picture(f"{renderer}-plan")


PROBED = """async () => {
    const prompt = (await app.graphToPrompt()).output, patch = Object.keys(prompt).find((id) =>
        prompt[id].class_type === "BlockDancePatch"), sampler = Object.keys(prompt).find((id) =>
        prompt[id].class_type === "KSampler");
    const { model } = prompt[patch].inputs;
    prompt[patch] = {class_type: "BlockDanceProbe", inputs: {model}, _meta: {title: "Probe"}};
    prompt.view = {class_type: "BlockDanceSimilarity", _meta: {title: "View"}, inputs: {
        model: [patch, 0], latent: [sampler, 0], block_index: -1, tolerance: .06, theme: "dark"}};
    await app.loadApiJson(prompt, "probe.json");
}"""


def test_the_recommendation_is_taken_over_by_one_click(page, renderer):  # noqa: F811
    page.load()
    page.evaluate(PROBED)
    page.set_widget("steps", 14, SAMPLER)
    view = '() => app.graph.nodes.find((node) => node.type === "BlockDanceSimilarity")'
    page.run_and_wait()
    button = f"({view})().widgets.find(({{name}}) => name === 'blockdance_take')"
    page.page.wait_for_function(f"() => /^Use block \\d+/.test({button}.label)", timeout=60_000)
    page.picture(f"{renderer}-recommendation")
    block, start, end = re.fullmatch(r"Use block (\d+), ([\d.]+) to ([\d.]+)", page.evaluate(f"() => {button}.label"))\
        .groups()
    page.evaluate(f"() => {button}.callback()")
    found = page.evaluate("""() => app.graph.nodes.filter(({type}) => type === "BlockDancePatch").map((node) =>
        Object.fromEntries(node.widgets.map(({name, value}) => [name, value])))""")
    assert [(patch["block_index"], patch["start"], patch["end"]) for patch in found] == [
        (int(block), float(start), float(end))]


@pytest.fixture
def chinese(page) -> Iterator[ComfyPage]:
    """The page in Chinese."""
    page.set("Comfy.Locale", "zh")
    page.page.reload(wait_until="domcontentloaded")
    page.wait_until_ready()
    yield page
    page.set("Comfy.ColorPalette", "dark")
    page.set("Comfy.Locale", "en")
    page.page.reload(wait_until="domcontentloaded")
    page.wait_until_ready()


def test_the_map_is_in_the_users_language(chinese):
    for renderer_ in ("classic", "nodes2"):
        chinese.use(renderer_)
        chinese.load("BlockDanceAuto", speedup=2., profile="general", least_quality=0.)
        assert english(chinese.expect("planned", "计划：")) == set()
        chinese.picture(f"zh-{renderer_}-planned")
        chinese.run()
        assert english(chinese.expect("finished", "秒")) == set()
        chinese.picture(f"zh-{renderer_}-finished")
    chinese.set("Comfy.ColorPalette", "light")
    chinese.picture("zh-finished-light")


@pytest.mark.parametrize("patch, inputs", [
    ("BlockDanceAuto", {"speedup": 2., "profile": "auto", "least_quality": 0.}),
    ("BlockDancePatch", {"N": 2, "block_index": -1, "start": .4, "end": .95})], ids=["Auto", "Patch"])
def test_the_report_is_in_the_users_language(chinese, patch, inputs):
    chinese.load(patch, **inputs)
    chinese.set_widget("steps", 16, SAMPLER)
    chinese.run()
    chinese.expect("finished")
    choose(chinese, "打开报告")
    report = chinese.page.locator(".blockdance-report")
    chinese.picture(f"zh-report-{patch}")
    assert english(report.inner_text()) <= {"GMACs", "comfyui", "blockdance", "torch", "cpu", *report_names(chinese)}
    report.get_by_role("button").click()


def test_what_a_node_says_while_it_works_is_in_the_users_language(chinese):
    for renderer_, seed in (("classic", 31), ("nodes2", 32)):
        chinese.use(renderer_)
        chinese.load("BlockDanceAuto", **AUTO)
        chinese.evaluate(f"""([seed, steps]) => {{
            const sampler = app.graph.nodes.find(({{type}}) => type === "KSampler");
            const node = LiteGraph.createNode("BlockDanceCalibrate");
            node.pos = [({PATCH})().pos[0] + 370, ({PATCH})().pos[1] + 300];
            app.graph.add(node);
            for (const name of ["model", "positive", "negative", "latent_image"]) {{
                const slot = sampler.inputs.findIndex((input) => input.name === name);
                const link = app.graph.getLink(sampler.inputs[slot].link);
                app.graph.getNodeById(link.origin_id).connect(link.origin_slot, node, name);
            }}
            for (const [name, value] of Object.entries({{seed, steps, error_growth: false}}))
                node.widgets.find((widget) => widget.name === name).value = value;
            const line = () => node.widgets.find(({{name}}) => name === "$$node-text-preview")?.value;
            window.said = [];
            app.api.addEventListener("progress_text", () => setTimeout(() => window.said.push(line())));
        }}""", [seed, 8])
        chinese.run_and_wait()
        said = [line for line in chinese.evaluate("() => window.said") if line]
        assert len(said) > 4 and not any(english(line.split("保存为")[0]) for line in said), said
        assert re.search(r"2 次运行.*1.5x \d+ dB.*保存为 PixArtMS-28", said[-1])
        chinese.picture(f"zh-{renderer_}-calibrate")


def report_names(page: ComfyPage) -> set[str]:
    """Words in what the report gives as names: the method, the model, and digests."""
    return set(re.findall(r"[A-Za-z]{2,}", page.evaluate("""() => {
        const [, { report }] = JSON.parse(sessionStorage.getItem("blockdance.timeline")).at(-1);
        const { method, model, provenance } = report;
        return [method, model, ...Object.values(provenance)].join(" ");
    }""")))


def english(text: str) -> set[str]:
    """Words that are no names and no units."""
    return set(re.findall(r"[A-Za-z]{2,}", text)) - {"dB", "MiB", "PixArt", "PixArtMS"}
