"""A gRPC process of grpcio's: a server that answers with who called it, or a client that calls at each line it reads."""

import json
import sys
from concurrent import futures

import grpc
import grpc.experimental

METHOD = "/echo.Echo/Say"


def say(event, text):
    print(json.dumps({"event": event, "text": text}), flush=True)


def caller(_, context):
    names = [name.decode() for name in context.peer_identities() or []]
    return (" ".join(names) or "nobody").encode()


def serve(address):
    server = grpc.server(futures.ThreadPoolExecutor(2), xds=True)
    handlers = {"Say": grpc.unary_unary_rpc_method_handler(caller)}
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("echo.Echo", handlers)])
    server.add_secure_port(address, grpc.xds_server_credentials(grpc.insecure_server_credentials()))
    server.start()
    say("serving", "")
    server.wait_for_termination()


def call(target):
    creds = grpc.xds_channel_credentials(grpc.experimental.insecure_channel_credentials())
    with grpc.secure_channel(f"xds:///{target}", creds) as channel:
        ask = channel.unary_unary(METHOD)
        for _ in sys.stdin:
            try:
                say("answered", ask(b"", timeout=20).decode())
            except grpc.RpcError as error:
                say("failed", f"{error.code().name}: {error.details()}")


{"serve": serve, "call": call}[sys.argv[1]](sys.argv[2])
