"""The household's own MQTT broker: where it is, who may enter, and a session at it."""
