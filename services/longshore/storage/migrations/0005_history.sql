-- History that can be bounded, and asked for, without being counted or scanned. Conventions as in 0001; nothing that is there is
-- changed, so a release that does not know the column runs beside it (it counts nothing meanwhile, and history is bounded later).

-- The stopped tasks that are kept of the cluster; moves with the other counts, and goes down as retention forgets.
ALTER TABLE log_head ADD COLUMN stopped_tasks BIGINT NOT NULL DEFAULT 0;
UPDATE log_head SET stopped_tasks =
    (SELECT COUNT(*) FROM task_observations o WHERE o.cluster = log_head.cluster AND o.last_status = 8);

-- Filters of ListTasks that may match a handful of ten million tasks. Partial: the common values cost nothing on the hot path.
CREATE INDEX task_intents_by_service ON task_intents (cluster, group_name, task_id)
    WHERE group_name >= 'service:' AND group_name < 'service;';
CREATE INDEX task_intents_by_launch_type ON task_intents (cluster, launch_type, task_id) WHERE launch_type <> 1;
