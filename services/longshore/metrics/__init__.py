"""What a process of the control plane measures of itself, and how it is shown (docs/metrics.md)."""
