"""A simulated street: homes with real-shaped loads and weather, their devices as Modbus servers, their members."""
