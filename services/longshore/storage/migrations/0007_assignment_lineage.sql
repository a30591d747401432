-- Which line of assignments a revision belongs to, so that a revision from after a back-up is told from the same number after its restore.

-- Written by the scheduler with the revision. Each scheduler process has a lineage of its own, drawn when it starts. lineage is that of the
-- newest revision and goes on from lineage_base, up to which the revisions are former_lineage's, or older. 0: written by a release that did
-- not know of it.
ALTER TABLE assignments ADD COLUMN lineage BIGINT NOT NULL DEFAULT 0;
ALTER TABLE assignments ADD COLUMN lineage_base BIGINT NOT NULL DEFAULT 0;
ALTER TABLE assignments ADD COLUMN former_lineage BIGINT NOT NULL DEFAULT 0;
