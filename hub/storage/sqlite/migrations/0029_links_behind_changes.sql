-- A change made in a session whose sign-in link another person made names that person beside whoever was signed in.
ALTER TABLE member_change ADD COLUMN link_by TEXT NOT NULL DEFAULT '';
