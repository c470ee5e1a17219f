-- In the order of the lists that the API shows; and what belongs to an object that is deleted is found.
DROP INDEX oauth_grant_provider;
CREATE INDEX oauth_grant_provider ON oauth_grant (provider, expires, pk);
CREATE INDEX consent_application ON consent (application);
