"""Names, tooltips and help pages in Chinese: one for each node, input and output that there is."""

import json
import re
from collections import Counter
from pathlib import Path

import pytest

from blockdance.tests.server.test_pack import get

ROOT = Path(__file__).resolve().parents[2]
CHINESE = json.loads((ROOT / "locales" / "zh" / "nodeDefs.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def nodes(comfyui) -> dict[str, dict]:
    return {name: node for name, node in json.loads(get(comfyui, "/object_info")).items()
            if node["python_module"] == "custom_nodes.blockdance"}


def test_every_node_is_translated_and_nothing_else(nodes):
    assert CHINESE.keys() == nodes.keys()


def test_every_input_and_output_is_translated_and_nothing_else(nodes):
    for name, node in nodes.items():
        inputs = {**node["input"].get("required", {}), **node["input"].get("optional", {})}
        assert CHINESE[name]["inputs"].keys() == inputs.keys(), name
        assert CHINESE[name]["outputs"].keys() == {str(index) for index in range(len(node["output"]))}, name


def test_names_and_tooltips_are_there_and_chinese():
    for name, node in CHINESE.items():
        assert _is_chinese(node["display_name"]) and _is_chinese(node["description"]), name
        for words in (*node["inputs"].values(), *node["outputs"].values()):
            assert words["name"] and _is_chinese(words["tooltip"]), (name, words)


def test_every_input_explains_itself_with_the_same_numbers_in_both_languages(nodes):
    for name, node in nodes.items():
        inputs = {**node["input"].get("required", {}), **node["input"].get("optional", {})}
        for key, (kind, options, *_) in inputs.items():
            tooltip, chinese = options.get("tooltip", ""), CHINESE[name]["inputs"][key]["tooltip"]
            assert len(tooltip) > 20, (name, key)
            assert _numbers(tooltip) == _numbers(chinese), (name, key)
            assert kind not in ("INT", "FLOAT") or _numbers(tooltip), (name, key, "names no good value")


def test_the_server_offers_them(comfyui):
    offered = json.loads(get(comfyui, "/i18n"))["zh"]["nodeDefs"]
    assert {name: offered[name] for name in CHINESE} == CHINESE


def test_every_node_has_a_help_page_in_both_languages(comfyui, nodes):
    for name in nodes:
        english, chinese = (get(comfyui, f"/extensions/blockdance/docs/{name}{page}") for page in (".md", "/zh.md"))
        assert english.startswith("# ") and chinese.startswith(f"# {CHINESE[name]['display_name']}\n"), name
        for picture in _pictures(english) | _pictures(chinese):
            assert (ROOT / "web" / "docs" / picture).is_file(), (name, picture)


def _is_chinese(text: str) -> bool:
    return any("\u4e00" <= character <= "\u9fff" for character in text)


def _numbers(text: str) -> Counter[str]:
    return Counter(re.findall(r"-?\d+(?:\.\d+)?", text))


def _pictures(page: str) -> set[str]:
    return {line.rsplit("(", 1)[1].rstrip(")") for line in page.splitlines() if line.startswith("![")}
