"""A device built on the original's SDK: what does it say about manifests?

Arguments: a folder for what it remembers, and files with vectors. Prints one line for each:
the vector's name and `takes`, or `refuses` with the SDK's error.
"""

import collections
import collections.abc
import contextlib
import datetime
import json
import os
import sys
from unittest import mock

# The SDK is of 2017, when this name still stood here.
collections.Iterable = collections.abc.Iterable

from oneid import jwts, nonces  # noqa: E402
from oneid.keychain import Credentials, Keypair  # noqa: E402
from oneid.session import DeviceSession  # noqa: E402


def credentials(identity, pem):
    keypair = Keypair.from_public_pem(key_bytes=pem.encode())
    keypair.identity = identity
    return Credentials(identity, keypair)


def clock(now_s):
    """Sets the SDK's clock, and nothing else of it; without a time it goes on as it goes."""

    if now_s is None:
        return contextlib.nullcontext(), contextlib.nullcontext()

    class SetClock(datetime.datetime):
        @classmethod
        def utcnow(cls):
            return datetime.datetime.fromtimestamp(now_s, datetime.timezone.utc).replace(tzinfo=None)

    time = mock.Mock(time=lambda: now_s)
    return mock.patch.multiple(jwts, time=time), mock.patch.multiple(nonces, datetime=SetClock)


def remember(home, seen):
    """A device of its own for each vector, since the SDK remembers ids in its home."""
    os.makedirs(os.path.join(home, ".oneid"), exist_ok=True)
    with open(os.path.join(home, ".oneid", "used_nonces.txt"), "a") as file:
        file.writelines(jti + "\n" for jti in seen)
    os.environ["HOME"] = home


def judge(vector):
    project_id = vector["trusted"]["project_id"]
    session = DeviceSession(
        project_credentials=credentials(project_id, vector["trusted"]["project_pems"][-1]),
        oneid_credentials=credentials("project/" + project_id, vector["trusted"]["cosigner_pems"][-1]),
    )
    time, date = clock(vector["device"]["now_s"])
    with time, date:
        try:
            claims = session.verify_message(vector["manifest"])
        except Exception as error:  # the SDK refuses with whatever it stumbles over
            return "refuses " + type(error).__name__
    return "takes" if claims else "refuses"


def main():
    folder, *files = sys.argv[1:]
    for path in files:
        with open(path) as file:
            vector = json.load(file)
        remember(os.path.join(folder, vector["name"]), vector["device"]["seen"])
        print(vector["name"], judge(vector))


main()
