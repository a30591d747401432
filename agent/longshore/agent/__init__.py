"""The agent: runs one host's containers and reports what they do."""
