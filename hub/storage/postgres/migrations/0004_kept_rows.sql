-- Rows that are never deleted and never changed. Whoever runs the hub has no right to either as well (grants.py); these
-- triggers hold for everybody else.

CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '%', TG_ARGV[0] USING ERRCODE = 'integrity_constraint_violation';
END $$;

CREATE TRIGGER access_is_kept BEFORE DELETE ON access_log FOR EACH ROW EXECUTE FUNCTION refuse('the access log is never shortened');
CREATE TRIGGER account_is_kept BEFORE DELETE ON account FOR EACH ROW EXECUTE FUNCTION refuse('an account is never deleted');
CREATE TRIGGER agent_objection_is_fixed BEFORE UPDATE ON agent_objection FOR EACH ROW EXECUTE FUNCTION refuse('an objection is never changed');
CREATE TRIGGER agent_objection_is_kept BEFORE DELETE ON agent_objection FOR EACH ROW EXECUTE FUNCTION refuse('an objection is never deleted');
CREATE TRIGGER agent_objection_decision_is_fixed BEFORE UPDATE ON agent_objection_decision FOR EACH ROW EXECUTE FUNCTION refuse('a decision is never changed');
CREATE TRIGGER agent_objection_decision_is_kept BEFORE DELETE ON agent_objection_decision FOR EACH ROW EXECUTE FUNCTION refuse('a decision is never deleted');
CREATE TRIGGER attestation_is_fixed BEFORE UPDATE ON attestation FOR EACH ROW EXECUTE FUNCTION refuse('what was signed is never changed');
CREATE TRIGGER attestation_is_kept BEFORE DELETE ON attestation FOR EACH ROW EXECUTE FUNCTION refuse('what was signed is never deleted');
CREATE TRIGGER connection_agreement_is_fixed BEFORE UPDATE ON connection_agreement FOR EACH ROW EXECUTE FUNCTION refuse('a connection agreement is never changed');
CREATE TRIGGER connection_agreement_is_kept BEFORE DELETE ON connection_agreement FOR EACH ROW EXECUTE FUNCTION refuse('a connection agreement is never deleted');
CREATE TRIGGER entry_is_fixed BEFORE UPDATE ON entry FOR EACH ROW EXECUTE FUNCTION refuse('the ledger is append-only');
CREATE TRIGGER entry_is_kept BEFORE DELETE ON entry FOR EACH ROW EXECUTE FUNCTION refuse('the ledger is append-only');
CREATE TRIGGER erasure_is_fixed BEFORE UPDATE ON erasure FOR EACH ROW EXECUTE FUNCTION refuse('what was erased is never changed');
CREATE TRIGGER erasure_is_kept BEFORE DELETE ON erasure FOR EACH ROW EXECUTE FUNCTION refuse('that something was erased is never deleted');
CREATE TRIGGER finding_is_fixed BEFORE UPDATE ON finding FOR EACH ROW EXECUTE FUNCTION refuse('a finding is never changed');
CREATE TRIGGER finding_is_kept BEFORE DELETE ON finding FOR EACH ROW EXECUTE FUNCTION refuse('a finding is never deleted');
CREATE TRIGGER finding_closed_is_fixed BEFORE UPDATE ON finding_closed FOR EACH ROW EXECUTE FUNCTION refuse('the closing of a finding is never changed');
CREATE TRIGGER finding_closed_is_kept BEFORE DELETE ON finding_closed FOR EACH ROW EXECUTE FUNCTION refuse('the closing of a finding is never deleted');
CREATE TRIGGER finding_decision_is_fixed BEFORE UPDATE ON finding_decision FOR EACH ROW EXECUTE FUNCTION refuse('a decision is never changed');
CREATE TRIGGER finding_decision_is_kept BEFORE DELETE ON finding_decision FOR EACH ROW EXECUTE FUNCTION refuse('a decision is never deleted');
CREATE TRIGGER mandate_is_fixed BEFORE UPDATE ON mandate FOR EACH ROW EXECUTE FUNCTION refuse('a mandate is never changed');
CREATE TRIGGER mandate_is_kept BEFORE DELETE ON mandate FOR EACH ROW EXECUTE FUNCTION refuse('a mandate is never deleted');
CREATE TRIGGER mandate_end_is_fixed BEFORE UPDATE ON mandate_end FOR EACH ROW EXECUTE FUNCTION refuse('the end of a mandate is never changed');
CREATE TRIGGER mandate_end_is_kept BEFORE DELETE ON mandate_end FOR EACH ROW EXECUTE FUNCTION refuse('the end of a mandate is never deleted');
CREATE TRIGGER map_file_is_fixed BEFORE UPDATE ON map_file FOR EACH ROW EXECUTE FUNCTION refuse('an added map is never changed');
CREATE TRIGGER map_file_is_kept BEFORE DELETE ON map_file FOR EACH ROW EXECUTE FUNCTION refuse('an added map is never deleted');
CREATE TRIGGER map_proposal_is_fixed BEFORE UPDATE ON map_proposal FOR EACH ROW EXECUTE FUNCTION refuse('a proposed set of maps is never changed');
CREATE TRIGGER map_proposal_is_kept BEFORE DELETE ON map_proposal FOR EACH ROW EXECUTE FUNCTION refuse('a proposed set of maps is never deleted');
CREATE TRIGGER map_release_is_fixed BEFORE UPDATE ON map_release FOR EACH ROW EXECUTE FUNCTION refuse('a release of maps is never changed');
CREATE TRIGGER map_release_is_kept BEFORE DELETE ON map_release FOR EACH ROW EXECUTE FUNCTION refuse('a release of maps is never deleted');
CREATE TRIGGER map_withdrawal_is_fixed BEFORE UPDATE ON map_withdrawal FOR EACH ROW EXECUTE FUNCTION refuse('a withdrawal is never changed');
CREATE TRIGGER map_withdrawal_is_kept BEFORE DELETE ON map_withdrawal FOR EACH ROW EXECUTE FUNCTION refuse('a withdrawal is never deleted');
CREATE TRIGGER measure_source_is_fixed BEFORE UPDATE ON measure_source FOR EACH ROW EXECUTE FUNCTION refuse('who brought a measure is never changed');
CREATE TRIGGER measure_source_is_kept BEFORE DELETE ON measure_source FOR EACH ROW EXECUTE FUNCTION refuse('who brought a measure is never forgotten');
CREATE TRIGGER member_change_is_fixed BEFORE UPDATE ON member_change FOR EACH ROW EXECUTE FUNCTION refuse('a change to members is never altered in their log');
CREATE TRIGGER member_change_is_kept BEFORE DELETE ON member_change FOR EACH ROW EXECUTE FUNCTION refuse('a change to members is never deleted from their log');
CREATE TRIGGER message_is_kept BEFORE DELETE ON message FOR EACH ROW EXECUTE FUNCTION refuse('a signed message is never deleted');
CREATE TRIGGER meter_notice_is_fixed BEFORE UPDATE ON meter_notice FOR EACH ROW EXECUTE FUNCTION refuse('a notice of a meter is never changed');
CREATE TRIGGER meter_notice_is_kept BEFORE DELETE ON meter_notice FOR EACH ROW EXECUTE FUNCTION refuse('a notice of a meter is never deleted');
CREATE TRIGGER objection_is_fixed BEFORE UPDATE ON objection FOR EACH ROW EXECUTE FUNCTION refuse('an objection is never changed');
CREATE TRIGGER objection_is_kept BEFORE DELETE ON objection FOR EACH ROW EXECUTE FUNCTION refuse('an objection is never deleted');
CREATE TRIGGER objection_decision_is_fixed BEFORE UPDATE ON objection_decision FOR EACH ROW EXECUTE FUNCTION refuse('a decision is never changed');
CREATE TRIGGER objection_decision_is_kept BEFORE DELETE ON objection_decision FOR EACH ROW EXECUTE FUNCTION refuse('a decision is never deleted');
CREATE TRIGGER person_erasure_is_fixed BEFORE UPDATE ON person_erasure FOR EACH ROW EXECUTE FUNCTION refuse('what was erased is never changed');
CREATE TRIGGER person_erasure_is_kept BEFORE DELETE ON person_erasure FOR EACH ROW EXECUTE FUNCTION refuse('that something was erased is never deleted');
CREATE TRIGGER row_log_is_fixed BEFORE UPDATE ON row_log FOR EACH ROW EXECUTE FUNCTION refuse('the log of rows is never changed');
CREATE TRIGGER row_log_is_kept BEFORE DELETE ON row_log FOR EACH ROW EXECUTE FUNCTION refuse('the log of rows is never shortened');
CREATE TRIGGER rule_adoption_is_fixed BEFORE UPDATE ON rule_adoption FOR EACH ROW EXECUTE FUNCTION refuse('a rule''s adoption is never changed');
CREATE TRIGGER rule_adoption_is_kept BEFORE DELETE ON rule_adoption FOR EACH ROW EXECUTE FUNCTION refuse('a rule''s adoption is never deleted');
CREATE TRIGGER rule_proposal_is_fixed BEFORE UPDATE ON rule_proposal FOR EACH ROW EXECUTE FUNCTION refuse('a proposed rule is never changed');
CREATE TRIGGER rule_proposal_is_kept BEFORE DELETE ON rule_proposal FOR EACH ROW EXECUTE FUNCTION refuse('a proposed rule is never deleted');
CREATE TRIGGER rule_withdrawal_is_fixed BEFORE UPDATE ON rule_withdrawal FOR EACH ROW EXECUTE FUNCTION refuse('a withdrawal is never changed');
CREATE TRIGGER rule_withdrawal_is_kept BEFORE DELETE ON rule_withdrawal FOR EACH ROW EXECUTE FUNCTION refuse('a withdrawal is never deleted');
CREATE TRIGGER run_is_fixed BEFORE UPDATE ON run FOR EACH ROW EXECUTE FUNCTION refuse('a settlement run is never changed');
CREATE TRIGGER run_is_kept BEFORE DELETE ON run FOR EACH ROW EXECUTE FUNCTION refuse('a settlement run is never deleted');
CREATE TRIGGER run_group_is_fixed BEFORE UPDATE ON run_group FOR EACH ROW EXECUTE FUNCTION refuse('a published group is never changed');
CREATE TRIGGER run_group_is_kept BEFORE DELETE ON run_group FOR EACH ROW EXECUTE FUNCTION refuse('a published group is never deleted');
CREATE TRIGGER street_day_is_fixed BEFORE UPDATE ON street_day FOR EACH ROW EXECUTE FUNCTION refuse('a published group is never changed');
CREATE TRIGGER street_day_is_kept BEFORE DELETE ON street_day FOR EACH ROW EXECUTE FUNCTION refuse('a published group is never deleted');
CREATE TRIGGER street_total_is_fixed BEFORE UPDATE ON street_total FOR EACH ROW EXECUTE FUNCTION refuse('a published total is never changed');
CREATE TRIGGER street_total_is_kept BEFORE DELETE ON street_total FOR EACH ROW EXECUTE FUNCTION refuse('a published total is never deleted');

-- A home's signed messages keep their numbers and hashes and lose their bytes once the home is erased.
CREATE FUNCTION message_keeps() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF length(NEW.sealed) > 0
        OR (NEW.position, NEW.agent, NEW.epoch, NEW.seq, NEW.kind, NEW.hash, NEW.received_at)
            IS DISTINCT FROM (OLD.position, OLD.agent, OLD.epoch, OLD.seq, OLD.kind, OLD.hash, OLD.received_at)
        OR (NEW.first_slot, NEW.last_slot, NEW.refused) IS DISTINCT FROM (OLD.first_slot, OLD.last_slot, OLD.refused)
        OR NOT EXISTS (SELECT 1 FROM agent JOIN erasure ON erasure.home = agent.home_id WHERE agent.id = OLD.agent)
    THEN
        RAISE EXCEPTION 'a signed message is never changed' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER message_is_fixed BEFORE UPDATE ON message FOR EACH ROW EXECUTE FUNCTION message_keeps();

-- An account loses its name and number once its member is erased.
CREATE FUNCTION account_keeps() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.name <> '' OR NEW.iban <> ''
        OR (NEW.id, NEW.member, NEW.made_by, NEW.made_at) IS DISTINCT FROM (OLD.id, OLD.member, OLD.made_by, OLD.made_at)
        OR NOT EXISTS (SELECT 1 FROM person_erasure WHERE member = OLD.member)
    THEN
        RAISE EXCEPTION 'an account is never changed' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER account_is_fixed BEFORE UPDATE ON account FOR EACH ROW EXECUTE FUNCTION account_keeps();
