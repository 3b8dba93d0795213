"""The methods of the papers: each makes a plan from its settings, the schedule and the model's blocks."""
