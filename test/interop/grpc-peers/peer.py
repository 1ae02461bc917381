"""A client of grpcio's that does what the lines on its standard input say."""

import base64
import json
import sys
import threading
import time
from concurrent import futures

import grpc
import grpc.experimental

BOOTSTRAP = "grpc.TEST_ONLY_DO_NOT_USE_IN_PROD.xds_bootstrap_config"
channels = {}
voice = threading.Lock()


def say(line):
    with voice:
        print(json.dumps(line), flush=True)


def open_channel(order):
    plain = grpc.experimental.insecure_channel_credentials()
    creds = grpc.xds_channel_credentials(plain) if order.get("credentials") == "xds" else plain
    options = [(BOOTSTRAP, json.dumps(order["bootstrap"]))] if "bootstrap" in order else []
    channels[order["channel"]] = grpc.secure_channel(order["target"], creds, options)


def metadata(order):
    pairs = []
    for name, value in order.get("headers", {}).items():
        for one in value if isinstance(value, list) else [value]:
            pairs.append((name, base64.b64decode(one) if name.endswith("-bin") else one))
    return pairs


def trailers(of):
    told = {}
    for name, value in of.trailing_metadata() or ():
        if isinstance(value, str):
            told[name] = f"{told[name]},{value}" if name in told else value
    return told


def one_call(ask, order):
    began = time.monotonic()
    ms = lambda: (time.monotonic() - began) * 1000
    try:
        body, done = ask.with_call(
            b"",
            timeout=order.get("deadlineMs", 10_000) / 1000,
            metadata=metadata(order),
            wait_for_ready=order.get("waitForReady", False),
        )
        return {"status": "OK", "body": body.decode(), "ms": ms(), "trailers": trailers(done)}
    except grpc.RpcError as error:
        return {"status": error.code().name, "message": error.details(), "ms": ms(), "trailers": trailers(error)}


def calls(order):
    ask = channels[order["channel"]].unary_unary(order["method"])
    with futures.ThreadPoolExecutor(order.get("parallel", 1)) as lanes:
        return list(lanes.map(lambda _: one_call(ask, order), range(order.get("count", 1))))


def carry_out(order):
    line = {"id": order["id"]}
    try:
        if order["do"] == "open":
            open_channel(order)
        elif order["do"] == "close":
            channels.pop(order["channel"]).close()
        elif order["do"] == "call":
            line["answers"] = calls(order)
        else:
            raise ValueError(f"no such command: {order['do']}")
    except Exception as error:
        line["error"] = repr(error)
    say(line)


say({"ready": True, "name": "grpcio", "version": grpc.__version__})
for text in sys.stdin:
    threading.Thread(target=carry_out, args=(json.loads(text),), daemon=True).start()
