"""ECS's wire: the JSON 1.1 protocol over HTTP, in front of the gRPC services. See docs/design/gateway.md."""
