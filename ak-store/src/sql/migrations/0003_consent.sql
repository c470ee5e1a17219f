-- What people have agreed that applications get. No foreign key to the application: it is an object.

CREATE TABLE consent (
    pk {identity},
    user_pk BIGINT NOT NULL REFERENCES "user" (pk) ON DELETE CASCADE,
    application {uuid} NOT NULL,
    permissions {text} NOT NULL,
    expires BIGINT,
    UNIQUE (user_pk, application)
);
CREATE INDEX consent_expires ON consent (expires);
