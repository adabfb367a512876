"""The other side of test_cwt_oracle.py, run by an interpreter that has the package cwt: signs and opens for us.

Reads one JSON object per line from standard input, writes one per line; imports nothing of ours.
"""

import json
import sys

from cwt import COSE, COSEAlgs, COSEHeaders, COSEKey


def answer(ask: dict[str, str]) -> dict[str, str]:
    aad, message = bytes.fromhex(ask["aad"]), bytes.fromhex(ask["message"])
    alg = {"-8": COSEAlgs.EDDSA, "-19": COSEAlgs.ED25519}[ask["alg"]]
    kid, x, d = (bytes.fromhex(ask[name]) for name in ("kid", "x", "d"))
    # RFC 9053 section 7.2: key type 1 (OKP), its id, algorithm, curve 6 (Ed25519), public and private part.
    key = COSEKey.new({1: 1, 2: kid, 3: int(alg), -1: 6, -2: x, -4: d})
    if ask["do"] == "open":
        return {"payload": COSE.new().decode(message, key, external_aad=aad).hex()}
    protected = {COSEHeaders.ALG: alg, COSEHeaders.KID: kid}
    return {"sealed": COSE.new().encode_and_sign(message, key, protected, {}, external_aad=aad).hex()}


def main() -> None:
    for line in sys.stdin:
        try:
            reply = answer(json.loads(line))
        except Exception as error:  # the oracle's refusals are what is asked for
            reply = {"error": f"{type(error).__name__}: {error}"}
        sys.stdout.write(json.dumps(reply) + "\n")


if __name__ == "__main__":
    main()
