-- How sure a prompt's measured effect is: half the width of its 90 % interval, in Wh. NULL for effects measured before.
ALTER TABLE prompt ADD COLUMN measured_uncertainty_wh INTEGER;
