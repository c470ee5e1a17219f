-- How those who try to sign in have done lately. No foreign key to the account: names are tried that nobody has.

CREATE TABLE reputation (
    pk {uuid} NOT NULL PRIMARY KEY,
    identifier {text} NOT NULL,
    identifier_folded {text} NOT NULL,
    ip {text} NOT NULL,
    score BIGINT NOT NULL,
    updated BIGINT NOT NULL,
    expires BIGINT NOT NULL,
    UNIQUE (identifier, ip)
);
CREATE INDEX reputation_ip ON reputation (ip);
CREATE INDEX reputation_expires ON reputation (expires);
