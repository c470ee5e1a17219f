// An application on openid-client: reads lines of JSON, answers with lines of JSON.
import readline from "node:readline";
import * as client from "openid-client";

const [issuer, clientId, clientSecret, redirectUri, scope, signedOut] = process.argv.slice(2);
const options = { execute: [client.allowInsecureRequests] }; // the server of a test speaks HTTP
const config = await client.discovery(new URL(issuer), clientId, clientSecret, undefined, options);

const verifier = client.randomPKCECodeVerifier();
const state = client.randomState();
const nonce = client.randomNonce();

const calls = {
  async login() {
    const challenge = await client.calculatePKCECodeChallenge(verifier);
    const parameters = { redirect_uri: redirectUri, scope, state, nonce, code_challenge: challenge, code_challenge_method: "S256" };
    return { location: client.buildAuthorizationUrl(config, parameters).href };
  },
  // Checks the state and `iss`, proves the verifier, and checks the ID token.
  async callback({ url }) {
    const checks = { pkceCodeVerifier: verifier, expectedState: state, expectedNonce: nonce, idTokenExpected: true };
    const tokens = await client.authorizationCodeGrant(config, new URL(url), checks);
    const claims = tokens.claims();
    const userinfo = await client.fetchUserInfo(config, tokens.access_token, claims.sub);
    const renewed = await client.refreshTokenGrant(config, tokens.refresh_token);
    const told = await client.tokenIntrospection(config, renewed.access_token);
    await client.tokenRevocation(config, renewed.access_token);
    const after = await client.tokenIntrospection(config, renewed.access_token);
    const end = client.buildEndSessionUrl(config, { post_logout_redirect_uri: signedOut, id_token_hint: tokens.id_token, state: "bye" });
    const machine = await client.clientCredentialsGrant(config, { scope: "openid" });
    return { claims, userinfo, active: told.active, after: after.active, end: end.href, machine: machine.token_type };
  },
};

for await (const line of readline.createInterface({ input: process.stdin })) {
  const asked = JSON.parse(line);
  let answer;
  try {
    answer = await calls[asked.call](asked);
  } catch (error) {
    answer = { error: String(error), cause: String(error.cause ?? ""), body: JSON.stringify(error.cause ?? null) };
  }
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
