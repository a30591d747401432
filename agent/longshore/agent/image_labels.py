"""Labels on images that mean something to the agent."""

INTERNAL = "com.longshore.internal"
"""On images of the agent itself, as that of the pause container: never cleaned up."""
