"""How a component of the control plane becomes a process of its own."""
