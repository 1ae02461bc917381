"""A client of grpcio's that is told by lines of JSON which channel to open and what to call."""

import json
import sys
import threading

import grpc
import grpc.experimental

BOOTSTRAP = "grpc.TEST_ONLY_DO_NOT_USE_IN_PROD.xds_bootstrap_config"
lock = threading.Lock()
channels = {}


def say(order, code=0, details="", body=""):
    line = json.dumps({"id": order["id"], "code": code, "details": details, "body": body})
    with lock:
        print(line, flush=True)


def open_channel(order):
    options = [(BOOTSTRAP, json.dumps(order["bootstrap"]))]
    target = order["target"]
    if order.get("tls"):
        creds = grpc.xds_channel_credentials(grpc.experimental.insecure_channel_credentials())
        return grpc.secure_channel(target, creds, options)
    return grpc.insecure_channel(target, options)


def sent(pair):
    name, value = pair
    return (name, value.encode()) if name.endswith("-bin") else (name, value)


def call(order, channel):
    method = channel.unary_unary(order["path"])
    future = method.future(
        b"",
        timeout=order["timeoutMs"] / 1000,
        metadata=[sent(pair) for pair in order["metadata"]],
        wait_for_ready=order.get("wait", False),
    )

    def done(of):
        body = of.result().decode() if of.code() == grpc.StatusCode.OK else ""
        say(order, of.code().value[0], of.details() or "", body)

    future.add_done_callback(done)


def obey(order):
    if order["do"] == "open":
        channels[order["channel"]] = open_channel(order)
        say(order)
    elif order["do"] == "close":
        channels.pop(order["channel"]).close()
        say(order)
    else:
        call(order, channels[order["channel"]])


for line in sys.stdin:
    obey(json.loads(line))
