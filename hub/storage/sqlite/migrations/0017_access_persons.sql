-- Who made a sign-in link for somebody, kept with the session it opens and with each line the session writes to the
-- access log. Empty: nobody but the member, or not known (links of earlier releases).
ALTER TABLE sign_in ADD COLUMN made_by TEXT NOT NULL DEFAULT '';
ALTER TABLE session ADD COLUMN link_by TEXT NOT NULL DEFAULT '';
ALTER TABLE access_log ADD COLUMN link_by TEXT NOT NULL DEFAULT '';
