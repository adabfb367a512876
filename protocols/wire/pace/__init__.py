"""How the hub spreads what many homes would do at the same moment."""
