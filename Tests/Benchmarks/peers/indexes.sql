-- The indexes that the store has besides: it lists renders, watches deadlines and tells the history.
CREATE INDEX renders_by_state ON renders (state, updated_at, seq);
CREATE INDEX renders_by_deadline ON renders (deadline_at) WHERE deadline_at IS NOT NULL;
CREATE INDEX transitions_by_id ON transitions (id);
