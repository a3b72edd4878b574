"""LiteLLM's package."""

import litellm
from common import ASKED, MESSAGES, run

litellm.suppress_debug_info = True


def complete(key, model, **more):
    return litellm.completion(
        model=f"openai/{model}",
        api_base=ASKED["url"] + "/v1",
        api_key=key,
        messages=MESSAGES,
        max_retries=0,
        **more,
    )


def call(key, model):
    return complete(key, model).choices[0].message.content


def stream(key, model):
    for piece in complete(key, model, stream=True):
        yield piece.choices[0].delta.content or ""


def describe(error):
    return {"status": None, "request_id": None}


run("litellm", call, stream, describe)
