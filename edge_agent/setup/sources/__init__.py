"""Where set-up looks for devices: places a person names, an earlier scan, meters that send, the home's broker."""
