-- Every table of the store, with the columns that the SQLite store has, in the same order: a row's digest is the same in
-- both, and rows are copied from one to the other. Whole numbers are bigint, as they are there; text sorts by its bytes.

-- Who is in the co-op. No secret stands here in clear.
CREATE TABLE coop (
    one bigint PRIMARY KEY CHECK (one = 1),
    id text COLLATE "C" NOT NULL,
    name text COLLATE "C" NOT NULL,
    tz text COLLATE "C" NOT NULL,
    currency text COLLATE "C" NOT NULL
);

CREATE TABLE member (
    id text COLLATE "C" PRIMARY KEY,
    name text COLLATE "C" NOT NULL,
    email text COLLATE "C" NOT NULL,
    language text COLLATE "C" NOT NULL,
    is_board bigint NOT NULL CHECK (is_board IN (0, 1)),
    joined_at bigint NOT NULL,
    left_at bigint,
    held_by text COLLATE "C"
);

CREATE TABLE home (
    id text COLLATE "C" PRIMARY KEY,
    name text COLLATE "C" NOT NULL,
    member_id text COLLATE "C" NOT NULL UNIQUE REFERENCES member (id),
    follows text COLLATE "C"
);

CREATE TABLE agent (
    id text COLLATE "C" PRIMARY KEY,
    home_id text COLLATE "C" NOT NULL REFERENCES home (id),
    shard bigint NOT NULL,
    public_key bytea NOT NULL UNIQUE CHECK (length(public_key) = 32),
    enrolled_at bigint NOT NULL,
    revoked_at bigint,
    seat bigint NOT NULL DEFAULT 1 CHECK (seat >= 1)
);
CREATE UNIQUE INDEX agent_live ON agent (home_id, seat) WHERE revoked_at IS NULL;

CREATE TABLE invite (
    token_hash bytea PRIMARY KEY,
    home_id text COLLATE "C" NOT NULL REFERENCES home (id),
    expires_at bigint NOT NULL,
    used_at bigint,
    agent_id text COLLATE "C",
    masked_key bytea,
    replaces text COLLATE "C",
    void bigint NOT NULL DEFAULT 0 CHECK (void IN (0, 1)),
    is_further bigint NOT NULL DEFAULT 0 CHECK (is_further IN (0, 1))
);

CREATE TABLE sign_in (
    link_hash bytea PRIMARY KEY,
    member_id text COLLATE "C" NOT NULL REFERENCES member (id),
    expires_at bigint NOT NULL,
    made_by text COLLATE "C" NOT NULL DEFAULT ''
);

CREATE TABLE session (
    session_hash bytea PRIMARY KEY,
    member_id text COLLATE "C" NOT NULL REFERENCES member (id),
    expires_at bigint NOT NULL,
    link_by text COLLATE "C" NOT NULL DEFAULT ''
);

-- What the agents sent: the exact signed bytes (the proof) and the quarter-hour table made of them.
CREATE TABLE message (
    position bigint PRIMARY KEY,
    agent text COLLATE "C" NOT NULL REFERENCES agent (id),
    epoch bigint NOT NULL,
    seq bigint NOT NULL,
    kind text COLLATE "C" NOT NULL,
    hash bytea NOT NULL CHECK (length(hash) = 32),
    sealed bytea NOT NULL,
    received_at bigint NOT NULL,
    first_slot bigint,
    last_slot bigint,
    refused text COLLATE "C",
    UNIQUE (agent, epoch, seq),
    CHECK (refused IS NULL OR (length(sealed) = 0 AND first_slot IS NULL))
);
CREATE INDEX message_refused ON message (agent, epoch, seq, refused) WHERE refused IS NOT NULL;
CREATE INDEX message_slot ON message (last_slot) WHERE last_slot IS NOT NULL;

CREATE TABLE chain_head (
    agent text COLLATE "C" PRIMARY KEY REFERENCES agent (id),
    epoch bigint NOT NULL,
    seq bigint NOT NULL,
    hash bytea NOT NULL CHECK (length(hash) = 32),
    last_slot bigint,
    last_received_at bigint NOT NULL,
    messages bigint NOT NULL
);

-- One part for each month, made by make_month before a row of that month is added.
CREATE TABLE reading (
    home text COLLATE "C" NOT NULL,
    measure bigint NOT NULL,
    slot bigint NOT NULL,
    span bigint NOT NULL CHECK (span >= 1),
    energy_wh bigint CHECK (energy_wh >= 0),
    mark bigint NOT NULL,
    gap bigint NOT NULL,
    PRIMARY KEY (home, measure, slot, span),
    CHECK ((energy_wh IS NULL) = (mark = 3))
) PARTITION BY RANGE (slot);

CREATE TABLE long_interval (
    home text COLLATE "C" NOT NULL,
    measure bigint NOT NULL,
    first_slot bigint NOT NULL,
    slots bigint NOT NULL,
    energy_wh bigint NOT NULL CHECK (energy_wh >= 0),
    PRIMARY KEY (home, measure, first_slot, slots)
);

CREATE TABLE refusal (
    agent text COLLATE "C" NOT NULL,
    reason text COLLATE "C" NOT NULL,
    count bigint NOT NULL,
    last_at bigint NOT NULL,
    detail text COLLATE "C" NOT NULL,
    PRIMARY KEY (agent, reason)
);

CREATE TABLE access_log (
    position bigint PRIMARY KEY,
    home text COLLATE "C" NOT NULL,
    utc_day bigint NOT NULL,
    at bigint NOT NULL,
    actor text COLLATE "C" NOT NULL,
    role text COLLATE "C" NOT NULL,
    purpose text COLLATE "C" NOT NULL,
    reason text COLLATE "C" NOT NULL,
    fields text COLLATE "C" NOT NULL,
    rows bigint NOT NULL,
    count bigint NOT NULL,
    link_by text COLLATE "C" NOT NULL DEFAULT ''
);
CREATE INDEX access_home ON access_log (home, at);
CREATE UNIQUE INDEX access_machine ON access_log (home, utc_day, actor, purpose) WHERE role = 'job';

-- What the hub expected, with which weather, and what it asked the households.
CREATE TABLE forecast (
    target text COLLATE "C" NOT NULL,
    issued_slot bigint NOT NULL,
    first_slot bigint NOT NULL,
    until_slot bigint NOT NULL,
    quantiles text COLLATE "C" NOT NULL,
    energy_wh bytea NOT NULL,
    model text COLLATE "C" NOT NULL,
    reason text COLLATE "C" NOT NULL,
    drivers text COLLATE "C" NOT NULL,
    weather_issued_at bigint,
    PRIMARY KEY (target, issued_slot)
);

CREATE TABLE weather (
    hour_s bigint NOT NULL,
    issued_at bigint NOT NULL,
    temperature_c double precision NOT NULL,
    radiation_w_m2 double precision NOT NULL,
    wind_m_s double precision NOT NULL,
    PRIMARY KEY (hour_s, issued_at)
);

CREATE TABLE appliance (
    home text COLLATE "C" NOT NULL REFERENCES home (id),
    position bigint NOT NULL,
    kind text COLLATE "C" NOT NULL,
    energy_wh bigint NOT NULL,
    duration_slots bigint NOT NULL,
    usual_slot_of_day bigint NOT NULL,
    earliest_slot_of_day bigint NOT NULL,
    latest_slot_of_day bigint NOT NULL,
    is_asked bigint NOT NULL CHECK (is_asked IN (0, 1)),
    PRIMARY KEY (home, position)
);

CREATE TABLE prompt (
    id text COLLATE "C" PRIMARY KEY,
    home text COLLATE "C" NOT NULL REFERENCES home (id),
    member text COLLATE "C" NOT NULL,
    appliance text COLLATE "C" NOT NULL,
    energy_wh bigint NOT NULL,
    usual_slot bigint NOT NULL,
    proposed_slot bigint NOT NULL,
    duration_slots bigint NOT NULL,
    relief_wh bigint NOT NULL,
    reasons text COLLATE "C" NOT NULL,
    issued_slot bigint NOT NULL,
    answer_by_slot bigint NOT NULL,
    answer text COLLATE "C" CHECK (answer IN ('yes', 'no', 'never_appliance')),
    answered_at bigint,
    measured_wh bigint,
    measured_uncertainty_wh bigint
);
CREATE INDEX prompt_issued ON prompt (issued_slot, home);

CREATE TABLE job (
    name text COLLATE "C" PRIMARY KEY,
    due_at bigint NOT NULL,
    last_run_at bigint,
    last_error text COLLATE "C" NOT NULL
);

-- The books: rulebook versions, settlement runs, the ledger and what was signed of them.
CREATE TABLE rule (
    position bigint PRIMARY KEY,
    hash text COLLATE "C" NOT NULL,
    canonical bytea NOT NULL,
    valid_from_day text COLLATE "C" NOT NULL,
    UNIQUE (hash, valid_from_day)
);

CREATE TABLE run (
    position bigint PRIMARY KEY,
    run_key text COLLATE "C" NOT NULL UNIQUE,
    kind text COLLATE "C" NOT NULL,
    day text COLLATE "C" NOT NULL,
    rule_hash text COLLATE "C" NOT NULL,
    input_digest text COLLATE "C" NOT NULL,
    result_hash text COLLATE "C" NOT NULL,
    state text COLLATE "C" NOT NULL,
    allocation bytea NOT NULL,
    made_at bigint NOT NULL,
    entries bigint NOT NULL
);
CREATE INDEX run_head ON run (
    day, position, run_key, kind, rule_hash, input_digest, result_hash, state, made_at, entries
);

CREATE TABLE entry (
    position bigint PRIMARY KEY CHECK (position >= 1),
    unit text COLLATE "C" NOT NULL,
    day text COLLATE "C" NOT NULL,
    member text COLLATE "C" NOT NULL,
    run_key text COLLATE "C" NOT NULL REFERENCES run (run_key),
    canonical bytea NOT NULL,
    hash bytea NOT NULL CHECK (length(hash) = 32)
);
CREATE INDEX entry_day ON entry (day, position);
CREATE INDEX entry_member ON entry (member, day, position);

CREATE TABLE attestation (
    position bigint PRIMARY KEY CHECK (position >= 1),
    kind text COLLATE "C" NOT NULL,
    subject text COLLATE "C" NOT NULL,
    run_key text COLLATE "C" NOT NULL,
    document bytea NOT NULL,
    signature bytea NOT NULL CHECK (length(signature) = 64)
);
CREATE INDEX attestation_subject ON attestation (kind, subject, position);
CREATE UNIQUE INDEX attestation_root ON attestation (run_key) WHERE kind = 'day-root';

CREATE TABLE settled_through (
    day text COLLATE "C" PRIMARY KEY,
    message_position bigint NOT NULL,
    members_digest text COLLATE "C" NOT NULL,
    decision bigint NOT NULL DEFAULT 0
);

CREATE TABLE objection (
    id bigint PRIMARY KEY CHECK (id >= 1),
    member text COLLATE "C" NOT NULL REFERENCES member (id),
    month text COLLATE "C" NOT NULL,
    day text COLLATE "C" NOT NULL,
    line text COLLATE "C" NOT NULL,
    stated bigint NOT NULL,
    statement text COLLATE "C" NOT NULL,
    reason text COLLATE "C" NOT NULL,
    made_at bigint NOT NULL,
    due_at bigint NOT NULL
);
CREATE INDEX objection_member ON objection (member, month);

CREATE TABLE objection_decision (
    objection bigint PRIMARY KEY REFERENCES objection (id),
    board_member text COLLATE "C" NOT NULL REFERENCES member (id),
    verdict text COLLATE "C" NOT NULL CHECK (verdict IN ('accepted', 'rejected')),
    reason text COLLATE "C" NOT NULL,
    decided_at bigint NOT NULL
);

CREATE TABLE account (
    id bigint PRIMARY KEY CHECK (id >= 1),
    member text COLLATE "C" NOT NULL REFERENCES member (id),
    name text COLLATE "C" NOT NULL,
    iban text COLLATE "C" NOT NULL,
    made_by text COLLATE "C" NOT NULL REFERENCES member (id),
    made_at bigint NOT NULL
);
CREATE INDEX account_member ON account (member);

-- SQLite numbers the rows of this table by itself; here a column does, and it is no part of a row's digest.
CREATE TABLE mandate (
    id text COLLATE "C" PRIMARY KEY,
    account bigint NOT NULL REFERENCES account (id),
    signed_on text COLLATE "C" NOT NULL,
    made_by text COLLATE "C" NOT NULL REFERENCES member (id),
    made_at bigint NOT NULL,
    rowid bigint GENERATED BY DEFAULT AS IDENTITY
);

CREATE TABLE mandate_end (
    mandate text COLLATE "C" PRIMARY KEY REFERENCES mandate (id),
    made_by text COLLATE "C" NOT NULL REFERENCES member (id),
    made_at bigint NOT NULL
);

CREATE TABLE finding (
    id bigint PRIMARY KEY CHECK (id >= 1),
    home text COLLATE "C" NOT NULL REFERENCES home (id),
    day text COLLATE "C" NOT NULL,
    code text COLLATE "C" NOT NULL,
    measure bigint NOT NULL,
    first_slot bigint NOT NULL,
    slots bigint NOT NULL CHECK (slots >= 1),
    severity text COLLATE "C" NOT NULL CHECK (severity IN ('note', 'check', 'hold')),
    numbers text COLLATE "C" NOT NULL,
    sentence text COLLATE "C" NOT NULL,
    found_at bigint NOT NULL
);
CREATE INDEX finding_day ON finding (day);
CREATE INDEX finding_home ON finding (home, day);

CREATE TABLE finding_closed (
    finding bigint PRIMARY KEY REFERENCES finding (id),
    reason text COLLATE "C" NOT NULL,
    closed_at bigint NOT NULL
);

CREATE TABLE finding_decision (
    id bigint PRIMARY KEY CHECK (id >= 1),
    finding bigint NOT NULL REFERENCES finding (id),
    board_member text COLLATE "C" NOT NULL REFERENCES member (id),
    verdict text COLLATE "C" NOT NULL CHECK (verdict IN ('accept', 'reject', 'estimate')),
    reason text COLLATE "C" NOT NULL,
    decided_at bigint NOT NULL
);
CREATE INDEX finding_decision_of ON finding_decision (finding);

CREATE TABLE looked_through (
    day text COLLATE "C" PRIMARY KEY,
    message_position bigint NOT NULL
);

CREATE TABLE street_day (
    day text COLLATE "C" PRIMARY KEY,
    homes text COLLATE "C" NOT NULL
);

CREATE TABLE street_total (
    slot bigint PRIMARY KEY,
    homes text COLLATE "C" NOT NULL,
    makers bigint NOT NULL,
    sun_wh bigint NOT NULL,
    wind_wh bigint NOT NULL,
    used_wh bigint NOT NULL
);

CREATE TABLE agent_clock (
    agent text COLLATE "C" PRIMARY KEY REFERENCES agent (id),
    told_at bigint NOT NULL,
    ahead_s bigint NOT NULL,
    state text COLLATE "C" NOT NULL
);

-- Which rows the hub wrote, one line each, in one chain whose head the hub signs.
CREATE TABLE row_log (
    position bigint PRIMARY KEY CHECK (position >= 1),
    at bigint NOT NULL,
    source text COLLATE "C" NOT NULL,
    row_key text COLLATE "C" NOT NULL,
    change text COLLATE "C" NOT NULL CHECK (change IN ('added', 'changed', 'removed', 'taken over', 'form')),
    digest bytea NOT NULL CHECK (length(digest) = 32),
    says text COLLATE "C" NOT NULL
);

CREATE TABLE row_log_head (
    one bigint PRIMARY KEY CHECK (one = 1),
    position bigint NOT NULL,
    hash bytea NOT NULL CHECK (length(hash) = 32),
    signature bytea NOT NULL
);

-- Filled by triggers while a transaction runs and emptied before it is committed.
CREATE TABLE row_log_waiting (
    id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    source text COLLATE "C" NOT NULL,
    row_key text COLLATE "C" NOT NULL,
    change text COLLATE "C" NOT NULL,
    content text COLLATE "C" NOT NULL,
    says text COLLATE "C" NOT NULL
);

CREATE TABLE connection_agreement (
    id bigint PRIMARY KEY,
    home text COLLATE "C" NOT NULL,
    power_w bigint NOT NULL CHECK (power_w > 0),
    since_slot bigint NOT NULL,
    board_member text COLLATE "C" NOT NULL,
    entered_at bigint NOT NULL
);

CREATE TABLE run_group (
    run_key text COLLATE "C" PRIMARY KEY,
    open_homes text COLLATE "C" NOT NULL,
    plants text COLLATE "C" NOT NULL,
    was_shown bigint NOT NULL DEFAULT 0
);

CREATE TABLE rule_adoption (
    rule bigint PRIMARY KEY REFERENCES rule (position),
    rule_hash text COLLATE "C" NOT NULL,
    valid_from_day text COLLATE "C" NOT NULL,
    adopted_by text COLLATE "C" NOT NULL,
    adopted_at bigint NOT NULL
);

CREATE TABLE rule_proposal (
    id bigint PRIMARY KEY,
    rule_hash text COLLATE "C" NOT NULL,
    canonical bytea NOT NULL,
    valid_from_day text COLLATE "C" NOT NULL,
    follows bigint NOT NULL,
    source text COLLATE "C" NOT NULL,
    proposed_by text COLLATE "C" NOT NULL,
    proposed_at bigint NOT NULL,
    UNIQUE (rule_hash, valid_from_day)
);

CREATE TABLE member_change (
    id bigint PRIMARY KEY CHECK (id >= 1),
    at bigint NOT NULL,
    made_by text COLLATE "C" NOT NULL,
    kind text COLLATE "C" NOT NULL,
    member text COLLATE "C" NOT NULL,
    subject text COLLATE "C" NOT NULL,
    reason text COLLATE "C" NOT NULL,
    link_by text COLLATE "C" NOT NULL DEFAULT ''
);
CREATE INDEX member_change_kind ON member_change (kind, member);

CREATE TABLE rule_withdrawal (
    proposal bigint PRIMARY KEY REFERENCES rule_proposal (id),
    withdrawn_by text COLLATE "C" NOT NULL,
    withdrawn_at bigint NOT NULL
);

CREATE TABLE cut_off (
    agent text COLLATE "C" PRIMARY KEY REFERENCES agent (id),
    at bigint NOT NULL,
    messages bigint NOT NULL
);

CREATE TABLE home_adult (
    home text COLLATE "C" NOT NULL REFERENCES home (id),
    member text COLLATE "C" NOT NULL REFERENCES member (id),
    since_at bigint NOT NULL,
    PRIMARY KEY (home, member)
);

CREATE TABLE erasure (
    home text COLLATE "C" PRIMARY KEY REFERENCES home (id),
    member text COLLATE "C" NOT NULL REFERENCES member (id),
    left_at bigint NOT NULL,
    months bigint NOT NULL CHECK (months >= 16),
    messages bigint NOT NULL,
    erased_at bigint NOT NULL
);

CREATE TABLE person_erasure (
    member text COLLATE "C" PRIMARY KEY REFERENCES member (id),
    months bigint NOT NULL CHECK (months >= 16),
    erased_at bigint NOT NULL
);

CREATE TABLE notice (
    id bigint PRIMARY KEY,
    kind text COLLATE "C" NOT NULL,
    member text COLLATE "C" NOT NULL REFERENCES member (id),
    about text COLLATE "C" NOT NULL,
    facts text COLLATE "C" NOT NULL,
    secret bytea,
    made_at bigint NOT NULL,
    last_try_at bigint NOT NULL,
    next_try_at bigint NOT NULL,
    tries bigint NOT NULL DEFAULT 0,
    state text COLLATE "C" NOT NULL,
    settled_at bigint,
    answer text COLLATE "C" NOT NULL DEFAULT '',
    UNIQUE (kind, member, about)
);
CREATE INDEX notice_waiting ON notice (next_try_at) WHERE settled_at IS NULL;

CREATE TABLE mail_bounce (
    address text COLLATE "C" PRIMARY KEY,
    at bigint NOT NULL,
    answer text COLLATE "C" NOT NULL
);

CREATE TABLE notice_choice (
    member text COLLATE "C" NOT NULL REFERENCES member (id),
    kind text COLLATE "C" NOT NULL,
    is_on bigint NOT NULL CHECK (is_on IN (0, 1)),
    made_by text COLLATE "C" NOT NULL,
    made_at bigint NOT NULL,
    PRIMARY KEY (member, kind)
);

CREATE TABLE restore (
    id bigint PRIMARY KEY,
    backup_made_at bigint NOT NULL,
    restored_at bigint NOT NULL,
    checked_by text COLLATE "C" NOT NULL DEFAULT '',
    checked_at bigint
);

CREATE TABLE agent_objection (
    agent text COLLATE "C" PRIMARY KEY REFERENCES agent (id),
    member text COLLATE "C" NOT NULL REFERENCES member (id),
    reason text COLLATE "C" NOT NULL,
    made_at bigint NOT NULL
);

CREATE TABLE agent_objection_decision (
    agent text COLLATE "C" PRIMARY KEY REFERENCES agent_objection (agent),
    board_member text COLLATE "C" NOT NULL REFERENCES member (id),
    verdict text COLLATE "C" NOT NULL CHECK (verdict IN ('counts', 'refused')),
    reason text COLLATE "C" NOT NULL,
    decided_at bigint NOT NULL
);

CREATE TABLE consent (
    home text COLLATE "C" NOT NULL,
    seat bigint NOT NULL,
    version bigint NOT NULL,
    document bytea NOT NULL,
    received_at bigint NOT NULL,
    PRIMARY KEY (home, seat, version)
);

CREATE TABLE device (
    home text COLLATE "C" NOT NULL,
    seat bigint NOT NULL,
    name text COLLATE "C" NOT NULL,
    state text COLLATE "C" NOT NULL,
    age_s bigint NOT NULL,
    reported_at bigint NOT NULL,
    PRIMARY KEY (home, seat, name)
);

CREATE TABLE measure_source (
    id bigint PRIMARY KEY,
    home text COLLATE "C" NOT NULL REFERENCES home (id),
    measure bigint NOT NULL,
    agent text COLLATE "C" NOT NULL REFERENCES agent (id),
    after_position bigint NOT NULL,
    first_slot bigint NOT NULL,
    since_at bigint NOT NULL
);

CREATE TABLE meter_notice (
    id bigint PRIMARY KEY,
    agent text COLLATE "C" NOT NULL REFERENCES agent (id),
    told_at bigint NOT NULL,
    from_slot bigint NOT NULL,
    quality text COLLATE "C" NOT NULL,
    phases text COLLATE "C" NOT NULL,
    legal_phases text COLLATE "C" NOT NULL,
    is_derived bigint NOT NULL,
    metrology text COLLATE "C" NOT NULL,
    sealed bytea NOT NULL,
    netting text COLLATE "C" NOT NULL DEFAULT 'unknown',
    within_wh bigint NOT NULL DEFAULT 0,
    within_percent bigint NOT NULL DEFAULT 0,
    factor_millionths bigint NOT NULL DEFAULT 1000000
);
CREATE INDEX meter_notice_by_agent ON meter_notice (agent, id);

-- Numbered like mandate.
CREATE TABLE map_file (
    digest text COLLATE "C" PRIMARY KEY,
    map text COLLATE "C" NOT NULL,
    quality text COLLATE "C" NOT NULL,
    text text COLLATE "C" NOT NULL,
    added_by text COLLATE "C" NOT NULL,
    added_at bigint NOT NULL,
    rowid bigint GENERATED BY DEFAULT AS IDENTITY
);

CREATE TABLE map_proposal (
    id bigint PRIMARY KEY,
    follows bigint NOT NULL,
    digests text COLLATE "C" NOT NULL,
    proposed_by text COLLATE "C" NOT NULL,
    proposed_at bigint NOT NULL
);

CREATE TABLE map_release (
    serial bigint PRIMARY KEY,
    proposal bigint NOT NULL UNIQUE REFERENCES map_proposal (id),
    bronze bigint NOT NULL,
    bundle bytea NOT NULL,
    released_by text COLLATE "C" NOT NULL,
    released_at bigint NOT NULL
);

CREATE TABLE map_withdrawal (
    proposal bigint PRIMARY KEY REFERENCES map_proposal (id),
    withdrawn_by text COLLATE "C" NOT NULL,
    withdrawn_at bigint NOT NULL
);
