"""Meters whose values another program tells the home's broker, read as registers of the map `mqtt-meter`."""
