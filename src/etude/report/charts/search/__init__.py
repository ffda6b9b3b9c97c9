"""Charts of a search: each a plot made of what the analysis says."""
