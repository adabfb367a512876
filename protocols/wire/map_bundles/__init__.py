"""The device maps a co-op's board has released: one bundle, and how it comes to an agent. Encodes and decodes only."""
