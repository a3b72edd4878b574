"""What the scripts of all Python clients have in common."""

import json
import sys
from importlib.metadata import version

ASKED = json.loads(sys.argv[1])
MODE = sys.argv[2]
MESSAGES = [{"role": "user", "content": "Hi"}]


def run(package, call, stream, describe):
    """Makes a call, a stream and each call that is refused; `call` and `stream` take a key and a model."""
    said = {
        "version": version(package),
        "call": call(ASKED["key"], "tiny"),
        "stream": "".join(stream(ASKED["key"], "tiny")),
        "refusals": [],
    }
    for refusal in ASKED["refusals"]:
        try:
            answer = call(refusal["key"], refusal["model"])
            raise SystemExit(f"{refusal} was answered {answer}")
        except Exception as error:
            described = {"class": type(error).__name__, "message": str(error), **describe(error)}
            said["refusals"].append(described)
    print(json.dumps(said))
