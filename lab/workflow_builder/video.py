"""The shape of workflows for videos: as comparison.py, but a frame in the middle is compared, and videos are saved."""

from .accelerators import Accelerator
from .comparison import Branch, Source, distance, side_by_side, sides
from .graph import Group, Node, Output, Workflow


def video_comparison(name: str, folder: str, source: Source, about: Node, accelerator: Accelerator, frames: int,
                     rate: float, enlarge: float = 1.) -> tuple[Workflow, Node]:
    """The workflow, which saves in this folder of ComfyUI's output, and its patch. rate: frames a second; enlarge: for
    the saved videos."""
    made = sides(source, about, accelerator)
    before, after = (_frame(side, frames // 2) for side in (made.baseline, made.accelerated))
    videos = [node for side in (made.baseline, made.accelerated)
              for node in _video(side.decode[0], f"{folder}/{side.title}", rate, enlarge)]
    columns = (
        *made.columns,
        (Group("5 Compare", (before, after, *side_by_side(before[0], after[0]),
                             distance(made.baseline, made.accelerated))),),
        (Group("6 Videos", tuple(videos)),))
    return Workflow(name, columns), made.patch


def _frame(of: Branch, index: int) -> Node:
    return Node("ImageFromBatch", {"image": of.decode[0], "batch_index": index, "length": 1},
                title=f"Middle frame, {of.title}")


def _video(frames: Output, prefix: str, rate: float, enlarge: float) -> tuple[Node, ...]:
    larger = ()
    if enlarge != 1:
        larger = Node("ImageScaleBy", {"image": frames, "upscale_method": "nearest-exact", "scale_by": enlarge}),
        frames = larger[0][0]
    video = Node("CreateVideo", {"images": frames, "fps": rate}, size=(330, 0))
    return *larger, video, Node("SaveVideo", {"video": video[0], "filename_prefix": prefix, "format": "auto",
                                              "codec": "auto"}, size=(330, 330))
