-- Tasks that wait for capacity (docs/design/waiting.md). Conventions as in 0001; nothing that is there is changed, so a release that
-- does not know these tables runs beside them. A task that waits has its row in task_intents, with an empty instance_id.

-- Writer: scheduler. One row per request of which a task still waits. request_key is the id of its first task. deadline_at is by the
-- database's clock. reason: why no instance took the tasks when somebody last looked, with the numbers. body is a WaitingRecord.
CREATE TABLE waiting_requests (
    request_key {text} NOT NULL PRIMARY KEY,
    cluster {text} NOT NULL,
    priority SMALLINT NOT NULL,
    waiting_since BIGINT NOT NULL,
    deadline_at BIGINT NOT NULL,
    reason {text} NOT NULL,
    body {bytes} NOT NULL
);
CREATE INDEX waiting_requests_by_cluster ON waiting_requests (cluster, request_key);

-- Writer: scheduler. One row per task that waits. rank orders the cluster's queue, the lowest first: waiting_since, less what the
-- priority counts for.
CREATE TABLE waiting_tasks (
    task_id {text} NOT NULL PRIMARY KEY,
    cluster {text} NOT NULL,
    request_key {text} NOT NULL,
    rank BIGINT NOT NULL
);
CREATE INDEX waiting_tasks_in_order ON waiting_tasks (cluster, rank, task_id);
CREATE INDEX waiting_tasks_by_request ON waiting_tasks (request_key);
