"""Hosts without containers: a ContainerRuntime with realistic timing, and thousands of agents over it in one process."""
