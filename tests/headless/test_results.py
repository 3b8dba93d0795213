"""Saved outputs, PSNR and SSIM of files, and the Pareto front with its picture."""

import csv
import io
import math

import av
import numpy as np
import pytest
from PIL import Image

from blockdance.blockdance_core.figures.canvas import THEMES, to_tensor
from blockdance.blockdance_core.figures.pareto import Point, pareto
from lab.headless import outputs, quality
from lab.headless.client import File, Result
from lab.headless.errors import Unwritable
from lab.headless.row import Row, front

ROWS = [Row("full", "full", 4., 1., math.inf, 1.), Row("fast", "full", 1., 4., 30., .9),
        Row("slow", "full", 3., 1.3, 29., .8), Row("good", "full", 2., 2., 40., .95),
        Row("other size", "full", .5, 8., math.nan, math.nan)]
OTHER = [Row("other seed", "other seed", 2., 1., math.inf, 1.), Row("slow, but of it", "other seed", 9., .2, 9., .1),
         Row("fast, of it", "other seed", 1., 2., 9., .1)]


def noise(side: int = 32) -> np.ndarray:
    return np.random.default_rng(0).integers(60, 200, (side, side, 3), np.uint8)


def png(pixels: np.ndarray) -> File:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return File("picture.png", buffer.getvalue())


def test_nothing_is_overwritten_and_nothing_leaves_the_folder(tmp_path):
    result = Result(files={"1": [File("a.png", b"1"), File("a.png", b"2")], "2": [File("../../b.png", b"3")]},
                    written={"3": ["words", '{"a": 1}', "12"], "9.0": ["of no node"]})
    prompt = {"3": {"class_type": "Report", "inputs": {}, "_meta": {"title": "My: report"}}}
    written = outputs.save(result, prompt, tmp_path / "out")
    assert {path.resolve().parent for path in written} == {tmp_path / "out"}
    names = [path.name for path in written]
    assert names == ["a.png", "a_2.png", "b.png", "My_report.txt", "My_report.json", "My_report_2.txt", "9.0.txt"]
    assert [path.read_bytes() for path in outputs.save(result, prompt, tmp_path / "out")][:3] == [b"1", b"2", b"3"]
    assert (tmp_path / "out" / "a.png").read_bytes() == b"1" and (tmp_path / "out" / "a_3.png").read_bytes() == b"1"


def test_labels_of_any_length_have_folders_of_their_own(tmp_path):
    long = "text=" + "a fox, " * 60
    labels = [long, long + "running", "text=a fox, running", "text=a fox running"]
    folders = [outputs.new_folder(tmp_path / "out", label) for label in labels]
    assert len(set(folders)) == 4 and all(folder.is_dir() and len(folder.name) < 100 for folder in folders)


def test_a_name_that_windows_would_take_for_a_drive(tmp_path):
    path, = outputs.save(Result(files={"1": [File("C:x.bat", b"1")]}), {}, tmp_path)
    assert path == tmp_path / "C_x.bat"


def test_the_quality_of_a_known_difference():
    a, b = (quality.frames(png(noise() + np.uint8(shift))) for shift in (0, 10))
    found = quality.compare(a, b)
    assert found.psnr == pytest.approx(20 * math.log10(255 / 10), abs=1e-3) and .9 < found.ssim < 1
    same = quality.compare(a, a)
    assert (same.psnr, same.ssim, same.equal) == (math.inf, pytest.approx(1), 1)
    for incomparable in (quality.compare(a, quality.frames(png(noise(16)))), quality.compare([], [])):
        assert math.isnan(incomparable.psnr) and math.isnan(incomparable.ssim)


def test_equal_pictures_are_counted_apart_and_make_no_mean_infinite(tmp_path):
    a, b = (quality.frames(png(noise() + np.uint8(shift)))[0] for shift in (0, 10))
    found = quality.compare([a, b, a], [a, a, a])
    assert found.psnr == pytest.approx(20 * math.log10(255 / 10), abs=1e-3)
    assert (found.pictures, found.equal) == (3, 2)
    rows = [Row("full", "full", 4., 1., math.inf, 1., 3, 3), Row("fast", "full", 1., 4., 28.1, .9, 3, 2)]
    _, full, fast = outputs.table(rows, front(rows)).splitlines()
    assert "identical" in full and "28.1 dB" in fast and fast.endswith("2 of 3 identical")
    outputs.write_csv(tmp_path / "a.csv", rows, front(rows), [{}, {}])
    with (tmp_path / "a.csv").open(newline="") as file:
        _, row = csv.DictReader(file)
    assert (row["psnr_db"], row["pictures"], row["identical"]) == ("28.1", "3", "2")


def test_videos_and_animations_are_compared_by_frame():
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as video:
        stream = video.add_stream("mpeg4", rate=8)
        stream.width = stream.height = 32
        for _ in range(3):
            video.mux(stream.encode(av.VideoFrame.from_ndarray(noise())))
        video.mux(stream.encode())
    assert [frame.shape for frame in quality.frames(File("a.mp4", buffer.getvalue()))] == [(32, 32, 3)] * 3
    buffer, pictures = io.BytesIO(), [Image.fromarray(noise() + np.uint8(shift)) for shift in (0, 9)]
    pictures[0].save(buffer, "WEBP", save_all=True, append_images=pictures[1:], lossless=True)
    first, second = quality.frames(File("a.webp", buffer.getvalue()))
    assert np.array_equal(first, noise() / np.float32(255)) and not np.array_equal(first, second)
    assert quality.frames(File("sound.flac", b"")) == []


def test_the_front_is_what_nothing_beats_in_both():
    assert front(ROWS) == [True, True, False, True, False]
    assert front([ROWS[0], Row("as close, but slower", "full", 5., .8, math.inf, 1.)]) == [True, False]
    assert front([ROWS[1], Row("as fast, but less close", "full", 1., 4., 20., .5)]) == [True, False]
    assert front([*ROWS, *OTHER]) == [*front(ROWS), True, False, True]


def test_a_table_and_a_csv_say_what_is_not_comparable(tmp_path):
    table = outputs.table(ROWS, front(ROWS)).splitlines()
    assert table[1].endswith("1.00x identical  1.0000 *") and table[3].endswith("1.30x   29.0 dB  0.8000")
    assert table[5].rstrip().endswith("8.00x")
    outputs.write_csv(tmp_path / "a.csv", ROWS, front(ROWS), [{}, *({"patch.N": str(n)} for n in range(4))])
    with (tmp_path / "a.csv").open(newline="") as file:
        first, second, *_, last = csv.DictReader(file)
    assert first["psnr_db"] == "inf" and first["patch.N"] == "" and last["psnr_db"] == last["ssim"] == ""
    assert second == {"run": "fast", "reference": "full", "patch.N": "0", "sampling_seconds": "1.0000",
                      "speedup": "4.0000", "psnr_db": "30", "ssim": "0.9", "pareto": "1", "pictures": "1",
                      "identical": "0"}


def colors(image: Image.Image) -> set[tuple[int, ...]]:
    return {color for _, color in image.convert("RGB").getcolors(image.width * image.height)}


@pytest.mark.parametrize("theme", THEMES)
def test_the_chart_shows_every_point_and_its_own_front(theme):
    reference, *points = (Point(row.label, row.seconds, row.speedup, row.psnr, best)
                          for row, best in zip(ROWS, front(ROWS)))
    image = pareto(points, reference, "caption", THEMES[theme])
    assert to_tensor(image).shape[-1] == 3 and image.width > 700
    orange, blue = (0xf0, 0xa8, 0x30), (0x4f, 0x8f, 0xe0)
    assert {orange, blue} <= colors(image)
    beaten = [Point("only", 5., .8, 20., False)]
    assert orange not in colors(pareto(beaten, reference, "caption", THEMES[theme]))
    nothing = [Point("other size", 1., 4., math.nan, False), Point("same", 1., 4., math.inf, True)]
    image = pareto(nothing, reference, "caption", THEMES[theme])
    assert {orange, blue} <= colors(image)
    assert colors(image.crop((0, 0, image.width, image.height - 100))) & {orange, blue} == {orange}, "without the key"


@pytest.mark.parametrize("theme", THEMES)
def test_a_chart_without_a_point_on_its_scale_says_so(theme):
    reference = Point("full", 4., 1., math.inf, True)

    def drawn(*decibels: float) -> Image.Image:
        return pareto([Point("p", 1., 4., psnr, True) for psnr in decibels], reference, "caption", THEMES[theme])
    scales = [chart.crop((0, 200, chart.width, 420)) for chart in (drawn(math.inf), drawn(math.nan))]  # no point there
    assert scales[0].tobytes() != scales[1].tobytes(), "they say which of the two it is"


def test_a_folder_that_cannot_be_written_is_known_before_anything_runs(tmp_path):
    (tmp_path / "file").write_text("a file")
    (tmp_path / "sweep.csv").mkdir()
    for folder, tables in ((tmp_path / "file", ()), (tmp_path / "file" / "below", ()), (tmp_path, ("sweep.csv",))):
        with pytest.raises(Unwritable, match=str(tmp_path)):
            outputs.check(folder, tables)
    outputs.check(tmp_path / "new" / "folder", ("sweep.csv",))
    assert not (tmp_path / "new").exists(), "a run that fails leaves no empty folder"
