"""The hub's pages: what members and the board see of the store, drawn on the server and readable without scripts."""
