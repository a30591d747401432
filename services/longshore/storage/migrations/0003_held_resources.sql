-- What tasks hold beside CPU, memory and static ports, in columns, so that a takeover reads no bodies.

-- Written by the scheduler with the intent: JSON, by the name of the resource the ids taken, or how many where it is only counted
-- (storage.held). NULL when none.
ALTER TABLE task_intents ADD COLUMN resources {text};

-- Written by the state-tracker with the observation: the host ports that the agent reports (`49153-49162/tcp,53/udp`), empty when
-- none. NULL where a release wrote the row that did not know of the column; then its body says.
ALTER TABLE task_observations ADD COLUMN ports {text};
CREATE INDEX task_observations_ports ON task_observations (cluster) WHERE released = 0 AND (ports IS NULL OR ports <> '');
