"""The drill of a control plane: its processes, its database, its bus, its network and its clocks fail."""
