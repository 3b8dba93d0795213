"""The page of models in use agrees with its table, and the table with the rest of the documentation."""

import pytest

from blockdance.tests.documents import ROOT, text
from lab.families.page import PAGE, written
from lab.families.table import FAMILIES


def test_the_page_is_what_the_table_says():
    assert PAGE.read_text(encoding="utf-8") == written(), "run python3 -m lab.families"


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_families_name_what_there_is(family):
    """Classes of the table of supported models, and nodes of the list of nodes."""
    assert all(f"| `{name}` |" in text("docs/architectures.md") for name in family.classes)
    assert family.node is None or f"| `{family.node}` |" in text("docs/nodes.md")


def test_no_number_that_was_not_measured():
    """Whatever is said to be measured is on the page of results."""
    results = text("docs/results.md")
    for family in FAMILIES:
        assert not family.measured or "(results.md#" in family.measured
        for word in family.measured.split():
            if word.endswith("x") and word[:-1].replace(".", "").isdigit() and word != "2x":
                assert f"| {word[:-1]} |" in results, f"{family.name}: {word}"


@pytest.mark.parametrize("sampling", [sampling for family in FAMILIES for sampling in family.samplings],
                         ids=lambda sampling: sampling.template)
def test_settings_are_those_of_the_template(sampling):
    """Of the templates that this ComfyUI has; a switch in one may hold other settings besides."""
    package = pytest.importorskip("comfyui_workflow_templates_json")
    file = ROOT.joinpath(package.__path__[0]) / "templates" / f"{sampling.template}.json"
    if not file.is_file():
        pytest.skip("a template of another package")
    source = file.read_text(encoding="utf-8")
    for word in (sampling.sampler, sampling.scheduler.replace("given sigmas", "ManualSigmas")):
        assert word in source
