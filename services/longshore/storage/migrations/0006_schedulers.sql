-- The scheduler processes, each with a lease of its own. Conventions as in 0001; nothing that is there is changed, so a release that does
-- not know this table runs beside it: it judges a lease by leases.expires_at, which is kept in the future for it.

-- Writer: scheduler, each process its own row; whoever finds one that ran out long ago deletes it. session: key of the advisory lock that
-- the process holds on a connection of its own, 0 while it holds none. leaving: 1 from the moment on at which it is being shut down.
CREATE TABLE schedulers (
    holder {text} NOT NULL PRIMARY KEY,
    address {text} NOT NULL,
    started_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    session BIGINT NOT NULL,
    leaving SMALLINT NOT NULL
);
