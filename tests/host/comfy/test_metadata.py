"""What pictures say that they were made with."""

from dataclasses import replace

from blockdance.blockdance_core.auto.profile import general, read
from blockdance.blockdance_core.auto.profile_library import Library
from blockdance.blockdance_core.auto.weights import KernelExtrapolation
from blockdance.blockdance_core.engine.report import Report
from blockdance.blockdance_core.plan.plan import Plan, SkipModel, Transformer
from blockdance.blockdance_core.plan.schedule import Quantity
from blockdance.nodes import metadata
from blockdance.tests.documents import ROOT

FILE = ROOT / "tests" / "formats" / "PixArtMS-28-aa34f66b-velocity-10.json"


def file_of(kernel) -> str | None:
    """What the picture of a run by this kernel says."""
    extrapolation = KernelExtrapolation.of(kernel, Quantity.VELOCITY)
    plan = Plan.from_reuses([None, None, SkipModel(28)], extrapolation=extrapolation)
    report = Report("BlockDance Auto 2x", Transformer("PixArt", (28,)), plan)
    return metadata.entry_of(report, "2", {})["profile_file"]


def test_a_picture_names_the_profile_that_its_run_went_by_whatever_became_of_the_file_since(tmp_path):
    name = Library((tmp_path,)).add(read(FILE)).name
    kernel = Library((tmp_path,)).load(name).kernel
    (tmp_path / name).unlink()
    assert file_of(kernel) == name


def test_a_picture_of_the_general_profile_says_so():
    assert file_of(general(Quantity.VELOCITY)) == "general"


def test_the_same_numbers_have_the_same_digest_from_whatever_file():
    kernel = read(FILE).kernel
    assert replace(kernel, source="other.json").digest == kernel.digest != general(Quantity.VELOCITY).digest
