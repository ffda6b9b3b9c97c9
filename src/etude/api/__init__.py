"""Studies from Python and notebooks: built from plain functions or loaded from a file, run, and looked at."""
