"""The event bus, a hint that something was committed, and the tail that makes a gapless stream of hint and log."""
