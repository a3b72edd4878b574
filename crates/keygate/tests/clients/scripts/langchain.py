"""LangChain's package for APIs like OpenAI's."""

from common import ASKED, run
from langchain_openai import ChatOpenAI


def model_of(key, model):
    return ChatOpenAI(base_url=ASKED["url"] + "/v1", api_key=key, model=model, max_retries=0)


def call(key, model):
    return model_of(key, model).invoke("Hi").content


def stream(key, model):
    for piece in model_of(key, model).stream("Hi"):
        yield piece.content


run("langchain-openai", call, stream, lambda error: {"status": error.status_code, "request_id": error.request_id})
