-- Who is on the board is found without a look at every member.
CREATE INDEX member_board ON member (id) WHERE is_board = 1;
