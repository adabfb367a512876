"""The hub's pages for members and the board, rendered on the server and complete without scripts."""
