"""The scheduler: what should run and where. Leadership, placement and the fenced commit of intent (docs/design/placement.md)."""
