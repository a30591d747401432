"""Drills: a world of its own, in which things go wrong on purpose, and a judgement of what came of it (docs/design/drill.md)."""
