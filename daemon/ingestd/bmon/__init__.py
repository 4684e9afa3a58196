"""Everything that is only here for BMON."""
