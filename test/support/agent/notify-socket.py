"""Stands where a service manager listens: binds a datagram socket and prints each message as one line of JSON."""

import json
import socket
import sys

listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
listener.bind(sys.argv[1])
print(json.dumps([]), flush=True)
while True:
    print(json.dumps(listener.recv(65536).decode().splitlines()), flush=True)
