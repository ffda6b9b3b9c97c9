"""Clusters: what a profile says of one, the jobs that run there, and the batch scripts of those jobs."""
