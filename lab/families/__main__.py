"""`python3 -m lab.families`, with any Python from 3.10, writes docs/models.md from the table."""

from .page import PAGE, written

PAGE.write_text(written(), encoding="utf-8")
print(f"written: {PAGE}")
