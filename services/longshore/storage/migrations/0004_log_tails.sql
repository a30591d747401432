-- The last lines of containers that have stopped. Conventions as in 0001; nothing that is there is changed, so a release that does
-- not know this table runs beside it.

-- Writer: state-tracker, from the agents' reports. body is a serialised LogTail. A row goes with its task's history.
CREATE TABLE log_tails (
    task_id {text} NOT NULL,
    container {text} NOT NULL,
    body {bytes} NOT NULL,
    PRIMARY KEY (task_id, container)
);
