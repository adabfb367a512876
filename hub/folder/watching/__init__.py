"""What hub.toml says of how the hub is watched: the port for metrics, the form of the log, traces."""
