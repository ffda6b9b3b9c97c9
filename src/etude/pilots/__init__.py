"""Runs nodes in the jobs of a cluster: pilots, that take one node after another until none is left."""
