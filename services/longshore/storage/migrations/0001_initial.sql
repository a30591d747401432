-- The running core. Column types: {text} compares by bytes in both engines, {bytes} holds a serialised protobuf message,
-- times are microseconds since the epoch by the database's clock, booleans are SMALLINT 0 or 1.
-- Each table names its one writing component; log_head and events are written by all, through storage.log alone.

-- Writer: registry. A deleted cluster keeps its row, INACTIVE, so that what refers to it can still be described.
CREATE TABLE clusters (
    name {text} NOT NULL PRIMARY KEY,
    status SMALLINT NOT NULL,
    created_at BIGINT NOT NULL,
    body {bytes} NOT NULL
);

-- Writer: all, through storage.log. One row per cluster, made with the cluster. Every commit that appends events takes its
-- numbers here, so the row lock makes sequence order commit order. The counts ride on the same update.
CREATE TABLE log_head (
    cluster {text} NOT NULL PRIMARY KEY,
    sequence BIGINT NOT NULL,
    pruned_sequence BIGINT NOT NULL,
    registered_instances BIGINT NOT NULL,
    pending_tasks BIGINT NOT NULL,
    running_tasks BIGINT NOT NULL,
    active_services BIGINT NOT NULL
);

CREATE TABLE events (
    cluster {text} NOT NULL,
    sequence BIGINT NOT NULL,
    at BIGINT NOT NULL,
    body {bytes} NOT NULL,
    PRIMARY KEY (cluster, sequence)
);

-- Writer: registry. last_revision never goes back, also when every revision was deleted.
CREATE TABLE task_definition_families (
    family {text} NOT NULL PRIMARY KEY,
    last_revision BIGINT NOT NULL,
    active_revisions BIGINT NOT NULL,
    latest_active BIGINT NOT NULL
);

-- Writer: registry. status is the number of the TaskDefinitionStatus; the body never changes but for status and its times.
CREATE TABLE task_definitions (
    family {text} NOT NULL,
    revision BIGINT NOT NULL,
    status SMALLINT NOT NULL,
    registered_at BIGINT NOT NULL,
    deregistered_at BIGINT,
    delete_requested_at BIGINT,
    body {bytes} NOT NULL,
    tags {bytes} NOT NULL,
    PRIMARY KEY (family, revision)
);
CREATE INDEX task_definitions_by_status ON task_definitions (status, family, revision);

-- Writer: scheduler. One row per cluster that ever had a leader; epoch grows with every takeover.
CREATE TABLE leases (
    cluster {text} NOT NULL PRIMARY KEY,
    holder {text} NOT NULL,
    address {text} NOT NULL,
    epoch BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);

-- Writer: scheduler. The intent half of a task. desired_status is RUNNING (1) or STOPPED (3), as in DesiredStatus, and only
-- moves forward. revision counts the changes of this half. settled: the release was seen and its resources given back, so the
-- row is history. cpu in CPU units, memory in MiB; ports is a serialised list of reserved static host ports, NULL when none.
CREATE TABLE task_intents (
    task_id {text} NOT NULL PRIMARY KEY,
    cluster {text} NOT NULL,
    instance_id {text} NOT NULL,
    family {text} NOT NULL,
    definition_revision BIGINT NOT NULL,
    group_name {text} NOT NULL,
    started_by {text} NOT NULL,
    launch_type SMALLINT NOT NULL,
    desired_status SMALLINT NOT NULL,
    stop_code SMALLINT NOT NULL,
    stopped_reason {text} NOT NULL,
    created_at BIGINT NOT NULL,
    stopping_at BIGINT,
    revision BIGINT NOT NULL,
    assignment_revision BIGINT NOT NULL,
    settled SMALLINT NOT NULL,
    cpu BIGINT NOT NULL,
    memory BIGINT NOT NULL,
    ports {text},
    body {bytes} NOT NULL
);
CREATE INDEX task_intents_by_cluster ON task_intents (cluster, task_id);
CREATE INDEX task_intents_live ON task_intents (instance_id, assignment_revision) WHERE settled = 0;
CREATE INDEX task_intents_live_by_cluster ON task_intents (cluster, task_id) WHERE settled = 0;
CREATE INDEX task_intents_by_family ON task_intents (cluster, family, task_id);
CREATE INDEX task_intents_by_started_by ON task_intents (cluster, started_by, task_id) WHERE started_by <> '';
CREATE INDEX task_intents_by_instance ON task_intents (instance_id, task_id);

-- Writer: scheduler. One row per instance that was ever given work. revision numbers its assignment; placed counts the tasks
-- that were ever placed on it, so that pending = placed - left_pending (instance_counts).
CREATE TABLE assignments (
    instance_id {text} NOT NULL PRIMARY KEY,
    cluster {text} NOT NULL,
    revision BIGINT NOT NULL,
    placed BIGINT NOT NULL
);

-- Writer: scheduler. Answers of RunTask and StartTask under a client token, kept 24 hours.
CREATE TABLE client_tokens (
    principal {text} NOT NULL,
    operation {text} NOT NULL,
    cluster {text} NOT NULL,
    token {text} NOT NULL,
    request_hash {bytes} NOT NULL,
    answer {bytes} NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (principal, operation, cluster, token)
);
CREATE INDEX client_tokens_by_age ON client_tokens (created_at);

-- Writer: state-tracker. Every change that placement must know of (registration, state, resources, attributes, connection)
-- bumps the revision in its transaction; a placement commit share-locks the row.
CREATE TABLE membership (
    cluster {text} NOT NULL PRIMARY KEY,
    revision BIGINT NOT NULL
);

-- Writer: state-tracker. body is a ContainerInstance without counts, status and connection. membership_revision is the
-- cluster's at the last change of this row. given_up: its tasks were declared stopped while it was silent. connected_at and
-- disconnected_at: when that happened last, NULL where it never did.
CREATE TABLE container_instances (
    instance_id {text} NOT NULL PRIMARY KEY,
    cluster {text} NOT NULL,
    status SMALLINT NOT NULL,
    status_reason {text} NOT NULL,
    connected SMALLINT NOT NULL,
    given_up SMALLINT NOT NULL,
    membership_revision BIGINT NOT NULL,
    version BIGINT NOT NULL,
    registered_at BIGINT NOT NULL,
    connected_at BIGINT,
    disconnected_at BIGINT,
    credential_hash {bytes} NOT NULL,
    body {bytes} NOT NULL
);
CREATE INDEX container_instances_by_cluster ON container_instances (cluster, instance_id);
CREATE INDEX container_instances_by_change ON container_instances (cluster, membership_revision);

-- Writer: state-tracker. The session half of an instance, apart because it is written far more often. epoch fences reports,
-- recorded_report is the number of the last one recorded.
CREATE TABLE instance_sessions (
    instance_id {text} NOT NULL PRIMARY KEY,
    cluster {text} NOT NULL,
    epoch BIGINT NOT NULL,
    tracker_id {text} NOT NULL,
    process_id {text} NOT NULL,
    recorded_report BIGINT NOT NULL,
    running BIGINT NOT NULL,
    left_pending BIGINT NOT NULL
);
CREATE INDEX instance_sessions_by_tracker ON instance_sessions (tracker_id);

-- Writer: state-tracker. One lease per tracker process; one that has run out leaves its instances without a session.
CREATE TABLE trackers (
    tracker_id {text} NOT NULL PRIMARY KEY,
    address {text} NOT NULL,
    expires_at BIGINT NOT NULL
);

-- Writer: state-tracker. The observation half of a task; no row until the first report. last_status is the number of the
-- TaskStatus and only moves forward. revision counts the changes of this half. body is a TaskObservation.
CREATE TABLE task_observations (
    task_id {text} NOT NULL PRIMARY KEY,
    cluster {text} NOT NULL,
    instance_id {text} NOT NULL,
    last_status SMALLINT NOT NULL,
    stop_code SMALLINT NOT NULL,
    stopped_reason {text} NOT NULL,
    stop_cause_at BIGINT,
    started_at BIGINT,
    stopped_at BIGINT,
    released SMALLINT NOT NULL,
    revision BIGINT NOT NULL,
    body {bytes} NOT NULL
);
CREATE INDEX task_observations_unreleased ON task_observations (instance_id) WHERE released = 0;
