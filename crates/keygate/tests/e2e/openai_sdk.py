"""What OpenAI's own Python package sees through the gateway."""

import sys

import openai

base_url, key, read_only, malformed = sys.argv[1:5]


def client(api_key):
    return openai.OpenAI(base_url=base_url, api_key=api_key, max_retries=0)


good = client(key)
messages = [{"role": "user", "content": "Hello there"}]

models = [model.id for model in good.models.list()]
assert models == ["echo"], models

answer = good.chat.completions.create(model="echo", messages=messages)
said = answer.choices[0].message.content
assert said == "This is the demo's echo. You said: Hello there", said

stream = good.chat.completions.create(model="echo", messages=messages, stream=True)
chunks = [chunk.choices[0].delta.content for chunk in stream]
assert len(chunks) == 10, chunks
assert "".join(chunk or "" for chunk in chunks) == said, chunks

for bad in (malformed, "ask_000000000000000000000000002Th9kM"):
    try:
        client(bad).models.list()
    except openai.AuthenticationError as error:
        assert error.code == "invalid_api_key", error
        assert error.request_id.startswith("req-"), error.request_id
    else:
        raise AssertionError("a bad key was accepted")

try:
    client(read_only).chat.completions.create(model="echo", messages=messages)
except openai.PermissionDeniedError as error:
    assert error.code == "insufficient_scope", error
else:
    raise AssertionError("a missing scope was overlooked")

print("all is well")
