-- What a search looks into, in the form for comparing without regard to case: name, intent and description.
ALTER TABLE token ADD COLUMN search_folded {text} NOT NULL DEFAULT '';
UPDATE token SET search_folded = lower(identifier || ' ' || intent || ' ' || description);

-- Who has which role. Roles are objects, so their keys are not foreign keys: a commit that deletes a role forgets its members.
CREATE TABLE role_user (
    user_pk BIGINT NOT NULL REFERENCES "user" (pk) ON DELETE CASCADE,
    role {uuid} NOT NULL,
    PRIMARY KEY (user_pk, role)
);
CREATE INDEX role_user_role ON role_user (role, user_pk);

CREATE TABLE role_group (
    group_pk {uuid} NOT NULL REFERENCES "group" (pk) ON DELETE CASCADE,
    role {uuid} NOT NULL,
    PRIMARY KEY (group_pk, role)
);
CREATE INDEX role_group_role ON role_group (role, group_pk);
