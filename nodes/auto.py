"""BlockDance Auto: a target speed-up, and the rest is measured and planned."""

from dataclasses import replace

from comfy_api.latest import io

from ..blockdance_core.auto.method import MOST_SPEEDUP, AutoMethod, measured_as
from ..blockdance_core.auto.profile import Profile, ProfileError, general
from ..blockdance_core.comfy.models.architectures import ANY_MODEL
from . import profiles
from .patch import CATEGORY, PatchNode, enabled_input

AUTO, ANEW, GENERAL, ASKED = "auto", "measure anew", "general", "measure only when asked"
OF_THIS_MODEL = AUTO, ANEW, ASKED  # what was measured of it, known when a run begins
WORDS = *OF_THIS_MODEL, GENERAL  # of the profile; all others are files
CUSTOM, BALANCED = "custom", "balanced"
QUALITIES = {word: {"speedup": speedup, "least_quality": least} for word, speedup, least in (
    ("safe", 1.5, 40.), (BALANCED, 2., 30.), ("fast", 3., 20.))}


class BlockDanceAuto(PatchNode):
    FAMILY = ANY_MODEL

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="BlockDanceAuto",
            display_name="BlockDance Auto",
            category=CATEGORY,
            description="Makes any diffusion model faster by the factor you ask for: it computes the steps that "
                        "matter most and forecasts the others, by a measurement of your own model. The first "
                        "run of a model measures it and is not faster. Put it between the model loader and the "
                        "sampler.",
            search_aliases=["blockdance", "blockdance auto", "speed up", "speedup", "faster", "accelerate", "cache",
                            "teacache", "magcache", "wavespeed", "easycache", "first block cache", "forecast"],
            inputs=[
                io.Model.Input("model", tooltip="Any diffusion model: transformers and U-Nets, for pictures, video or "
                                                "sound, with LoRAs, ControlNets and patches."),
                io.Float.Input(
                    "speedup", default=2., min=1., max=MOST_SPEEDUP, step=.1,
                    tooltip="How many times fewer steps are computed. 1.5 is hardly to be told from the full result, "
                            "2 to 2.5 suits most, 3 and 4 are for previews. 1 turns it off. With few steps, below 8 "
                            "or so, there is little to gain."),
                io.Combo.Input(
                    "profile", options=[AUTO, GENERAL, ANEW, ASKED, *profiles.library().names()], default=AUTO,
                    tooltip="auto = what was measured of this model; where nothing was, the first full run measures "
                            "it, which costs no extra time, and the next is faster. general = faster from the first "
                            "run on, by a measurement of other, small models; three of four of their pictures came at "
                            "least as close as the node says. "
                            "measure anew = full runs that measure again. measure only when asked = as auto, but no "
                            "run measures by itself, so that the first and the second run of a seed are the same. Or "
                            "a file in models/blockdance, measured by BlockDance Calibrate or by others."),
                io.Float.Input(
                    "least_quality", default=30., min=0., max=100., step=1., advanced=True,
                    tooltip="Computes more steps than the speed-up asks for until the result is expected this close "
                            "to the full one, in dB: 40 is hard to tell apart, 28 shows small changes. 25 to 45 "
                            "are sensible, 0 = as fast as asked. For a model that was not measured it is a rule of "
                            "thumb."),
                io.Combo.Input(
                    "quality", options=[*QUALITIES, CUSTOM], default=BALANCED, optional=True,
                    extra_dict={"numbers": QUALITIES},
                    tooltip="safe = speedup 1.5 and least_quality 40, hard to tell apart from the full result. "
                            "balanced = 2 and 30, small details differ. fast = 3 and 20, the composition may change. "
                            "custom = the two numbers as they are set; changing one of them chooses it."),
                enabled_input(),
            ],
            outputs=[io.Model.Output(display_name="model", tooltip="The same model, sampling with forecasts.")],
            hidden=[io.Hidden.unique_id], not_idempotent=True,  # server.py says why
        )

    @classmethod
    def validate_inputs(cls, profile: str | None = None) -> bool | str:
        library = profiles.library()
        # None for a link; what is in a file is read when the node runs
        if profile in (None, *WORDS) or profile in library.names():
            return True
        try:
            library.load(profile)
        except ProfileError as error:
            return str(error)
        return True

    @classmethod
    def fingerprint_inputs(cls, profile: str | None = None, **_) -> str:
        """A run may have measured since, or a file have changed under its name."""
        if profile in (None, *OF_THIS_MODEL):  # None for a link
            return f"{profile} {profiles.library().state()}"
        return profile if profile == GENERAL else profiles.library().load(profile).dump()

    @classmethod
    def meaning(cls, quality: str = CUSTOM, **settings) -> dict:
        """Prompts of before there was a choice of words have none."""
        if quality != CUSTOM:
            if quality not in QUALITIES:
                raise ValueError(f"quality is {quality!r}; use {', '.join(QUALITIES)} or {CUSTOM}")
            settings |= QUALITIES[quality]
        return settings

    @classmethod
    def unheeded(cls, quality: str = CUSTOM, **settings) -> str:
        """Numbers that a script has set beside a word. The page keeps both the same; numbers as a new node has them
        nobody has set."""
        ignored = [f"{name} {settings[name]:g}" for name, number in QUALITIES.get(quality, {}).items()
                   if settings.get(name, number) not in (number, QUALITIES[BALANCED][name])]
        return f"quality {quality} takes the place of {' and '.join(ignored)}: to use that, set quality to custom" \
            if ignored else ""

    @classmethod
    def method(cls, speedup: float, profile: str, least_quality: float) -> AutoMethod:
        if profile not in OF_THIS_MODEL:
            return _by_profile(speedup, _chosen(profile), least_quality)
        usual = AutoMethod(speedup, lambda quantity, _: general(quantity), general, least_quality=least_quality,
                           expects=False)
        return usual if profile != ANEW else replace(usual, save=lambda *_: "", anew=True)

    @classmethod
    def method_for(cls, model, speedup: float, profile: str, least_quality: float) -> AutoMethod:
        measured = profiles.Measured(model)
        usual = AutoMethod(speedup, measured.kernel, general, measured.learn, least_quality, samplers=measured)
        if profile == AUTO:
            return usual
        if profile == ANEW:
            return replace(usual, save=measured.learn_anew, anew=True)
        if profile == ASKED:
            return replace(usual, save=None, samplers=profiles.ToRead(measured))
        found = _chosen(profile)
        if found is not None:
            measured.check(found, profile)
        return _by_profile(speedup, found, least_quality, measured)


def _chosen(profile: str) -> Profile | None:
    """The profile in a file, if the choice is one. Raises ProfileError."""
    return None if profile in WORDS else profiles.library().load(profile)


def _by_profile(speedup: float, profile: Profile | None, least_quality: float, samplers: profiles.Measured | None = None
            ) -> AutoMethod:
    """By this profile, or by the general one."""
    measured = measured_as(profile.quantity, profile.kernel) if profile else lambda *_: None
    return AutoMethod(speedup, measured, least_quality=least_quality, samplers=samplers)
