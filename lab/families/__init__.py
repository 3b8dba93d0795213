"""docs/models.md: what to do with each family of models, written from one table."""
