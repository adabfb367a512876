"""Simulated Modbus devices: register images, servers, and faults by script."""
