-- What clients were given. No foreign keys to the provider, which is an object, nor to the session: what was given in one that has
-- ended is found, and refused.
CREATE TABLE oauth_grant (
    pk {identity},
    kind {text} NOT NULL,
    key_hash {bytes} NOT NULL UNIQUE,
    provider {uuid} NOT NULL,
    user_pk BIGINT NOT NULL REFERENCES "user" (pk) ON DELETE CASCADE,
    session {bytes},
    family {uuid} NOT NULL,
    scope {text} NOT NULL,
    data {text} NOT NULL,
    since BIGINT NOT NULL,
    created BIGINT NOT NULL,
    expires BIGINT NOT NULL,
    ended BIGINT
);
CREATE INDEX oauth_grant_family ON oauth_grant (family);
CREATE INDEX oauth_grant_session ON oauth_grant (session);
CREATE INDEX oauth_grant_user ON oauth_grant (user_pk, pk);
CREATE INDEX oauth_grant_provider ON oauth_grant (provider, pk);
CREATE INDEX oauth_grant_expires ON oauth_grant (expires);

-- What is to be done when a session ends: tasks that wait for that.
CREATE TABLE session_task (
    session {bytes} NOT NULL,
    subject {text} NOT NULL,
    pk {uuid} NOT NULL,
    name {text} NOT NULL,
    args {text} NOT NULL,
    max_attempts BIGINT NOT NULL,
    run_at BIGINT NOT NULL,
    PRIMARY KEY (session, subject)
);
