"""The upstream API: the client, the collecting policy, and the simulator that stands in for it."""
