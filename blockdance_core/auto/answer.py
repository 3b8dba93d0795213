"""How a model answers to an error of the latent.

A kernel holds what the model gives in a full run. In a reused run the latent is off by e, and what the model gives
there is off, too: by an answer in proportion to e, and by as much again in no known direction, the doubt. Forecasts
with weights such as 8 and -7 multiply both.
"""

from dataclasses import dataclass

from ..flow_time import Quantity

STEADY, LATE = 1.5, .3  # a velocity is off by (STEADY + LATE / t) * e; three models had 1 to 7 times e for large t
DOUBT = 1.  # of the answer


@dataclass(frozen=True)
class Motion:
    """One evaluation. left: how much of the latent's error is there after it; reach: how far its output moves the
    latent; answer: how much of the error the model's output takes on; doubt: how much more, in no known direction."""
    left: float
    reach: float
    answer: float
    doubt: float


def motion(quantity: Quantity, start: float, end: float) -> Motion:
    """Of an evaluation at one time that the sampler follows to the next."""
    answer = STEADY + LATE / start
    if quantity is Quantity.PICTURE:  # the latent minus its velocity times t
        return Motion(end / start, 1 - end / start, 1 - start * answer, start * answer * DOUBT)
    return Motion(1., end - start, answer, answer * DOUBT)
