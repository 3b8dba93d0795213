"""Every method, ours and theirs, on the same host, models, seeds and samplers, at equal compute. Never shipped.

    python3 -m lab.benchmarks --quick

start, options    how the command gets into ComfyUI's Python, and what it can be asked for
setting, subject  one way of sampling, and a demo model that is sampled in that way
precision         a demo model in bfloat16, float8 or int8
arm, arms         a method at one point of its knob, and all of them
rivals            other people's methods, from their published definitions
tuned, kept       rivals at their best settings, and what took long to learn in a file
others, general   what was measured of other models, and the profile that is made of it
work, memory      work that was really done, and bytes that were really held
quality, bands    how near a picture is to the one of full sampling, in its structure and in its details
expectation       what a method says before a run about how near it will come
compare           the same captions by several arms: call it to try a new method
record, worker    measurements as JSON lines that an interrupted run goes on from
statistics        means with confidence intervals
row, table        the records of an arm over all captions, and all arms of one model in one setting
published         the tables as docs/internals/benchmarks.csv, of which a run replaces what it has measured
pareto, document  curves as pictures, and docs/internals/benchmarks.md
summary           its first screen: the answer in a few lines and a picture
across, unmeasured, promises, more_steps    its tables: other ways of sampling and numbers, models that nobody has
                  measured, what was expected, and more steps for the same time
search            hyper-parameters of the paper modes, chosen on calibration captions
"""
