"""The plumbing to the API server: client, cache, work queue, lease, events."""
