"""Meters that send telegrams by themselves: P1 ports and optical heads with SML, read as registers of a map."""
