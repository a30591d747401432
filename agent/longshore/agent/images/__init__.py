"""Which images are kept on this host, and for how long."""
