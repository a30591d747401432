"""Where the agent's settings come from, and what they are: ours, and those of ECS's agent."""
