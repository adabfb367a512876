"""The co-op's MQTT broker: started and watched here, and the hub's own connection to it."""
