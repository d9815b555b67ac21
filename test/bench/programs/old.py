"""A stand-in for the server of DynIP 0.1e, in its way: `old.py LOG HOSTS`.

It writes the whole log anew for each ping, into the opened file, and never syncs it. It knows so
many hosts from the start; ends on SIGTERM, and says how many pings it has taken.
"""
import json
import signal
import socket
import sys
from datetime import datetime

path, hosts = sys.argv[1], int(sys.argv[2])
log = {f"host-{host:06}": ["127.0.0.1", datetime.now().isoformat(" ")] for host in range(hosts)}
accepted = 0
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind(("127.0.0.1", 0))
print(f"listening on UDP port {server.getsockname()[1]}", file=sys.stderr, flush=True)
try:
    while True:
        data, (address, _) = server.recvfrom(1024)
        log[data[:256].decode()] = [address, datetime.now().isoformat(" ")]
        with open(path, "w") as file:
            json.dump(log, file)
        accepted += 1
finally:
    print(f"{accepted} pings accepted", file=sys.stderr)
