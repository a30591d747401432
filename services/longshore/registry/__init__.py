"""The registry: clusters, task definitions and tags. What a definition must be and what ECS makes of it (docs/design/registry.md)."""
