"""OpenAI's Python package."""

import openai
from common import ASKED, MESSAGES, run


def client(key):
    return openai.OpenAI(base_url=ASKED["url"] + "/v1", api_key=key, max_retries=0)


def call(key, model):
    answer = client(key).chat.completions.create(model=model, messages=MESSAGES)
    return answer.choices[0].message.content


def stream(key, model):
    for piece in client(key).chat.completions.create(model=model, messages=MESSAGES, stream=True):
        yield piece.choices[0].delta.content or ""


run("openai", call, stream, lambda error: {"status": error.status_code, "request_id": error.request_id})
