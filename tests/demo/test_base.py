"""The demo ComfyUI's own folder."""

from pathlib import Path

import pytest

from blockdance.demo import base


@pytest.fixture(params=["links", "copies"])
def system(request, monkeypatch):
    if request.param == "copies":
        def refuse(*_, **__):
            raise OSError("a required privilege is not held")
        monkeypatch.setattr(Path, "symlink_to", refuse)


@pytest.mark.usefixtures("system")
def test_a_pack_is_there_by_link_or_by_copy(tmp_path):
    pack = tmp_path / "pack"
    (pack / ".git").mkdir(parents=True)
    (pack / "__init__.py").write_text("here")
    base.link_folder(pack, tmp_path / "shown")
    assert (tmp_path / "shown" / "__init__.py").read_text() == "here"


def test_weights_come_under_the_name_that_the_workflow_asks_for(tmp_path):
    (tmp_path / "mine").write_bytes(b"weights")
    folder = base.make_base(tmp_path, tmp_path / "mine")
    assert (folder / "models" / "shapes_world" / "pixart.safetensors").read_bytes() == b"weights"
    assert (folder / "custom_nodes" / "blockdance" / "__init__.py").exists()
    assert (folder / "custom_nodes" / "blockdance_demo" / "workflow_api.json").exists()
