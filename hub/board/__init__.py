"""What the technical board does with the books: approvals, month runs as a service for the pages, and reports."""
