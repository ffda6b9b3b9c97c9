"""What a search came to: its results table → trajectories, use of workers, importances, fronts."""
