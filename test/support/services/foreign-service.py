# A program that knows the contract of services and nothing of gitfleet.
#   foreign-service.py HOSTS read NAME              prints host:port of each instance, by index and by unpacking
#   foreign-service.py HOSTS register NAME ID H P   registers, prints "registered", waits for a line on stdin; each line
#                                                   "P2" removes the node and makes it again under the same name
import json
import sys

from kazoo.client import KazooClient

hosts, verb, name = sys.argv[1:4]
client = KazooClient(hosts=hosts, timeout=6)
client.start()
path = "/service/" + name
if verb == "read":
    for child in sorted(client.get_children(path)):
        value = json.loads(client.get(path + "/" + child)[0])
        host, port = json.loads(client.get(path + "/" + child)[0])
        assert [host, port] == value and isinstance(host, str) and isinstance(port, str)
        print("http://" + value[0] + ":" + value[1])
else:
    own, host, port = sys.argv[4:7]
    client.ensure_path(path)
    client.create(path + "/" + own, json.dumps([host, port]).encode(), ephemeral=True)
    print("registered", flush=True)
    for line in sys.stdin:
        client.delete(path + "/" + own)
        client.create(path + "/" + own, json.dumps([host, line.strip()]).encode(), ephemeral=True)
        print("registered", flush=True)
client.stop()
