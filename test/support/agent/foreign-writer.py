"""A ZooKeeper client that knows nothing of gitfleet: sets or gets one znode with kazoo."""
import sys

from kazoo.client import KazooClient

hosts, verb, path = sys.argv[1:4]
client = KazooClient(hosts=hosts)
client.start(timeout=15)
if verb == "set":
    client.set(path, sys.argv[4].encode())
else:
    data, _ = client.get(path)
    sys.stdout.write(data.decode())
client.stop()
client.close()
