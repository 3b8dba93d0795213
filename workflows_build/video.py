"""The shape of workflows for videos: as comparison.py, but a frame in the middle is compared, and videos are saved."""

from .accelerators import Accelerator
from .comparison import VIEW, Branch, Source, branch, seed_of
from .graph import Group, Node, Output, Workflow


def video_comparison(name: str, caption: str, source: Source, about: Node, accelerator: Accelerator, frames: int,
                     rate: float, enlarge: float = 1.) -> Workflow:
    """rate: frames a second; enlarge: for the saved videos."""
    seed, patch = seed_of(source), accelerator.on(source.model)
    baseline = branch(source, source.model, seed, "baseline")
    accelerated = branch(source, patch[0], seed, accelerator.method)
    before, after = _frame(baseline, frames // 2), _frame(accelerated, frames // 2)
    return Workflow(name, (
        (Group("", (about,)),),
        (Group("1 Models", source.loading),),
        (Group("2 Prompt", (*source.prompting, seed)),),
        (Group("3 Accelerate", (patch,)),),
        (Group("4 Sample in full", (baseline.sampler, baseline.decode)),
         Group("4 Sample accelerated", (accelerated.sampler, accelerated.decode))),
        (Group("5 Compare", (
            before, after,
            Node("ImageCompare", {"image_a": before[0], "image_b": after[0]}, size=VIEW),
            Node("BlockDanceQuality", {"reference": baseline.decode[0], "image": accelerated.decode[0]},
                 size=(400, 480)))),),
        (Group("6 Videos", (*_video(baseline.decode[0], f"{name}/baseline", rate, enlarge),
                            *_video(accelerated.decode[0], f"{name}/{accelerator.method}", rate, enlarge))),)),
        shown=(patch,), caption=caption)


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
