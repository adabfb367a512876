"""The co-op's MQTT broker, which the hub may start and supervise, and the hub's connection to it."""
