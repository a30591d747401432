"""What both ends of a connection agree on: sizes, and how soon a silent peer counts as gone."""

RECEIVE_LIMIT = 16 * 1024 * 1024
"""Bytes of one message: an agent's full assignment of some thousand tasks fits, a flood does not."""

SEND_LIMIT = -1
"""No limit of our own on sending: the receiver's counts."""

METADATA_LIMIT = 64 * 1024
"""Bytes of headers or trailers that are taken. What `status` sends fits into gRPC's default, an eighth of this; proxies may add."""

KEEPALIVE_INTERVAL_MS = 10_000
KEEPALIVE_TIMEOUT_MS = 5_000
"""A peer that vanished or froze is noticed within 15 s, on idle connections too."""

OPTIONS: tuple[tuple[str, int], ...] = (
    ("grpc.max_receive_message_length", RECEIVE_LIMIT),
    ("grpc.max_send_message_length", SEND_LIMIT),
    ("grpc.max_metadata_size", METADATA_LIMIT),
    ("grpc.keepalive_time_ms", KEEPALIVE_INTERVAL_MS),
    ("grpc.keepalive_timeout_ms", KEEPALIVE_TIMEOUT_MS),
    # A frozen peer still acknowledges TCP: only the answer to a ping tells, and gRPC would wait a minute for it.
    ("grpc.http2.ping_timeout_ms", KEEPALIVE_TIMEOUT_MS),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_pings_without_data", 0),
)
"""Options of servers and channels alike."""
