"""Calls through keygate with Anthropic's package, a call and a stream, and the errors that it raises."""

import sys

import anthropic

url, key, read_only = sys.argv[1:]
MESSAGE = {
    "model": "tiny",
    "max_tokens": 8,
    "messages": [{"role": "user", "content": "Hello"}],
}


def client(**credentials):
    return anthropic.Anthropic(base_url=url, max_retries=0, **credentials)


def refused(caller):
    try:
        caller.messages.create(**MESSAGE)
    except anthropic.APIStatusError as error:
        code = error.body["error"]["code"]
        print(type(error).__name__, error.status_code, code, error.request_id.startswith("req-"))


for credentials in ({"api_key": key}, {"auth_token": key}):
    answer = client(**credentials).messages.create(**MESSAGE)
    print(answer.content[0].text)
with client(api_key=key).messages.stream(**MESSAGE) as stream:
    print("".join(stream.text_stream))
print(client(api_key=key).messages.count_tokens(model="tiny", messages=MESSAGE["messages"]).input_tokens)
print([model.id for model in client(api_key=key).models.list(limit=1000)])
refused(client(api_key="wrong"))
refused(client(api_key=read_only))
