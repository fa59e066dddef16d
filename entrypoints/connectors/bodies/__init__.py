"""What requests of this contract say."""
