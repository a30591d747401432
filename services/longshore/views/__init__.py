"""What is shown of the stored halves: pure functions from rows to ECS's messages, shared by all components."""
