"""Logs of a task's containers, read for whoever asks, and their last lines when they have stopped."""
