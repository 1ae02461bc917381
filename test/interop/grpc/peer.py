"""grpcio's side of the interop cases (grpc/doc/interop-test-descriptions.md): a server, and a client that prints each case it has done.

Messages are written by hand: the fields of grpc/testing/messages.proto that the cases need.
"""

import os
import sys
import threading
from concurrent import futures

import grpc
import grpc.experimental

SERVICE = "grpc.testing.TestService"
INITIAL = "x-grpc-test-echo-initial"
TRAILING = "x-grpc-test-echo-trailing-bin"
TIMEOUT_S = 60


def varint(value):
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def number(field, value):
    return varint(field << 3) + varint(value)


def block(field, data):
    return varint(field << 3 | 2) + varint(len(data)) + data


def payload(field, size):
    return block(field, block(2, bytes(size)))


def read_varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return value, at


def fields(data):
    """Number and value of each field; blocks as bytes."""
    at = 0
    while at < len(data):
        tag, at = read_varint(data, at)
        value, at = read_varint(data, at)
        if tag & 7 == 2:
            value, at = data[at : at + value], at + value
        yield tag >> 3, value


def of(data, field, default):
    found = [value for name, value in fields(data) if name == field]
    return found[-1] if found else default


def body_size(data, field=1):
    return len(of(of(data, field, b""), 2, b""))


# The server.


def echo_metadata(context):
    for key, value in context.invocation_metadata():
        if key == INITIAL:
            context.send_initial_metadata(((key, value),))
        elif key == TRAILING:
            context.set_trailing_metadata(((key, value),))


def abort_as_asked(request, context):
    status = of(request, 7, b"")
    code = of(status, 1, 0)
    if code:
        known = {one.value[0]: one for one in grpc.StatusCode}
        context.abort(known[code], of(status, 2, b"").decode())


def unary(request, context):
    echo_metadata(context)
    abort_as_asked(request, context)
    return payload(1, of(request, 2, 0))


def output(request, context):
    abort_as_asked(request, context)
    for size in [of(value, 1, 0) for field, value in fields(request) if field == 2]:
        yield payload(1, size)


def collect(requests, _):
    return number(1, sum(body_size(request) for request in requests))


def duplex(requests, context):
    echo_metadata(context)
    for request in requests:
        yield from output(request, context)


def new_server(way, address):
    if way == "plain":
        server = grpc.server(futures.ThreadPoolExecutor(8))
        return server, server.add_insecure_port(address)
    # Its server by xDS ends itself at a stream without a message (1.85.1; "pipe.h: Check failed: has_value()").
    server = grpc.server(futures.ThreadPoolExecutor(8))
    chain, key, roots = (open(file, "rb").read() for file in os.environ["INTEROP_TLS"].split(os.pathsep))
    creds = grpc.ssl_server_credentials([(key, chain)], roots, require_client_auth=True)
    return server, server.add_secure_port(address, creds)


def serve(way, address):
    server, port = new_server(way, address)
    handlers = {
        "EmptyCall": grpc.unary_unary_rpc_method_handler(lambda request, context: b""),
        "UnaryCall": grpc.unary_unary_rpc_method_handler(unary),
        "StreamingOutputCall": grpc.unary_stream_rpc_method_handler(output),
        "StreamingInputCall": grpc.stream_unary_rpc_method_handler(collect),
        "FullDuplexCall": grpc.stream_stream_rpc_method_handler(duplex),
    }
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(SERVICE, handlers)])
    server.start()
    print(port, flush=True)
    # It ends with whoever started it.
    sys.stdin.read(1)
    os._exit(0)


# The client.


def check(condition, what):
    if not condition:
        raise AssertionError(what)


class Requests:
    """A request stream that is written as the answers come."""

    def __init__(self):
        self.wake = threading.Condition()
        self.waiting = []
        self.ended = False

    def send(self, message):
        with self.wake:
            self.waiting.append(message)
            self.wake.notify()

    def end(self):
        with self.wake:
            self.ended = True
            self.wake.notify()

    def __iter__(self):
        return self

    def __next__(self):
        with self.wake:
            while not self.waiting and not self.ended:
                self.wake.wait()
            if self.waiting:
                return self.waiting.pop(0)
        raise StopIteration


def refused(call):
    try:
        call()
    except grpc.RpcError as error:
        return error
    raise AssertionError("the call was answered")


SENT, ASKED = [27182, 8, 1828, 45904], [31415, 9, 2653, 58979]
LARGE = number(2, 314159) + payload(3, 271828)


def asking(sizes, size=None):
    message = b"".join(block(2, number(1, one)) for one in sizes)
    return message if size is None else message + payload(3, size)


class Cases:
    def __init__(self, channel):
        method = f"/{SERVICE}/"
        self.options = {"timeout": TIMEOUT_S, "wait_for_ready": True}
        self.empty = channel.unary_unary(method + "EmptyCall")
        self.unary = channel.unary_unary(method + "UnaryCall")
        self.output = channel.unary_stream(method + "StreamingOutputCall")
        self.input = channel.stream_unary(method + "StreamingInputCall")
        self.duplex = channel.stream_stream(method + "FullDuplexCall")
        self.no_method = channel.unary_unary(method + "UnimplementedCall")
        self.no_service = channel.unary_unary("/grpc.testing.UnimplementedService/UnimplementedCall")

    def empty_unary(self):
        check(self.empty(b"", **self.options) == b"", "an empty answer")

    def large_unary(self):
        check(body_size(self.unary(LARGE, **self.options)) == 314159, "the size asked for")

    def client_streaming(self):
        answer = self.input(iter([payload(1, size) for size in SENT]), **self.options)
        check(of(answer, 1, 0) == sum(SENT), "the sum of what was sent")

    def server_streaming(self):
        sizes = [body_size(answer) for answer in self.output(asking(ASKED), **self.options)]
        check(sizes == ASKED, f"{ASKED}, not {sizes}")

    def ping_pong(self):
        requests = Requests()
        answers = self.duplex(requests, **self.options)
        for asked, sent in zip(ASKED, SENT):
            requests.send(asking([asked], sent))
            check(body_size(next(answers)) == asked, "the size asked for")
        requests.end()
        check(next(answers, None) is None, "the end")

    def empty_stream(self):
        check(list(self.duplex(iter([]), **self.options)) == [], "nothing")

    def timeout_on_sleeping_server(self):
        requests = Requests()
        answers = self.duplex(requests, timeout=0.1)
        requests.send(asking([], 27182))
        check(refused(lambda: next(answers)).code() == grpc.StatusCode.DEADLINE_EXCEEDED, "DEADLINE_EXCEEDED")
        requests.end()

    def cancel_after_begin(self):
        requests = Requests()
        call = self.input.future(requests, **self.options)
        call.cancel()
        check(call.code() == grpc.StatusCode.CANCELLED, "CANCELLED")
        requests.end()

    def cancel_after_first_response(self):
        requests = Requests()
        answers = self.duplex(requests, **self.options)
        requests.send(asking([31415], 27182))
        check(body_size(next(answers)) == 31415, "the size asked for")
        answers.cancel()
        check(refused(lambda: next(answers)).code() == grpc.StatusCode.CANCELLED, "CANCELLED")
        requests.end()

    def custom_metadata(self):
        sent = ((INITIAL, "test_initial_metadata_value"), (TRAILING, b"\xab\xab\xab"))
        _, unary = self.unary.with_call(LARGE, metadata=sent, **self.options)
        duplex = self.duplex(iter([asking([314159], 271828)]), metadata=sent, **self.options)
        check(len(list(duplex)) == 1, "one answer")
        for call in unary, duplex:
            check(sent[0] in call.initial_metadata(), "what was sent, at the start")
            check(sent[1] in call.trailing_metadata(), "what was sent, at the end")

    def status_code_and_message(self):
        self.fails_with("test status message")

    def special_status_message(self):
        self.fails_with("\t\ntest with whitespace\r\nand Unicode BMP \u263a and non-BMP \U0001f608\t\n")

    def fails_with(self, text):
        status = block(7, number(1, 2) + block(2, text.encode()))
        for call in (
            lambda: self.unary(status, **self.options),
            lambda: list(self.duplex(iter([status]), **self.options)),
        ):
            error = refused(call)
            check((error.code(), error.details()) == (grpc.StatusCode.UNKNOWN, text), "status and message")

    def unimplemented_method(self):
        check(refused(lambda: self.no_method(b"", **self.options)).code() == grpc.StatusCode.UNIMPLEMENTED, "that")

    def unimplemented_service(self):
        check(refused(lambda: self.no_service(b"", **self.options)).code() == grpc.StatusCode.UNIMPLEMENTED, "that")


NAMES = """empty_unary large_unary client_streaming server_streaming ping_pong empty_stream timeout_on_sleeping_server
cancel_after_begin cancel_after_first_response custom_metadata status_code_and_message special_status_message
unimplemented_method unimplemented_service""".split()


def new_channel(way, target):
    if way == "plain":
        return grpc.insecure_channel(target)
    creds = grpc.xds_channel_credentials(grpc.experimental.insecure_channel_credentials())
    return grpc.secure_channel(f"xds:///{target}", creds)


def call(way, target):
    with new_channel(way, target) as channel:
        cases = Cases(channel)
        for name in NAMES:
            getattr(cases, name)()
            print(name, flush=True)


{"serve": serve, "call": call}[sys.argv[1]](*sys.argv[2:])
