#!/usr/bin/env python3
"""Checks a Gatehouse release manifest with two public keys, without a network.

    verify.py PROJECT_ID PROJECT_NAME PROJECT.pem COSIGNER.pem MANIFEST
              [--hardware CHIP] [--version RUNS] [--counter N] [--seen JTI]... [--image FILE] [--now S]

Prints what is signed and exits with 0, or prints `refused: CODE` and exits with 1.
Each PEM file holds a key, or two while one is changed for the other.
Needs the package `cryptography`. What each step is for stands in manifest.md.
"""

import argparse
import base64
import datetime
import hashlib
import json
import re
import sys
import time
import zlib

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, utils

MAX_MANIFEST_BYTES = 16 * 1024
MAX_LIFETIME_S = 3600
EXPIRY_LEEWAY_S = 3
CLOCK_LEEWAY_S = 120


class Refused(Exception):
    """A manifest or an image that must not be used; the text is the code."""


def need(holds, code):
    if not holds:
        raise Refused(code)


def decode(text):
    """base64url in its one canonical spelling: no padding, no other alphabet, no loose bits."""
    need(re.fullmatch(r"[A-Za-z0-9_-]*", text) and len(text) % 4 != 1, "malformed")
    data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    need(base64.urlsafe_b64encode(data).rstrip(b"=").decode() == text, "malformed")
    return data


def read_object(data, code):
    def once(pairs):
        need(len(pairs) == len({name for name, _ in pairs}), code)
        return dict(pairs)

    def not_json(_):
        raise ValueError("NaN and Infinity are no JSON")

    try:
        found = json.loads(data.decode(), object_pairs_hook=once, parse_constant=not_json)
        json.dumps(found, ensure_ascii=False).encode()  # half a surrogate pair is no text
    except (ValueError, RecursionError):
        raise Refused(code) from None
    need(isinstance(found, dict), code)
    return found


def read_signature(found):
    header = read_object(decode(found["protected"]), "malformed")
    need(header.get("crit") is None, "malformed")
    for member in ("typ", "alg", "kid"):
        need(isinstance(header.get(member, ""), (str, type(None))), "malformed")
    need(header.get("alg") in ("ES256", "EdDSA"), "unsupported_algorithm")
    need(header.get("typ") in ("JOSE+JSON", "JOSE", "JWT"), "wrong_type")
    need(header.get("kid") is not None, "malformed")
    value = decode(found["signature"])
    need(len(value) == 64, "bad_signature")  # r and s, 32 bytes each: never DER
    return header["kid"], {"alg": header["alg"], "protected": found["protected"], "value": value}


def read_manifest(data):
    need(len(data) <= MAX_MANIFEST_BYTES, "too_long")
    manifest = read_object(data, "malformed")
    need(manifest.keys() == {"payload", "signatures"}, "malformed")
    need(isinstance(manifest["payload"], str), "malformed")
    need(isinstance(manifest["signatures"], list), "malformed")
    for found in manifest["signatures"]:
        need(isinstance(found, dict) and found.keys() == {"protected", "signature"}, "malformed")
        need(all(isinstance(text, str) for text in found.values()), "malformed")
    signatures = [read_signature(found) for found in manifest["signatures"]]
    need(signatures, "signature_missing")
    need(len(signatures) == len(dict(signatures)), "signature_doubled")
    return manifest["payload"], dict(signatures)


def algorithm(key):
    if isinstance(key, ed25519.Ed25519PublicKey):
        return "EdDSA"
    if isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1):
        return "ES256"
    raise Refused("wrong_key_type")


def is_signed_by(key, payload, signature):
    text = f"{signature['protected']}.{payload}".encode()
    value = signature["value"]
    try:
        if algorithm(key) == "EdDSA":
            key.verify(value, text)
        else:
            r, s = (int.from_bytes(half, "big") for half in (value[:32], value[32:]))
            der = utils.encode_dss_signature(r, s)
            key.verify(der, text, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        return False
    return True


def check_signature(payload, signature, keys):
    fitting = [key for key in keys if algorithm(key) == signature["alg"]]
    need(fitting, "wrong_key_type")
    need(any(is_signed_by(key, payload, signature) for key in fitting), "bad_signature")


def made_both(key, payload, signatures):
    fitting = [signature for signature in signatures if signature["alg"] == algorithm(key)]
    return len(fitting) == 2 and all(is_signed_by(key, payload, one) for one in fitting)


def check_signatures(payload, signatures, project_id, keys):
    """Exactly two: the project's and its co-signer's, each by its own key."""
    project, cosigner = project_id, f"project/{project_id}"
    if not signatures.keys() <= {project, cosigner}:
        foreign = len(signatures) == 2 and any(f"project/{kid}" in signatures for kid in signatures)
        raise Refused("other_project" if foreign else "unknown_signer")
    for kid in (project, cosigner):
        need(kid in signatures, "signature_missing")
        try:
            check_signature(payload, signatures[kid], keys[kid])
        except Refused as refused:
            every = [key for both in keys.values() for key in both]
            one_key = any(made_both(key, payload, signatures.values()) for key in every)
            need(refused.args != ("bad_signature",) or not one_key, "same_key_twice")
            raise


def is_whole(number, most):
    return type(number) is int and 0 <= number <= most


def read_claims(payload):
    claims = read_object(decode(payload), "no_manifest")
    for name in ("iss", "project", "version", "download_url", "sha256", "jti"):
        need(isinstance(claims.get(name), str), "no_manifest")
    for name, most in (("release_counter", 2**64 - 1), ("size_bytes", 2**64 - 1), ("checksum", 2**32 - 1)):
        need(is_whole(claims.get(name), most), "no_manifest")
    for name in ("nbf", "exp"):
        need(type(claims.get(name)) is int and abs(claims[name]) < 2**63, "no_manifest")
    need(type(claims.get("allow_downgrade")) is bool, "no_manifest")
    need(isinstance(claims.get("hardware"), list), "no_manifest")
    need(all(isinstance(kind, str) for kind in claims["hardware"]), "no_manifest")
    need(isinstance(claims.get("min_version", ""), (str, type(None))), "no_manifest")
    return claims


def check_times(claims, now_s):
    nbf_s, exp_s = claims["nbf"], claims["exp"]
    need(now_s - exp_s <= EXPIRY_LEEWAY_S, "expired")
    need(nbf_s - now_s <= CLOCK_LEEWAY_S, "not_yet_valid")
    need(exp_s - now_s <= MAX_LIFETIME_S + CLOCK_LEEWAY_S, "lifetime_too_long")
    need(exp_s - nbf_s <= MAX_LIFETIME_S, "lifetime_too_long")
    expiry = datetime.datetime.fromtimestamp(exp_s, datetime.timezone.utc)
    id_form = "002" + expiry.strftime("%Y-%m-%dT%H:%M:%SZ") + "[A-Za-z0-9]{6}"
    need(re.fullmatch(id_form, claims["jti"]), "bad_nonce")
    need(now_s <= exp_s, "expired")


def version_key(text):
    """Sorts versions as SemVer does; None for what is no version."""
    core, dash, pre = text.partition("+")[0].partition("-")
    if not re.fullmatch(r"[0-9]{1,9}\.[0-9]{1,9}\.[0-9]{1,9}", core):
        return None
    words = [(0, int(word), "") if word.isdecimal() else (1, 0, word) for word in pre.split(".")]
    return [int(number) for number in core.split(".")], dash == "", words


def reaches(version, least):
    version, least = version_key(version or ""), version_key(least)
    return version is not None and least is not None and version >= least


def check_addressee(claims, device):
    need(claims["project"] == device.project, "other_project")
    hardware = claims["hardware"]
    need(not hardware or device.hardware in hardware, "other_hardware")
    need(claims["release_counter"] >= device.counter or claims["allow_downgrade"], "counter_too_low")
    least = claims.get("min_version")
    same = device.version == claims["version"]
    need(least is None or same or reaches(device.version, least), "version_too_low")


def verify(data, project_id, keys, device):
    """Answers the claims of a manifest that `device` may follow."""
    payload, signatures = read_manifest(data)
    first, second = ({public_bytes(key) for key in both} for both in keys.values())
    need(not first & second, "same_key_twice")
    check_signatures(payload, signatures, project_id, keys)
    claims = read_claims(payload)
    check_times(claims, device.now)
    need(claims["jti"] not in device.seen, "already_seen")
    check_addressee(claims, device)
    return claims


def check_image(stream, claims):
    """Reads no further than one byte more than was signed."""
    sha256, checksum, left_bytes = hashlib.sha256(), 0, claims["size_bytes"]
    while piece := stream.read(min(65536, left_bytes + 1)):
        left_bytes -= len(piece)
        need(left_bytes >= 0, "image_too_long")
        sha256.update(piece)
        checksum = zlib.crc32(piece, checksum)
    need(left_bytes == 0, "image_too_short")
    same = sha256.hexdigest() == claims["sha256"] and checksum == claims["checksum"]
    need(same, "image_differs")


def public_bytes(key):
    return key.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def public_keys(file):
    """Reads the keys of one signer."""
    try:
        blocks = re.findall(rb"-----BEGIN.*?-----END[^\n]*", file.read(), re.DOTALL)
        keys = [serialization.load_pem_public_key(block) for block in blocks]
    except (ValueError, UnsupportedAlgorithm):
        raise Refused("bad_key") from None
    need(keys, "bad_key")
    for key in keys:
        algorithm(key)
    return keys


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("project_id")
    parser.add_argument("project")
    parser.add_argument("project_keys", type=argparse.FileType("rb"))
    parser.add_argument("cosigner_keys", type=argparse.FileType("rb"))
    parser.add_argument("manifest", type=argparse.FileType("rb"))
    parser.add_argument("--hardware")
    parser.add_argument("--version")
    parser.add_argument("--counter", type=int, default=0)
    parser.add_argument("--seen", action="append", default=[])
    parser.add_argument("--now", type=int, default=int(time.time()))
    parser.add_argument("--image", type=argparse.FileType("rb"))
    return parser.parse_args()


def main():
    device = arguments()
    try:
        keys = {
            device.project_id: public_keys(device.project_keys),
            f"project/{device.project_id}": public_keys(device.cosigner_keys),
        }
        data = device.manifest.read(MAX_MANIFEST_BYTES + 1)
        claims = verify(data, device.project_id, keys, device)
        if device.image:
            check_image(device.image, claims)
    except Refused as refused:
        print(f"refused: {refused}")
        return 1
    print(f"{claims['project']} {claims['version']}, release {claims['release_counter']}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
