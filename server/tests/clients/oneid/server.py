"""A server built on the original's SDK that has a message co-signed, and the device that reads it.

Arguments: a folder with keys, the server's id, the project's id. Prints the claims that the device
read, or that the co-signer refused.
"""

import collections
import collections.abc
import json
import os
import sys

# The SDK is of 2017, when this name still stood here.
collections.Iterable = collections.abc.Iterable

from oneid.exceptions import InvalidAuthentication  # noqa: E402
from oneid.keychain import Credentials, Keypair  # noqa: E402
from oneid.session import DeviceSession, ServerSession  # noqa: E402


def credentials(identity, read, path):
    with open(path, "rb") as file:
        keypair = read(key_bytes=file.read())
    keypair.identity = identity
    return Credentials(identity, keypair)


def main():
    folder, server_id, project_id = sys.argv[1:]
    os.environ["HOME"] = folder
    pem = lambda name: os.path.join(folder, name)  # noqa: E731
    project = credentials(project_id, Keypair.from_secret_pem, pem("project.pem"))
    cosigner = credentials("project/" + project_id, Keypair.from_public_pem, pem("cosigner.pem"))
    server = ServerSession(
        identity_credentials=credentials(server_id, Keypair.from_secret_pem, pem("identity.pem")),
        project_credentials=project,
        oneid_credentials=cosigner,
    )
    device = DeviceSession(project_credentials=project, oneid_credentials=cosigner)
    try:
        message = server.prepare_message(open={"door": "barn", "minutes": 5})
    except InvalidAuthentication:
        print("InvalidAuthentication")
        return
    print(json.dumps(device.verify_message(message)))


main()
