"""The `longshore` command: a client of the public library, and a launcher of components."""
