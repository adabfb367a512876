"""The program in the home: reads its devices, turns readings into slots, seals them and sends them to the hub."""
