"""People and sounds with known truth: the demo's participant, and cohorts on which the whole chain is checked."""
