"""Room: log. Witnesses and the append-only log: time, order and retries that no party can deny."""
