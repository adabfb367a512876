"""Messages from homes: checked, stored in groups, and answered with signed receipts."""
