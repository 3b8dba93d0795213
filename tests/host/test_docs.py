"""The Python of the documentation that needs ComfyUI."""

import re

from PIL import Image

from blockdance.blockdance_core.comfy.models import architectures
from blockdance.tests.documents import ROOT, fenced, run
from blockdance.tests.models.zoo import ZOO


def test_the_examples_of_contributing(monkeypatch):
    """The worked example gives the row and the instance that the pack has."""
    known = dict(architectures.ARCHITECTURES)
    monkeypatch.setattr(architectures, "ARCHITECTURES", dict(known))
    names = {"__name__": "contributing"}
    for block in fenced("docs/contributing.md", "(?:python|py)"):
        run(block, names)
    assert names["row"] == {"GeneralDIT": known["GeneralDIT"]}
    assert names["instance"] == {"Cosmos 1": ZOO["Cosmos 1"]}


def test_the_program_of_how_it_works(monkeypatch, tmp_path):
    program, = fenced("docs/internals/how-it-works.md", "py")
    (tmp_path / "demo").symlink_to(ROOT / "demo", target_is_directory=True)  # it reads the weights there
    monkeypatch.chdir(tmp_path)
    names = {"__name__": "heun"}
    # Here the repository is the package `blockdance`
    run(re.sub(r"^from (blockdance_core|demo)\b", r"from blockdance.\1", program, flags=re.MULTILINE), names)
    assert names["report"].line().startswith(
        "23 of 39 evaluations in 20 steps reused, 609 of 1092 blocks executed (56%)")
    drawn, published = Image.open("heun.png"), Image.open(ROOT / "docs" / "internals" / "heun.png")
    assert drawn.height == published.height and abs(drawn.width - published.width) < 40  # seconds have their digits
