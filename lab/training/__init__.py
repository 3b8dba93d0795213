"""Training of BlockDance-Ada without the page: `python3 -m lab.training --help`."""
