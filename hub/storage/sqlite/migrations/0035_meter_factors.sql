-- What newer notices say: by what the household multiplies all that its grid meter shows, in millionths.
ALTER TABLE meter_notice ADD COLUMN factor_millionths INTEGER NOT NULL DEFAULT 1000000;
