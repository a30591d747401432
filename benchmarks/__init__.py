"""Measurements of Longshore against what a user would pick instead, in the same run, as ratios: `make bench`."""
