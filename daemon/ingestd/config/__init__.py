"""What the operator wrote: read, checked and typed."""
