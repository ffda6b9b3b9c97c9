"""Adaptive search: spaces, trials, samplers behind one protocol, and the driver that keeps every worker busy."""
