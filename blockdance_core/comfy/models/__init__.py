"""Which blocks each of ComfyUI's models has: a row for each architecture."""
