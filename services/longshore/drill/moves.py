"""What may follow what in the events of a task and of its containers (docs/design/task-lifecycle.md): a table of the drills' own. Pure."""

TASK = {
    "": {"PROVISIONING", "PENDING"},
    "PROVISIONING": {"PROVISIONING", "PENDING", "STOPPED"},
    "PENDING": {"PENDING", "RUNNING", "STOPPING", "STOPPED"},
    "RUNNING": {"RUNNING", "STOPPING", "STOPPED"},
    "STOPPING": {"STOPPING", "STOPPED"},
    "STOPPED": {"STOPPED"},
}
"""What may follow what in a task's events (docs/design/task-lifecycle.md). The first of them tells of a task that was just placed."""

CONTAINER = {
    "": {"PENDING", "RUNNING", "STOPPED"},
    "PENDING": {"PENDING", "RUNNING", "STOPPED"},
    "RUNNING": {"RUNNING", "STOPPED"},
    "STOPPED": {"STOPPED"},
}
