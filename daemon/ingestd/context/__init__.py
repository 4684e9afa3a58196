"""`ctx`: what a run may ask of the daemon."""
