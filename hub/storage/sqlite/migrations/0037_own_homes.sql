-- A person's homes are found without looking at everybody's.

CREATE INDEX member_held ON member (held_by) WHERE held_by IS NOT NULL;
CREATE INDEX home_adult_member ON home_adult (member);
CREATE INDEX agent_home ON agent (home_id);
