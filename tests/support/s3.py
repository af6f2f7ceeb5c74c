"""An S3-compatible server on this machine, for tests."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager

_NUMBERS = itertools.count(1)


@contextmanager
def server() -> Iterator[str]:
    """The address of a server without buckets."""
    from moto.server import ThreadedMotoServer

    serving = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    serving.start()
    try:
        host, port = serving.get_host_and_port()
        yield f"http://{host}:{port}"
    finally:
        serving.stop()


def variables(address: str) -> dict[str, str]:
    """What a process needs to use the server as it would use Amazon's."""
    return {
        "AWS_ENDPOINT_URL": address,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def new_bucket() -> str:
    """The URL of a folder in a bucket of its own; the variables must be set."""
    import s3fs

    name = f"team-{next(_NUMBERS)}"
    s3fs.S3FileSystem().mkdir(name)
    return f"s3://{name}/fulcrum"
