"""Pictures of what was executed and of what was measured, drawn with Pillow: readable at one pixel per pixel."""
