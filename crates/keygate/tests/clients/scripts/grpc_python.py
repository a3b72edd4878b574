"""gRPC's Python package: a server behind keygate, and a client of it."""

import json
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import grpc

ASKED = json.loads(sys.argv[1])
CANCELLED = threading.Event()
SEEN = {}


def unary(request, context):
    SEEN.update(context.invocation_metadata())
    return b"Hello, " + request


def stream(request, context):
    for number in range(int(request)):
        yield str(number).encode()


def talk(requests, context):
    for request in requests:
        yield request.upper()


def failing(request, context):
    context.send_initial_metadata((("begun", "yes"),))
    context.set_trailing_metadata((("why", "because"),))
    context.abort(grpc.StatusCode.FAILED_PRECONDITION, "not today: é")


def endless(request, context):
    context.add_callback(CANCELLED.set)
    yield b"first"
    CANCELLED.wait(60)


METHODS = {
    "Unary": grpc.unary_unary_rpc_method_handler(unary),
    "Stream": grpc.unary_stream_rpc_method_handler(stream),
    "Talk": grpc.stream_stream_rpc_method_handler(talk),
    "Failing": grpc.unary_unary_rpc_method_handler(failing),
    "Endless": grpc.unary_stream_rpc_method_handler(endless),
}


def serve():
    server = grpc.server(ThreadPoolExecutor(8))
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("test.Service", METHODS),))
    assert server.add_insecure_port(ASKED["upstream"])
    server.start()
    return server


def refusal(call):
    try:
        return [repr(call())]
    except grpc.RpcError as error:
        return [error.code().name, error.details()]


def ping_pong(channel, metadata):
    """Each word is sent only once the one before has come back."""
    said, may_say = [], threading.Semaphore(1)

    def words():
        for word in (b"one", b"two", b"three"):
            may_say.acquire()
            yield word

    for word in channel.stream_stream("/test.Service/Talk")(words(), metadata=metadata):
        said.append(word.decode())
        may_say.release()
    return said


def endless_is_cancelled(channel, metadata):
    answers = channel.unary_stream("/test.Service/Endless")(b"", metadata=metadata)
    first = next(answers)
    answers.cancel()
    return first == b"first" and CANCELLED.wait(20)


def failure(channel, metadata):
    try:
        channel.unary_unary("/test.Service/Failing")(b"", metadata=metadata)
    except grpc.RpcError as error:
        return [error.code().name, error.details(), dict(error.initial_metadata())["begun"], dict(error.trailing_metadata())["why"]]


server = serve()
with grpc.insecure_channel(ASKED["keygate"]) as channel:
    metadata = (("authorization", "Bearer " + ASKED["key"]),)
    asks = channel.unary_unary("/test.Service/Unary")
    said = {
        "unary": asks(b"Ada", metadata=metadata).decode(),
        "stream": [answer.decode() for answer in channel.unary_stream("/test.Service/Stream")(b"3", metadata=metadata)],
        "talk": ping_pong(channel, metadata),
        "failing": failure(channel, metadata),
        "cancelled": endless_is_cancelled(channel, metadata),
        "credential_seen": "authorization" in SEEN,
        "key_seen": SEEN.get("x-keygate-key-id"),
        "refusals": [
            refusal(lambda: asks(b"", metadata=(("authorization", "Bearer " + key),))) for key in ASKED["refused"]
        ],
    }
    server.stop(None).wait()
    said["away"] = refusal(lambda: asks(b"", metadata=metadata))
print(json.dumps(said))
