-- What a page or a job asks for is found by its key, however many rows the years have added.

CREATE INDEX prompt_home ON prompt (home, issued_slot);

-- Findings that hold credits are few; which of them still wait is told by two tables keyed by the finding.
CREATE INDEX finding_hold ON finding (home) WHERE severity = 'hold';
CREATE INDEX finding_code ON finding (code, home);

-- A finding lasts at most as long as the longest one: those of a slot began no earlier than that before it.
CREATE INDEX finding_first ON finding (first_slot);
CREATE INDEX finding_slots ON finding (slots);

CREATE INDEX forecast_until ON forecast (target, until_slot);

CREATE INDEX notice_settled ON notice (settled_at);
CREATE INDEX notice_about ON notice (kind, about, member);
