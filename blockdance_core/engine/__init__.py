"""What carries decisions out on one call of a model: blocks, interception, cache, report. no method by name."""
