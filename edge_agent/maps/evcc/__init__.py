"""Drafts a register map from a meter template of evcc (MIT licence): its registers are facts, its text stays behind."""
