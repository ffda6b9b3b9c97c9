"""Strategies that propose points. Each is a pure function of (space, seed, what it was told)."""
