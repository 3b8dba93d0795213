"""Carries decisions out on one call of a model: blocks, interception, cache, report. It knows no method by name."""
