"""What is done at each step, as data: plans, schedules, and the texts that plans are written in."""
