-- The passwords that accounts had, where a policy asks for them: in the order of their keys.

CREATE TABLE password_history (
    pk {identity},
    user_pk BIGINT NOT NULL REFERENCES "user" (pk) ON DELETE CASCADE,
    hash {text} NOT NULL,
    created BIGINT NOT NULL
);
CREATE INDEX password_history_user ON password_history (user_pk, pk);
