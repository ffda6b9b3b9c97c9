"""Studies as batch jobs: one for each variant, each on its own, telling what it does through the run's folder."""
