"""Register maps: what a device's Modbus registers mean, as data; loading, checking, placing and decoding them."""
