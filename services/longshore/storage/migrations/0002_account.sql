-- What belongs to the account as a whole. Conventions as in 0001; nothing that is there is changed, so a release that does not
-- know these tables runs beside them.

-- Writer: registry. seal is the fingerprint of the key that sealed_secret was sealed under; role is the number of the Role.
CREATE TABLE access_keys (
    access_key_id {text} NOT NULL PRIMARY KEY,
    name {text} NOT NULL,
    role SMALLINT NOT NULL,
    created_at BIGINT NOT NULL,
    created_by {text} NOT NULL,
    seal {text} NOT NULL,
    sealed_secret {bytes} NOT NULL
);

-- Writer: registry. One row, made here: how many access keys there are. Who makes or deletes one holds its lock.
CREATE TABLE access_key_count (
    id SMALLINT NOT NULL PRIMARY KEY,
    access_keys BIGINT NOT NULL
);
INSERT INTO access_key_count (id, access_keys) VALUES (1, 0);

-- Writer: registry. Settings that were put. principal is what follows the account in a principal's ARN, user/ada for instance;
-- root holds the defaults of all.
CREATE TABLE account_settings (
    principal {text} NOT NULL,
    name {text} NOT NULL,
    value {text} NOT NULL,
    PRIMARY KEY (principal, name)
);

-- Writer: registry. Tags of the capacity providers that are always there; no row until one is tagged. tags is a serialised
-- ListTagsForResourceResponse, as in task_definitions.
CREATE TABLE capacity_provider_tags (
    name {text} NOT NULL PRIMARY KEY,
    tags {bytes} NOT NULL
);
