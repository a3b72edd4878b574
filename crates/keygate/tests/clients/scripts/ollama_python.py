"""Ollama's Python package, on Ollama's own paths."""

import ollama
from common import ASKED, MESSAGES, run


def client(key):
    return ollama.Client(host=ASKED["url"], headers={"Authorization": f"Bearer {key}"})


def call(key, model):
    return client(key).chat(model=model, messages=MESSAGES).message.content


def stream(key, model):
    for piece in client(key).chat(model=model, messages=MESSAGES, stream=True):
        yield piece.message.content


run("ollama", call, stream, lambda error: {"status": error.status_code, "request_id": None})
