"""Meters read in the background: their logs, the curves made of them, and the windows that are marked meanwhile."""
