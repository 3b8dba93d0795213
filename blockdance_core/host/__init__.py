"""Everything that knows ComfyUI: the blocks of its models, attaching a policy to a MODEL, and the life of a run."""
