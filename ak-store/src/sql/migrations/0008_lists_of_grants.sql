-- In the order of the lists that the API shows; and what belongs to an object that is deleted is found.
DROP INDEX oauth_grant_provider;
CREATE INDEX oauth_grant_provider ON oauth_grant (provider, expires, pk);
CREATE INDEX consent_application ON consent (application);

-- Most that machines are given belongs to no session, and need not be found by one.
DROP INDEX oauth_grant_session;
CREATE INDEX oauth_grant_session ON oauth_grant (session) WHERE session IS NOT NULL;

-- What belongs to objects that were deleted before they took it along.
DELETE FROM consent WHERE application NOT IN (SELECT pk FROM object WHERE NOT deleted);
DELETE FROM oauth_grant WHERE provider NOT IN (SELECT pk FROM object WHERE NOT deleted);
