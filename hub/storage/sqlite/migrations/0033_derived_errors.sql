-- What newer notices say: within which time the home's grid operator nets, and how far derived energy may be off.
ALTER TABLE meter_notice ADD COLUMN netting TEXT NOT NULL DEFAULT 'unknown';
ALTER TABLE meter_notice ADD COLUMN within_wh INTEGER NOT NULL DEFAULT 0;
ALTER TABLE meter_notice ADD COLUMN within_percent INTEGER NOT NULL DEFAULT 0;
