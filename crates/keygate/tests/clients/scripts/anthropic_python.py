"""Anthropic's Python package, with a key (`x-api-key`) or a token (`Authorization`)."""

import anthropic
from common import ASKED, MESSAGES, MODE, run


def client(key):
    return anthropic.Anthropic(base_url=ASKED["url"], max_retries=0, **{MODE: key})


def call(key, model):
    return client(key).messages.create(model=model, max_tokens=8, messages=MESSAGES).content[0].text


def stream(key, model):
    with client(key).messages.stream(model=model, max_tokens=8, messages=MESSAGES) as pieces:
        yield from pieces.text_stream


def describe(error):
    return {"status": error.status_code, "request_id": getattr(error, "request_id", None)}


run("anthropic", call, stream, describe)
