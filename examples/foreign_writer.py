#!/usr/bin/env python3
"""Deploys with any ZooKeeper client: sets the three members of the app's `config`, and nothing else.

    foreign_writer.py zk1:2181,zk2:2181 /app/business https://git.example.com/shop.git COMMIT shop

COMMIT is the full lower-case id. An app made with `gitfleet init --open` needs no credential. For any other app,
DIGEST_FILE names a file with the publisher's credential: the line `auth digest:user:password` of publisher.auth
without `auth digest:`. The coordinator, or the next publisher, gives this write its deployment record.
`gitfleet status` shows the result.

Prefer `gitfleet publish`: it also checks hold and quarantine and asks the repository for the commit.
Needs kazoo (Debian: python3-kazoo).
"""
import json
import os
import sys

from kazoo.client import KazooClient
from kazoo.exceptions import BadVersionError, NoAuthError, NoNodeError


def main(hosts, app, url, commit_id, relative_path):
    auth = []
    if "DIGEST_FILE" in os.environ:
        with open(os.environ["DIGEST_FILE"], encoding="utf-8") as file:
            auth = [("digest", file.read().strip())]
    target = {"url": url, "commitId": commit_id, "relativePath": relative_path}
    config = f"{app}/config"
    client = KazooClient(hosts=hosts, auth_data=auth)
    client.start(timeout=15)
    try:
        before, stat = client.get(config)
        print("was:", before.decode("utf-8", "replace") or "(empty)")
        # The version that was read: a publish in between is not overwritten.
        client.set(config, json.dumps(target).encode(), version=stat.version)
        print("set:", json.dumps(target))
    except NoNodeError:
        return f"{config} does not exist: run gitfleet init first"
    except BadVersionError:
        return f"{config} was changed by another writer in the meantime; nothing was written"
    except NoAuthError:
        return f"{config} needs the publisher's credential: set DIGEST_FILE"
    finally:
        client.stop()
        client.close()
    return 0


if __name__ == "__main__":
    if len(sys.argv) != 6:
        sys.exit(__doc__)
    sys.exit(main(*sys.argv[1:]))
