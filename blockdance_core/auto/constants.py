"""The numbers of Auto that were tuned or chosen, and where each comes from. What follows from a formula is not here."""

import numpy as np

# Error propagation: a velocity at time t is off by (RESPONSE + LATE_RESPONSE / t) times the latent's error. By finite
# differences three demo models had 1 to 7 times it at large t; the two numbers are those with the best plans on them.
RESPONSE, LATE_RESPONSE = 1.5, .3
RESPONSE_UNCERTAINTY = 1.  # of the response, in the same runs

ANCHORS = 4  # computed evaluations that an output is made of: with fewer, six or all nothing was closer

# What becomes of an error of the latent at time t until the end, squared: FINISH e^(2 GROWTH t). In nudged full runs of
# five demo models FINISH was .25 to .5, and growth 0 to .8 for shapes, 2 to 3 for pictures. GROWTH is for models where
# it was not measured: by 1 pictures were 1 to 7 dB less close in most ways of sampling, and less than expected; by
# 3 they were as close as by 2.5. Shapes are up to 7 dB closer by 1, and above 40 dB by either.
FINISH, GROWTH = .42, 2.5
LEAST_GROWTH, MOST_GROWTH = .3, 5.  # of a measured one; with less, plans leave out what decides the picture

# Planner
BEAM, BEAM_STEPS = 12, 150  # alternatives kept for each number of computed evaluations, in runs of so many at most
LONGEST_SEARCH = 64  # evaluations; longer runs are thinned, which takes half a second at a thousand steps

# The outputs of a run have bent where a computed output's squared error is this many times the largest so far, as
# multiples of the expected one. In runs of three models, other numbers of steps, samplers and cfg than those that were
# measured it was up to 16; where the prompt changed, 8 to 700.
SURPRISE = 20.
REPETITION = .8  # and the extrapolation is no better than this share of a repetition's error
ACROSS_BEND = .5  # what outputs on both sides of a bend have in common; hardly matters, anchors on this side do better

# Kernel between the measured times: lengths tried for its process, in parts of all log-SNR
KERNEL_LENGTHS = np.geomspace(.03, 10, 20)

# Measurement
FEWEST_MEASURED = 4  # evaluations: of fewer there is hardly one to leave out
CLOSE = 8  # evaluations of a kernel: fewer say too little of the times in between, and serve runs of no more
MOST_MEASURED = 240  # evaluations of a kernel; of longer runs some are left out

# Samplers that are not known: of ComfyUI's own, run under other names, deterministic ones leave at most 2e-6 of the
# noise level outside of what the outputs span, and the others at least .14.
NOISE_TRACE = .01
NOISE_SHARE = .25  # of the evaluations: a sampler adds noise if it shows at so many
