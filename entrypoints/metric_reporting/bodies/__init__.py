"""What requests of this contract carry."""
