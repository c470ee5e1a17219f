-- Why people were refused, under the reference that they were shown.

CREATE TABLE decision_trace (
    reference {text} NOT NULL PRIMARY KEY,
    body {text} NOT NULL,
    created BIGINT NOT NULL,
    expires BIGINT NOT NULL
);
CREATE INDEX decision_trace_created ON decision_trace (created);
CREATE INDEX decision_trace_expires ON decision_trace (expires);
