"""The job of the original firmware server, in its own tools: check the HS256 token, send the file.

A peer for `cargo xtask bench`, which starts it under gunicorn. Only the paths that are measured
are here, and the one that makes the token for them.

Environment: FIRMWARE_DIR holds <project>/<file>; TOKEN_SECRET signs; ADMIN_SECRET may ask for tokens.
"""

import hmac
import os
import time
import uuid

import jwt
from flask import Flask, abort, jsonify, request, send_file
from werkzeug.utils import safe_join

FIRMWARE_DIR = os.environ["FIRMWARE_DIR"]
TOKEN_SECRET = os.environ["TOKEN_SECRET"]
ADMIN_SECRET = os.environ["ADMIN_SECRET"]
DEFAULT_MINUTES = 30

app = Flask(__name__)


@app.post("/admin/generate_token")
def generate_token():
    if not hmac.compare_digest(request.headers.get("X-Admin-Secret", ""), ADMIN_SECRET):
        abort(403)
    wish = request.get_json()
    now_s = int(time.time())
    payload = {
        "sub": wish["device_id"],
        "project": wish["project"],
        "roles": ["device", "ota_client"],
        "iat": now_s,
        "exp": now_s + 60 * wish.get("expires_minutes", DEFAULT_MINUTES),
        "jti": str(uuid.uuid4()),
        "fw_version": wish.get("current_fw", "1.0.0"),
    }
    return jsonify(token=jwt.encode(payload, TOKEN_SECRET, algorithm="HS256"), payload=payload)


@app.get("/firmware/<project>/<file>")
def firmware(project, file):
    if bearer_claims()["project"] != project:
        abort(403, "Token not valid for this project")
    path = safe_join(FIRMWARE_DIR, project, file)
    if path is None or not os.path.isfile(path):
        abort(404)
    return send_file(path, mimetype="application/octet-stream", as_attachment=True)


def bearer_claims():
    kind, _, token = request.headers.get("Authorization", "").partition(" ")
    if kind != "Bearer":
        abort(401, "Missing token")
    try:
        return jwt.decode(token, TOKEN_SECRET, algorithms=["HS256"], options={"require": ["exp", "project"]})
    except jwt.ExpiredSignatureError:
        abort(401, "Token expired")
    except jwt.InvalidTokenError:
        abort(401, "Invalid token")
