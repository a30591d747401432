"""The drill of one host: its agent, its Docker Engine, its network and its disks fail."""
