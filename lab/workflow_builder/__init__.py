"""Development only: writes the workflow templates, their API twins and their thumbnails from short descriptions.

`python3 -m lab.workflow_builder [name ...]` builds each description of catalogue.py in ComfyUI's own page and
lets the page
export it, so that the files are what a person would have saved there.
"""
