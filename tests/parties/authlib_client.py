"""An application on Authlib's Flask client: reads lines of JSON, answers with lines of JSON."""

import json
import os
import sys

os.environ["AUTHLIB_INSECURE_TRANSPORT"] = "1"  # the server of a test speaks HTTP

from authlib.integrations.flask_client import OAuth  # noqa: E402
from flask import Flask, jsonify  # noqa: E402

issuer, client_id, client_secret, redirect_uri, scope = sys.argv[1:6]
app = Flask(__name__)
app.secret_key = "only for this test"
provider = OAuth(app).register(
    "ak",
    client_id=client_id,
    client_secret=client_secret,
    server_metadata_url=issuer + ".well-known/openid-configuration",
    client_kwargs={"scope": scope, "code_challenge_method": "S256"},
)


@app.get("/login")
def login():
    return provider.authorize_redirect(redirect_uri)


@app.get("/callback")
def callback():
    # Checks the state, proves the verifier, and checks the ID token: signature, issuer, audience, times, nonce.
    token = provider.authorize_access_token()
    told = provider.userinfo(token=token)
    renewed = provider.fetch_access_token(grant_type="refresh_token", refresh_token=token["refresh_token"])
    return jsonify(
        id_token=dict(token["userinfo"]),
        userinfo=dict(told),
        renewed=dict(provider.userinfo(token=renewed)),
        raw_id_token=token["id_token"],
    )


browser = app.test_client()
for line in sys.stdin:
    asked = json.loads(line)
    answer = browser.get(asked["get"], base_url="https://app.example")
    body = answer.get_json(silent=True)
    print(json.dumps({"status": answer.status_code, "location": answer.headers.get("Location"), "body": body}), flush=True)
