"""Asks for Bookinfo's ratings by gRPC, in Python: a client of xDS goes where the VirtualService says (GRPC_XDS_BOOTSTRAP).

    python ratings.py [USER]
"""

import sys

import grpc
import grpc.experimental

TARGET = "xds:///ratings-grpc.default.svc.cluster.local:9080"
METHOD = "/bookinfo.Ratings/Get"
# GetRequest { product: 0 }
REQUEST = b""


def varint(data, at):
    value = shift = 0
    while True:
        byte, at = data[at], at + 1
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return value, at


def fields(data):
    """Number and value of each field of ratings.proto's messages; the example does without generated code."""
    at = 0
    while at < len(data):
        tag, at = varint(data, at)
        value, at = varint(data, at)
        if tag & 7 == 2:
            value, at = data[at : at + value], at + value
        yield tag >> 3, value


def stars_in(response):
    for rating in (dict(fields(value)) for number, value in fields(response) if number == 1):
        yield rating[1].decode(), rating[2]


def main():
    user = sys.argv[1:2]
    metadata = [("end-user", name) for name in user]
    creds = grpc.xds_channel_credentials(grpc.experimental.insecure_channel_credentials())
    with grpc.secure_channel(TARGET, creds) as channel:
        get = channel.unary_unary(METHOD)
        response = get(REQUEST, metadata=metadata, timeout=30, wait_for_ready=True)
    for reviewer, stars in stars_in(response):
        print(f"{reviewer} {'★' * stars}")


main()
