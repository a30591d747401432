"""What this host tells of its tasks by itself: task metadata, introspection, statistics."""
