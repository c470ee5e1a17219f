"""An application that signs people in by OpenID Connect: http://localhost:8081

    python3 -m venv venv && venv/bin/pip install authlib==1.9.9 flask==3.1.3 requests==2.34.2
    venv/bin/python tests/examples/client.py
"""

import os

os.environ["AUTHLIB_INSECURE_TRANSPORT"] = "1"  # to try it out without TLS

from authlib.integrations.flask_client import OAuth  # noqa: E402
from flask import Flask, jsonify, redirect, session, url_for  # noqa: E402

ISSUER = os.environ.get("ISSUER", "http://localhost:9000/application/o/first-client/")
PORT = int(os.environ.get("PORT", "8081"))

app = Flask(__name__)
app.secret_key = os.urandom(32)
ak = OAuth(app).register(
    "ak",
    client_id="first-client",
    client_secret="only-for-trying-out",
    server_metadata_url=ISSUER + ".well-known/openid-configuration",
    client_kwargs={"scope": "openid profile email", "code_challenge_method": "S256"},
)


@app.get("/")
def home():
    if "person" not in session:
        return redirect(url_for("login"))
    return jsonify(session["person"])


@app.get("/login")
def login():
    return ak.authorize_redirect(url_for("callback", _external=True))


@app.get("/callback")
def callback():
    session["person"] = dict(ak.authorize_access_token()["userinfo"])
    return redirect(url_for("home"))


if __name__ == "__main__":
    app.run(host="127.0.0.1", port=PORT)
