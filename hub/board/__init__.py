"""The technical board's work with the books: approvals, month runs as a service for the pages, and reports."""
