"""A tiny instance of every transformer that ComfyUI ships, under the name that people know it by."""

from blockdance.tests.models.tiny import DIT, PIXART, SD3, Tiny
from blockdance.tests.models.zoo.audio_and_3d import AUDIO_AND_3D
from blockdance.tests.models.zoo.image import IMAGE
from blockdance.tests.models.zoo.newer import NEWER
from blockdance.tests.models.zoo.video import VIDEO

ZOO: dict[str, Tiny] = {"PixArt-Sigma": PIXART, "SD3": SD3, "DiT": DIT, **IMAGE, **VIDEO, **AUDIO_AND_3D, **NEWER}
