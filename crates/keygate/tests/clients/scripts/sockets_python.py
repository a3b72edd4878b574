"""OpenAI's Python package, over WebSockets: what is said on each, and how each ends."""

import json
import sys

import openai
import websockets

ASKED = json.loads(sys.argv[1])


def client(key):
    return openai.OpenAI(base_url=ASKED["url"] + "/v1", api_key=key, max_retries=0)


def sockets(key):
    return {
        "realtime": client(key).realtime.connect(model="tiny"),
        "responses": client(key).responses.connect(),
    }


def said(socket):
    text = ""
    for event in socket:
        if event.type.endswith("output_text.delta"):
            text += event.delta
        if event.type in ("response.done", "response.completed"):
            return text


def end(socket):
    """The error of the last event, and the code with which the socket was closed."""
    event = socket.recv()
    try:
        socket.recv()
    except websockets.ConnectionClosed as closed:
        return [event.error.code, closed.rcvd.code]


def refusal(socket):
    try:
        socket.enter()
    except websockets.InvalidStatus as refused:
        return refused.response.status_code


opened = {name: socket.enter() for name, socket in sockets(ASKED["key"]).items()}
texts = {}
for name, socket in opened.items():
    socket.response.create()
    texts[name] = said(socket)
print("open", flush=True)
ends = {name: end(socket) for name, socket in opened.items()}
refusals = {name: refusal(socket) for name, socket in sockets("ask_unknown").items()}
print(json.dumps({"texts": texts, "ends": ends, "refusals": refusals}))
