-- The first shape. One text for all engines; words in braces are the engine's (see `dialect.rs`).
-- Moments are microseconds since 1970 (UTC), JSON is text, `*_folded` is the form for comparing without regard to case.

CREATE TABLE "user" (
    pk {identity},
    uuid {uuid} NOT NULL UNIQUE,
    username {text} NOT NULL UNIQUE,
    username_folded {text} NOT NULL,
    name {text} NOT NULL,
    name_folded {text} NOT NULL,
    email {text} NOT NULL,
    email_folded {text} NOT NULL,
    upn {text},
    upn_folded {text},
    is_active BOOLEAN NOT NULL,
    type {text} NOT NULL,
    path {text} NOT NULL,
    attributes {text} NOT NULL,
    password {text},
    password_change_date BIGINT NOT NULL,
    date_joined BIGINT NOT NULL,
    last_login BIGINT,
    last_updated BIGINT NOT NULL
);
CREATE INDEX user_username_folded ON "user" (username_folded);
CREATE INDEX user_email_folded ON "user" (email_folded);
CREATE INDEX user_upn_folded ON "user" (upn_folded);
CREATE INDEX user_path ON "user" (path);

CREATE TABLE "group" (
    pk {uuid} NOT NULL PRIMARY KEY,
    name {text} NOT NULL UNIQUE,
    name_folded {text} NOT NULL,
    is_superuser BOOLEAN NOT NULL,
    attributes {text} NOT NULL,
    last_updated BIGINT NOT NULL
);

CREATE TABLE group_parent (
    group_pk {uuid} NOT NULL REFERENCES "group" (pk) ON DELETE CASCADE,
    parent_pk {uuid} NOT NULL REFERENCES "group" (pk) ON DELETE CASCADE,
    PRIMARY KEY (group_pk, parent_pk)
);
CREATE INDEX group_parent_parent ON group_parent (parent_pk);

CREATE TABLE membership (
    group_pk {uuid} NOT NULL REFERENCES "group" (pk) ON DELETE CASCADE,
    user_pk BIGINT NOT NULL REFERENCES "user" (pk) ON DELETE CASCADE,
    PRIMARY KEY (group_pk, user_pk)
);
CREATE INDEX membership_user ON membership (user_pk, group_pk);

CREATE TABLE session (
    id {bytes} NOT NULL PRIMARY KEY,
    user_pk BIGINT REFERENCES "user" (pk) ON DELETE CASCADE,
    plan {text},
    turn BIGINT NOT NULL,
    data {text} NOT NULL,
    created BIGINT NOT NULL,
    last_used BIGINT NOT NULL,
    expires BIGINT NOT NULL,
    last_ip {text},
    last_user_agent {text} NOT NULL
);
CREATE INDEX "session_user" ON session (user_pk);
CREATE INDEX session_expires ON session (expires);
CREATE INDEX session_last_used ON session (last_used);

CREATE TABLE token (
    pk {uuid} NOT NULL PRIMARY KEY,
    identifier {text} NOT NULL UNIQUE,
    user_pk BIGINT NOT NULL REFERENCES "user" (pk) ON DELETE CASCADE,
    intent {text} NOT NULL,
    key_hash {bytes} NOT NULL UNIQUE,
    key_sealed {text},
    description {text} NOT NULL,
    expires BIGINT,
    managed {text},
    created BIGINT NOT NULL
);
CREATE INDEX token_user ON token (user_pk);
CREATE INDEX token_expires ON token (expires);

-- No foreign key to the account: what it did stays known after it is gone.
CREATE TABLE event (
    pk {uuid} NOT NULL PRIMARY KEY,
    action {text} NOT NULL,
    app {text} NOT NULL,
    actor {text} NOT NULL,
    user_pk BIGINT,
    context {text} NOT NULL,
    client_ip {text},
    created BIGINT NOT NULL,
    expires BIGINT NOT NULL
);
CREATE INDEX event_created ON event (created, pk);
CREATE INDEX event_action ON event (action, created, pk);
CREATE INDEX event_user ON event (user_pk, created, pk);
CREATE INDEX event_expires ON event (expires);

-- `due` is when somebody must look at the task: `run_at` while it waits, `lease_until` while it runs, null once it ended.
CREATE TABLE task (
    pk {uuid} NOT NULL PRIMARY KEY,
    name {text} NOT NULL,
    args {text} NOT NULL,
    state {text} NOT NULL,
    attempts BIGINT NOT NULL,
    max_attempts BIGINT NOT NULL,
    run_at BIGINT NOT NULL,
    due BIGINT,
    lease_until BIGINT,
    lease_owner {text},
    last_error {text},
    created BIGINT NOT NULL,
    finished BIGINT
);
CREATE INDEX task_due ON task (due, created, pk);
CREATE INDEX task_created ON task (created, pk);
CREATE INDEX task_finished ON task (finished);

CREATE TABLE setting (
    name {text} NOT NULL PRIMARY KEY,
    value {text} NOT NULL
);

CREATE TABLE revision (
    one BIGINT NOT NULL PRIMARY KEY CHECK (one = 1),
    number BIGINT NOT NULL
);
INSERT INTO revision (one, number) VALUES (1, 0);

CREATE TABLE object (
    pk {uuid} NOT NULL PRIMARY KEY,
    kind {text} NOT NULL,
    alias {uuid},
    version BIGINT NOT NULL,
    revision BIGINT NOT NULL,
    managed {text},
    deleted BOOLEAN NOT NULL,
    body {text} NOT NULL
);
CREATE INDEX object_revision ON object (revision, pk);

-- Objects are never removed (a tombstone stays), and a commit rewrites these two itself: no foreign keys to keep.
CREATE TABLE object_ref (
    source {uuid} NOT NULL,
    position BIGINT NOT NULL,
    field {text} NOT NULL,
    target {text} NOT NULL,
    PRIMARY KEY (source, position)
);
CREATE INDEX object_ref_target ON object_ref (target);

CREATE TABLE object_unique (
    kind {text} NOT NULL,
    field {text} NOT NULL,
    value {text} NOT NULL,
    object {uuid} NOT NULL,
    position BIGINT NOT NULL,
    PRIMARY KEY (kind, field, value)
);
CREATE INDEX object_unique_object ON object_unique (object, position);
