"""Capacity planning: what would fit where, and how many instances it takes."""
