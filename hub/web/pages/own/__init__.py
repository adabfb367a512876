"""What members enter about themselves: their bank account, and which mail they want."""
