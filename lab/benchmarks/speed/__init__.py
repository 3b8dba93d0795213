"""How near the time saved comes to the compute saved, what the pack itself costs, and what its cache takes."""
