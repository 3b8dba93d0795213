"""What a model's blocks do from step to step, and what that recommends."""
