"""The program in the home: reads its devices, keeps what they say in slots, seals it and hands it to the hub."""
