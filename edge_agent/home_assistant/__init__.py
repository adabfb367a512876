"""The home shown in Home Assistant over the household's own broker."""
