"""Between outbox and hub: identity, enrolment, sealing, the MQTT connection and the meaning of receipts."""
