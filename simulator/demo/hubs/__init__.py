"""The hubs that a demonstration can have: one program, or many on a database server and a cluster of brokers."""
