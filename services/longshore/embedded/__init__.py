"""Longshore on one machine: the control plane in one process, the agent in another."""
