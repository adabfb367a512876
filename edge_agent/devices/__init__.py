"""The home's devices over Modbus: connections, bus timing, reading points and showing them."""
