"""ComfyUI: how a method is attached to a MODEL, a run's lifetime, its passes. The only part that imports comfy."""
